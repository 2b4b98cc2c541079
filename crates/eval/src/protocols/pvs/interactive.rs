//! Interactions with an annotator: the network's, and the baselines'.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use masklet::{Model, Propagation, VideoOptions, VideoPredictor, VideoSession};
use masklet_media::{FrameSource, Mask};

use crate::Result;
use crate::flow::SoftMask;
use crate::methods::{BackwardFlows, click};

/// The only object of an interaction.
const OBJECT: u32 = 1;

/// Something that is annotated on frames and tracks in between.
pub(super) trait Interactive {
    /// Takes up to `clicks` clicks on a frame, where `predicted` was found so far. Returns how many
    /// were given.
    fn annotate(
        &mut self,
        frame: usize,
        truth: &Mask,
        predicted: Option<&Mask>,
        clicks: usize,
    ) -> Result<usize>;

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
    ) -> Result<usize> {
        let clicked = click(&mut self.session, frame, OBJECT, truth, predicted, clicks)?;
        Ok(clicked.map_or(0, |(_, clicks)| clicks))
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

/// The baselines: an annotated frame has its true mask, and each other the one of the annotated
/// frame before it, as it was or moved by optical flow. As many clicks are counted as the network
/// could be given.
pub(super) struct Carried<'a> {
    masks: BTreeMap<usize, Mask>,
    frame_count: usize,
    flows: Option<&'a Mutex<BackwardFlows>>,
}

impl<'a> Carried<'a> {
    pub(super) fn new(frame_count: usize, flows: Option<&'a Mutex<BackwardFlows>>) -> Self {
        Self {
            masks: BTreeMap::new(),
            frame_count,
            flows,
        }
    }
}

impl Interactive for Carried<'_> {
    fn annotate(
        &mut self,
        frame: usize,
        truth: &Mask,
        _: Option<&Mask>,
        clicks: usize,
    ) -> Result<usize> {
        self.masks.insert(frame, truth.clone());
        Ok(clicks)
    }

    fn propagate(
        &mut self,
        start: usize,
        visit: &mut dyn FnMut(usize, Mask) -> Result<bool>,
    ) -> Result<()> {
        let mut carried: Option<SoftMask> = None;
        for frame in start..self.frame_count {
            carried = match (self.masks.get(&frame), carried, self.flows) {
                (Some(annotated), ..) => Some(SoftMask::from(annotated)),
                (None, Some(mask), Some(flows)) => {
                    let mut flows = flows.lock().unwrap_or_else(PoisonError::into_inner);
                    Some(mask.moved(&*flows.at(frame)?))
                }
                (None, mask, _) => mask,
            };
            if let Some(mask) = &carried
                && !visit(frame, mask.mask())?
            {
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
