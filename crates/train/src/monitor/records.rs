//! The numbers of a run.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::words::count;

/// What a run is about to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunInfo {
    /// The run's folder.
    pub folder: PathBuf,
    /// The model's name, for people.
    pub model: String,
    /// The number of steps of the whole run.
    pub steps: u64,
    /// The number of steps that were complete when this process began: 0 for a new run.
    pub resumed_at: u64,
    /// The number of values in the network.
    pub parameters: usize,
    /// The number of them that are trained.
    pub trained_parameters: usize,
    /// Clips of a step.
    pub clips_per_step: usize,
}

impl RunInfo {
    /// How much is trained: `38.9 million parameters, all trained`.
    pub fn parameters_in_words(&self) -> String {
        let all = count(self.parameters);
        match self.trained_parameters == self.parameters {
            true => format!("{all} parameters, all trained"),
            false => format!(
                "{all} parameters, {} trained",
                count(self.trained_parameters)
            ),
        }
    }
}

/// The losses of a step: sums over the objects, frames and correction steps of its clips, divided
/// by the number of objects. The parts are weighted as they enter the total.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LossRecord {
    /// What is minimised: the sum of the parts.
    #[serde(deserialize_with = "number")]
    pub total: f64,
    /// Focal loss of the masks.
    #[serde(deserialize_with = "number")]
    pub focal: f64,
    /// Dice loss of the masks.
    #[serde(deserialize_with = "number")]
    pub dice: f64,
    /// Error of the predicted IoU.
    #[serde(deserialize_with = "number")]
    pub iou: f64,
    /// Cross-entropy of the occlusion score.
    #[serde(deserialize_with = "number")]
    pub occlusion: f64,
}

/// One optimiser step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct StepRecord {
    /// The number of steps that are complete with this one: 1 for the first.
    pub step: u64,
    /// The losses.
    pub losses: LossRecord,
    /// The mean IoU of the predicted masks with the truth over the clips' visible objects and
    /// frames, per cent; NaN if nothing was visible.
    #[serde(deserialize_with = "number")]
    pub mean_iou: f64,
    /// The learning rate of everything but the trunk.
    #[serde(deserialize_with = "number")]
    pub learning_rate: f64,
    /// The learning rate of the trunk's last layer; those before it have less by layer decay.
    #[serde(deserialize_with = "number")]
    pub trunk_learning_rate: f64,
    /// The L2 norm of all gradients before clipping.
    #[serde(deserialize_with = "number")]
    pub gradient_norm: f64,
    /// The number of clips that the step was made of.
    pub clips: usize,
    /// The number of objects in them.
    pub objects: usize,
    /// The time that the step took, reading its clips included.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
    /// The largest resident memory of the process so far, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

/// One validation.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// The number of steps that the validated weights were trained for.
    pub step: u64,
    /// The number of clips that were tracked.
    pub clips: usize,
    /// Region similarity, mean over objects, per cent.
    #[serde(deserialize_with = "number")]
    pub j: f64,
    /// Boundary accuracy, mean over objects, per cent.
    #[serde(deserialize_with = "number")]
    pub f: f64,
    /// The mean of J and F, per cent.
    #[serde(deserialize_with = "number")]
    pub j_and_f: f64,
    /// The share of frames on which the occlusion score says whether an object is in the picture,
    /// mean over objects, per cent.
    #[serde(deserialize_with = "number")]
    pub occlusion_accuracy: f64,
    /// The time that the validation took.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A step.
    Step(StepRecord),
    /// A validation.
    Validation(ValidationRecord),
}

impl Record {
    /// The number of steps that were complete at this record.
    pub fn step(&self) -> u64 {
        match self {
            Self::Step(record) => record.step,
            Self::Validation(record) => record.step,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// The number of steps that are complete.
    pub step: u64,
    /// Whether those are all; otherwise the run was stopped and can be resumed.
    pub complete: bool,
    /// The best validation, if there was one.
    pub best: Option<ValidationRecord>,
    /// The time of this process's part of the run.
    pub seconds: f64,
    /// The weights to use, if they were written.
    pub weights: Option<PathBuf>,
}

/// JSON has no NaN and no infinity: both are written as `null`, which is read as NaN.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A step of a run of `steps` steps, with numbers as they may be.
    pub(in crate::monitor) fn plausible(step: u64, steps: u64) -> StepRecord {
        let done = step as f64 / steps as f64;
        // Noise that is the same every time.
        let noise =
            |seed: f64| ((step as f64 * 12.9898 + seed).sin() * 43_758.545).fract() * 0.2 + 1.0;
        let falling =
            |from: f64, to: f64, seed| (to + (from - to) * (-6.0 * done).exp()) * noise(seed);
        let losses = LossRecord {
            focal: falling(8.0, 0.3, 1.0),
            dice: falling(3.0, 0.5, 2.0),
            iou: falling(1.0, 0.06, 3.0),
            occlusion: falling(0.7, 0.01, 4.0),
            total: 0.0,
        };
        let warm = (done * 20.0).min(1.0);
        let cosine = (1.0 + (std::f64::consts::PI * done).cos()) / 2.0;
        StepRecord {
            step,
            losses: LossRecord {
                total: losses.focal + losses.dice + losses.iou + losses.occlusion,
                ..losses
            },
            mean_iou: (80.0 - 60.0 * (-5.0 * done).exp()) * noise(5.0).min(1.1),
            learning_rate: 5e-6 * warm * cosine,
            trunk_learning_rate: 3e-6 * warm * cosine,
            gradient_norm: falling(20.0, 0.4, 6.0),
            clips: 4,
            objects: 10,
            seconds: 2.5 * noise(7.0),
            peak_memory_bytes: Some(1_900 << 20),
        }
    }
}
