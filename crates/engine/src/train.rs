//! Retraining: what was found satisfactory makes the next model (section 5.1 of the paper).
//!
//! A *round* is a folder in the project:
//!
//! ```text
//! training/3/
//!   training/      the data set: satisfactory masklets of videos that are not held out
//!   held-out/      those of the others, to compare the old and the new model on
//!   run/           the run of `masklet train`
//!   result.json    what came of it, when it is finished; the data sets have no pictures then
//!   lock           held by the process that writes the data sets
//! ```

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use masklet::Model;
use masklet_data::{Layout, SkipReport};
use masklet_media::atomic;
use masklet_train::config::{SourceOptions, TrainConfig};
use masklet_train::monitor::ValidationRecord;
use masklet_train::run::CONFIG;
use masklet_train::{Sources, TrainError, validate, validation_clips};
use serde::Serialize;

use crate::export::{ExportOptions, Format, Part};
use crate::{EngineError, ModelFacts, ModelId, ModelVersion, Project, Result, UserId};

/// The folder of rounds in a project, and those of the data sets and the run in a round.
const ROUNDS: &str = "training";
const TRAINING: &str = "training";
const HELD_OUT: &str = "held-out";
const RUN: &str = "run";

/// Files in a round's folder.
const RESULT: &str = "result.json";
const LOCK: &str = "lock";

/// Where a data set of a round has its pictures: as many bytes as all else in the round.
const PICTURES: &str = "JPEGImages_24fps";

/// The folder of trained models in a project.
const MODELS: &str = "models";

/// A round that is ready to be trained. Until its run has begun it must be kept, so that no other
/// process takes its folder over.
#[derive(Debug)]
pub struct Round {
    /// Its number, from 1.
    pub number: u32,
    /// The folder for the run; it does not exist yet.
    pub run: PathBuf,
    /// What the run follows.
    pub config: TrainConfig,
    _claim: Claim,
}

/// The folder of a round whose run has not begun. Whoever has it holds its lock, which the system
/// releases when the process ends, however it ends.
#[derive(Debug)]
struct Claim {
    number: u32,
    folder: PathBuf,
    _lock: File,
}

impl Claim {
    /// Claims the folder of a round: a new one, or one that a process left when it was killed before
    /// its run began. `None` if a run has begun in it, or another process is about to.
    fn of(rounds: &Path, number: u32) -> Result<Option<Self>> {
        let folder = rounds.join(number.to_string());
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(EngineError::file("create", &folder)(error));
            }
            _ => {}
        }
        if has_begun(&folder) {
            return Ok(None);
        }
        let path = folder.join(LOCK);
        let lock = File::create(&path).map_err(EngineError::file("create", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(EngineError::file("lock", &path)(error));
            }
        }
        // Whoever held the lock before may have begun.
        if has_begun(&folder) {
            return Ok(None);
        }
        for entry in fs::read_dir(&folder).map_err(EngineError::file("read", &folder))? {
            let entry = entry.map_err(EngineError::file("read", &folder))?.path();
            if entry.is_dir() {
                fs::remove_dir_all(&entry).map_err(EngineError::file("remove", &entry))?;
            }
        }
        Ok(Some(Self {
            number,
            folder,
            _lock: lock,
        }))
    }
}

/// Whether a round's run has begun, or is over.
fn has_begun(round: &Path) -> bool {
    round.join(RUN).join(CONFIG).exists() || round.join(RESULT).exists()
}

/// How models do on the same clips of videos that are held out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The model that was trained further.
    pub old: ValidationRecord,
    /// What came of it.
    pub new: ValidationRecord,
    /// Models of the project that would be given up for the new one, and are not the old one.
    pub rivals: Vec<Rival>,
}

/// A model of the project in a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rival {
    /// What the project knows it as.
    pub model: String,
    /// How it does.
    #[serde(flatten)]
    pub score: ValidationRecord,
}

impl Comparison {
    /// Whether the new model is better than all others: by J&F.
    pub fn improved(&self) -> bool {
        let rivals = self.rivals.iter().map(|rival| &rival.score);
        let mut others = rivals.chain([&self.old]);
        others.all(|other| self.new.j_and_f > other.j_and_f)
    }
}

/// What came of a round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Its number.
    pub round: u32,
    /// How the models did.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The new model's name, if the project uses it now.
    pub promoted: Option<String>,
}

