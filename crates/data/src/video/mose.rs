//! MOSE, and folders laid out like it.
//!
//! `<split>/JPEGImages/<sequence>/<frame>.jpg` and `<split>/Annotations/<sequence>/<frame>.png`,
//! palette pictures of object numbers. In the validation split only the first frame is
//! annotated.

use std::path::Path;

use super::folders::{self, Entry, Folders};
use super::{VideoOptions, split_folder};
use crate::dataset::VideoDataset;
use crate::{LabelRule, Layout, Result};

/// Reads a MOSE folder, or one of its splits.
///
/// # Errors
/// If the split is not there or not unambiguous, or lacks a folder.
pub(crate) fn open(root: &Path, options: &VideoOptions) -> Result<Box<dyn VideoDataset>> {
    let (_, entries) = split_entries(root, Layout::Mose, options)?;
    let rule = options.labels.unwrap_or(LabelRule::Objects);
    Ok(Box::new(Folders::new(Layout::Mose, root, entries, rule)))
}

/// The split's folder and its sequences.
pub(super) fn split_entries(
    root: &Path,
    layout: Layout,
    options: &VideoOptions,
) -> Result<(std::path::PathBuf, Vec<Entry>)> {
    let folder = split_folder(root, layout, "JPEGImages", options.split.as_deref())?;
    let frames = folder.join("JPEGImages");
    let entries = folders::entries(layout, &frames, &folder.join("Annotations"), None)?;
    Ok((folder, entries))
}
