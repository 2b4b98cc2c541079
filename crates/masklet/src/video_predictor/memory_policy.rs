//! Which tracked frames an object's memory consists of.

use std::collections::VecDeque;

use burn::tensor::Tensor;
use masklet_media::components::connected_components;
use masklet_media::{BoundingBox, Mask};
use masklet_model::memory_bank::RecentChoice;
use serde::{Deserialize, Serialize};

use super::object::Remembered;
use crate::upscale::values;

/// Which tracked frames are attended to, besides the prompted ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum MemoryPolicy {
    /// The most recent ones, whatever is on them: SAM 2.
    #[default]
    Recent,
    /// The most recent ones that the model was confident of: SAMURAI.
    Confident(ConfidentMemory),
    /// A few recent ones that show the object, and older ones that tell it from its likes:
    /// DAM4SAM.
    DistractorAware(DistractorAwareMemory),
}

/// The memory selection of SAMURAI (Yang et al., arXiv 2411.11922, section 4.2): going back in
/// time, frames whose scores exceed both thresholds. The frame just before is always attended to,
/// as in the authors' code. Their third score, of a Kalman filter over boxes, is not used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidentMemory {
    /// Least predicted IoU.
    pub min_iou: f32,
    /// Least occlusion score (a logit).
    pub min_object_score: f32,
}

impl Default for ConfidentMemory {
    fn default() -> Self {
        Self {
            min_iou: 0.5,
            min_object_score: 0.0,
        }
    }
}

/// The distractor-aware memory of DAM4SAM (Videnovic et al., arXiv 2411.17576, section 3):
///
/// - recent appearance: every `stride`-th frame on which the object is visible, and the frame just
///   before;
/// - distractor resolution: *anchors*, frames on which the decoder's other candidates show
///   something beside the object (a distractor) while its own mask is reliable. They are attended
///   to like conditioning frames, and take the place of recent ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DistractorAwareMemory {
    /// Recent memories lie on multiples of this many frames.
    pub stride: usize,
    /// How many anchors are kept; the oldest gives way.
    pub anchors: usize,
    /// A candidate shows a distractor if the box of the mask covers less than this share of the
    /// box around the mask and the candidate's largest region.
    pub max_box_share: f32,
    /// An anchor's predicted IoU is at least this.
    pub min_iou: f32,
    /// An anchor's area is within this share of the median of the last ten areas.
    pub max_area_change: f32,
}

impl Default for DistractorAwareMemory {
    fn default() -> Self {
        Self {
            stride: 5,
            anchors: 3,
            max_box_share: 0.7,
            min_iou: 0.8,
            max_area_change: 0.2,
        }
    }
}

/// Areas of this many frames tell whether an object's size is stable (DAM4SAM, section 3.3).
const MEDIAN_FRAMES: usize = 10;

/// How sure the model is of a frame's result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Confidence {
    /// Predicted IoU of the mask.
    pub(super) iou: f32,
    /// Occlusion score.
    pub(super) object_score: f32,
}

impl MemoryPolicy {
    /// Calls `use_it` with the policy as the memory bank understands it.
    pub(super) fn with_choice<T>(
        &self,
        use_it: impl FnOnce(RecentChoice<'_, Remembered>) -> T,
    ) -> T {
        match *self {
            Self::Recent => use_it(RecentChoice::ByAge),
            Self::Confident(policy) => use_it(RecentChoice::Worthy(&|_, remembered| {
                policy.accepts(remembered.output.confidence)
            })),
            Self::DistractorAware(policy) => use_it(RecentChoice::Worthy(&|frame, remembered| {
                frame % policy.stride.max(1) == 0 && remembered.output.confidence.object_score > 0.0
            })),
        }
    }
}

impl ConfidentMemory {
    fn accepts(&self, confidence: Confidence) -> bool {
        confidence.iou > self.min_iou && confidence.object_score > self.min_object_score
    }
}

/// What is needed to notice distractors of one object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct DistractorWatch {
    /// The object's area on the last frames it was visible on, latest last.
    areas: VecDeque<u64>,
    last_anchor: Option<usize>,
}

impl DistractorWatch {
    /// Whether the frame is to become an anchor.
    ///
    /// `mask` is the chosen mask's logits `[1, 1, side, side]`, `candidates` those of all
    /// candidates `[1, n, side, side]`.
    pub(super) fn found(
        &mut self,
        policy: &DistractorAwareMemory,
        frame: usize,
        confidence: Confidence,
        mask: Tensor<4>,
        candidates: Tensor<4>,
    ) -> bool {
        if confidence.object_score <= 0.0 {
            return false;
        }
        let [_, count, height, width] = candidates.dims();
        let masks = |logits: Tensor<4>| -> Vec<Mask> {
            values(logits)
                .chunks(width * height)
                .map(|logits| {
                    Mask::from_logits(width as u32, height as u32, logits, 0.0)
                        .expect("logits of one mask")
                })
                .collect()
        };
        let mask = masks(mask).remove(0);
        let stable = self.is_stable(policy, mask.area());
        let rested = self
            .last_anchor
            .is_none_or(|last| frame.abs_diff(last) >= policy.stride);
        if !(stable && rested && confidence.iou >= policy.min_iou) {
            return false;
        }
        debug_assert!(count > 0);
        let found = masks(candidates)
            .iter()
            .any(|candidate| shows_distractor(&mask, candidate, policy.max_box_share));
        if found {
            self.last_anchor = Some(frame);
        }
        found
    }

