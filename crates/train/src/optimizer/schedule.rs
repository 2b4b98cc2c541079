//! Learning rates over time.

use std::f64::consts::PI;

/// What part of the highest learning rates a step has: it rises linearly, then falls as a cosine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Steps of the run.
    pub steps: usize,
    /// Steps in which it rises, fewer than all.
    pub warmup_steps: usize,
    /// What is left at the end.
    pub final_fraction: f64,
}

impl Schedule {
    /// The factor of learning rates in the step after `complete` ones. The last step of the rise
    /// has the whole rate. Without a rise it is the reference's cosine, which reaches its end
    /// after the last step.
    pub fn factor(&self, complete: usize) -> f64 {
        if complete < self.warmup_steps {
            return (complete + 1) as f64 / self.warmup_steps as f64;
        }
        let falling = (self.steps - self.warmup_steps).max(1) as f64;
        let along = ((complete - self.warmup_steps) as f64 / falling).min(1.0);
        self.final_fraction + (1.0 - self.final_fraction) * 0.5 * (1.0 + (PI * along).cos())
    }
}
