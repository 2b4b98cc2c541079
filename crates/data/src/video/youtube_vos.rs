//! YouTube-VOS 2018 and 2019.
//!
//! As MOSE, with a `meta.json` that names each object's category and the frames it is annotated
//! (or, in the validation split, to be predicted) on. Every fifth frame of the video is in the
//! data set; `train_all_frames` and `valid_all_frames` hold the ones between as well. The two
//! editions differ in content, not in layout.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::folders::{Folders, Index, Listed, ListedObject};
use super::mose::split_entries;
use crate::ReadOptions;
use crate::dataset::VideoDataset;
use crate::{LabelRule, Layout, Result, listing};

/// `meta.json`.
#[derive(Deserialize)]
struct Meta {
    videos: HashMap<String, MetaVideo>,
}

#[derive(Deserialize)]
struct MetaVideo {
    objects: BTreeMap<u32, MetaObject>,
}

#[derive(Deserialize)]
struct MetaObject {
    category: Option<String>,
    frames: Vec<String>,
}

/// Reads a YouTube-VOS folder, or one of its splits.
///
/// # Errors
/// If the split is not there or not unambiguous, or lacks a folder or its `meta.json`.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let layout = Layout::YoutubeVos;
    let (folder, found) = split_entries(root, layout, options)?;
    let meta: Meta = listing::read_json(
        &folder.join("meta.json"),
        "a YouTube-VOS index ({\"videos\": {name: {\"objects\": {number: {\"category\", \"frames\"}}}}})",
    )?;
    let rule = options.labels.unwrap_or(LabelRule::Objects);
    let folders = Folders::new(layout, root, found, rule).with_index(index(meta));
    Ok(Box::new(folders))
}

fn index(meta: Meta) -> Index {
    let object = |object: MetaObject| ListedObject {
        category: object.category,
        frames: Listed::Names(object.frames),
    };
    let video = |video: MetaVideo| {
        let objects = video.objects.into_iter();
        objects.map(|(id, listed)| (id, object(listed))).collect()
    };
    let videos = meta.videos.into_iter();
    videos.map(|(name, listed)| (name, video(listed))).collect()
}
