//! What is asked of a propagation, how it is steered, and what it tells.

use std::sync::atomic::{AtomicU8, Ordering};

use masklet::{Direction, ObjectMask};
use masklet_engine::{EventId, MaskUpdate, MaskletId, TaskId, UserId};
use masklet_media::{Rle, stability_score};
use serde::Serialize;

use crate::error::{ApiError, Result};

/// What is to be tracked.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) user: UserId,
    pub(crate) task: TaskId,
    pub(crate) seen: EventId,
    pub(crate) masklets: Vec<MaskletId>,
    /// The first frame.
    pub(crate) from: u32,
    pub(crate) direction: Direction,
    /// The last frame; the end of the video if left out.
    pub(crate) until: Option<u32>,
}

impl Order {
    /// Refuses orders that mean nothing.
    pub(crate) fn check(&self) -> Result<()> {
        if self.masklets.is_empty() {
            return Err(ApiError::bad_request(
                "no masklet is given: name at least one",
            ));
        }
        let mut masklets = self.masklets.clone();
        masklets.sort_unstable();
        masklets.dedup();
        if masklets.len() < self.masklets.len() {
            return Err(ApiError::bad_request("a masklet is named twice"));
        }
        let behind = self.until.is_some_and(|until| match self.direction {
            Direction::Forward => until < self.from,
            Direction::Backward => until > self.from,
        });
        if behind {
            return Err(ApiError::bad_request(
                "the last frame lies behind the first one in this direction",
            ));
        }
        Ok(())
    }
}

/// How those outside steer a propagation.
#[derive(Debug, Default)]
pub(crate) struct Control(AtomicU8);

impl Control {
    const PAUSED: u8 = 1;
    const CANCELLED: u8 = 2;

    pub(crate) fn pause(&self) {
        self.change(0, Self::PAUSED);
    }

    pub(crate) fn resume(&self) {
        self.change(Self::PAUSED, 0);
    }

    /// For good.
    pub(crate) fn cancel(&self) {
        self.0.store(Self::CANCELLED, Ordering::SeqCst);
    }

    fn change(&self, from: u8, to: u8) {
        // Something else stands, which is what was wanted last or is for good.
        let _ = self
            .0
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.0.load(Ordering::SeqCst) == Self::PAUSED
    }

    /// Whether the next turn computes nothing.
    pub(crate) fn stands_still(&self) -> bool {
        self.is_cancelled() || self.is_paused()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) == Self::CANCELLED
    }
}

/// A mask that was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FoundMask {
    masklet: MaskletId,
    mask: Rle,
    area: u64,
    occlusion_score: f32,
    stability_score: f32,
}

/// What happens, in order. The last one is `Done` or `Error`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Happened {
    /// Masks were found and are not saved yet.
    Frame { frame: u32, masks: Vec<FoundMask> },
    /// Frames were saved.
    Saved { revision: EventId, frames: Vec<u32> },
    /// It waits.
    Paused { next: u32 },
    /// It has ended.
    Done(Outcome),
    /// It cannot go on.
    #[serde(skip)]
    Error(ApiError),
}

/// How a propagation ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(super) revision: EventId,
    /// Frames that were visited.
    pub(super) frames: u32,
    pub(super) last: Option<u32>,
    pub(super) reason: &'static str,
}

impl FoundMask {
    pub(super) fn of(masklet: MaskletId, object: &ObjectMask) -> Self {
        let mask = Rle::encode(&object.mask());
        Self {
            masklet,
            area: mask.area(),
            mask,
            occlusion_score: object.object_score,
            stability_score: stability_score(&object.low_res_logits, 0.0, 1.0),
        }
    }

    pub(super) fn update(&self, frame: u32) -> MaskUpdate {
        MaskUpdate {
            occlusion_score: Some(self.occlusion_score),
            stability_score: Some(self.stability_score),
            ..MaskUpdate::new(self.masklet, frame, self.mask.clone())
        }
    }
}
