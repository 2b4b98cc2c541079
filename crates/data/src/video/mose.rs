//! MOSE, and folders laid out like it.
//!
//! `<split>/JPEGImages/<sequence>/<frame>.jpg` and `<split>/Annotations/<sequence>/<frame>.png`,
//! palette pictures of object numbers. In the validation split only the first frame is
//! annotated.

use std::path::{Path, PathBuf};

use super::folders::{self, Folders, Found};
use super::split_folder;
use crate::ReadOptions;
use crate::dataset::VideoDataset;
use crate::{LabelRule, Layout, Result};

/// Reads a MOSE folder, or one of its splits.
///
/// # Errors
/// If the split is not there or not unambiguous, or lacks a folder.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let (_, found) = split_entries(root, Layout::Mose, options)?;
    let rule = options.labels.unwrap_or(LabelRule::Objects);
    Ok(Box::new(Folders::new(Layout::Mose, root, found, rule)))
}

/// The split's folder and its sequences.
pub(super) fn split_entries(
    root: &Path,
    layout: Layout,
    options: &ReadOptions,
) -> Result<(PathBuf, Found)> {
    let folder = split_folder(root, layout, "JPEGImages", options.split.as_deref())?;
    let frames = folder.join("JPEGImages");
    let found = folders::entries(layout, &frames, &folder.join("Annotations"), None)?;
    Ok((folder, found))
}
