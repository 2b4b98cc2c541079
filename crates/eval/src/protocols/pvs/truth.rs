//! What the annotator knows.

use masklet_media::{Mask, Rle};

use crate::Result;
use crate::cache::digest;
use crate::methods::{Target, Task};

/// The true masks of one object.
pub(super) struct Truth {
    /// The frame on which it is first annotated.
    pub(super) first: usize,
    /// On each frame that is annotated, where the object is visible.
    masks: Vec<Option<Mask>>,
}

impl Truth {
    pub(super) fn read(task: &Task<'_>, object: &Target) -> Result<Self> {
        let mut masks = vec![None; task.frame_count];
        for &frame in task.sequence.annotated_frames() {
            if (object.first_frame..task.frame_count).contains(&frame) {
                let mask = task.sequence.mask(frame, object.id)?;
                masks[frame] = mask.filter(|mask| !mask.is_empty());
            }
        }
        Ok(Self {
            first: object.first_frame,
            masks,
        })
    }

    pub(super) fn frame_count(&self) -> usize {
        self.masks.len()
    }

    /// The mask on a frame that may be annotated.
    pub(super) fn at(&self, frame: usize) -> &Mask {
        self.masks[frame]
            .as_ref()
            .expect("only frames with a true mask are annotated")
    }

    /// The IoU on a frame that may be annotated; `None` on others.
    pub(super) fn iou(&self, frame: usize, predicted: &Mask) -> Option<f64> {
        self.masks[frame].as_ref()?.iou(predicted).ok()
    }

    /// The frame with the lowest IoU, the earliest of several; none if all that is left is perfect.
    pub(super) fn worst(&self, masks: &[Option<Mask>], annotated: &[usize]) -> Option<usize> {
        let candidates = (0..masks.len()).filter(|frame| !annotated.contains(frame));
        let scored =
            candidates.filter_map(|frame| Some((frame, self.iou(frame, masks[frame].as_ref()?)?)));
        let worst = scored.min_by(|a, b| a.1.total_cmp(&b.1));
        worst.filter(|&(_, iou)| iou < 1.0).map(|(frame, _)| frame)
    }

    pub(super) fn digest(&self) -> String {
        digest(&serde_json::to_vec(&encoded(&self.masks)).unwrap_or_default())
    }
}

/// Masks in the form in which they are kept.
pub(super) fn encoded(masks: &[Option<Mask>]) -> Vec<Option<Rle>> {
    masks
        .iter()
        .map(|mask| mask.as_ref().map(Rle::encode))
        .collect()
}
