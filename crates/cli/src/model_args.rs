//! Which model to use: the flags shared by all commands that run one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use masklet::{Compute, Model, Precision, Preset, Sam2Config};
use masklet_model::LoadedModel;
use masklet_model::weights::{Checkpoint, check_model_name, detect};

use crate::device::DeviceName;
use crate::failure::Failure;
use crate::{Global, fetching};

/// The model's flags.
#[derive(clap::Args)]
pub(crate) struct ModelArgs {
    /// Checkpoint file: official `.pt`, or `.safetensors` with the same names.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Model by name, such as sam2.1-tiny. Without --weights an official one is taken from the
    /// Hugging Face cache, or fetched into it; with --weights it is what the file must be.
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    model: Option<Preset>,
    /// Never fetch a model: it must be in the cache. HF_HUB_OFFLINE=1 does the same.
    #[arg(long)]
    offline: bool,
    /// Configuration of a custom model, as JSON, for a checkpoint that does not bring its own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What products are computed in: bf16 is faster where the processor multiplies it natively,
    /// and changes masks slightly. `auto` takes it there and f32 elsewhere.
    #[arg(long, value_enum, default_value = "f32")]
    precision: PrecisionName,
}

/// Choices of precision.
#[derive(clap::ValueEnum, Clone, Copy)]
pub(crate) enum PrecisionName {
    /// 32-bit floats, as the reference.
    F32,
    /// bfloat16 operands; sums, norms and softmax in f32.
    Bf16,
    /// bf16 where it is native.
    Auto,
}

impl PrecisionName {
    pub(crate) fn compute(self, device: DeviceName) -> Compute {
        device.compute(match self {
            Self::F32 => Precision::F32,
            Self::Bf16 => Precision::Bf16,
            Self::Auto => Compute::fastest_cpu().precision,
        })
    }
}

impl ModelArgs {
    /// Loads the model, from the file given or by its name.
    pub(crate) fn load(&self, global: &Global) -> Result<Model, Failure> {
        match &self.weights {
            Some(path) => self.load_file(path, global),
            None => {
                let path = self.by_name()?;
                self.load_file(&path, global).map_err(|failure| {
                    // Whatever is wrong with a file that the user did not choose is a failure.
                    let (Failure::Usage(error) | Failure::Failed(error)) = failure;
                    Failure::Failed(error.context(format!(
                        "the file in the model cache is of no use; remove {} to have it fetched again",
                        path.display()
                    )))
                })
            }
        }
    }

    /// The file of the model that was named.
    fn by_name(&self) -> Result<PathBuf, Failure> {
        let preset = self.model.ok_or_else(|| {
            Failure::usage(anyhow!(
                "no model is given: pass --model NAME for an official one, which is fetched when \
                 first used (`masklet models` lists them), or --weights FILE"
            ))
        })?;
        self.fetch(preset)
    }

    /// The file of a published model.
    pub(crate) fn fetch(&self, preset: Preset) -> Result<PathBuf, Failure> {
        let official = preset.official().ok_or_else(|| {
            Failure::usage(anyhow!(
                "the weights of {preset} are not published: pass those of a training run with \
                 --weights FILE, or the name of an official model (`masklet models` lists them)"
            ))
        })?;
        fetching::fetch(official, self.offline)
    }

    fn load_file(&self, path: &Path, global: &Global) -> Result<Model, Failure> {
        self.load_path(path, self.config.as_deref(), global)
    }

    /// Loads a checkpoint that another program chose; `config` is for one that does not bring its
    /// own.
    pub(crate) fn load_path(
        &self,
        path: &Path,
        config: Option<&Path>,
        global: &Global,
    ) -> Result<Model, Failure> {
        let compute = self.compute(global);
        let checkpoint = Checkpoint::open(path)?;
        let (config, preset) = match config.map(custom_config).transpose()? {
            Some(config) => (config, None),
            None => {
                let detected = detect(&checkpoint)?;
                if let Some(wanted) = self.model {
                    check_model_name(&checkpoint, wanted, &detected).map_err(Failure::usage)?;
                }
                (detected.config, detected.preset)
            }
        };
        let mut loaded = LoadedModel::from_checkpoint(&checkpoint, &config, &compute)
            .map_err(Failure::failed)?;
        loaded.preset = preset;
        Ok(Model::from_loaded(loaded, compute))
    }

    /// The checkpoint, fetched if it is one by name that is not there yet.
    pub(crate) fn file(&self) -> Result<PathBuf, Failure> {
        match &self.weights {
            Some(path) => Ok(path.clone()),
            None => self.by_name(),
        }
    }

    /// The model that was named.
    pub(crate) fn named(&self) -> Option<Preset> {
        self.model
    }

    /// How to compute.
    pub(crate) fn compute(&self, global: &Global) -> Compute {
        self.precision.compute(global.device)
    }

    /// The checkpoint's path, for reports.
    pub(crate) fn weights(&self) -> Option<&PathBuf> {
        self.weights.as_ref()
    }

    /// The configuration of a custom model.
    pub(crate) fn config(&self) -> Option<&PathBuf> {
        self.config.as_ref()
    }

    /// Whether a model was chosen.
    pub(crate) fn is_given(&self) -> bool {
        self.weights.is_some() || self.model.is_some()
    }
}

fn custom_config(path: &Path) -> Result<Sam2Config, Failure> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let config = serde_json::from_str(&text);
    config
        .with_context(|| format!("{} is not a model configuration", path.display()))
        .map_err(Failure::Usage)
}
