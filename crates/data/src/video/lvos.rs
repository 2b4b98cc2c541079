//! LVOS v1 and v2.
//!
//! As MOSE, with a `meta.json` that gives each object's range of frames, which the official
//! evaluation walks from `start` to before `end`. Frames are numbered in steps of five.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Deserializer, de};

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
    frame_range: FrameRange,
}

#[derive(Deserialize)]
struct FrameRange {
    #[serde(deserialize_with = "number_or_text")]
    start: u64,
    #[serde(deserialize_with = "number_or_text")]
    end: u64,
}

/// A number, or one written as text.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text
            .parse()
            .map_err(|_| de::Error::custom(format!("{text:?} is not a frame number"))),
    }
}

/// Reads an LVOS folder, or one of its splits.
///
/// # Errors
/// If the split is not there or not unambiguous, or lacks a folder or its index.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let layout = Layout::Lvos;
    let (folder, found) = split_entries(root, layout, options)?;
    let meta: Meta = listing::read_json(
        &folder.join("meta.json"),
        "an LVOS index ({\"videos\": {name: {\"objects\": {number: {\"frame_range\": {\"start\", \"end\"}}}}}})",
    )?;
    let rule = options.labels.unwrap_or(LabelRule::Objects);
    let folders = Folders::new(layout, root, found, rule).with_index(index(meta));
    Ok(Box::new(folders))
}

fn index(meta: Meta) -> Index {
    let object = |object: MetaObject| ListedObject {
        category: object.category,
        frames: Listed::Range(object.frame_range.start, object.frame_range.end),
    };
    let video = |video: MetaVideo| {
        let objects = video.objects.into_iter();
        objects.map(|(id, listed)| (id, object(listed))).collect()
    };
    let videos = meta.videos.into_iter();
    videos.map(|(name, listed)| (name, video(listed))).collect()
}
