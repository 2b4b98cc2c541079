//! How a user is simulated.

use serde::{Deserialize, Serialize};

use crate::config::FieldError;

/// How a user is simulated. The defaults are those of SAM 2's training (paper, section
/// "Training"; reference configuration).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptOptions {
    /// Probability that a clip is prompted by points (a click or a box) and corrected, rather
    /// than by masks and not corrected; 0 to 1. A clip of one frame always is.
    pub points: f64,
    /// Probability that a frame prompted by points gets a box rather than a click; 0 to 1.
    pub boxes: f64,
    /// Most frames that are prompted before tracking; at least 1. The first frame always is,
    /// others are drawn.
    pub prompted_frames: usize,
    /// Whether the number of prompted frames is drawn evenly from 1 to the most, or is the most.
    pub random_prompted_frames: bool,
    /// Most frames that are corrected by clicks, at least as many as are prompted: those, and
    /// others that are drawn.
    pub corrected_frames: usize,
    /// Whether the number of corrected frames is drawn evenly from that of the prompted ones to
    /// the most, or is the most.
    pub random_corrected_frames: bool,
    /// Clicks on each corrected frame, after its first prompt; 0 corrects nothing.
    pub clicks: usize,
    /// Probability that a correcting click is drawn from the true object instead of from the
    /// error; 0 to 1.
    pub from_object: f64,
    /// Noise of a box's corners as a fraction of the box's sides; 0 to 1.
    pub box_noise: f32,
    /// Most noise of a box's corners, in pixels of the network's input; at least 0.
    pub box_noise_limit: f32,
}

impl Default for PromptOptions {
    fn default() -> Self {
        Self {
            points: 0.5,
            boxes: 0.5,
            prompted_frames: 2,
            random_prompted_frames: true,
            corrected_frames: 2,
            random_corrected_frames: true,
            clicks: 7,
            from_object: 0.1,
            box_noise: 0.1,
            box_noise_limit: 20.0,
        }
    }
}

impl PromptOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`FieldError`], naming the first field that is not.
    pub fn check(&self) -> Result<(), FieldError> {
        let least = |field, value: usize, least: usize, why| {
            FieldError::unless(value >= least, field, value, why)
        };
        FieldError::probability("points", self.points)?;
        FieldError::probability("boxes", self.boxes)?;
        FieldError::probability("from_object", self.from_object)?;
        least(
            "prompted_frames",
            self.prompted_frames,
            1,
            "at least 1 is accepted: the first frame is always prompted",
        )?;
        least(
            "corrected_frames",
            self.corrected_frames,
            self.prompted_frames,
            "at least `prompted_frames` is accepted: every frame prompted by points is corrected \
             (`clicks = 0` corrects none)",
        )?;
        FieldError::probability("box_noise", self.box_noise.into())?;
        let limit = self.box_noise_limit;
        FieldError::unless(
            limit >= 0.0 && limit.is_finite(),
            "box_noise_limit",
            limit,
            "a number of pixels of at least 0 is accepted",
        )
    }
}
