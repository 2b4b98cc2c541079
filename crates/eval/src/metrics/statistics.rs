//! Mean, recall and decay over the frames of an object, as DAVIS defines them.

use serde::{Deserialize, Serialize};

/// Frames above this score are recalled.
const RECALL_THRESHOLD: f64 = 0.5;
/// Decay compares the first with the last of this many stretches of time.
const STRETCHES: usize = 4;

/// A measure's statistics over frames. All are NaN if there are no frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// The mean, frames without a value (NaN) left out.
    pub mean: f64,
    /// The share of frames above 0.5. A frame without a value is not recalled.
    pub recall: f64,
    /// The mean over the first quarter of the frames minus that over the last quarter: positive if
    /// quality is lost over time.
    pub decay: f64,
}

impl Statistics {
    /// Over the values of consecutive frames.
    pub fn over(values: &[f64]) -> Self {
        let above = values.iter().filter(|&&value| value > RECALL_THRESHOLD);
        Self {
            mean: mean(values.iter().copied()),
            recall: above.count() as f64 / values.len() as f64,
            decay: decay(values),
        }
    }

    /// The mean of each statistic over several objects.
    pub fn averaged<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self {
            mean: mean(all.clone().map(|one| one.mean)),
            recall: mean(all.clone().map(|one| one.recall)),
            decay: mean(all.map(|one| one.decay)),
        }
    }
}

/// The mean of the values that are not NaN; NaN if there are none.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values
        .filter(|value| !value.is_nan())
        .fold((0.0, 0usize), |(sum, count), value| {
            (sum + value, count + 1)
        });
    sum / count as f64
}

/// The stretches share their end frames, and halves are rounded up, as in the DAVIS code. (That
/// code keeps frame numbers in eight bits, so that its decay is wrong beyond 256 frames; this is
/// not repeated here.)
fn decay(values: &[f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let border = |stretch: usize| {
        let position = stretch as f64 * (values.len() - 1) as f64 / STRETCHES as f64;
        (position + 0.5 + 1e-10).floor() as usize
    };
    let stretch = |index: usize| {
        let frames = &values[border(index)..=border(index + 1)];
        mean(frames.iter().copied())
    };
    stretch(0) - stretch(STRETCHES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decay_is_the_first_quarter_minus_the_last() {
        let values: Vec<f64> = (0..9).map(|frame| 1.0 - 0.1 * f64::from(frame)).collect();
        let expected = (1.0 + 0.9 + 0.8) / 3.0 - (0.4 + 0.3 + 0.2) / 3.0;
        assert!((Statistics::over(&values).decay - expected).abs() < 1e-12);
    }

    #[test]
    fn few_frames_have_overlapping_quarters() {
        assert_eq!(Statistics::over(&[0.7]).decay, 0.0);
        // Borders 0, 0, 1, 1, 1: the quarters are the first frame, and the second.
        assert!((Statistics::over(&[0.9, 0.5]).decay - 0.4).abs() < 1e-12);
    }

    #[test]
    fn frames_without_a_value_leave_the_mean_and_lower_recall() {
        let statistics = Statistics::over(&[0.6, f64::NAN, 0.8, 0.4]);
        assert!((statistics.mean - 0.6).abs() < 1e-12);
        assert_eq!(statistics.recall, 0.5);
    }

    #[test]
    fn no_frames_have_no_statistics() {
        let none = Statistics::over(&[]);
        assert!(none.mean.is_nan() && none.recall.is_nan() && none.decay.is_nan());
    }

    #[test]
    fn recall_is_strictly_above_one_half() {
        assert_eq!(Statistics::over(&[0.5, 0.5000001]).recall, 0.5);
    }
}
