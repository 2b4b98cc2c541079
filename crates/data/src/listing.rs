//! What is in a folder.

use std::path::{Path, PathBuf};

use crate::{DataError, Result};

/// The entries of `folder` that are not hidden, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::read(folder))? {
        let path = entry.map_err(DataError::read(folder))?.path();
        if !file_name(&path).starts_with('.') {
            entries.push(path);
        }
    }
    entries.sort();
    Ok(entries)
}

/// The names of the folders in `folder`, sorted. Links to folders count.
pub(crate) fn subfolders(folder: &Path) -> Result<Vec<String>> {
    let paths = entries(folder)?.into_iter().filter(|path| path.is_dir());
    Ok(paths.map(|path| file_name(&path)).collect())
}

/// The files in `folder` with one of `extensions` (lower case, without dot), sorted by name.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = entries(folder)?;
    files.retain(|path| has_extension(path, extensions));
    Ok(files)
}

/// Extensions of pictures. Which format a picture is in is told by its content; the extension
/// only tells pictures from other files without opening each.
pub(crate) const PICTURES: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif"];

/// The pictures in `folder` in the order of frames.
pub(crate) fn frames(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut frames = files(folder, &PICTURES)?;
    masklet_media::frames::sort_frames(folder, &mut frames)?;
    Ok(frames)
}

/// Whether `folder` directly holds at least one picture.
pub(crate) fn holds_pictures(folder: &Path) -> bool {
    files(folder, &PICTURES).is_ok_and(|files| !files.is_empty())
}

/// The first of `names` that is a folder in `root`.
pub(crate) fn first_folder(root: &Path, names: &[&str]) -> Option<PathBuf> {
    names
        .iter()
        .map(|name| root.join(name))
        .find(|path| path.is_dir())
}

/// The names in a list file, one a line; space around them, empty lines and comments (`#`) do not
/// count.
///
/// # Errors
/// [`DataError::Read`] if the file cannot be read or is not UTF-8.
pub fn read_list(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(DataError::read(path))?;
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Parses a JSON file that should hold `expected`.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    path: &Path,
    expected: &'static str,
) -> Result<T> {
    let bytes = std::fs::read(path).map_err(DataError::read(path))?;
    serde_json::from_slice(&bytes).map_err(|source| DataError::Json {
        path: path.to_owned(),
        expected,
        source,
    })
}

pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    extensions
        .iter()
        .any(|known| known.eq_ignore_ascii_case(&extension))
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

pub(crate) fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
