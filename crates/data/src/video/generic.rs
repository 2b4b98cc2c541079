//! Folders of no data set in particular: frames and masks with the same names.

use std::path::{Path, PathBuf};

use super::folders::{self, Entry, Folders, Found};
use crate::ReadOptions;
use crate::dataset::VideoDataset;
use crate::{DataError, Layout, Result, listing, sav};

/// Names of a folder of frames, in the order they are looked for.
pub(crate) const FRAMES: [&str; 5] = ["frames", "JPEGImages", "images", "imgs", "rgb"];
/// Names of a folder of masks, in the order they are looked for.
pub(crate) const MASKS: [&str; 5] = ["masks", "Annotations", "annotations", "labels", "gt"];

/// The folders of frames and of masks in `root`.
pub(crate) fn pair(root: &Path) -> Option<(PathBuf, PathBuf)> {
    Some((
        listing::first_folder(root, &FRAMES)?,
        listing::first_folder(root, &MASKS)?,
    ))
}

/// Reads a folder of frames and masks. Three forms are known, `frames` and `masks` standing for
/// any of [`FRAMES`] and [`MASKS`]:
///
/// * `frames/<sequence>/<frame>.jpg` and `masks/<sequence>/<frame>.png`;
/// * `<sequence>/frames/<frame>.jpg` and `<sequence>/masks/<frame>.png`;
/// * `frames/<frame>.jpg` and `masks/<frame>.png`: one sequence, named after the folder.
///
/// # Errors
/// [`DataError::Missing`] if no form fits.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let found = match pair(root) {
        Some((frames, masks)) if listing::holds_pictures(&frames) => Found::from(vec![Entry {
            name: listing::file_name(&std::path::absolute(root).map_err(DataError::read(root))?),
            frames: Some(frames),
            masks,
        }]),
        Some((frames, masks)) => folders::entries(Layout::Frames, &frames, &masks, None)?,
        None => nested(root)?,
    };
    let rule = options
        .labels
        .unwrap_or_else(|| folders::guess_rule(&found));
    Ok(Box::new(Folders::new(Layout::Frames, root, found, rule)))
}

fn nested(root: &Path) -> Result<Found> {
    let mut entries = Vec::new();
    for name in listing::subfolders(root)? {
        if let Some((frames, masks)) = pair(&root.join(&name)) {
            entries.push(Entry {
                name,
                frames: Some(frames),
                masks,
            });
        }
    }
    if entries.is_empty() {
        return Err(DataError::Missing {
            layout: Layout::Frames.name(),
            path: root.join("frames"),
            what: "and a folder `masks` beside it, here or in a folder for each sequence".into(),
        });
    }
    Ok(Found::from(entries))
}

/// Reads a folder of masks alone (an `Annotations` folder, or results of any tool):
///
/// * `<sequence>/<frame>.png`, label maps;
/// * `<sequence>/<object>/<frame>.png`, one picture for each object, as in SA-V;
/// * `<frame>.png`: one sequence, named after the folder.
///
/// The frames of a sequence are those that have a mask; [`Sequence::frames`] is an error.
///
/// [`Sequence::frames`]: crate::Sequence::frames
///
/// # Errors
/// [`DataError::Missing`] if there are no masks.
pub fn open_masks(root: impl AsRef<Path>, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let root = root.as_ref();
    let holds_maps =
        |folder: &Path| listing::files(folder, &["png"]).is_ok_and(|files| !files.is_empty());
    let entry = |name: String, masks: PathBuf| Entry {
        name,
        frames: None,
        masks,
    };
    let entries: Vec<Entry> = if holds_maps(root) {
        let absolute = std::path::absolute(root).map_err(DataError::read(root))?;
        vec![entry(listing::file_name(&absolute), root.to_owned())]
    } else {
        let names = listing::subfolders(root)?.into_iter();
        names
            .map(|name| entry(name.clone(), root.join(name)))
            .filter(|entry| holds_maps(&entry.masks))
            .collect()
    };
    if entries.is_empty() {
        return sav::open_object_folders(root);
    }
    let found = Found::from(entries);
    let rule = options
        .labels
        .unwrap_or_else(|| folders::guess_rule(&found));
    Ok(Box::new(Folders::new(Layout::Frames, root, found, rule)))
}
