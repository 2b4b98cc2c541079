//! How fast a run goes, and how long it will take.

use std::collections::VecDeque;

use super::{StepRecord, ValidationRecord};

/// The pace is the mean over this many steps.
const STEPS: usize = 20;

/// The pace of the last steps.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    recent: VecDeque<(f64, usize)>,
    steps: u64,
    validations: f64,
}

impl Pace {
    /// Takes a step in.
    pub fn step(&mut self, record: &StepRecord) {
        if self.recent.len() == STEPS {
            self.recent.pop_front();
        }
        self.recent.push_back((record.seconds, record.clips));
        self.steps += 1;
    }

    /// Takes a validation in.
    pub fn validated(&mut self, record: &ValidationRecord) {
        self.validations += record.seconds;
    }

    /// Clips a second while training, if a step was taken in.
    pub fn clips_per_second(&self) -> Option<f64> {
        let clips: usize = self.recent.iter().map(|(_, clips)| clips).sum();
        let seconds = self.seconds();
        (seconds > 0.0).then(|| clips as f64 / seconds)
    }

    /// Seconds that so many more steps will take, with their share of validations, if a step was
    /// taken in.
    pub fn seconds_for(&self, steps: u64) -> Option<f64> {
        if self.recent.is_empty() {
            return None;
        }
        let step = self.seconds() / self.recent.len() as f64;
        Some(steps as f64 * (step + self.validations / self.steps as f64))
    }

    fn seconds(&self) -> f64 {
        self.recent.iter().map(|(seconds, _)| seconds).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_steps_and_all_validations_tell_the_time_left() {
        let mut pace = Pace::default();
        assert_eq!((pace.clips_per_second(), pace.seconds_for(5)), (None, None));
        for slow_first in [9.0].into_iter().chain([0.5; STEPS]) {
            pace.step(&StepRecord {
                seconds: slow_first,
                clips: 2,
                ..StepRecord::default()
            });
        }
        assert_eq!(pace.clips_per_second(), Some(4.0));
        assert_eq!(pace.seconds_for(10), Some(5.0));
        pace.validated(&ValidationRecord {
            seconds: 21.0,
            ..ValidationRecord::default()
        });
        assert_eq!(pace.seconds_for(10), Some(15.0));
    }
}
