//! Sequences as folders of frames beside folders of label maps: what DAVIS, MOSE, YouTube-VOS,
//! LVOS and generic folders have in common.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use masklet_media::FrameSource;

use super::first_appearances;
use super::frames::FrameFiles;
use crate::dataset::{ObjectInfo, Sequence, VideoDataset};
use crate::{
    DataError, FrameAnnotation, LabelMap, LabelRule, Layout, Result, SkipReason, Skipped, listing,
};

/// What a data set's index says of one object.
#[derive(Clone, Debug)]
pub(super) struct ListedObject {
    pub(super) category: Option<String>,
    pub(super) frames: Listed,
}

/// The frames an index lists, by the names or numbers of the files.
#[derive(Clone, Debug)]
pub(super) enum Listed {
    /// Names without extension.
    Names(Vec<String>),
    /// Numbers from the first to below the second.
    Range(u64, u64),
}

/// By sequence and object.
pub(super) type Index = HashMap<String, BTreeMap<u32, ListedObject>>;

/// Where one sequence is.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The pictures, if there are any.
    pub(super) frames: Option<PathBuf>,
    pub(super) masks: PathBuf,
}

/// The sequences of a folder.
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: Vec<Skipped>,
}

impl From<Vec<Entry>> for Found {
    fn from(entries: Vec<Entry>) -> Self {
        Self {
            entries,
            left_out: Vec::new(),
        }
    }
}

/// A data set of such sequences.
pub(super) struct Folders {
    layout: Layout,
    root: PathBuf,
    names: Vec<String>,
    entries: Vec<Entry>,
    left_out: Vec<Skipped>,
    rule: LabelRule,
    index: Index,
}

impl Folders {
    pub(super) fn new(layout: Layout, root: &Path, found: Found, rule: LabelRule) -> Self {
        let Found { entries, left_out } = found;
        Self {
            layout,
            root: root.to_owned(),
            names: entries.iter().map(|entry| entry.name.clone()).collect(),
            entries,
            left_out,
            rule,
            index: Index::new(),
        }
    }

    pub(super) fn with_index(mut self, index: Index) -> Self {
        self.index = index;
        self
    }
}

