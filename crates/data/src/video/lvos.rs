//! LVOS v1 and v2.
//!
//! As MOSE, with a `meta.json` that gives each object's range of frames, which the official
//! evaluation walks from `start` to before `end`. Frames are numbered in steps of five.

use std::path::Path;

use serde::{Deserialize, Deserializer, de};

use super::indexed::{self, Listed, ListedObject};
use crate::dataset::VideoDataset;
use crate::{Layout, ReadOptions, Result};

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

impl From<MetaObject> for ListedObject {
    fn from(object: MetaObject) -> Self {
        Self {
            category: object.category,
            frames: Listed::Range(object.frame_range.start, object.frame_range.end),
        }
    }
}

/// Reads an LVOS folder, or one of its splits.
///
/// # Errors
/// If the split is not there or not unambiguous, or lacks a folder or its index.
pub(crate) fn open(root: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>> {
    let expected = "an LVOS index ({\"videos\": {name: {\"objects\": {number: {\"frame_range\": {\"start\", \"end\"}}}}}})";
    indexed::open::<MetaObject>(Layout::Lvos, root, options, expected)
}
