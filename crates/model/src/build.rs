//! Building a [`Sam2`]: from a checkpoint, or with random parameters.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use thiserror::Error;

use crate::config::{ConfigError, Preset, Sam2Config};
use crate::params::{ParamSource, ParameterName};
use crate::sam2::Sam2;
use crate::weights::{
    self, CONFIG_KEY, Checkpoint, WeightsError, check_model_name, detect, save_safetensors,
};
use masklet_kernels::{Precision, bf16_native};

/// Why a network cannot be built.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The checkpoint cannot be read or does not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// Where a network computes, and how.
#[derive(Debug, Clone)]
pub struct Compute {
    /// The device that holds the parameters.
    pub device: Device,
    /// What the CPU's kernels multiply: f32, or bf16 with sums, norms and softmax in f32.
    pub precision: Precision,
}

impl Default for Compute {
    /// The CPU in f32, as the reference.
    fn default() -> Self {
        Self::cpu(Precision::F32)
    }
}

impl Compute {
    /// The CPU.
    pub fn cpu(precision: Precision) -> Self {
        Self {
            device: Device::flex(),
            precision,
        }
    }

    /// An NVIDIA GPU by its number, in f32.
    #[cfg(feature = "cuda")]
    pub fn cuda(number: usize) -> Self {
        Self {
            device: Device::cuda(number),
            precision: Precision::F32,
        }
    }

    /// The first GPU (or software renderer) that Vulkan offers, in f32.
    #[cfg(feature = "vulkan")]
    pub fn vulkan() -> Self {
        Self {
            device: Device::vulkan(burn::tensor::DeviceKind::DefaultDevice),
            precision: Precision::F32,
        }
    }

    /// The first GPU (or software renderer) that the system's graphics interface offers (Vulkan, Metal
    /// or DirectX 12), with shaders in WGSL, in f32.
    #[cfg(feature = "wgpu")]
    pub fn wgpu() -> Self {
        Self {
            device: Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
            precision: Precision::F32,
        }
    }

    /// The CPU, in bf16 where the processor multiplies it natively, else in f32.
    pub fn fastest_cpu() -> Self {
        Self::cpu(if bf16_native() {
            Precision::Bf16
        } else {
            Precision::F32
        })
    }
}

/// A network and where it came from.
#[derive(Debug, Clone)]
pub struct LoadedModel {
    /// The network.
    pub network: Sam2,
    /// Which of the models with a name it is, if it is one.
    pub preset: Option<Preset>,
    /// Official names and shapes of the parameters.
    pub parameters: Vec<ParameterName>,
}

impl LoadedModel {
    /// Loads a checkpoint (`.pt` or `.safetensors`); which model it holds is told from its
    /// contents.
    ///
    /// # Errors
    /// If the file cannot be read, is not the model that `expected` names, or its tensors do not
    /// fit (each is listed).
    pub fn open(
        path: impl AsRef<Path>,
        expected: Option<Preset>,
        compute: &Compute,
    ) -> Result<Self, ModelError> {
        Self::detected(&Checkpoint::open(path)?, expected, compute)
    }

    /// [`Self::open`] for a checkpoint that is open already.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn detected(
        checkpoint: &Checkpoint,
        expected: Option<Preset>,
        compute: &Compute,
    ) -> Result<Self, ModelError> {
        let detected = detect(checkpoint)?;
        if let Some(expected) = expected {
            check_model_name(checkpoint, expected, &detected)?;
        }
        let mut model = Self::from_checkpoint(checkpoint, &detected.config, compute)?;
        model.preset = detected.preset;
        Ok(model)
    }

    /// Takes the parameters of a model with the given configuration from a checkpoint.
    ///
    /// # Errors
    /// If the configuration is invalid or tensors are missing, unexpected or of another shape.
    pub fn from_checkpoint(
        checkpoint: &Checkpoint,
        config: &Sam2Config,
        compute: &Compute,
    ) -> Result<Self, ModelError> {
        Self::build(ParamSource::checkpoint(checkpoint, compute), config)
    }

    /// A network with random parameters drawn from `seed`, as training starts from.
    ///
    /// # Errors
    /// If the configuration is invalid.
    pub fn random(config: &Sam2Config, seed: u64, compute: &Compute) -> Result<Self, ModelError> {
        Self::build(ParamSource::random(seed, compute), config)
    }

    /// Takes the parameters that a checkpoint has, such as those of a trunk that was trained on images
    /// alone, and draws the others from `seed`.
    ///
    /// # Errors
    /// If the configuration is invalid or tensors are unexpected or of another shape.
    pub fn partial(
        checkpoint: &Checkpoint,
        config: &Sam2Config,
        seed: u64,
        compute: &Compute,
    ) -> Result<Self, ModelError> {
        Self::build(ParamSource::partial(checkpoint, seed, compute), config)
    }

    /// Writes the parameters as `.safetensors` under their official names. `config` is what the file
    /// says of itself, unless the names and shapes alone tell that it is an official model.
    ///
    /// # Errors
    /// If a value does not fit the format, or the file cannot be written; nothing is left behind.
    pub fn save(
        &self,
        path: &Path,
        config: &Sam2Config,
        precision: weights::Precision,
    ) -> Result<(), WeightsError> {
        let official = self.preset.and_then(Preset::official);
        let official = official.is_some_and(|model| model.config() == *config);
        let metadata = match official {
            true => BTreeMap::new(),
            false => BTreeMap::from([(CONFIG_KEY.to_owned(), config.to_json())]),
        };
        let mut values = Values::default();
        self.network.visit(&mut values);
        let tensors = self.parameters.iter().map(|parameter| {
            let values = values.0.get(&parameter.id).map_or(&[][..], Vec::as_slice);
            (parameter.name.as_str(), parameter.shape.as_slice(), values)
        });
        save_safetensors(path, tensors, precision, metadata)
    }

    fn build(source: ParamSource<'_>, config: &Sam2Config) -> Result<Self, ModelError> {
        config.validate()?;
        let network = Sam2::new(&source.root(), config);
        Ok(Self {
            network,
            preset: None,
            parameters: source.finish()?,
        })
    }
}

/// The values of all parameters.
#[derive(Default)]
struct Values(HashMap<ParamId, Vec<f32>>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = param.val().into_data().iter::<f32>().collect();
        self.0.insert(param.id, values);
    }
}