impl Project {
    /// Begins a round: writes the data sets and says how to train on them. `config` says everything
    /// but the data and the weights. `written` is called with the name of each video. A round that a
    /// killed process left before its run began is begun anew.
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
        let claim = self.new_round()?;
        let result = self.write_round(&claim.folder, config, weights, written);
        match result {
            Ok(config) => Ok(Round {
                number: claim.number,
                run: claim.folder.join(RUN),
                config,
                _claim: claim,
            }),
            Err(error) => {
                // Half a round is of no use, and its number is free again.
                let _ = fs::remove_dir_all(&claim.folder);
                Err(error)
            }
        }
    }

    /// The folder of a run that was stopped, to go on with it.
    ///
    /// # Errors
    /// [`EngineError::Unknown`] if there is no such round; [`EngineError::Refused`] if its run has not
    /// begun, or is over.
    pub fn stopped_round(&self, number: u32) -> Result<PathBuf> {
        let folder = self.round_folder(number);
        if !folder.is_dir() {
            let rounds = format!("{} has all rounds", self.folder().join(ROUNDS).display());
            return Err(EngineError::unknown("round", number, rounds));
        }
        let result = folder.join(RESULT);
        if result.exists() {
            return Err(EngineError::Refused(format!(
                "round {number} is finished: {} says what came of it; begin another round",
                result.display()
            )));
        }
        if !has_begun(&folder) {
            return Err(EngineError::Refused(format!(
                "round {number} was stopped before its run began, so that there is nothing to go on \
                 with: the next round that is begun takes its place"
            )));
        }
        Ok(folder.join(RUN))
    }

    /// Ends a round: uses the new model if it is better, by an owner; writes down what came of it; and
    /// removes the copies of the videos' pictures. Lists, masks, metrics and weights stay.
    ///
    /// # Errors
    /// As [`promote`](Self::promote); if the round's folder cannot be written.
    pub fn end_round(
        &self,
        user: UserId,
        round: u32,
        comparison: Comparison,
        weights: &Path,
    ) -> Result<Outcome> {
        let promoted = match comparison.improved() {
            true => {
                let name = format!("{}, round {round}", self.settings()?.name);
                self.promote(user, &name, weights)?;
                Some(name)
            }
            false => None,
        };
        let outcome = Outcome {
            round,
            comparison,
            promoted,
        };
        let folder = self.round_folder(round);
        let text = serde_json::to_vec_pretty(&outcome).expect("names and numbers");
        atomic::write(&folder.join(RESULT), &text)?;
        for part in [TRAINING, HELD_OUT] {
            let pictures = folder.join(part).join(PICTURES);
            match fs::remove_dir_all(&pictures) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(EngineError::file("remove", &pictures)(error));
                }
                _ => {}
            }
        }
        Ok(outcome)
    }

    fn round_folder(&self, number: u32) -> PathBuf {
        self.folder().join(ROUNDS).join(number.to_string())
    }

    fn new_round(&self) -> Result<Claim> {
        let rounds = self.folder().join(ROUNDS);
        fs::create_dir_all(&rounds).map_err(EngineError::file("create", &rounds))?;
        let mut number = 1;
        loop {
            if let Some(claim) = Claim::of(&rounds, number)? {
                return Ok(claim);
            }
            number += 1;
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

/// How a model does on the clips that a round holds out, at the model's own size of pictures.
///
/// # Errors
/// If the clips cannot be read or the model cannot be run on them.
pub fn score(config: &TrainConfig, model: &Model) -> Result<ValidationRecord> {
    let sources = Sources::open(config)?;
    let held_out = sources.validation.ok_or(TrainError::NoData)?;
    let mut skipped = SkipReport::new(config.data.fail_on_unusable);
    let size = model.config().image_size as u32;
    let clips = validation_clips(&held_out, config, size, &mut skipped)?;
    let record = validate(model, &clips, 0, &mut |_| Ok(()), &|| false)?;
    Ok(record.expect("nobody stops it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(j_and_f: f64) -> ValidationRecord {
        ValidationRecord {
            j_and_f,
            ..ValidationRecord::default()
        }
    }

    #[test]
    fn the_new_model_must_beat_all_others() {
        let improved = |old, new, rivals: &[f64]| {
            let rival = |score: &f64| Rival {
                model: "rival".to_owned(),
                score: with(*score),
            };
            let comparison = Comparison {
                old: with(old),
                new: with(new),
                rivals: rivals.iter().map(rival).collect(),
            };
            comparison.improved()
        };
        assert!(improved(50.0, 51.0, &[]));
        assert!(!improved(50.0, 50.0, &[]));
        assert!(improved(50.0, 60.0, &[40.0, 59.0]));
        assert!(!improved(50.0, 60.0, &[40.0, 60.0]));
        assert!(!improved(50.0, f64::NAN, &[]));
    }

    fn claim(rounds: &Path) -> Claim {
        let mut numbers = 1..;
        let claimed = numbers.find_map(|number| Claim::of(rounds, number).unwrap());
        claimed.expect("numbers do not end")
    }

    #[test]
    fn a_round_that_was_left_before_its_run_began_is_taken_over() {
        let rounds = tempfile::tempdir().unwrap();
        let rounds = rounds.path();
        let first = claim(rounds);
        assert_eq!(first.number, 1);
        // One that somebody is about to begin is not.
        let second = claim(rounds);
        assert_eq!(second.number, 2);
        // A process that is killed drops its locks, and leaves what it wrote.
        let half = first.folder.join(TRAINING).join(PICTURES);
        fs::create_dir_all(&half).unwrap();
        fs::create_dir_all(first.folder.join(RUN).join("checkpoints")).unwrap();
        drop(first);
        let again = claim(rounds);
        assert_eq!(again.number, 1);
        assert!(!half.exists() && !again.folder.join(RUN).exists());
        // One whose run has begun is not, and neither is one that is over.
        fs::create_dir_all(again.folder.join(RUN)).unwrap();
        fs::write(again.folder.join(RUN).join(CONFIG), "").unwrap();
        fs::write(second.folder.join(RESULT), "{}").unwrap();
        drop((again, second));
        assert_eq!(claim(rounds).number, 3);
    }
}
