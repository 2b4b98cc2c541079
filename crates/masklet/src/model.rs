//! [`Model`]: a loaded network, shared by predictors.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use masklet_model::config::{Preset, Sam2Config};
use masklet_model::{Compute, LoadedModel, Precision, Sam2};

use crate::Result;

/// A network on a device. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Model {
    network: Arc<Sam2>,
    preset: Option<Preset>,
    compute: Compute,
}

impl Model {
    /// Loads a checkpoint (`.pt` or `.safetensors`, official names) onto the CPU. Which model it
    /// is is told from its contents.
    ///
    /// # Errors
    /// If the file is not a checkpoint of a known model; the message says what was found.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_as(path, None, Compute::default())
    }

    /// [`Self::open`] with choices: the checkpoint must be the model that `expected` names, and it
    /// computes as `compute` says.
    ///
    /// # Errors
    /// As [`Self::open`], and if the checkpoint is another model.
    pub fn open_as(
        path: impl AsRef<Path>,
        expected: Option<Preset>,
        compute: Compute,
    ) -> Result<Self> {
        let loaded = LoadedModel::open(path, expected, &compute)?;
        Ok(Self::from_loaded(loaded, compute))
    }

    /// A model of the given configuration with random parameters: for tests and benchmarks.
    ///
    /// # Errors
    /// If the configuration is invalid.
    pub fn random(config: &Sam2Config, seed: u64, compute: Compute) -> Result<Self> {
        let loaded = LoadedModel::random(config, seed, &compute)?;
        Ok(Self::from_loaded(loaded, compute))
    }

    /// A model around a network that was built or loaded for `compute`, from now on
    /// [for inference](Sam2::for_inference) alone.
    pub fn from_loaded(loaded: LoadedModel, compute: Compute) -> Self {
        Self {
            network: Arc::new(loaded.network.for_inference()),
            preset: loaded.preset,
            compute,
        }
    }

    /// The same model under an official name, for one that was built with that configuration.
    pub fn named(self, preset: Preset) -> Self {
        Self {
            preset: Some(preset),
            ..self
        }
    }

    /// The network, [for inference](Sam2::for_inference) alone.
    pub fn network(&self) -> &Sam2 {
        &self.network
    }

    /// Computes with the network on a thread of Rayon's pool, where each kernel begins at once; from
    /// any other thread each kernel would wake the pool and wait for it, which takes longer than many
    /// a kernel of a small model.
    pub fn compute<R: Send>(&self, work: impl FnOnce(&Sam2) -> R + Send) -> R {
        let network = self.network();
        rayon::scope(|_| work(network))
    }

    /// Its dimensions.
    pub fn config(&self) -> &Sam2Config {
        self.network.config()
    }

    /// The official model it is, if it is one.
    pub fn preset(&self) -> Option<Preset> {
        self.preset
    }

    /// The official model's name, or `custom`.
    pub fn name(&self) -> &'static str {
        self.preset.map_or("custom", Preset::name)
    }

    /// What its products on the CPU are computed in.
    pub fn precision(&self) -> Precision {
        self.compute.precision
    }

    /// The device it computes on.
    pub fn device(&self) -> &Device {
        &self.compute.device
    }
}
