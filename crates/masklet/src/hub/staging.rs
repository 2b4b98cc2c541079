//! The folder in which a download grows until it is complete and verified.
//!
//! It lies in the model's own folder of the cache (`models--facebook--…/incomplete`), so that the
//! finished file is on the same file system and moves by a rename. Inside it has the layout of a
//! cache, because `hf-hub` writes it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use hf_hub::Cache;
use masklet_model::config::Official;

use super::{Hub, HubError};

/// Where a model's download is kept until it is complete.
#[derive(Debug, Clone)]
pub(super) struct Staging {
    folder: PathBuf,
}

/// Held by the one process that downloads a model; released when it ends, however it ends.
pub(super) struct Lock {
    _file: File,
}

impl Staging {
    pub(super) fn of(hub: &Hub, preset: Official) -> Self {
        Self {
            folder: hub.folder(preset).join("incomplete"),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder as `hf-hub` sees it.
    pub(super) fn cache(&self) -> Cache {
        Cache::new(self.folder.clone())
    }

    /// Waits until no other process downloads this model; `on_wait` is called if one does.
    pub(super) fn lock(&self, on_wait: impl FnOnce()) -> Result<Lock, HubError> {
        fs::create_dir_all(&self.folder).map_err(HubError::cache(&self.folder))?;
        // The file stays when the lock is released: removing it would let two processes lock two
        // files of the same name.
        let path = self.folder.join("lock");
        let file = File::create(&path).map_err(HubError::cache(&path))?;
        let locked = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                on_wait();
                file.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        locked.map_err(HubError::cache(&path))?;
        Ok(Lock { _file: file })
    }

    /// Removes what is left of the download. To be called with the lock held.
    pub(super) fn clear(&self) {
        // What cannot be removed now is in nobody's way.
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.path().is_dir()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }

    /// Removes the links to finished files that an earlier attempt left, which `hf-hub` trips over.
    pub(super) fn forget_links(&self, repository: &str) -> io::Result<()> {
        let links = self.cache().model(repository.to_owned()).pointer_path("");
        match fs::remove_dir_all(links) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
