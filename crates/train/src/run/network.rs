//! Which network a run trains, and what it starts from.

use std::fs;
use std::path::{Path, PathBuf};

use masklet_model::config::{Preset, Sam2Config};
use masklet_model::weights::{Checkpoint, Summary, detect};
use masklet_model::{Compute, LoadedModel, ModelError};

use crate::config::TrainConfig;
use crate::{Result, TrainError};

/// The network before training.
#[derive(Debug)]
pub(super) struct Start {
    /// As it is used afterwards.
    pub(super) inference: Sam2Config,
    preset: Option<Preset>,
    origin: Origin,
}

/// Where the parameters come from.
#[derive(Debug)]
enum Origin {
    /// The run's seed.
    Seed,
    /// A file that has all of them.
    Weights(PathBuf),
    /// A file that has some of them; the others from the run's seed.
    Init(PathBuf),
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
        origin: model.init.clone().map_or(Origin::Seed, Origin::Init),
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
        origin: Origin::Weights(path.to_owned()),
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

    /// What is taken from a file of some of the parameters, and what is drawn.
    pub(super) fn remark(&self, model: &LoadedModel) -> Result<Option<String>> {
        let Origin::Init(path) = &self.origin else {
            return Ok(None);
        };
        let taken = Checkpoint::open(path)?;
        let modules: Vec<String> = Summary::of(&taken)
            .modules
            .into_iter()
            .map(|module| module.name)
            .collect();
        Ok(Some(format!(
            "{} tensors ({}) are from {}, {} others are drawn at random",
            taken.len(),
            modules.join(", "),
            path.display(),
            model.parameters.len() - taken.len()
        )))
    }

    /// The network on a device that records gradients, with what training switches on.
    pub(super) fn build(&self, config: &TrainConfig, compute: &Compute) -> Result<LoadedModel> {
        let mut training = self.inference.for_training();
        training.trunk.set_drop_path_rate(config.model.drop_path);
        training.memory_attention.dropout = config.model.dropout;
        let compute = Compute {
            device: compute.device.clone().autodiff(),
            ..compute.clone()
        };
        let mut model = match &self.origin {
            Origin::Seed => LoadedModel::random(&training, config.seed, &compute)?,
            Origin::Weights(path) => {
                LoadedModel::from_checkpoint(&Checkpoint::open(path)?, &training, &compute)?
            }
            Origin::Init(path) => {
                LoadedModel::partial(&Checkpoint::open(path)?, &training, config.seed, &compute)?
            }
        };
        model.preset = self.preset;
        Ok(model)
    }
}