    /// Takes the area of a frame, and says whether it is near the median of the frames before.
    fn is_stable(&mut self, policy: &DistractorAwareMemory, area: u64) -> bool {
        let mut known: Vec<u64> = self.areas.iter().copied().collect();
        known.sort_unstable();
        let median = known.get(known.len() / 2).copied();
        if self.areas.len() == MEDIAN_FRAMES {
            self.areas.pop_front();
        }
        self.areas.push_back(area);
        median.is_some_and(|median| {
            area.abs_diff(median) as f32 <= policy.max_area_change * median as f32
        })
    }
}

/// Whether a candidate's largest region reaches so far beyond the mask that the mask's box is
/// less than `max_share` of the box around both.
fn shows_distractor(mask: &Mask, candidate: &Mask, max_share: f32) -> bool {
    let (Some(own), Some(other)) = (mask.bounding_box(), largest_region(candidate)) else {
        return false;
    };
    let around = BoundingBox {
        x0: own.x0.min(other.x0),
        y0: own.y0.min(other.y0),
        x1: own.x1.max(other.x1),
        y1: own.y1.max(other.y1),
    };
    let area = |b: BoundingBox| f64::from(b.width()) * f64::from(b.height());
    area(own) < f64::from(max_share) * area(around)
}

/// The box of the mask's largest connected region; the first one of equals.
fn largest_region(mask: &Mask) -> Option<BoundingBox> {
    let (width, height) = mask.dimensions();
    let regions = connected_components(width, height, mask.bits()).expect("a mask has its size");
    let largest = *regions.areas.iter().max()?;
    let label = 1 + regions.areas.iter().position(|&area| area == largest)? as u32;
    Mask::from_bits(
        width,
        height,
        regions.labels.iter().map(|&l| l == label).collect(),
    )
    .expect("a mask has its size")
    .bounding_box()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    const SURE: Confidence = Confidence {
        iou: 0.9,
        object_score: 3.0,
    };

    fn square(x0: u32, x1: u32) -> impl Fn(u32, u32) -> bool {
        move |x, y| (x0..x1).contains(&x) && (4..12).contains(&y)
    }

    fn logits(masks: &[Mask]) -> Tensor<4> {
        let values: Vec<f32> = masks
            .iter()
            .flat_map(|mask| mask.bits().iter().map(|&b| if b { 5.0 } else { -5.0 }))
            .collect();
        Tensor::from_data(
            TensorData::new(values, [1, masks.len(), 16, 16]),
            &Device::default(),
        )
    }

    fn watched(frames: usize) -> DistractorWatch {
        let mut watch = DistractorWatch::default();
        for frame in 0..frames {
            look(&mut watch, frame, SURE, square(2, 8));
        }
        watch
    }

    fn look(
        watch: &mut DistractorWatch,
        frame: usize,
        confidence: Confidence,
        candidate: impl Fn(u32, u32) -> bool,
    ) -> bool {
        let mask = Mask::from_fn(16, 16, square(2, 8));
        let candidates = [mask.clone(), Mask::from_fn(16, 16, candidate)];
        watch.found(
            &DistractorAwareMemory::default(),
            frame,
            confidence,
            logits(&[mask]),
            logits(&candidates),
        )
    }

    #[test]
    fn a_candidate_that_reaches_beyond_the_mask_makes_an_anchor() {
        let mut watch = watched(3);
        assert!(!look(&mut watch, 3, SURE, square(3, 7)));
        assert!(look(&mut watch, 4, SURE, square(2, 15)));
    }

    #[test]
    fn anchors_keep_their_distance() {
        let mut watch = watched(3);
        let taken: Vec<usize> = (3..15)
            .filter(|&frame| look(&mut watch, frame, SURE, square(2, 15)))
            .collect();
        assert_eq!(taken, [3, 8, 13]);
    }

    #[test]
    fn an_unsure_or_changed_mask_makes_no_anchor() {
        let mut watch = watched(3);
        let unsure = Confidence { iou: 0.7, ..SURE };
        let absent = Confidence {
            object_score: -1.0,
            ..SURE
        };
        assert!(!look(&mut watch, 3, unsure, square(2, 15)));
        assert!(!look(&mut watch, 4, absent, square(2, 15)));
        watch.areas = [200, 210, 190].into();
        assert!(!look(&mut watch, 5, SURE, square(2, 15)));
    }

    #[test]
    fn confidence_must_exceed_both_thresholds() {
        let policy = ConfidentMemory::default();
        assert!(policy.accepts(SURE));
        assert!(!policy.accepts(Confidence { iou: 0.5, ..SURE }));
        assert!(!policy.accepts(Confidence {
            object_score: 0.0,
            ..SURE
        }));
    }
}
