//! Retraining: what was found satisfactory makes the next model (section 5.1 of the paper).
//!
//! A *round* is a folder in the project:
//!
//! ```text
//! training/3/
//!   training/      the data set: satisfactory masklets of videos that are not held out
//!   held-out/      those of the others, to compare the old and the new model on
//!   run/           the run of `masklet train`
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use masklet::Model;
use masklet_data::{Layout, SkipReport};
use masklet_media::atomic;
use masklet_train::config::{SourceOptions, TrainConfig};
use masklet_train::monitor::ValidationRecord;
use masklet_train::{Sources, TrainError, validate, validation_clips};
use serde::Serialize;

use crate::export::{ExportOptions, Format, Part};
use crate::{EngineError, ModelFacts, ModelId, ModelVersion, Project, Result, UserId};

/// The folder of rounds in a project, and those of the data sets and the run in a round.
const ROUNDS: &str = "training";
const TRAINING: &str = "training";
const HELD_OUT: &str = "held-out";
const RUN: &str = "run";

/// The folder of trained models in a project.
const MODELS: &str = "models";

/// A round that is ready to be trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Its number, from 1.
    pub number: u32,
    /// The folder for the run; it does not exist yet.
    pub run: PathBuf,
    /// What the run follows.
    pub config: TrainConfig,
}

/// How two models do on the same clips of videos that are held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The model that was trained further.
    pub old: ValidationRecord,
    /// What came of it.
    pub new: ValidationRecord,
}

impl Comparison {
    /// Whether the new model is better: by J&F.
    pub fn improved(&self) -> bool {
        self.new.j_and_f > self.old.j_and_f
    }
}

impl Project {
    /// Begins a round: writes the data sets and says how to train on them. `config` says everything
    /// but the data and the weights. `written` is called with the name of each video.
    ///
    /// # Errors
    /// [`EngineError::Refused`] if nothing is satisfactory, or nothing of that is held out; if the
    /// data sets cannot be written.
    pub fn begin_round(
        &self,
        config: TrainConfig,
        weights: &Path,
        written: &mut dyn FnMut(&str),
    ) -> Result<Round> {
        let (number, folder) = self.new_round()?;
        let result = self.write_round(&folder, config, weights, written);
        match result {
            Ok(config) => Ok(Round {
                number,
                run: folder.join(RUN),
                config,
            }),
            Err(error) => {
                // Half a round is of no use, and its number is free again.
                let _ = fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    /// The folder of a round's run.
    pub fn round_folder(&self, number: u32) -> PathBuf {
        self.folder()
            .join(ROUNDS)
            .join(number.to_string())
            .join(RUN)
    }

    fn new_round(&self) -> Result<(u32, PathBuf)> {
        let rounds = self.folder().join(ROUNDS);
        fs::create_dir_all(&rounds).map_err(EngineError::file("create", &rounds))?;
        let mut number = 1;
        loop {
            let folder = rounds.join(number.to_string());
            match fs::create_dir(&folder) {
                Ok(()) => return Ok((number, folder)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(EngineError::file("create", &folder)(error)),
            }
        }
    }

    fn write_round(
        &self,
        folder: &Path,
        mut config: TrainConfig,
        weights: &Path,
        written: &mut dyn FnMut(&str),
    ) -> Result<TrainConfig> {
        let mut source = |part, name: &str| -> Result<Vec<SourceOptions>> {
            // An object has a picture of its own on every frame: nothing overlaps, nothing is lost.
            let options = ExportOptions {
                part,
                sav_step: 1,
                ..ExportOptions::new(Format::SavVal)
            };
            let path = folder.join(name);
            self.export(&path, &options, written)
                .map_err(|error| why_empty(error, part))?;
            let layout = Some(Layout::SavEval);
            Ok(vec![SourceOptions {
                layout,
                ..SourceOptions::new(path)
            }])
        };
        config.data.sources = source(Part::Training, TRAINING)?;
        config.validation.sources = source(Part::HeldOut, HELD_OUT)?;
        config.validation.fraction = None;
        if config.validation.every == 0 {
            config.validation.every = config.steps;
        }
        config.model.weights = Some(weights.to_owned());
        config
            .check()
            .map_err(|error| EngineError::Refused(error.to_string()))?;
        Ok(config)
    }

    /// Makes a trained model the one in use, by an owner. Its file is copied into the project.
    ///
    /// # Errors
    /// If the file cannot be copied; [`EngineError::Forbidden`].
    pub fn promote(&self, user: UserId, name: &str, weights: &Path) -> Result<ModelId> {
        self.read(|now| crate::users::active(now, user)?.must_own("choose the model"))?;
        let bytes = fs::read(weights).map_err(EngineError::file("read", weights))?;
        let (_, facts) = self.keep_weights(name, &bytes)?;
        self.use_model(user, &facts)
    }

    /// Keeps a checkpoint in the project: one that was trained there, or one that has no file of its
    /// own. Gives the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_weights(&self, name: &str, checkpoint: &[u8]) -> Result<(PathBuf, ModelFacts)> {
        let folder = self.folder().join(MODELS);
        fs::create_dir_all(&folder).map_err(EngineError::file("create", &folder))?;
        let facts = ModelFacts::of(name, checkpoint).map_err(EngineError::file("read", &folder))?;
        let path = self.model_path(facts.sha256.as_deref().unwrap_or_default());
        if !path.is_file() {
            atomic::write_durably(&path, checkpoint)?;
        }
        Ok((path, facts))
    }

    /// The file of a model that the project keeps; `None` if it came from elsewhere.
    pub fn model_file(&self, model: &ModelVersion) -> Option<PathBuf> {
        let path = self.model_path(model.sha256.as_deref()?);
        path.is_file().then_some(path)
    }

    fn model_path(&self, sha256: &str) -> PathBuf {
        // It comes from the database, which may be anybody's: no name leads out of the folder.
        let safe: String = sha256.chars().filter(char::is_ascii_hexdigit).collect();
        self.folder()
            .join(MODELS)
            .join(format!("{safe}.safetensors"))
    }
}

fn why_empty(error: EngineError, part: Part) -> EngineError {
    match (error, part) {
        (EngineError::Refused(_), Part::HeldOut) => EngineError::Refused(
            "no satisfactory masklet is in a video that is held out, so that the old and the new \
             model could not be compared: verify more, or raise the setting held_out_percent"
                .to_owned(),
        ),
        (EngineError::Refused(_), _) => EngineError::Refused(
            "there is nothing to train on: no masklet is satisfactory in a video that is not held \
             out; verify some, or lower the setting held_out_percent"
                .to_owned(),
        ),
        (error, _) => error,
    }
}

/// Compares two models on the clips that a round holds out.
///
/// # Errors
/// If the clips cannot be read or a model cannot be run on them.
pub fn compare(config: &TrainConfig, old: &Model, new: &Model) -> Result<Comparison> {
    let sources = Sources::open(config)?;
    let held_out = sources.validation.ok_or(TrainError::NoData)?;
    let mut skipped = SkipReport::new(config.data.fail_on_unusable);
    let size = old.config().image_size as u32;
    let clips = validation_clips(&held_out, config, size, &mut skipped)?;
    let score = |model: &Model| -> Result<ValidationRecord> {
        let record = validate(model, &clips, 0, &mut |_| Ok(()), &|| false)?;
        Ok(record.expect("nobody stops it"))
    };
    Ok(Comparison {
        old: score(old)?,
        new: score(new)?,
    })
}
