//! Files that are either complete or not there.
//!
//! A file is written to a temporary name in its own folder and renamed when it is done, so
//! that a reader, or a run that resumes after being killed, never meets half a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{MediaError, Result};

/// Writes `path` through `write`; the file appears, replacing any older one, only if `write`
/// succeeds and everything has been handed to the operating system.
///
/// The folder must exist. The content survives the process being killed; no `fsync` is
/// issued, so a power cut may lose the last files written.
///
/// # Errors
/// [`MediaError::Write`], naming `path`, if the temporary file cannot be created in its
/// folder, if `write` fails, or if the rename fails. The temporary file is removed.
pub fn write_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut pending = PendingFile::create(path)?;
    write(&mut pending).map_err(|source| pending.failed(source))?;
    pending.commit()
}

/// Writes `bytes` as the whole content of `path`; see [`write_with`].
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Copies a file; see [`write_with`].
///
/// # Errors
/// [`MediaError::Read`] if `from` cannot be opened; as [`write_with`].
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(|source| MediaError::Read {
        path: from.to_owned(),
        source,
    })?;
    write_with(to, |file| io::copy(&mut source, file).map(drop))
}

/// As [`write()`], and when it returns, the file survives a power cut as well.
///
/// # Errors
/// As [`write_with`], and if the disk does not confirm.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut pending = PendingFile::create(path)?;
    let written = pending.write_all(bytes);
    written.map_err(|source| pending.failed(source))?;
    let synced = pending.file()?.sync_all();
    synced.map_err(|source| pending.failed(source))?;
    pending.commit()?;
    sync_folder(folder_of(path))
}

/// Waits until a file's content is on the disk.
///
/// # Errors
/// [`MediaError::Write`], naming it.
pub fn sync_file(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| MediaError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Waits until the names in a folder are on the disk: those of files that appeared or were renamed.
///
/// # Errors
/// [`MediaError::Write`], naming it.
pub fn sync_folder(path: &Path) -> Result<()> {
    // Elsewhere folders cannot be opened, and names are durable with their files.
    if cfg!(unix) { sync_file(path) } else { Ok(()) }
}

/// The folder that a path is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A file that is being written under a temporary name, for content that comes bit by bit.
/// Dropped without [`commit`](Self::commit), it is removed and nothing appears.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl PendingFile {
    /// Begins a file that will appear as `path`.
    ///
    /// # Errors
    /// [`MediaError::Write`] if the temporary file cannot be created in its folder.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        match temporary_beside(&path) {
            Ok(file) => Ok(Self {
                path,
                file: BufWriter::new(file),
            }),
            Err(source) => Err(MediaError::Write { path, source }),
        }
    }

    /// What was written so far, to write elsewhere than at its end.
    ///
    /// # Errors
    /// [`MediaError::Write`] if it cannot be handed to the operating system.
    pub fn file(&mut self) -> Result<&mut File> {
        if let Err(source) = self.file.flush() {
            return Err(self.failed(source));
        }
        Ok(self.file.get_mut().as_file_mut())
    }

    /// Lets the file appear under its name, replacing any older one.
    ///
    /// # Errors
    /// [`MediaError::Write`], with the temporary file removed.
    pub fn commit(self) -> Result<()> {
        let Self { path, file } = self;
        let persisted = file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.persist(&path).map_err(|failed| failed.error));
        match persisted {
            Ok(_) => Ok(()),
            Err(source) => Err(MediaError::Write { path, source }),
        }
    }

    /// An error in writing this file.
    pub(crate) fn failed(&self, source: io::Error) -> MediaError {
        MediaError::Write {
            path: self.path.clone(),
            source,
        }
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// How the names of unfinished files begin.
pub const TEMPORARY_PREFIX: &str = ".masklet-";
/// How the names of unfinished files end.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// Whether `name`, without folders, is one under which files are written here before they are
/// complete. Such a file stays behind if the process is killed.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX)
}

fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    if path.file_name().is_none() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path names no file",
        ));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX).suffix(TEMPORARY_SUFFIX);
    #[cfg(unix)]
    {
        // The temporary file defaults to owner-only; ask for what a plain create would give
        // (the umask still applies).
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder_of(path))
}
