//! YouTube-VIS: one video, one annotation for each object, with lists over the frames.
//!
//! `segmentations`, `bboxes` and `areas` have an entry for every tracked frame, in the order of
//! `file_names`; it is null where the object has no mask.

use std::io::{self, Write};

use serde::Serialize;

use super::{CATEGORY_ID, Category, Info, Streamed, VideoFacts, frame_file};
use crate::record::{ObjectRecord, Order, Records, Track};

/// The number of the only video.
const VIDEO_ID: u32 = 1;

#[derive(Serialize)]
struct YoutubeVis<V, A> {
    info: Info,
    licenses: [(); 0],
    videos: [V; 1],
    categories: [Category; 1],
    annotations: A,
}

#[derive(Serialize)]
struct Video<F> {
    id: u32,
    width: u32,
    height: u32,
    length: usize,
    file_names: F,
}

#[derive(Serialize)]
struct Annotation<S, B, A> {
    id: u32,
    video_id: u32,
    category_id: u32,
    iscrowd: u8,
    width: u32,
    height: u32,
    length: usize,
    segmentations: S,
    bboxes: B,
    areas: A,
}

/// Writes the file. File names are `<video>/<frame>.jpg` (see [`frame_file`]); an annotation's id
/// is the object's.
///
/// # Errors
/// If the records cannot be read or the file cannot be written.
pub fn write(video: &VideoFacts, records: &Records, file: &mut dyn Write) -> io::Result<()> {
    let (width, height) = video.dimensions;
    let length = records.len();
    let numbers: Vec<usize> = records.numbers(Order::Frame).collect();
    let file_names = numbers
        .iter()
        .map(|&frame| Ok(format!("{}/{}", video.name, frame_file(frame))));
    let annotations = records.tracks(Order::Frame).map(|track| {
        let track = track?;
        Ok(Annotation {
            id: track.summary().id,
            video_id: VIDEO_ID,
            category_id: CATEGORY_ID,
            iscrowd: 0,
            width,
            height,
            length,
            segmentations: over_frames(&track, &numbers, |object| object.segmentation),
            bboxes: over_frames(&track, &numbers, |object| object.bbox),
            areas: over_frames(&track, &numbers, |object| object.area),
        })
    });
    let content = YoutubeVis {
        info: Info::of(video),
        licenses: [],
        videos: [Video {
            id: VIDEO_ID,
            width,
            height,
            length,
            file_names: Streamed::new(file_names),
        }],
        categories: Category::only(),
        annotations: Streamed::new(annotations),
    };
    Ok(serde_json::to_writer(file, &content)?)
}

/// A value of an object for each of the frames, in their order; `None` where it has no mask.
fn over_frames<T: Serialize, F: Fn(ObjectRecord) -> T>(
    track: &Track,
    frames: &[usize],
    value: F,
) -> impl Serialize + use<T, F> {
    let mut entries = track.entries().peekable();
    let on = move |frame: usize| match entries.peek() {
        Some(Ok((next, _))) if *next != frame => Ok(None),
        None => Ok(None),
        Some(_) => {
            let object = entries.next().transpose()?.map(|(_, object)| object);
            Ok(object.filter(|object| object.area > 0).map(&value))
        }
    };
    let frames: Vec<usize> = frames.to_vec();
    Streamed::new(frames.into_iter().map(on))
}
