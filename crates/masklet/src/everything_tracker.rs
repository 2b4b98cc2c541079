//! [`EverythingTracker`]: masklets of everything, with no prompt at all.

mod novelty;

use std::num::NonZeroUsize;
use std::ops::Range;

use masklet_media::{Mask, RgbImage};

use crate::mask_generator::check_share;
use crate::{
    FrameResult, MaskGenerator, MaskRecord, Model, ObjectId, Result, StreamTracker, VideoOptions,
};
pub use novelty::new_objects;

/// When objects are looked for, and what counts as a new one.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscoveryOptions {
    /// The generator runs on the first frame, and then on every frame whose number is a multiple
    /// of this; `None` is never again. By default 30.
    pub every: Option<NonZeroUsize>,
    /// No more objects than this are tracked, lost ones included; `None` is no limit. By default
    /// 64. Each takes time on every frame.
    pub max_objects: Option<NonZeroUsize>,
    /// At least this share of a new object's pixels, 0..=1, belongs to no object that is tracked
    /// already. By default 0.5.
    pub min_uncovered: f64,
    /// A new object's mask has at most this IoU, 0..=1, with each that is tracked already or was
    /// found on the same frame. By default 0.7.
    pub max_iou: f64,
}

impl Default for DiscoveryOptions {
    fn default() -> Self {
        Self {
            every: NonZeroUsize::new(30),
            max_objects: NonZeroUsize::new(64),
            min_uncovered: 0.5,
            max_iou: 0.7,
        }
    }
}

impl DiscoveryOptions {
    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for the first that is not.
    pub fn check(&self) -> Result<()> {
        check_share("min_uncovered", self.min_uncovered)?;
        check_share("max_iou", self.max_iou)
    }
}

/// A frame with all its objects.
#[derive(Debug, Clone)]
pub struct EverythingFrame {
    /// The masks of all objects, those that are new among them.
    pub result: FrameResult,
    /// The objects that were found on this frame, as the generator saw them.
    pub found: Vec<(ObjectId, MaskRecord)>,
}

/// Finds everything on the first frame of a video or stream and tracks it, and adds what turns up
/// later.
///
/// The masks of a [`MaskGenerator`] become objects of a [`StreamTracker`], numbered from 1. As with
/// any stream, memory does not grow with the number of frames. An object that was lost for long may
/// be found again as another one.
///
/// ```no_run
/// use masklet::{DiscoveryOptions, EverythingTracker, MaskGenerator, Model};
/// use masklet_media::{FrameSource as _, ImageFolder};
///
/// let model = Model::open("sam2.1_hiera_tiny.pt")?;
/// let generator = MaskGenerator::new(&model);
/// let mut tracker = EverythingTracker::new(&model, generator, DiscoveryOptions::default())?;
/// let mut frames = ImageFolder::open("clip/")?;
/// let mut index = 0;
/// while let Some(picture) = frames.frame(index)? {
///     let frame = tracker.push(picture)?;
///     println!("{} objects, {} new", frame.result.objects.len(), frame.found.len());
///     index += 1;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EverythingTracker {
    generator: MaskGenerator,
    tracker: StreamTracker,
    options: DiscoveryOptions,
    next_id: ObjectId,
}

impl EverythingTracker {
    /// A tracker with a stream's default options.
    ///
    /// # Errors
    /// As [`DiscoveryOptions::check`].
    pub fn new(model: &Model, generator: MaskGenerator, options: DiscoveryOptions) -> Result<Self> {
        Self::with_video_options(model, generator, options, StreamTracker::default_options())
    }

    /// A tracker with other options for tracking, which had best be made from
    /// [`StreamTracker::default_options`].
    ///
    /// # Errors
    /// As [`DiscoveryOptions::check`].
    pub fn with_video_options(
        model: &Model,
        generator: MaskGenerator,
        options: DiscoveryOptions,
        video: VideoOptions,
    ) -> Result<Self> {
        options.check()?;
        Ok(Self {
            generator,
            tracker: StreamTracker::with_options(model, video),
            options,
            next_id: 1,
        })
    }

    /// Shows the next frame; tracks all objects on it and looks for new ones if it is time.
    ///
    /// # Errors
    /// As [`StreamTracker::push`].
    pub fn push(&mut self, picture: RgbImage) -> Result<EverythingFrame> {
        let due = self.is_due() && self.room() > 0;
        let proposals = if due {
            self.generator.generate(&picture)?
        } else {
            Vec::new()
        };
        let result = self.tracker.push(picture)?;
        let new = self.new_among(proposals, &result)?;
        if new.is_empty() {
            let found = Vec::new();
            return Ok(EverythingFrame { result, found });
        }
        let ids = self.unused_ids(new.len());
        let masks: Vec<Mask> = new.iter().map(MaskRecord::mask).collect();
        let added: Vec<(ObjectId, &Mask)> = ids.clone().zip(&masks).collect();
        Ok(EverythingFrame {
            result: self.tracker.add_masks(&added)?,
            found: ids.zip(new).collect(),
        })
    }

    fn new_among(
        &self,
        proposals: Vec<MaskRecord>,
        result: &FrameResult,
    ) -> Result<Vec<MaskRecord>> {
        if proposals.is_empty() {
            return Ok(proposals);
        }
        let tracked: Vec<Mask> = result.objects.iter().map(|object| object.mask()).collect();
        new_objects(proposals, &tracked, &self.options, self.room())
    }

    /// Numbers that no object ever had, those that were added by hand included.
    fn unused_ids(&mut self, count: usize) -> Range<ObjectId> {
        let by_hand = self.tracker.objects().into_iter().max();
        let first = by_hand.map_or(0, |id| id + 1).max(self.next_id);
        self.next_id = first + count as ObjectId;
        first..self.next_id
    }

    /// The tracker, to add, correct or remove objects on the current frame.
    pub fn tracker(&mut self) -> &mut StreamTracker {
        &mut self.tracker
    }

    /// Whether objects are looked for on the frame that is pushed next.
    fn is_due(&self) -> bool {
        let frame = self.tracker.frames_seen();
        frame == 0 || self.options.every.is_some_and(|every| frame % every == 0)
    }

    /// How many objects may still be added.
    fn room(&self) -> usize {
        let limit = self
            .options
            .max_objects
            .map_or(usize::MAX, NonZeroUsize::get);
        limit.saturating_sub(self.tracker.objects().len())
    }
}
