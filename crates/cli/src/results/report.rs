//! `masklets.json`.

use std::io::{self, Write};
use std::path::Path;

use masklet_data::export::Streamed;
use masklet_data::record::{ObjectRecord, Order, Track};
use masklet_media::Rle;
use serde::Serialize;

use super::scene::Whole;

#[derive(Serialize)]
struct Report<'a, O> {
    video: VideoReport<'a>,
    model: &'a str,
    weights: Option<&'a Path>,
    /// Whether tracking reached its end.
    complete: bool,
    frames_tracked: usize,
    objects: O,
}

#[derive(Serialize)]
struct VideoReport<'a> {
    file: &'a Path,
    width: u32,
    height: u32,
    frames: Option<usize>,
}

/// One object through the video.
#[derive(Serialize)]
struct Masklet<F> {
    id: u32,
    frames: F,
}

/// One object on one frame.
#[derive(Serialize)]
struct FrameEntry {
    frame: usize,
    /// COCO run-length encoding.
    segmentation: Rle,
    /// Positive if the model sees the object.
    occlusion_score: f32,
    /// Pixels.
    area: u64,
}

/// Writes the report. Frames are in the order in which they were tracked.
pub(super) fn write(whole: &Whole<'_>, file: &mut dyn Write) -> io::Result<()> {
    let Whole {
        video,
        records,
        complete,
        ..
    } = *whole;
    let (width, height) = video.dimensions;
    let report = Report {
        video: VideoReport {
            file: &video.path,
            width,
            height,
            frames: video.frame_count,
        },
        model: &video.model,
        weights: video.weights.as_deref(),
        complete,
        frames_tracked: records.len(),
        objects: Streamed::new(records.tracks(Order::Tracked).map(|track| {
            let track: Track = track?;
            Ok(Masklet {
                id: track.summary().id,
                frames: Streamed::new(track.entries().map(|entry| entry.map(frame_entry))),
            })
        })),
    };
    serde_json::to_writer_pretty(&mut *file, &report)?;
    file.write_all(b"\n")
}

fn frame_entry((frame, object): (usize, ObjectRecord)) -> FrameEntry {
    FrameEntry {
        frame,
        segmentation: object.segmentation,
        occlusion_score: object.occlusion_score,
        area: object.area,
    }
}
