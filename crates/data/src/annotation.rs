//! What is annotated on one frame.

use masklet_media::{BitMask, Mask, Rle};

use crate::LabelMap;

/// How the values of a label map are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelRule {
    /// 0 is background, 255 is void (neither object nor background), any other value is the
    /// object of that number: DAVIS 2017, MOSE, YouTube-VOS, LVOS.
    Objects,
    /// Any value but 0 is object 1: DAVIS 2016 and other masks of 0 and 255.
    Binary,
    /// 0 is background, any other value, 255 too, is an object: maps with many segments.
    AllLabels,
}

impl LabelRule {
    /// The object that a label stands for.
    pub fn object(self, label: u16) -> Option<u32> {
        match (self, label) {
            (_, 0) | (Self::Objects, LabelMap::VOID) => None,
            (Self::Binary, _) => Some(1),
            (Self::Objects | Self::AllLabels, label) => Some(label.into()),
        }
    }

    /// The label whose pixels are an object's; for a binary map the one whose pixels are not.
    fn label(self, object: u32) -> Option<u16> {
        match self {
            Self::Binary => (object == 1).then_some(0),
            Self::Objects | Self::AllLabels => u16::try_from(object)
                .ok()
                .filter(|&label| self.object(label).is_some()),
        }
    }

    /// The rule for a data set that may hold either kind of map, from some of its maps: binary
    /// if they hold 255 and nothing else beside 0.
    pub(crate) fn guess<'a>(maps: impl IntoIterator<Item = &'a LabelMap>) -> Self {
        let mut binary = false;
        for (label, _) in maps.into_iter().flat_map(LabelMap::counts) {
            match label {
                0 => {}
                LabelMap::VOID => binary = true,
                _ => return Self::Objects,
            }
        }
        if binary { Self::Binary } else { Self::Objects }
    }

    /// Whether a label stands for void.
    pub fn is_void(self, label: u16) -> bool {
        self == Self::Objects && label == LabelMap::VOID
    }
}

/// The objects of one annotated frame. Masks are made when asked for.
#[derive(Clone, Debug)]
pub struct FrameAnnotation {
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// One picture for all objects: it says of every object where it is and is not.
    Labels { map: LabelMap, rule: LabelRule },
    /// Each object on its own, by id; of an object that is not here, nothing is said.
    Objects {
        dimensions: (u32, u32),
        masks: Vec<(u32, Rle)>,
    },
    /// The same, each as a picture: not 0 where the object is.
    Maps {
        dimensions: (u32, u32),
        maps: Vec<(u32, LabelMap)>,
    },
}

impl FrameAnnotation {
    /// From a label map.
    pub fn from_labels(map: LabelMap, rule: LabelRule) -> Self {
        Self {
            content: Content::Labels { map, rule },
        }
    }

    /// From a run-length encoding for each object, all of `dimensions` (width, height).
    pub fn from_masks(dimensions: (u32, u32), mut masks: Vec<(u32, Rle)>) -> Self {
        masks.sort_by_key(|&(id, _)| id);
        Self {
            content: Content::Objects { dimensions, masks },
        }
    }

    /// From a picture for each object, all of `dimensions` (width, height), not 0 where it is.
    pub fn from_maps(dimensions: (u32, u32), mut maps: Vec<(u32, LabelMap)>) -> Self {
        maps.sort_by_key(|&(id, _)| id);
        Self {
            content: Content::Maps { dimensions, maps },
        }
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        match &self.content {
            Content::Labels { map, .. } => map.dimensions(),
            Content::Objects { dimensions, .. } | Content::Maps { dimensions, .. } => *dimensions,
        }
    }

    /// The area in pixels of every object that has at least one here, by id.
    pub fn areas(&self) -> Vec<(u32, u64)> {
        match &self.content {
            Content::Labels { map, rule } => {
                let mut areas = std::collections::BTreeMap::new();
                for (label, count) in map.counts() {
                    if let Some(object) = rule.object(label) {
                        *areas.entry(object).or_default() += count;
                    }
                }
                areas.into_iter().collect()
            }
            Content::Objects { masks, .. } => masks
                .iter()
                .map(|(id, mask)| (*id, mask.area()))
                .filter(|&(_, area)| area > 0)
                .collect(),
            Content::Maps { maps, .. } => maps
                .iter()
                .map(|(id, map)| (*id, map.bits_of(0, true).area()))
                .filter(|&(_, area)| area > 0)
                .collect(),
        }
    }

    /// The objects that have at least one pixel here, ascending.
    pub fn object_ids(&self) -> Vec<u32> {
        self.areas().into_iter().map(|(id, _)| id).collect()
    }

    /// Whether the annotation says where an object is, or that it is not visible.
    pub fn covers(&self, object: u32) -> bool {
        self.annotated_ids().is_none_or(|ids| ids.contains(&object))
    }

    /// The objects of which the annotation speaks, present or absent, ascending; `None` if it
    /// speaks of every object, as a label map does.
    pub fn annotated_ids(&self) -> Option<Vec<u32>> {
        match &self.content {
            Content::Labels { .. } => None,
            Content::Objects { masks, .. } => Some(masks.iter().map(|&(id, _)| id).collect()),
            Content::Maps { maps, .. } => Some(maps.iter().map(|&(id, _)| id).collect()),
        }
    }

    /// The mask of an object: empty if it is annotated as absent, `None` if the annotation says
    /// nothing about it (which only happens where each object has its own file).
    pub fn mask(&self, object: u32) -> Option<Mask> {
        match &self.content {
            Content::Labels { map, rule } => {
                Some(map.mask_where(|label| rule.object(label) == Some(object)))
            }
            Content::Objects { masks, .. } => of(object, masks).map(Rle::decode),
            Content::Maps { maps, .. } => {
                of(object, maps).map(|map| map.mask_where(|value| value != 0))
            }
        }
    }

    /// The same as [`mask`](Self::mask) in the form that measures work on.
    pub fn bits(&self, object: u32) -> Option<BitMask> {
        match &self.content {
            Content::Labels { map, rule } => Some(match rule.label(object) {
                Some(label) => map.bits_of(label, *rule == LabelRule::Binary),
                None => {
                    let (width, height) = map.dimensions();
                    BitMask::empty(width, height)
                }
            }),
            Content::Objects { masks, .. } => of(object, masks).map(BitMask::from),
            Content::Maps { maps, .. } => of(object, maps).map(|map| map.bits_of(0, true)),
        }
    }

    /// The pixels that are neither object nor background, or `None` if there are none.
    pub fn void(&self) -> Option<Mask> {
        match &self.content {
            Content::Labels { map, rule } => {
                let void = map.mask_where(|label| rule.is_void(label));
                (!void.is_empty()).then_some(void)
            }
            Content::Objects { .. } | Content::Maps { .. } => None,
        }
    }
}

fn of<T>(object: u32, all: &[(u32, T)]) -> Option<&T> {
    all.iter()
        .find(|&&(id, _)| id == object)
        .map(|(_, one)| one)
}
