//! Data sets that were written and wait to be fetched.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::auth::random_token;

/// Data sets that are kept.
const KEPT: usize = 4;

/// A data set as one file, which is gone when nobody needs it any more.
pub(crate) struct Written {
    folder: TempDir,
    id: String,
}

impl Written {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("dataset.zip")
    }
}

/// The newest data sets, the latest last.
#[derive(Default)]
pub(crate) struct Exports(Mutex<VecDeque<Arc<Written>>>);

impl Exports {
    /// Packs the folder `dataset` of a temporary folder. Returns by what name it is fetched, and
    /// the file's bytes.
    pub(crate) fn keep(&self, folder: TempDir) -> io::Result<(String, u64)> {
        let id = random_token();
        let written = Written {
            folder,
            id: id.clone(),
        };
        let dataset = written.folder.path().join("dataset");
        pack(&dataset, &written.path())?;
        fs::remove_dir_all(&dataset)?;
        let bytes = fs::metadata(written.path())?.len();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Arc::new(written));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok((id, bytes))
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Written>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|written| written.id == id).cloned()
    }
}

/// Writes a folder's files into an archive. Pictures and videos are compressed already: they are
/// stored as they are.
fn pack(folder: &Path, archive: &Path) -> io::Result<()> {
    let mut archive = ZipWriter::new(File::create(archive)?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(true);
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(next)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).map_err(io::Error::other)?;
            let parts = name
                .components()
                .map(|part| part.as_os_str().to_string_lossy());
            let name = parts.collect::<Vec<_>>().join("/");
            archive
                .start_file(name, options)
                .map_err(io::Error::other)?;
            io::copy(&mut File::open(&path)?, &mut archive)?;
        }
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(())
}
