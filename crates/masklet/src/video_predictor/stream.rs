//! [`StreamTracker`]: frames that come one by one and never again.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use masklet_media::{FrameSource, Mask, MediaError, RgbImage};

use super::{
    ClickHistory, FrameResult, MemoryRetention, ObjectId, SavedSession, VideoOptions,
    VideoPredictor, VideoSession,
};
use crate::{BoxPrompt, Click, Direction, Error, Model, Result};

/// Conditioning frames of an object that a stream keeps unless told otherwise: the first, and the
/// latest ones.
const CONDITIONING_LIMIT: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Tracks objects on a stream, such as a camera: push a frame, get masks.
///
/// There is no end, no way back and no knowledge of the future. Objects are added, corrected and
/// removed on the current frame, the one that was pushed last, at any time. Memory is bounded: one
/// frame, its features, and for each object the memories that later frames attend to.
///
/// ```no_run
/// # fn camera() -> Option<masklet_media::RgbImage> { None }
/// use masklet::{Click, ClickHistory, Model, StreamTracker};
///
/// let model = Model::open("sam2.1_hiera_tiny.pt")?;
/// let mut tracker = StreamTracker::new(&model);
/// while let Some(picture) = camera() {
///     let mut result = tracker.push(picture)?;
///     if result.frame == 0 {
///         result = tracker.add_clicks(1, &[Click::positive(210.0, 350.0)], ClickHistory::Replace)?;
///     }
///     println!("{} pixels", result.objects[0].mask().area());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StreamTracker {
    session: VideoSession<LatestFrame>,
}

impl StreamTracker {
    /// A tracker with [`Self::default_options`].
    pub fn new(model: &Model) -> Self {
        Self::with_options(model, Self::default_options())
    }

    /// The options of [`Self::new`]: those of a video, with bounded memory.
    pub fn default_options() -> VideoOptions {
        VideoOptions {
            cached_frames: 1,
            retention: MemoryRetention::Reachable,
            conditioning_limit: Some(CONDITIONING_LIMIT),
            ..VideoOptions::default()
        }
    }

    /// A tracker with other options. Memory is bounded only with
    /// [`MemoryRetention::Reachable`] and a limit on conditioning frames.
    pub fn with_options(model: &Model, options: VideoOptions) -> Self {
        Self {
            session: VideoPredictor::with_options(model, options).session(LatestFrame::default()),
        }
    }

    /// Goes on with a saved stream: the next frame that is pushed is the one after the last that
    /// was pushed before saving, [`Self::frames_seen`].
    ///
    /// # Errors
    /// As [`VideoPredictor::resume`], and if the file was saved by a session on a video.
    pub fn resume(
        model: &Model,
        options: VideoOptions,
        saved: &SavedSession,
        frames_seen: usize,
    ) -> Result<Self> {
        let frames = LatestFrame {
            dimensions: saved.dimensions(),
            seen: frames_seen,
            picture: None,
        };
        let session = VideoPredictor::with_options(model, options).resume(saved, frames)?;
        Ok(Self { session })
    }

    /// Shows the next frame; returns the masks of all objects on it.
    ///
    /// # Errors
    /// If the frame differs in size from the first one, or an object has no prompt left (prompt it
    /// again or remove it). The frame is then as if it had not come.
    pub fn push(&mut self, picture: RgbImage) -> Result<FrameResult> {
        let frames = self.session.source();
        let frame = frames.seen;
        frames.check(&picture)?;
        if self.session.is_empty() {
            self.session.source_mut().show(picture);
            return Ok(FrameResult {
                frame,
                objects: Vec::new(),
            });
        }
        self.session.settle(|_| true)?;
        self.session.source_mut().show(picture);
        let result = self
            .session
            .track_frame(frame, None, Direction::Forward, |_| true)?;
        Ok(result.expect("the frame was just shown"))
    }

    /// How many frames were pushed. The current frame is the last of them.
    pub fn frames_seen(&self) -> usize {
        self.session.source().seen
    }

    /// The objects, in the order they were added.
    pub fn objects(&self) -> Vec<ObjectId> {
        self.session.objects()
    }