impl VideoDataset for Folders {
    fn layout(&self) -> Layout {
        self.layout
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn left_out(&self) -> &[Skipped] {
        &self.left_out
    }

    fn open(&self, index: usize) -> Result<Box<dyn Sequence>> {
        let entry = self.entries.get(index).ok_or_else(|| {
            let names = self.names.iter().map(String::as_str);
            DataError::unknown("sequence number", index.to_string(), names)
        })?;
        let listed = self.index.get(&entry.name).cloned().unwrap_or_default();
        Ok(Box::new(FolderSequence::open(
            self.layout,
            entry,
            self.rule,
            listed,
        )?))
    }
}

/// The sequences of `frames` (a folder for each) with their masks in `masks`. `names` says which
/// and in what order; by default all that have masks.
pub(super) fn entries(
    layout: Layout,
    frames: &Path,
    masks: &Path,
    names: Option<Vec<String>>,
) -> Result<Found> {
    for (path, what) in [(frames, "the frames"), (masks, "the masks")] {
        if !path.is_dir() {
            return Err(DataError::Missing {
                layout: layout.name(),
                path: path.to_owned(),
                what: format!("a folder for each sequence, with {what}"),
            });
        }
    }
    let (names, without): (Vec<String>, Vec<String>) = match names {
        Some(names) => (names, Vec::new()),
        None => {
            let names = listing::subfolders(frames)?.into_iter();
            names.partition(|name| masks.join(name).is_dir())
        }
    };
    if names.is_empty() {
        return Err(DataError::Missing {
            layout: layout.name(),
            path: masks.join("<sequence>"),
            what: format!(
                "no sequence has both frames and masks; frames are in {}",
                frames.display()
            ),
        });
    }
    let entry = |name: String| Entry {
        frames: Some(frames.join(&name)),
        masks: masks.join(&name),
        name,
    };
    let skipped = |name| Skipped::new(name, SkipReason::NoMasks);
    Ok(Found {
        entries: names.into_iter().map(entry).collect(),
        left_out: without.into_iter().map(skipped).collect(),
    })
}

/// [`LabelRule::guess`] from the first masks of the first sequences whose masks can be read.
pub(super) fn guess_rule(found: &Found) -> LabelRule {
    const LOOKED_AT: usize = 4;
    let first_map = |entry: &Entry| {
        let files = listing::files(&entry.masks, &["png"]).unwrap_or_default();
        files.first().and_then(|file| LabelMap::open(file).ok())
    };
    let maps: Vec<LabelMap> = found
        .entries
        .iter()
        .filter_map(first_map)
        .take(LOOKED_AT)
        .collect();
    LabelRule::guess(&maps)
}

/// One such sequence.
struct FolderSequence {
    name: String,
    frames: FrameFiles,
    /// The label map of each annotated frame.
    maps: BTreeMap<usize, PathBuf>,
    annotated: Vec<usize>,
    rule: LabelRule,
    listed: BTreeMap<u32, ListedObject>,
    objects: OnceLock<Vec<ObjectInfo>>,
}

impl FolderSequence {
    fn open(
        layout: Layout,
        entry: &Entry,
        rule: LabelRule,
        listed: BTreeMap<u32, ListedObject>,
    ) -> Result<Self> {
        let missing = |path: &Path, what: &str| DataError::Missing {
            layout: layout.name(),
            path: path.to_owned(),
            what: format!("{what} of sequence {:?}", entry.name),
        };
        if !entry.masks.is_dir() {
            return Err(missing(&entry.masks, "the masks"));
        }
        let masks = listing::files(&entry.masks, &["png"])?;
        if masks.is_empty() {
            return Err(missing(&entry.masks.join("*.png"), "the masks"));
        }
        let frames = match &entry.frames {
            Some(folder) if folder.is_dir() => FrameFiles::pictures(layout, folder)?,
            Some(folder) => return Err(missing(folder, "the frames")),
            None => FrameFiles::of_masks(&entry.masks, masks.clone())?,
        };
        let maps: BTreeMap<usize, PathBuf> = masks
            .into_iter()
            .map(|map| Ok((frames.frame_of(&map)?, map)))
            .collect::<Result<_>>()?;
        Ok(Self {
            name: entry.name.clone(),
            frames,
            annotated: maps.keys().copied().collect(),
            maps,
            rule,
            listed,
            objects: OnceLock::new(),
        })
    }

    fn listed_frames(&self, listed: &Listed) -> Vec<usize> {
        let chosen = |stem: String| match listed {
            Listed::Names(names) => names.contains(&stem),
            Listed::Range(start, end) => stem
                .parse()
                .is_ok_and(|number: u64| (*start..*end).contains(&number)),
        };
        (0..self.frames.len())
            .filter(|&frame| chosen(self.frames.name(frame)))
            .collect()
    }
}

impl Sequence for FolderSequence {
    fn name(&self) -> &str {
        &self.name
    }

    fn frame_count(&self) -> usize {
        self.frames.len()
    }

    fn frame_name(&self, frame: usize) -> String {
        self.frames.name(frame)
    }

    fn frames(&self) -> Result<Box<dyn FrameSource>> {
        self.frames.source()
    }

    fn annotated_frames(&self) -> &[usize] {
        &self.annotated
    }

    fn annotation(&self, frame: usize) -> Result<Option<FrameAnnotation>> {
        let Some(path) = self.maps.get(&frame) else {
            return Ok(None);
        };
        let map = LabelMap::open(path)?;
        self.frames.check_mask(path, map.dimensions())?;
        Ok(Some(FrameAnnotation::from_labels(map, self.rule)))
    }

    fn objects(&self) -> Result<&[ObjectInfo]> {
        if let Some(known) = self.objects.get() {
            return Ok(known);
        }
        let mut objects = first_appearances(&self.annotated, |frame| self.annotation(frame))?;
        for object in &mut objects {
            if let Some(listed) = self.listed.get(&object.id) {
                object.category = listed.category.clone();
                object.listed_frames = Some(self.listed_frames(&listed.frames));
            }
        }
        Ok(self.objects.get_or_init(|| objects))
    }
}
