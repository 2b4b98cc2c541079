//! What is in the cache.

use std::fs;
use std::path::{Path, PathBuf};

use masklet_model::config::Official;

use super::staging::Staging;
use super::{Hub, repository};

/// The official models in a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheContents {
    /// Those that are complete.
    pub models: Vec<CachedModel>,
    /// Downloads that were begun and not finished, by this or another program.
    pub incomplete: Vec<PartialDownload>,
}

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedModel {
    /// Which one.
    pub preset: Official,
    /// Its checkpoint.
    pub file: PathBuf,
    /// The checkpoint's size.
    pub bytes: u64,
}

/// A download that was not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialDownload {
    /// Of which model's repository.
    pub preset: Official,
    /// What there is.
    pub file: PathBuf,
    /// Its size so far.
    pub bytes: u64,
}

impl Hub {
    /// The official models that are in the cache, whole or in part. Nothing is requested.
    pub fn contents(&self) -> CacheContents {
        let models = Official::ALL.into_iter().filter_map(|preset| {
            let file = self.find(preset)?;
            let bytes = fs::metadata(&file).ok()?.len();
            Some(CachedModel {
                preset,
                file,
                bytes,
            })
        });
        let incomplete = Official::ALL.into_iter().flat_map(|preset| {
            let staged = Staging::of(self, preset).cache().model(repository(preset));
            // Ours, and where Python's library keeps its own.
            let folders = [staged.blob_path(""), self.cached(preset).blob_path("")];
            folders
                .into_iter()
                .flat_map(|folder| unfinished(&folder))
                .map(move |(file, bytes)| PartialDownload {
                    preset,
                    file,
                    bytes,
                })
        });
        CacheContents {
            models: models.collect(),
            incomplete: incomplete.collect(),
        }
    }
}

/// Partial files in a folder, with their sizes.
fn unfinished(folder: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let extension = path.extension()?;
            let partial = extension == "part" || extension == "incomplete";
            partial.then_some((path, entry.metadata().ok()?.len()))
        })
        .collect();
    found.sort();
    found
}
