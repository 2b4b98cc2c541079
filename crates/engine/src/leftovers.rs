//! What killed processes leave in a project's folder, and who may remove it.
//!
//! A project is used by several processes at once, and nobody can tell from a temporary file whether
//! somebody still writes it. So each process holds a shared lock on the project while it has it open;
//! whoever gets the lock alone knows that nobody else writes. The system releases locks when a
//! process ends, however it ends.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use masklet_media::atomic;
use tempfile::TempDir;

use crate::Project;

/// The file that is locked.
const LOCK: &str = "project.lock";

/// What a folder in a project is for that is there for a while only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporary {
    /// A video that arrives.
    Upload,
    /// A data set that is written, and waits to be fetched.
    Export,
}

impl Temporary {
    const ALL: [Self; 2] = [Self::Upload, Self::Export];

    fn prefix(self) -> &'static str {
        match self {
            Self::Upload => ".upload-",
            Self::Export => ".export-",
        }
    }

    fn is(name: &str) -> bool {
        Self::ALL.iter().any(|what| name.starts_with(what.prefix()))
    }
}

/// The shared lock of a process that has a project open. `None` where the file system knows no
/// locks: nobody can be alone there, and nothing is ever removed.
#[derive(Debug)]
pub(crate) struct Presence(Option<File>);

impl Presence {
    /// Waits, for as long as it takes to remove files, if another process is alone.
    pub(crate) fn in_project(folder: &Path) -> Self {
        let path = folder.join(LOCK);
        // One that another user made need not be writable.
        let lock = File::create(&path).or_else(|_| File::open(&path));
        Self(lock.and_then(|lock| lock.lock_shared().map(|()| lock)).ok())
    }

    /// Runs `work` if no other process has the project open; others that come wait meanwhile.
    fn alone(&self, work: impl FnOnce()) {
        let Some(lock) = &self.0 else { return };
        // A lock that is held shared need not become exclusive: it is given back first.
        if lock.unlock().is_ok() && lock.try_lock().is_ok() {
            work();
            let _ = lock.unlock();
        }
        let _ = lock.lock_shared();
    }
}

impl Project {
    /// A folder in the project's, where there is room for a video if there is anywhere. It is removed
    /// when it is dropped, or by [`remove_leftovers`](Self::remove_leftovers) after the process was
    /// killed.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn temporary_folder(&self, what: Temporary) -> io::Result<TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(what.prefix()).tempdir_in(self.folder())
    }

    /// Removes what killed processes left: uploads, data sets, and files that were not complete.
    /// Nothing happens while another process has the project open; what cannot be removed stays.
    pub fn remove_leftovers(&mut self) {
        let folder = self.folder().to_owned();
        self.presence().alone(|| {
            remove(&folder, Temporary::is);
            for inner in ["videos", "models"] {
                remove(&folder.join(inner), atomic::is_temporary);
            }
            for masks in entries(&folder.join("masks")) {
                remove(&masks, atomic::is_temporary);
            }
        });
    }
}

/// Removes files and folders in a folder, by their names.
fn remove(folder: &Path, unwanted: impl Fn(&str) -> bool) {
    for path in entries(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if unwanted(&name) {
            // A link is removed, and not what it leads to.
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
            let _ = match is_folder {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
        }
    }
}

/// What is in a folder; nothing if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_processes_left_is_removed_when_nobody_else_is_there() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("lab");
        let mut project = Project::create(&folder, "Lab", "Ada").unwrap();
        let left = [
            ".upload-1/video",
            ".export-1/dataset.zip",
            "videos/.masklet-1.tmp/video",
            "models/.masklet-1.tmp",
            "masks/ab/.masklet-1.tmp",
        ];
        let kept = ["notes.txt", "videos/ab.mp4", "masks/ab/ab.jsonl"];
        for name in left.iter().chain(&kept) {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let there = |name: &&str| folder.join(name).exists();

        let other = Project::open(&folder).unwrap();
        project.remove_leftovers();
        assert!(left.iter().all(there), "another process may be at work");
        drop(other);
        project.remove_leftovers();
        assert!(!left.iter().any(there));
        assert!(!folder.join("videos/.masklet-1.tmp").exists());
        assert!(kept.iter().all(there));

        // Whoever removed is one of several again.
        let mut other = Project::open(&folder).unwrap();
        let upload = project.temporary_folder(Temporary::Upload).unwrap();
        other.remove_leftovers();
        assert!(upload.path().exists());
        drop(project);
        other.remove_leftovers();
        assert!(!upload.path().exists());
    }
}
