//! `[validation]`, `[checkpoints]` and `[monitor]`: what happens beside the training.

use serde::{Deserialize, Serialize};

use super::data::check_sources;
use super::{FieldError, SourceOptions};

/// How the network is validated: J&F on clips that are not trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidationOptions {
    /// Steps from one validation to the next; 0 for none.
    pub every: usize,
    /// Clips, the same each time; at least 1.
    pub clips: usize,
    /// Which part of the training data's sequences and images is held out for it, if there are
    /// no data sets of its own; above 0 and less than 1, 0.1 if left out.
    pub fraction: Option<f64>,
    /// Data sets of its own, `[[validation.source]]`.
    #[serde(rename = "source")]
    pub sources: Vec<SourceOptions>,
}

impl Default for ValidationOptions {
    fn default() -> Self {
        Self {
            every: 500,
            clips: 8,
            fraction: None,
            sources: Vec::new(),
        }
    }
}

impl ValidationOptions {
    /// Which part of the training data is held out: none where there is no validation or it has
    /// data sets of its own.
    pub fn held_out(&self) -> f64 {
        match self.every == 0 || !self.sources.is_empty() {
            true => 0.0,
            false => self.fraction.unwrap_or(0.1),
        }
    }

    /// Checks that every value is in its range and contradicts no other.
    ///
    /// # Errors
    /// [`FieldError`], naming the field.
    pub fn check(&self) -> Result<(), FieldError> {
        FieldError::at_least_one("clips", self.clips)?;
        let fraction = self.fraction.unwrap_or(0.1);
        let accepted = "above 0 and less than 1 is accepted (`every = 0` for no validation)";
        FieldError::unless(
            fraction > 0.0 && fraction < 1.0,
            "fraction",
            fraction,
            accepted,
        )?;
        let twice = self.fraction.is_some() && !self.sources.is_empty();
        let accepted = "nothing is held out where validation has data sets of its own: leave it \
                        or [[validation.source]] out";
        FieldError::unless(!twice, "fraction", fraction, accepted)?;
        check_sources(&self.sources).map_err(|error| error.indexed("source"))
    }
}

/// Which states of the run are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointOptions {
    /// Steps from one checkpoint to the next; at least 1. The last and the best one are kept
    /// beside.
    pub every: usize,
    /// How many of these are kept, the newest; 0 for all.
    pub keep: usize,
}

impl Default for CheckpointOptions {
    fn default() -> Self {
        Self {
            every: 500,
            keep: 3,
        }
    }
}

impl CheckpointOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`FieldError`], naming the field.
    pub fn check(&self) -> Result<(), FieldError> {
        FieldError::at_least_one("every", self.every)
    }
}

/// What is shown of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorOptions {
    /// Steps from one line of the plain log to the next; at least 1.
    pub log_every: usize,
    /// Steps from one drawing of validation clips, prediction beside truth, to the next; 0 for
    /// none. They are drawn when they are validated, so in the first validation after each such
    /// step.
    pub samples_every: usize,
    /// Clips that are drawn, the same each time; at least 1.
    pub samples: usize,
    /// Steps from one drawing of the loss curves to the next; 0 for none.
    pub curves_every: usize,
}

impl Default for MonitorOptions {
    fn default() -> Self {
        Self {
            log_every: 10,
            samples_every: 500,
            samples: 4,
            curves_every: 100,
        }
    }
}

impl MonitorOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`FieldError`], naming the field.
    pub fn check(&self) -> Result<(), FieldError> {
        FieldError::at_least_one("log_every", self.log_every)?;
        FieldError::at_least_one("samples", self.samples)
    }
}
