//! Who answers an annotator: the network, and the baseline.

use std::collections::BTreeMap;

use masklet::{Model, Propagation, VideoOptions, VideoPredictor, VideoSession};
use masklet_media::{FrameSource, Mask};

use crate::Result;
use crate::methods::click;

/// The only object of an interaction.
const OBJECT: u32 = 1;

/// Something that is annotated on frames and tracks in between.
pub(super) trait Interactive {
    /// Takes up to `clicks` clicks on a frame, where `predicted` was found so far. Returns the mask
    /// that it then finds, and how many clicks were given.
    fn annotate(
        &mut self,
        frame: usize,
        truth: &Mask,
        predicted: Option<&Mask>,
        clicks: usize,
    ) -> Result<(Mask, usize)>;

    /// Hands `visit` the mask on each frame from `start` to the end, until it says `false`.
    fn propagate(
        &mut self,
        start: usize,
        visit: &mut dyn FnMut(usize, Mask) -> Result<bool>,
    ) -> Result<()>;

    /// Forgets all annotations.
    fn forget(&mut self) -> Result<()>;
}

/// The network.
pub(super) struct ModelInteraction {
    session: VideoSession<Box<dyn FrameSource>>,
    frame_count: usize,
}

impl ModelInteraction {
    pub(super) fn new(
        model: &Model,
        frames: Box<dyn FrameSource>,
        cached_frames: usize,
        frame_count: usize,
    ) -> Self {
        let options = VideoOptions {
            cached_frames,
            ..VideoOptions::default()
        };
        let session = VideoPredictor::with_options(model, options).session(frames);
        Self {
            session,
            frame_count,
        }
    }
}

impl Interactive for ModelInteraction {
    fn annotate(
        &mut self,
        frame: usize,
        truth: &Mask,
        predicted: Option<&Mask>,
        clicks: usize,
    ) -> Result<(Mask, usize)> {
        let clicked = click(&mut self.session, frame, OBJECT, truth, predicted, clicks)?;
        Ok(clicked.unwrap_or_else(|| (truth.clone(), 0)))
    }

    fn propagate(
        &mut self,
        start: usize,
        visit: &mut dyn FnMut(usize, Mask) -> Result<bool>,
    ) -> Result<()> {
        let propagation = Propagation {
            start: Some(start),
            max_frames: Some(self.frame_count - start),
            ..Propagation::default()
        };
        for result in self.session.propagate(propagation)? {
            let result = result?;
            let Some(object) = result.object(OBJECT) else {
                continue;
            };
            if !visit(result.frame, object.mask())? {
                break;
            }
        }
        Ok(())
    }

    fn forget(&mut self) -> Result<()> {
        self.session.reset();
        Ok(())
    }
}

/// The baseline: an annotated frame has its true mask, and each other the one of the annotated frame
/// before it. As many clicks are counted as the network would be given.
pub(super) struct CopyingAnnotations {
    masks: BTreeMap<usize, Mask>,
    frame_count: usize,
}

impl CopyingAnnotations {
    pub(super) fn new(frame_count: usize) -> Self {
        Self {
            masks: BTreeMap::new(),
            frame_count,
        }
    }
}

impl Interactive for CopyingAnnotations {
    fn annotate(
        &mut self,
        frame: usize,
        truth: &Mask,
        _: Option<&Mask>,
        clicks: usize,
    ) -> Result<(Mask, usize)> {
        self.masks.insert(frame, truth.clone());
        Ok((truth.clone(), clicks))
    }

    fn propagate(
        &mut self,
        start: usize,
        visit: &mut dyn FnMut(usize, Mask) -> Result<bool>,
    ) -> Result<()> {
        for frame in start..self.frame_count {
            let Some((_, mask)) = self.masks.range(..=frame).next_back() else {
                continue;
            };
            if !visit(frame, mask.clone())? {
                break;
            }
        }
        Ok(())
    }

    fn forget(&mut self) -> Result<()> {
        self.masks.clear();
        Ok(())
    }
}
