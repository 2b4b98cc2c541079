//! Which model to use: the flags shared by all commands that run one.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use masklet::{Compute, Model, Precision, Preset, Sam2Config, built_in};
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
    /// Hugging Face cache, or fetched into it; with --weights it is what the file must be. Without
    /// both, commands that cannot do without a model take lite, the small one inside this program.
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
    /// Loads the model: from the file given, by its name, or the one inside this program.
    pub(crate) fn load(&self, global: &Global) -> Result<Model, Failure> {
        if !self.is_given() && self.config.is_none() {
            say_built_in(global);
        }
        let source = self.source()?;
        let loaded = self.load_source(&source, self.config.as_deref(), global);
        match (&self.weights, source) {
            (None, Source::File(path)) => loaded.map_err(|failure| {
                // Whatever is wrong with a file that the user did not choose is a failure.
                let (Failure::Usage(error) | Failure::Failed(error)) = failure;
                Failure::Failed(error.context(format!(
                    "the file in the model cache is of no use; remove {} to have it fetched again",
                    path.display()
                )))
            }),
            _ => loaded,
        }
    }

    /// Where the parameters are; a model by name is fetched if it is not there yet.
    pub(crate) fn source(&self) -> Result<Source, Failure> {
        if let Some(path) = &self.weights {
            return Ok(Source::File(path.clone()));
        }
        if self.config.is_some() {
            return Err(Failure::usage(anyhow!(
                "--config describes a checkpoint: pass that too, with --weights FILE"
            )));
        }
        let official = self.model.and_then(Preset::official);
        official.map_or(Ok(Source::BuiltIn), |official| {
            fetching::fetch(official, self.offline).map(Source::File)
        })
    }

    /// Loads a checkpoint from anywhere, which must be the model that was named; `config` is for one
    /// that does not bring its own.
    pub(crate) fn load_source(
        &self,
        source: &Source,
        config: Option<&Path>,
        global: &Global,
    ) -> Result<Model, Failure> {
        self.load_as(source, self.model, config, global)
    }

    /// Loads a checkpoint that is beside the model that the flags name, whatever it is.
    pub(crate) fn load_other(&self, file: &Path, global: &Global) -> Result<Model, Failure> {
        self.load_as(&Source::File(file.to_owned()), None, None, global)
    }

    fn load_as(
        &self,
        source: &Source,
        named: Option<Preset>,
        config: Option<&Path>,
        global: &Global,
    ) -> Result<Model, Failure> {
        let compute = self.compute(global);
        let checkpoint = source.open()?;
        let (config, preset) = match config.map(custom_config).transpose()? {
            Some(config) => (config, None),
            None => {
                let detected = detect(&checkpoint)?;
                if let Some(wanted) = named {
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

    /// Whether models may not be fetched.
    pub(crate) fn offline(&self) -> bool {
        self.offline
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

/// Says that the model is the small one, to somebody who named none.
pub(crate) fn say_built_in(global: &Global) {
    if !global.quiet {
        eprintln!(
            "model: {}, the small one inside this program, for trying things out; a strong one is \
             --model sam2.1-tiny (fetched once) or --weights FILE",
            built_in::PRESET
        );
    }
}

/// Where a model's parameters are.
pub(crate) enum Source {
    /// In a file.
    File(PathBuf),
    /// In this program.
    BuiltIn,
}

impl Source {
    /// What it is called in results.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match self {
            Self::File(path) => path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy(),
            Self::BuiltIn => built_in::PRESET.name().into(),
        }
    }

    /// Its bytes.
    pub(crate) fn read(&self) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::File(path) => Box::new(File::open(path)?),
            Self::BuiltIn => Box::new(built_in::WEIGHTS),
        })
    }

    fn open(&self) -> Result<Checkpoint, Failure> {
        Ok(match self {
            Self::File(path) => Checkpoint::open(path)?,
            Self::BuiltIn => built_in::checkpoint()?,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::BuiltIn => f.write_str("the built-in model"),
        }
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
