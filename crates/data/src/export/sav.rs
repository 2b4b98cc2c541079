//! SA-V: the JSON file of one video's masklets, with exactly the data set's fields.
//!
//! `masklet[a][m]` is the run-length encoding of masklet `m` on annotated frame `a`, which is
//! frame `a · step` of the video: the data set annotates every fourth frame of videos of 24
//! frames a second, and its viewer expects that ([`ANNOTATED_EVERY`](crate::sav::ANNOTATED_EVERY)). Annotated frames go from the video's
//! first to its last; where nothing was tracked the mask is empty, as for a hidden object.

use std::collections::BTreeMap;
use std::io::{self, Write};

use masklet_media::{Mask, Rle};
use serde::Serialize;

use super::{Streamed, VideoFacts};
use crate::record::{FrameRecord, ObjectRecord, Order, Records};
use crate::sav::SavAnnotations;

/// The data set's frames a second, taken where the video does not tell its own.
pub const FRAME_RATE: f64 = 24.0;

/// What the data set says of videos whose surroundings and split nobody told.
const UNKNOWN: &str = "Unknown";

/// Where masklets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody prompted the objects. Stability scores are null, as in the data set.
    Manual,
    /// A mask generator found the objects.
    Auto,
}

impl Origin {
    /// The data set's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Auto => "auto",
        }
    }
}

/// What the file says beyond the masks.
#[derive(Clone, Debug, PartialEq)]
pub struct SavFacts {
    /// Where the masklets come from.
    pub origin: Origin,
    /// One in so many frames is annotated; at least 1.
    pub step: usize,
    /// The video's surroundings (`Indoor`, `Outdoor`), if somebody told.
    pub environment: Option<String>,
    /// The video's split (`train`), if somebody told.
    pub split: Option<String>,
    /// Frames on which objects were edited before those that the records tell of, by id.
    pub edited_before: BTreeMap<u32, u64>,
}

impl SavFacts {
    /// Of records about whose video nothing more is known.
    pub fn new(origin: Origin, step: usize) -> Self {
        Self {
            origin,
            step,
            environment: None,
            split: None,
            edited_before: BTreeMap::new(),
        }
    }
}

/// The data set's class of a mean area in pixels, with COCO's limits.
pub fn size_bucket(pixels: f64) -> &'static str {
    match pixels {
        p if p < 32.0 * 32.0 => "small",
        p if p < 96.0 * 96.0 => "medium",
        _ => "large",
    }
}

/// What is counted of one masklet.
#[derive(Clone, Debug, Default, PartialEq)]
struct Totals {
    area: u64,
    visible: u64,
    changes: u64,
    first: Option<usize>,
    shown: bool,
    edited: u64,
}

impl Totals {
    /// Takes in the mask on annotated frame `at`.
    fn add(&mut self, at: usize, area: u64) {
        let shown = area > 0;
        if shown {
            self.visible += 1;
            self.area += area;
        }
        // A masklet that has not appeared yet does not change its visibility.
        if self.first.is_some() && shown != self.shown {
            self.changes += 1;
        }
        if shown && self.first.is_none() {
            self.first = Some(at);
        }
        self.shown = shown;
    }

    fn mean_area(&self) -> f64 {
        self.area as f64 / self.visible.max(1) as f64
    }
}

