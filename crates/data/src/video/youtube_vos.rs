//! YouTube-VOS 2018 and 2019.
//!
//! As MOSE, with a `meta.json` that names each object's category and the frames it is annotated
//! (or, in the validation split, to be predicted) on. Every fifth frame of the video is in the
//! data set; `train_all_frames` and `valid_all_frames` hold the ones between as well. The two
//! editions differ in content, not in layout.

use std::path::Path;

use serde::Deserialize;

use super::indexed::{self, Listed, ListedObject};
use crate::dataset::VideoDataset;
use crate::{Layout, ReadOptions, Result};

#[derive(Deserialize)]
struct MetaObject {
    category: Option<String>,
    frames: Vec<String>,
}

impl From<MetaObject> for ListedObject {
    fn from(object: MetaObject) -> Self {
        Self {
            category: object.category,
            frames: Listed::Names(object.frames),
        }
    }
}

/// Reads a YouTube-VOS folder, or one of its splits.
///
/// # Errors
/// If the split is not there or not unambiguous, or lacks a folder or its `meta.json`.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let expected = "a YouTube-VOS index ({\"videos\": {name: {\"objects\": {number: {\"category\", \"frames\"}}}}})";
    indexed::open::<MetaObject>(Layout::YoutubeVos, root, options, expected)
}
