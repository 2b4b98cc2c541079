//! [`Responder`]: who answers the annotator.

use std::sync::Mutex;

use masklet::Model;

use super::interactive::{Carried, Interactive, ModelInteraction};
use crate::Result;
use crate::methods::{BackwardFlows, ModelIdentity, Task, Warping};

/// Bytes of flow that are kept of a sequence from round to round.
const KEPT_FLOWS: usize = 128 << 20;

/// A method that can be corrected.
#[derive(Debug, Clone)]
pub enum Responder {
    /// The network. Encoded frames are kept for the next round, up to so many.
    Model {
        /// The model.
        model: Box<Model>,
        /// Which it is.
        identity: ModelIdentity,
        /// Frames kept encoded.
        cached_frames: usize,
    },
    /// The baseline: the true mask of each annotated frame holds until the next one.
    CopiedMasks,
    /// The baseline: the true mask of each annotated frame is moved by optical flow until the next.
    WarpedMasks,
}

impl Responder {
    /// The method's name in reports.
    pub fn name(&self) -> String {
        match self {
            Self::Model { identity, .. } => identity.name.clone(),
            Self::CopiedMasks => "annotated masks copied".to_owned(),
            Self::WarpedMasks => "annotated masks warped by optical flow".to_owned(),
        }
    }

    /// Whether it is a simple method that scores are to be seen against.
    pub fn is_baseline(&self) -> bool {
        !matches!(self, Self::Model { .. })
    }

    /// Everything its masks depend on besides the task, for the cache.
    pub(super) fn identity(&self) -> serde_json::Value {
        match self {
            Self::Model { identity, .. } => serde_json::json!({ "model": identity }),
            Self::CopiedMasks => serde_json::json!("copied masks"),
            Self::WarpedMasks => serde_json::json!({ "warped masks": Warping::VERSION }),
        }
    }

    /// The flow that all objects of a sequence share, if it is needed.
    pub(super) fn flows(&self, task: &Task<'_>) -> Result<Option<Mutex<BackwardFlows>>> {
        Ok(match self {
            Self::WarpedMasks => {
                let flows = BackwardFlows::new(task.sequence.frames()?, KEPT_FLOWS);
                Some(Mutex::new(flows))
            }
            Self::Model { .. } | Self::CopiedMasks => None,
        })
    }

    /// Begins an interaction about one object.
    pub(super) fn partner<'a>(
        &self,
        task: &Task<'_>,
        flows: Option<&'a Mutex<BackwardFlows>>,
    ) -> Result<Box<dyn Interactive + 'a>> {
        Ok(match self {
            Self::Model {
                model,
                cached_frames,
                ..
            } => {
                let frames = task.sequence.frames()?;
                let count = task.frame_count;
                Box::new(ModelInteraction::new(model, frames, *cached_frames, count))
            }
            Self::CopiedMasks | Self::WarpedMasks => {
                Box::new(Carried::new(task.frame_count, flows))
            }
        })
    }
}
