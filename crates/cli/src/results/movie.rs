//! Results that are a video: the overlay, and the objects before another background.
//!
//! A video is encoded in segments of [`CHECKPOINT_INTERVAL`] frames, which always begin at
//! multiples of it: a run that resumes goes on with a fresh segment, and the frames are put
//! together with the same bytes as if it had never stopped.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use masklet_data::record::{Order, Records};
use masklet_media::video_writer::{SegmentWriter, Timing, VideoQuality, mux};
use masklet_media::{FrameRate, RgbImage};

use super::CHECKPOINT_INTERVAL;
use super::names::UNFINISHED;
use super::scene::Whole;
use crate::failure::Failure;
use crate::output::OutputFolder;

/// Frames a second where neither the input nor the user says: as SA-V.
const FRAME_RATE: (u32, u32) = (24, 1);

/// Encodes a video.
pub(super) struct Movie {
    /// `overlay` or `background`: the folder of the segments.
    name: &'static str,
    /// Where the video goes.
    path: PathBuf,
    dimensions: (u32, u32),
    /// Frames encoded, those of an earlier run included.
    frames: usize,
    segment: Option<SegmentWriter>,
}

impl Movie {
    /// A video of which `frames` frames are encoded already.
    pub(super) fn new(
        name: &'static str,
        path: PathBuf,
        dimensions: (u32, u32),
        frames: usize,
    ) -> Self {
        Self {
            name,
            path,
            dimensions,
            frames,
            segment: None,
        }
    }

    /// Encodes a frame.
    pub(super) fn add(&mut self, folder: &OutputFolder, picture: &RgbImage) -> Result<(), Failure> {
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => {
                let path = segment_path(folder, self.name, self.frames / CHECKPOINT_INTERVAL)?;
                let quality = VideoQuality::default();
                none.insert(SegmentWriter::create(&path, self.dimensions, quality)?)
            }
        };
        segment.push(picture)?;
        self.frames += 1;
        if self.frames.is_multiple_of(CHECKPOINT_INTERVAL) {
            self.end_segment()?;
        }
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), Failure> {
        if let Some(segment) = self.segment.take() {
            segment.finish()?;
        }
        Ok(())
    }

    /// Puts the segments together. Frames are shown at the times of the records, or where these
    /// are unknown or go backward, each equally long.
    pub(super) fn finish(&mut self, whole: &Whole<'_>) -> Result<(), Failure> {
        let rate = whole.video.frame_rate;
        self.end_segment()?;
        if self.frames == 0 {
            return Ok(());
        }
        let segments = (0..self.frames.div_ceil(CHECKPOINT_INTERVAL))
            .map(|segment| segment_path(whole.folder, self.name, segment))
            .collect::<Result<Vec<PathBuf>, Failure>>()?;
        let times = uneven_times(whole.records, rate).context("cannot read the records")?;
        let timing = match &times {
            Some(times) => Timing::Times(times),
            None => {
                let (numerator, denominator) = FRAME_RATE;
                let rate = rate.or(FrameRate::new(numerator, denominator));
                Timing::Constant(rate.context("a frame rate of zero")?)
            }
        };
        Ok(mux(&segments, self.dimensions, timing, &self.path)?)
    }
}

fn segment_path(folder: &OutputFolder, name: &str, segment: usize) -> Result<PathBuf, Failure> {
    folder.file(&format!("{UNFINISHED}/{name}/{segment:05}.h264"))
}

/// The times of the frames, if they are all known, ascend, and are not those of `rate`.
fn uneven_times(
    records: &Records,
    rate: Option<FrameRate>,
) -> std::io::Result<Option<Vec<Duration>>> {
    let mut times: Vec<Duration> = Vec::new();
    let mut uneven = rate.is_none();
    let mut first = None;
    for record in records.frames(Order::Tracked) {
        let record = record?;
        let Some(Ok(time)) = record.time.map(Duration::try_from_secs_f64) else {
            return Ok(None);
        };
        if times.last().is_some_and(|last| *last >= time) {
            return Ok(None);
        }
        if let Some(rate) = rate {
            let (number, start) = *first.get_or_insert((record.frame, time));
            let even = rate.time_of(record.frame - number);
            uneven |= (time - start).abs_diff(even) > Duration::from_millis(1);
        }
        times.push(time);
    }
    Ok((uneven && !times.is_empty()).then_some(times))
}
