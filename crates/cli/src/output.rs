//! Result folders and reports.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use masklet_media::atomic;
use serde::{Serialize, Serializer};

use crate::failure::Failure;

/// A folder that results are written into.
pub(crate) struct OutputFolder {
    path: PathBuf,
}

impl OutputFolder {
    /// Creates the folder if need be, and removes the files of an earlier run that `is_ours`
    /// recognises by their path in the folder, so that old and new results do not mix.
    pub(crate) fn prepare(path: &Path, is_ours: impl Fn(&str) -> bool) -> Result<Self, Failure> {
        fs::create_dir_all(path)
            .with_context(|| format!("cannot create the folder {}", path.display()))?;
        remove_recognised(path, "", &is_ours)
            .with_context(|| format!("cannot remove earlier results in {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// The path of a file in the folder; the folders above it are created.
    pub(crate) fn file(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("cannot create the folder {}", parent.display()))?;
        }
        Ok(path)
    }

    /// Writes a report as JSON, completely or not at all.
    pub(crate) fn write_json(&self, name: &str, report: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(report).context("cannot encode the report")?;
        text.push(b'\n');
        Ok(atomic::write(&self.file(name)?, &text)?)
    }

    /// Writes a file through `write`, completely or not at all.
    pub(crate) fn write_with(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        Ok(atomic::write_with(&self.file(name)?, write)?)
    }

    /// Removes from the folder `name` what `is_ours` recognises by its path in the result folder,
    /// and the folders that are empty then.
    pub(crate) fn remove(&self, name: &str, is_ours: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let path = self.path.join(name);
        if !path.is_dir() {
            return Ok(());
        }
        remove_recognised(&path, &format!("{name}/"), &is_ours)
            .with_context(|| format!("cannot remove {}", path.display()))?;
        remove_empty_folders(&path);
        Ok(())
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Removes recognised files below `folder`, whose path in the result folder is `prefix`.
fn remove_recognised(
    folder: &Path,
    prefix: &str,
    is_ours: &impl Fn(&str) -> bool,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Links are left alone: what they point to is not ours.
        let kind = entry.file_type()?;
        if kind.is_dir() && is_ours(&format!("{name}/")) {
            remove_recognised(&entry.path(), &format!("{name}/"), is_ours)?;
        } else if kind.is_file() && is_ours(&name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder and those in it if there is no file in them.
fn remove_empty_folders(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty_folders(&entry.path());
        }
    }
    // Fails if something is left, which then stays.
    let _ = fs::remove_dir(folder);
}

/// Whether `name` is `prefix`, digits, `suffix`.
pub(crate) fn is_numbered(name: &str, prefix: &str, suffix: &str) -> bool {
    name.strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(suffix))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A path in a report. One that is not UTF-8 cannot be told in JSON as it is: what is not gets
/// replaced, and the report is written all the same.
pub(crate) fn path_in_report<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// [`path_in_report`], of a path that may be absent.
pub(crate) fn path_in_report_if_any<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    path.as_ref()
        .map(|path| path.to_string_lossy())
        .serialize(serializer)
}

/// Prints a report on standard output as one JSON document.
pub(crate) fn print_json(report: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(report).context("cannot encode the report")?;
    print_line(&text)
}

/// Prints a line on standard output. A reader that has closed its end is not an error.
pub(crate) fn print_line(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(error)),
        _ => Ok(()),
    }
}

/// Prints a file on standard output. A reader that has closed its end is not an error.
pub(crate) fn copy_file_to_stdout(path: &Path) -> Result<(), Failure> {
    let mut file =
        fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    match io::copy(&mut file, &mut io::stdout().lock()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_results_are_removed_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("masks/1")).unwrap();
        for file in ["mask_0.png", "mask_x.png", "notes.txt", "masks/1/00000.png"] {
            fs::write(path.join(file), "").unwrap();
        }
        let ours = |name: &str| {
            is_numbered(name, "mask_", ".png")
                || name == "masks/"
                || is_numbered(name, "masks/", "/")
                || is_numbered(name, "masks/1/", ".png")
        };
        OutputFolder::prepare(path, ours).unwrap();
        assert!(!path.join("mask_0.png").exists());
        assert!(!path.join("masks/1/00000.png").exists());
        assert!(path.join("mask_x.png").exists() && path.join("notes.txt").exists());
    }
}
