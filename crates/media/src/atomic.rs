//! Files that are either complete or not there.
//!
//! A file is written to a temporary name in its own folder and renamed when it is done, so
//! that a reader, or a run that resumes after being killed, never meets half a file.

use std::io::{self, BufWriter, Write};
use std::path::Path;

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
    try_write(path, write).map_err(|source| MediaError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Writes `bytes` as the whole content of `path`; see [`write_with`].
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

fn try_write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if path.file_name().is_none() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path names no file",
        ));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".masklet-").suffix(".tmp");
    #[cfg(unix)]
    {
        // The temporary file defaults to owner-only; ask for what a plain create would give
        // (the umask still applies).
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    let mut buffered = BufWriter::new(file.as_file_mut());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}
