//! [`TrainConfig`]: everything that decides how a run goes, as one TOML file.
//!
//! Every field has a default. A field that does not exist is an error that names its line and the
//! nearest one that does; so is a value out of range, and one that contradicts another. Some
//! values are set once and followed elsewhere: clips made of images have `data.sample`'s frames
//! and objects, and transforms resize to `model.image_size`.
//!
//! ```
//! use masklet_train::config::TrainConfig;
//!
//! let error = TrainConfig::parse("steps = 100\n[optimizer]\nlearning_rat = 1e-4\n").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "line 3: unknown field `learning_rat` in [optimizer]; did you mean `learning_rate`?"
//! );
//! ```

mod data;
mod document;
mod error;
mod learning;
mod model;
mod run;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use data::{DataOptions, SourceOptions};
pub use error::{ConfigError, FieldError, Place};
pub use learning::{LossOptions, OptimizerOptions};
pub use model::ModelOptions;
pub use run::{CheckpointOptions, MonitorOptions, ValidationOptions};

use crate::simulation::PromptOptions;
use document::Document;

/// Everything that decides how a run goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Steps of the optimizer; at least 1.
    pub steps: usize,
    /// Clips whose gradients are added up for a step; at least 1.
    pub clips_per_step: usize,
    /// How many clips of a step are computed at once, each on its share of the threads: faster with
    /// a small network, but each needs its memory. The numbers are the same. At least 1, and at most
    /// `clips_per_step`.
    pub clips_at_once: usize,
    /// Seed of everything random, at most 2⁶³ - 1.
    pub seed: u64,
    /// Parameters that are not trained, by official names in which `*` is any text and `?` any
    /// character: `image_encoder.*`.
    pub freeze: Vec<String>,
    /// Whether the image encoder's inner results are computed again in the backward pass instead
    /// of kept: less memory, more time, the same numbers.
    pub checkpoint_encoder: bool,
    /// The network.
    pub model: ModelOptions,
    /// What is trained on.
    pub data: DataOptions,
    /// How a user is simulated.
    pub prompts: PromptOptions,
    /// What is minimised.
    pub loss: LossOptions,
    /// How it is minimised.
    pub optimizer: OptimizerOptions,
    /// How the network is validated.
    pub validation: ValidationOptions,
    /// Which states of the run are kept.
    pub checkpoints: CheckpointOptions,
    /// What is shown of the run.
    pub monitor: MonitorOptions,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 1000,
            clips_per_step: 1,
            clips_at_once: 1,
            seed: 0,
            freeze: Vec::new(),
            checkpoint_encoder: false,
            model: ModelOptions::default(),
            data: DataOptions::default(),
            prompts: PromptOptions::default(),
            loss: LossOptions::default(),
            optimizer: OptimizerOptions::default(),
            validation: ValidationOptions::default(),
            checkpoints: CheckpointOptions::default(),
            monitor: MonitorOptions::default(),
        }
    }
}

impl TrainConfig {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`ConfigError::Read`], else as [`parse`](Self::parse), naming the file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_text(&text, Some(path))
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`], [`ConfigError::Unknown`] or [`ConfigError::Field`], each with the
    /// line.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::from_text(text, None)
    }

    fn from_text(text: &str, file: Option<&Path>) -> Result<Self, ConfigError> {
        let document = Document::new(text, file);
        let parsed = toml::from_str(text).map_err(|error| document.parse_error(&error, sections));
        let config: Self = Self::followed(parsed?, &document);
        config
            .check()
            .map_err(|error| document.field_error(error))?;
        Ok(config)
    }

    /// Gives values that follow from others, and were not written down, what they follow from.
    fn followed(mut self, document: &Document<'_>) -> Self {
        if let Some(motion) = &mut self.data.motion {
            if !document.has("data.motion.frames") {
                motion.frames = self.data.sample.frames;
            }
            if !document.has("data.motion.objects") {
                motion.objects = self.data.sample.objects;
            }
        }
        if !document.has("data.augmentation.resize") {
            self.data.augmentation.resize = self.model.image_size;
        }
        self
    }

    /// Checks that every value is in its range and contradicts no other. Patterns of parameters
    /// are checked when the network is known.
    ///
    /// # Errors
    /// [`FieldError`], naming the first field that is not right.
    pub fn check(&self) -> Result<(), FieldError> {
        FieldError::at_least_one("steps", self.steps)?;
        FieldError::at_least_one("clips_per_step", self.clips_per_step)?;
        FieldError::at_least_one("clips_at_once", self.clips_at_once)?;
        FieldError::unless(
            self.clips_at_once <= self.clips_per_step,
            "clips_at_once",
            self.clips_at_once,
            format!(
                "at most `clips_per_step` ({}) is accepted",
                self.clips_per_step
            ),
        )?;
        let accepted = "at most 9223372036854775807 is accepted";
        FieldError::unless(
            i64::try_from(self.seed).is_ok(),
            "seed",
            self.seed,
            accepted,
        )?;
        let of = |section| move |error: FieldError| error.within(section);
        self.model.check().map_err(of("model"))?;
        self.data.check().map_err(of("data"))?;
        self.prompts.check().map_err(of("prompts"))?;
        self.loss.check().map_err(of("loss"))?;
        self.optimizer.check().map_err(of("optimizer"))?;
        self.validation.check().map_err(of("validation"))?;
        self.checkpoints.check().map_err(of("checkpoints"))?;
        self.monitor.check().map_err(of("monitor"))?;
        self.check_together()
    }

    /// Checks values of different sections against one another.
    fn check_together(&self) -> Result<(), FieldError> {
        let resize = self.data.augmentation.resize;
        if let Some(side) = resize
            && resize != self.model.image_size
        {
            let accepted = match self.model.image_size {
                Some(size) => format!("it follows from `model.image_size` ({size}): leave it out"),
                None => "it follows from the network: set `model.image_size` instead".to_owned(),
            };
            return FieldError::unless(false, "data.augmentation.resize", side, accepted);
        }
        let frames = self.data.sample.frames;
        let prompted = [
            ("prompts.prompted_frames", self.prompts.prompted_frames),
            ("prompts.corrected_frames", self.prompts.corrected_frames),
        ];
        for (field, count) in prompted {
            // A single frame is prompted in its own way, whatever the options.
            let accepted = format!("at most `data.sample.frames` ({frames}) is accepted");
            FieldError::unless(frames == 1 || count <= frames, field, count, accepted)?;
        }
        let warmup = self.optimizer.warmup_steps;
        let accepted = format!("fewer than `steps` ({}) are accepted", self.steps);
        FieldError::unless(
            warmup < self.steps,
            "optimizer.warmup_steps",
            warmup,
            accepted,
        )
    }

    /// The configuration as TOML, with every field; [`parse`](Self::parse) gives it back.
    ///
    /// # Errors
    /// [`ConfigError::Write`] if a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        Ok(toml::to_string_pretty(self)?)
    }
}

/// The sections that have a field of this name.
fn sections(field: &str) -> Vec<String> {
    fn search(table: &toml::Table, field: &str, path: &str, found: &mut Vec<String>) {
        if table.contains_key(field) && !path.is_empty() {
            found.push(path.to_owned());
        }
        for (name, value) in table {
            if let toml::Value::Table(inner) = value {
                let dot = if path.is_empty() { "" } else { "." };
                search(inner, field, &format!("{path}{dot}{name}"), found);
            }
        }
    }
    let mut found = Vec::new();
    if let Ok(all) = toml::Table::try_from(TrainConfig::default()) {
        search(&all, field, "", &mut found);
    }
    found
}
