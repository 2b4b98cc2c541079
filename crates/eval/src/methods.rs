//! What is evaluated on videos: the model, and the baselines that its scores are to be seen against.

mod copying;
mod model;
mod warping;

use masklet_data::{ObjectInfo, Sequence};
use masklet_media::{FrameSource, Mask, RgbImage, Rle};
use serde::{Deserialize, Serialize};

use crate::prompts::Prompt;
use crate::scoring::Rules;
use crate::{Error, Result};

pub use copying::Copying;
pub(crate) use model::click;
pub use model::{ModelIdentity, ModelTracker};
pub(crate) use warping::BackwardFlows;
pub use warping::Warping;

/// A way to carry objects through a video.
pub trait Tracker: Sync {
    /// The method's name in reports.
    fn name(&self) -> String;

    /// Everything its result depends on besides the task, for the cache.
    fn identity(&self) -> serde_json::Value;

    /// Whether it is a simple method that scores are to be seen against.
    fn is_baseline(&self) -> bool;

    /// Whether it can start from such a prompt.
    fn takes(&self, prompt: Prompt) -> bool;

    /// Tracks the task's objects from their prompts to the end.
    ///
    /// # Errors
    /// If a frame cannot be read, or [`Error::Interrupted`].
    fn track(&self, task: &Task<'_>, prompt: Prompt, watch: &Watch<'_>) -> Result<Masklets>;
}

/// A sequence to track objects on.
pub struct Task<'a> {
    /// The video.
    pub sequence: &'a dyn Sequence,
    /// How many of its frames to track.
    pub frame_count: usize,
    /// The objects, in the order of their first frames.
    pub objects: Vec<Target>,
    /// Whether objects may lie over each other, as where each has its own annotation.
    pub overlapping: bool,
}

/// An object to track.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its number in the data set.
    pub id: u32,
    /// The frame on which it is prompted.
    pub first_frame: usize,
    /// Its true mask there.
    pub mask: Mask,
}

/// The predicted masks of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Masklets {
    /// For each frame, the objects that are known by then.
    pub frames: Vec<Vec<(u32, Rle)>>,
    /// Seconds of computing.
    pub seconds: f64,
}

/// Tells of progress, and whether to stop.
pub struct Watch<'a> {
    /// Called after each frame, or image.
    pub step: &'a (dyn Fn() + Sync),
    /// Called with the number of frames that are known from an earlier run.
    pub skip: &'a (dyn Fn(usize) + Sync),
    /// Whether somebody asked to stop.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl Watch<'_> {
    /// A frame is done.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if somebody asked to stop.
    pub fn frame_done(&self) -> Result<()> {
        (self.step)();
        if (self.interrupted)() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}

impl<'a> Task<'a> {
    /// The objects of a sequence that its benchmark prompts, on the frames where they first appear.
    /// `max_frames` bounds the frames that are tracked.
    ///
    /// # Errors
    /// If an annotation cannot be read, or [`Error::NothingToScore`] if there is no object.
    pub fn new(
        sequence: &'a dyn Sequence,
        rules: Rules,
        max_frames: Option<usize>,
    ) -> Result<Self> {
        let frame_count = sequence.frame_count().min(max_frames.unwrap_or(usize::MAX));
        let start = sequence.annotated_frames().first().copied().unwrap_or(0);
        let is_prompted = |object: &&ObjectInfo| match rules {
            // DAVIS knows the objects of the first frame only.
            Rules::Davis => object.first_frame == start,
            _ => object.first_frame < frame_count,
        };
        let mut objects = Vec::new();
        for object in sequence.objects()?.iter().filter(is_prompted) {
            if let Some(mask) = sequence.mask(object.first_frame, object.id)? {
                objects.push(Target {
                    id: object.id,
                    first_frame: object.first_frame,
                    mask,
                });
            }
        }
        if objects.is_empty() {
            return Err(Error::NothingToScore {
                sequence: sequence.name().to_owned(),
                frames: sequence.annotated_frames().len(),
                rules: rules.sentence(),
            });
        }
        objects.sort_by_key(|object| (object.first_frame, object.id));
        let overlapping = rules == Rules::Sav;
        Ok(Self {
            sequence,
            frame_count,
            objects,
            overlapping,
        })
    }

    /// The first frame that is prompted.
    pub fn start(&self) -> usize {
        self.objects[0].first_frame
    }

    /// The objects by first frame, each group with the frame at which the next one begins.
    pub fn groups(&self) -> Vec<(&[Target], usize)> {
        let groups: Vec<&[Target]> = self
            .objects
            .chunk_by(|a, b| a.first_frame == b.first_frame)
            .collect();
        let ends = groups.iter().skip(1).map(|group| group[0].first_frame);
        let ends: Vec<usize> = ends.chain([self.frame_count]).collect();
        groups.into_iter().zip(ends).collect()
    }

    /// No frame has a mask yet.
    fn nothing(&self) -> Vec<Vec<(u32, Rle)>> {
        vec![Vec::new(); self.frame_count]
    }
}

/// Frame `index` of a source that must have it.
pub(crate) fn picture(frames: &mut dyn FrameSource, index: usize) -> Result<RgbImage> {
    frames.frame(index)?.ok_or(Error::NoFrame { frame: index })
}