/// Writes the file.
///
/// # Errors
/// If the records cannot be read or the file cannot be written.
///
/// # Panics
/// If the step is 0.
pub fn write(
    video: &VideoFacts,
    facts: &SavFacts,
    records: &Records,
    file: &mut dyn Write,
) -> io::Result<()> {
    let SavFacts { origin, step, .. } = *facts;
    let told = |word: &Option<String>| word.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    let (width, height) = video.dimensions;
    let tracked = records
        .numbers(Order::Frame)
        .last()
        .map_or(0, |last| last + 1);
    let frames = video.frame_count.unwrap_or(tracked).max(tracked);
    let annotated = frames.div_ceil(step);
    let ids: Vec<u32> = records.objects().iter().map(|object| object.id).collect();
    let mut totals = count(records, &ids, step, annotated)?;
    if origin == Origin::Manual {
        count_edits(records, &ids, &mut totals)?;
        for (totals, id) in totals.iter_mut().zip(&ids) {
            totals.edited += facts.edited_before.get(id).copied().unwrap_or_default();
        }
    }
    let pixels = f64::from(width) * f64::from(height);
    let sizes: Vec<f64> = totals.iter().map(Totals::mean_area).collect();

    let empty = Rle::encode(&Mask::empty(width, height));
    let masklet = annotated_frames(records, step, annotated).map(|record| {
        let objects = by_id(record?);
        let rle = |id| {
            objects
                .get(id)
                .map_or(&empty, |object| &object.segmentation)
        };
        Ok(ids.iter().map(rle).cloned().collect::<Vec<Rle>>())
    });
    let stability = annotated_frames(records, step, annotated).map(|record| {
        let objects = by_id(record?);
        let score = |id| objects.get(id).map_or(1.0, |object| object.stability_score);
        Ok(ids.iter().map(score).collect::<Vec<f32>>())
    });
    let content = SavAnnotations {
        video_id: video.name.clone(),
        video_duration: frames as f64 / video.frame_rate.unwrap_or(FRAME_RATE),
        video_frame_count: frames as f64,
        video_height: f64::from(height),
        video_width: f64::from(width),
        video_resolution: pixels,
        video_environment: told(&facts.environment),
        video_split: told(&facts.split),
        masklet: Streamed::new(masklet),
        masklet_size_rel: sizes.iter().map(|size| size / pixels).collect(),
        masklet_size_bucket: sizes
            .iter()
            .map(|&size| size_bucket(size).to_owned())
            .collect(),
        masklet_size_abs: sizes,
        masklet_visibility_changes: totals.iter().map(|t| t.changes).collect(),
        masklet_first_appeared_frame: totals
            .iter()
            .map(|t| t.first.unwrap_or_default() as f64)
            .collect(),
        masklet_frame_count: vec![annotated as u64; ids.len()],
        masklet_edited_frame_count: totals.iter().map(|t| t.edited).collect(),
        masklet_type: vec![origin.name().to_owned(); ids.len()],
        masklet_stability_score: match origin {
            Origin::Manual => Stability::Manual(vec![None; ids.len()]),
            Origin::Auto => Stability::Auto(Streamed::new(stability)),
        },
        masklet_num: ids.len(),
        masklet_id: ids.clone(),
    };
    Ok(serde_json::to_writer(file, &content)?)
}

/// Null for each masklet, or a score for each annotated frame and masklet.
#[derive(Serialize)]
#[serde(untagged)]
enum Stability<S> {
    Manual(Vec<Option<f32>>),
    Auto(S),
}

/// The annotated frames from the first to the last; those that were not tracked have no objects.
fn annotated_frames(
    records: &Records,
    step: usize,
    annotated: usize,
) -> impl Iterator<Item = io::Result<FrameRecord>> {
    let mut records = records
        .frames(Order::Frame)
        .filter(move |record| record.as_ref().map_or(true, |r| r.frame % step == 0))
        .peekable();
    (0..annotated).map(move |at| {
        let frame = at * step;
        let tracked = records.next_if(|record| record.as_ref().map_or(true, |r| r.frame == frame));
        tracked.unwrap_or(Ok(FrameRecord {
            frame,
            time: None,
            objects: Vec::new(),
        }))
    })
}

fn by_id(record: FrameRecord) -> BTreeMap<u32, ObjectRecord> {
    let objects = record.objects.into_iter();
    objects.map(|object| (object.id, object)).collect()
}

fn count(records: &Records, ids: &[u32], step: usize, annotated: usize) -> io::Result<Vec<Totals>> {
    let mut totals = vec![Totals::default(); ids.len()];
    for (at, record) in annotated_frames(records, step, annotated).enumerate() {
        let objects = by_id(record?);
        for (totals, id) in totals.iter_mut().zip(ids) {
            totals.add(at, objects.get(id).map_or(0, |object| object.area));
        }
    }
    Ok(totals)
}

/// Counts the frames on which each object was prompted: any, also those that are not annotated.
fn count_edits(records: &Records, ids: &[u32], totals: &mut [Totals]) -> io::Result<()> {
    for record in records.frames(Order::Frame) {
        let objects = by_id(record?);
        for (totals, id) in totals.iter_mut().zip(ids) {
            totals.edited += u64::from(objects.get(id).is_some_and(|object| object.prompted));
        }
    }
    Ok(())
}
