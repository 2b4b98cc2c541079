//! Data sets with an index of objects beside their folders: YouTube-VOS and LVOS.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::folders::Folders;
use super::mose::split_entries;
use crate::ReadOptions;
use crate::dataset::VideoDataset;
use crate::{LabelRule, Layout, Result, listing};

/// What an index says of one object.
#[derive(Clone, Debug)]
pub(super) struct ListedObject {
    pub(super) category: Option<String>,
    pub(super) frames: Listed,
}

/// The frames an index lists, by the names or numbers of the files.
#[derive(Clone, Debug)]
pub(super) enum Listed {
    /// Names without extension.
    Names(Vec<String>),
    /// Numbers from the first to below the second.
    Range(u64, u64),
}

impl Listed {
    /// Whether the frame of this name, without extension, is listed.
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|listed| listed == name),
            Self::Range(start, end) => name
                .parse()
                .is_ok_and(|number: u64| (*start..*end).contains(&number)),
        }
    }
}

/// By sequence and object.
pub(super) type Index = HashMap<String, BTreeMap<u32, ListedObject>>;

/// `meta.json`, with what it says of an object.
#[derive(Deserialize)]
struct Meta<O> {
    videos: HashMap<String, MetaVideo<O>>,
}

#[derive(Deserialize)]
struct MetaVideo<O> {
    objects: BTreeMap<u32, O>,
}

/// Reads a folder laid out as MOSE, or one of its splits, with a `meta.json` that is `expected`.
///
/// # Errors
/// If the split is not there or not unambiguous, or lacks a folder or its index.
pub(super) fn open<O: DeserializeOwned + Into<ListedObject>>(
    layout: Layout,
    root: &Path,
    options: &ReadOptions,
    expected: &'static str,
) -> Result<Box<dyn VideoDataset>> {
    let (folder, found) = split_entries(root, layout, options)?;
    let meta: Meta<O> = listing::read_json(&folder.join("meta.json"), expected)?;
    let listed = |video: MetaVideo<O>| {
        let objects = video.objects.into_iter();
        objects.map(|(id, object)| (id, object.into())).collect()
    };
    let videos = meta.videos.into_iter();
    let index: Index = videos.map(|(name, video)| (name, listed(video))).collect();
    let rule = options.labels.unwrap_or(LabelRule::Objects);
    let folders = Folders::new(layout, root, found, rule).with_index(index);
    Ok(Box::new(folders))
}
