//! Which network a run trains, and what it starts from.

use std::fs;
use std::path::{Path, PathBuf};

use masklet_model::config::{Preset, Sam2Config};
use masklet_model::weights::{Checkpoint, detect};
use masklet_model::{Compute, LoadedModel, ModelError};

use crate::config::TrainConfig;
use crate::{Result, TrainError};

/// The network before training.
#[derive(Debug)]
pub(super) struct Start {
    /// As it is used afterwards.
    pub(super) inference: Sam2Config,
    preset: Option<Preset>,
    weights: Option<PathBuf>,
}

/// The network that the configuration names.
pub(super) fn initial(config: &TrainConfig) -> Result<Start> {
    let model = &config.model;
    if let Some(weights) = &model.weights {
        return from_weights(weights, config);
    }
    let (preset, inference) = match (model.preset, &model.config) {
        (Some(preset), _) => (Some(preset), preset.config()),
        (None, Some(path)) => (None, read_config(path)?),
        (None, None) => return Err(TrainError::NoModel),
    };
    Start {
        inference,
        preset,
        weights: None,
    }
    .resized(config)
}

/// The network in a checkpoint.
pub(super) fn from_weights(path: &Path, config: &TrainConfig) -> Result<Start> {
    let detected = detect(&Checkpoint::open(path)?)?;
    if let Some(wanted) = config.model.preset
        && detected.preset.is_some_and(|found| found != wanted)
    {
        return Err(TrainError::OtherModel {
            path: path.to_owned(),
            found: detected.name().to_owned(),
            wanted: wanted.to_string(),
        });
    }
    Start {
        inference: detected.config,
        preset: detected.preset.or(config.model.preset),
        weights: Some(path.to_owned()),
    }
    .resized(config)
}

fn read_config(path: &Path) -> Result<Sam2Config> {
    let text = fs::read_to_string(path).map_err(|source| TrainError::file("read", path, source))?;
    serde_json::from_str(&text)
        .map_err(|error| TrainError::file("understand", path, std::io::Error::other(error)))
}

impl Start {
    fn resized(mut self, config: &TrainConfig) -> Result<Self> {
        if let Some(size) = config.model.image_size {
            self.inference.image_size = size as usize;
        }
        self.inference.validate().map_err(ModelError::from)?;
        Ok(self)
    }

    /// The network on a device that records gradients, with what training switches on.
    pub(super) fn build(&self, config: &TrainConfig, compute: &Compute) -> Result<LoadedModel> {
        let mut training = self.inference.for_training();
        training.trunk.drop_path_rate = config.model.drop_path;
        training.memory_attention.dropout = config.model.dropout;
        let compute = Compute {
            device: compute.device.clone().autodiff(),
            ..compute.clone()
        };
        let mut model = match &self.weights {
            None => LoadedModel::random(&training, config.seed, &compute)?,
            Some(path) => {
                LoadedModel::from_checkpoint(&Checkpoint::open(path)?, &training, &compute)?
            }
        };
        model.preset = self.preset;
        Ok(model)
    }
}
