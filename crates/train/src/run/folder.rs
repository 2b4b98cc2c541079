//! A run's folder: where things are, and the checkpoints that a run goes on from.
//!
//! A checkpoint is a folder under `checkpoints/` named after its step. It is written under a
//! temporary name and renamed, so it is complete or not there, whatever happens to the process.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use masklet_media::atomic::TEMPORARY_PREFIX;
use serde::{Deserialize, Serialize};

use crate::monitor::ValidationRecord;
use crate::{Result, TrainError};

/// The configuration that the run follows.
pub const CONFIG: &str = "config.toml";
/// Weights of the last checkpoint, to use.
pub const LAST: &str = "last.safetensors";
/// Weights of the best validation, to use.
pub const BEST: &str = "best.safetensors";
const CHECKPOINTS: &str = "checkpoints";
const PROGRESS: &str = "progress.json";
/// Digits of a step in a checkpoint's name.
const DIGITS: usize = 7;

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Steps that are complete.
    pub step: u64,
    /// Draws from the data that they took.
    pub drawn: u64,
    /// The best validation so far.
    pub best: Option<ValidationRecord>,
    /// The step of the last complete validation; 0 before the first.
    #[serde(default)]
    pub validated: u64,
}

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder of a new run. Nothing is made yet.
    ///
    /// # Errors
    /// [`TrainError::FolderTaken`] if there is a run in it, [`TrainError::File`] if it cannot be
    /// read.
    pub fn vacant(path: impl Into<PathBuf>) -> Result<Self> {
        let folder = Self(path.into());
        if folder.file(CONFIG).exists() || folder.newest()?.is_some() {
            return Err(TrainError::FolderTaken { path: folder.0 });
        }
        Ok(folder)
    }

    /// Makes it, with the configuration in it.
    ///
    /// # Errors
    /// [`TrainError::File`] or [`TrainError::Media`] if it cannot be written.
    pub fn make(&self, config: &str) -> Result<()> {
        let made = fs::create_dir_all(self.file(CHECKPOINTS));
        made.map_err(|source| TrainError::file("make", &self.0, source))?;
        Ok(masklet_media::atomic::write(
            &self.file(CONFIG),
            config.as_bytes(),
        )?)
    }

    /// The folder of a run that goes on. Checkpoints that a killed process left unfinished are
    /// removed.
    ///
    /// # Errors
    /// [`TrainError::NoRun`] if it has no configuration, [`TrainError::File`] if what was left
    /// cannot be removed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let folder = Self(path.into());
        if !folder.file(CONFIG).is_file() {
            return Err(TrainError::NoRun { path: folder.0 });
        }
        let unfinished = |name: &str| name.starts_with(TEMPORARY_PREFIX);
        for path in folder.within_checkpoints(unfinished)? {
            fs::remove_dir_all(&path)
                .map_err(|source| TrainError::file("remove", &path, source))?;
        }
        Ok(folder)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The newest checkpoint, and how far it is.
    ///
    /// # Errors
    /// [`TrainError::File`] if the folder cannot be read, [`TrainError::BadCheckpoint`] if what the
    /// checkpoint says of itself cannot be understood.
    pub fn newest(&self) -> Result<Option<(PathBuf, Progress)>> {
        let Some(path) = self.checkpoints()?.pop() else {
            return Ok(None);
        };
        let file = path.join(PROGRESS);
        let text =
            fs::read_to_string(&file).map_err(|source| TrainError::file("read", &file, source))?;
        let progress = serde_json::from_str(&text).map_err(|error| TrainError::BadCheckpoint {
            path: path.clone(),
            what: error.to_string(),
        })?;
        Ok(Some((path, progress)))
    }

    /// Writes a checkpoint: `write` puts its files into the folder it is given. If there is one of the
    /// same step already, whose weights are the same then, only its progress is written anew.
    /// Afterwards only the newest `keep` are left (0: all).
    ///
    /// # Errors
    /// As `write`, or [`TrainError::File`]; the checkpoints before stay as they are.
    pub fn save(
        &self,
        progress: &Progress,
        keep: usize,
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let folder = self.0.join(CHECKPOINTS);
        let path = folder.join(format!("{:0DIGITS$}", progress.step));
        let json = serde_json::to_vec_pretty(progress).expect("a struct of numbers");
        if path.exists() {
            masklet_media::atomic::write(&path.join(PROGRESS), &json)?;
            return Ok(path);
        }
        let unfinished = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempdir_in(&folder)
            .map_err(|source| TrainError::file("make a folder in", &folder, source))?;
        write(unfinished.path())?;
        masklet_media::atomic::write(&unfinished.path().join(PROGRESS), &json)?;
        fs::rename(unfinished.keep(), &path)
            .map_err(|source| TrainError::file("write", &path, source))?;
        self.forget(keep)?;
        Ok(path)
    }

    fn forget(&self, keep: usize) -> Result<()> {
        let all = self.checkpoints()?;
        let surplus = match keep {
            0 => 0,
            keep => all.len().saturating_sub(keep),
        };
        all.iter().take(surplus).try_for_each(|path| {
            fs::remove_dir_all(path).map_err(|source| TrainError::file("remove", path, source))
        })
    }

    /// All checkpoints, oldest first.
    fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        let complete =
            |name: &str| name.len() >= DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
        let mut found = self.within_checkpoints(complete)?;
        found.sort();
        Ok(found)
    }

    /// What is in the folder of checkpoints under such names; nothing if there is no such folder.
    fn within_checkpoints(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
        let folder = self.file(CHECKPOINTS);
        let failed = |source| TrainError::file("read", &folder, source);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if wanted(&entry.file_name().to_string_lossy()) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(path: &Path) -> RunFolder {
        let folder = RunFolder::vacant(path).unwrap();
        folder.make("").unwrap();
        folder
    }

    fn save(folder: &RunFolder, step: u64, keep: usize) {
        let progress = Progress {
            step,
            ..Progress::default()
        };
        let write = |path: &Path| {
            fs::write(path.join("weights"), step.to_string())
                .map_err(|source| TrainError::file("write", path, source))
        };
        folder.save(&progress, keep, write).unwrap();
    }

    #[test]
    fn the_newest_checkpoints_are_kept() {
        let place = tempfile::tempdir().unwrap();
        let folder = new(&place.path().join("run"));
        assert_eq!(folder.newest().unwrap(), None);
        for step in [1, 2, 30, 200] {
            save(&folder, step, 2);
        }
        let (path, progress) = folder.newest().unwrap().unwrap();
        assert_eq!(progress.step, 200);
        assert_eq!(fs::read_to_string(path.join("weights")).unwrap(), "200");
        assert_eq!(folder.checkpoints().unwrap().len(), 2);

        let validated = Progress {
            validated: 200,
            ..progress
        };
        let again = folder.save(&validated, 2, |_| panic!("the weights are there"));
        assert_eq!(again.unwrap(), path);
        assert_eq!(folder.newest().unwrap(), Some((path, validated)));
    }

    #[test]
    fn what_was_not_finished_is_not_a_checkpoint() {
        let place = tempfile::tempdir().unwrap();
        let folder = new(&place.path().join("run"));
        save(&folder, 5, 0);
        let failed = folder.save(
            &Progress {
                step: 6,
                ..Progress::default()
            },
            0,
            |_| Err(TrainError::LoaderEnded),
        );
        assert!(failed.is_err());
        let killed = folder.file(CHECKPOINTS).join(".masklet-killed");
        fs::create_dir(&killed).unwrap();
        assert_eq!(folder.newest().unwrap().unwrap().1.step, 5);
        let again = RunFolder::open(folder.path()).unwrap();
        assert!(!killed.exists(), "what a killed process left is removed");
        assert_eq!(again.newest().unwrap().unwrap().1.step, 5);
    }

    #[test]
    fn a_folder_with_a_run_is_not_taken_again() {
        let place = tempfile::tempdir().unwrap();
        new(place.path());
        let error = RunFolder::vacant(place.path()).unwrap_err().to_string();
        assert!(error.contains("--resume"), "{error}");
        let error = RunFolder::open(place.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("config.toml"), "{error}");
    }
}