    /// The current frame's picture.
    ///
    /// # Errors
    /// If no frame has been pushed.
    pub fn picture(&mut self) -> Result<Arc<RgbImage>> {
        let frame = self.current()?;
        self.session.picture(frame)
    }

    /// Prompts an object, new or known, with clicks on the current frame. Returns the masks of all
    /// objects there.
    ///
    /// # Errors
    /// As [`VideoSession::add_clicks`], and if no frame has been pushed.
    pub fn add_clicks(
        &mut self,
        id: ObjectId,
        clicks: &[Click],
        history: ClickHistory,
    ) -> Result<FrameResult> {
        let frame = self.current()?;
        self.session.add_clicks(frame, id, clicks, history)
    }

    /// Prompts an object, new or known, with a box and clicks on the current frame.
    ///
    /// # Errors
    /// As [`VideoSession::add_box`], and if no frame has been pushed.
    pub fn add_box(
        &mut self,
        id: ObjectId,
        bounds: BoxPrompt,
        clicks: &[Click],
    ) -> Result<FrameResult> {
        let frame = self.current()?;
        self.session.add_box(frame, id, bounds, clicks)
    }

    /// Gives the mask of an object, new or known, on the current frame.
    ///
    /// # Errors
    /// As [`VideoSession::add_mask`], and if no frame has been pushed.
    pub fn add_mask(&mut self, id: ObjectId, mask: &Mask) -> Result<FrameResult> {
        let frame = self.current()?;
        self.session.add_mask(frame, id, mask)
    }

    /// Gives the masks of several objects, new or known, on the current frame.
    ///
    /// # Errors
    /// As [`VideoSession::add_masks`], and if no frame has been pushed.
    pub fn add_masks(&mut self, masks: &[(ObjectId, &Mask)]) -> Result<FrameResult> {
        let frame = self.current()?;
        self.session.add_masks(frame, masks)
    }

    /// Removes an object and all that is known of it.
    ///
    /// # Errors
    /// If there is no such object.
    pub fn remove_object(&mut self, id: ObjectId) -> Result<()> {
        self.session.remove_object(id)
    }

    /// Writes everything that is known of the objects into a file, for [`Self::resume`].
    ///
    /// # Errors
    /// If the file cannot be written, or an object has no prompt left.
    pub fn save(&mut self, path: impl AsRef<Path>, note: &str) -> Result<()> {
        // What was prompted on the current frame can only be remembered while the frame is here.
        if !self.session.is_empty() {
            self.session.settle(|_| true)?;
        }
        self.session.save(path, note)
    }

    fn current(&self) -> Result<usize> {
        let frames = self.session.source();
        match (&frames.picture, frames.seen.checked_sub(1)) {
            (Some(_), Some(frame)) => Ok(frame),
            _ => Err(Error::NoFrameYet),
        }
    }
}

/// A source that has only the frame it was shown last.
#[derive(Debug, Default)]
pub(super) struct LatestFrame {
    dimensions: (u32, u32),
    seen: usize,
    picture: Option<RgbImage>,
}

impl LatestFrame {
    fn check(&self, picture: &RgbImage) -> Result<()> {
        if self.seen > 0 && picture.dimensions() != self.dimensions {
            return Err(MediaError::SizeMismatch {
                what: format!("frame {}", self.seen),
                found: picture.dimensions(),
                expected: self.dimensions,
            }
            .into());
        }
        Ok(())
    }

    fn show(&mut self, picture: RgbImage) {
        self.dimensions = picture.dimensions();
        self.picture = Some(picture);
        self.seen += 1;
    }
}

impl FrameSource for LatestFrame {
    fn dimensions(&self) -> (u32, u32) {
        self.dimensions
    }

    fn frame_count(&self) -> Option<usize> {
        None
    }

    fn frame(&mut self, index: usize) -> masklet_media::Result<Option<RgbImage>> {
        // The session asks for the current frame only: what is prompted is remembered before the
        // next frame is shown.
        Ok(self.picture.clone().filter(|_| index + 1 == self.seen))
    }
}
