//! When the objects of a sequence appear.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::{FrameAnnotation, ObjectInfo, Result};

/// Every object that is visible on one of `frames` (ascending), with its first frame, by id.
/// Annotations are read in parallel and dropped at once.
pub(crate) fn first_appearances(
    frames: &[usize],
    read: impl Fn(usize) -> Result<Option<FrameAnnotation>> + Sync,
) -> Result<Vec<ObjectInfo>> {
    let visible: Vec<Vec<u32>> = frames
        .par_iter()
        .map(|&frame| Ok(read(frame)?.map(|a| a.object_ids()).unwrap_or_default()))
        .collect::<Result<_>>()?;
    let mut first = BTreeMap::new();
    for (&frame, objects) in frames.iter().zip(visible) {
        for object in objects {
            first.entry(object).or_insert(frame);
        }
    }
    let objects = first.into_iter().map(|(id, first_frame)| ObjectInfo {
        id,
        first_frame,
        category: None,
        listed_frames: None,
    });
    Ok(objects.collect())
}
