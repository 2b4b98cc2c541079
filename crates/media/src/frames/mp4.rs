//! MP4 and MOV files with H.264, decoded without any other program.

mod access_unit;
mod boxes;
mod decoder;
mod fragments;
mod run;
mod sample;
mod samples;
mod track;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::time::Duration;

use run::{Run, Stuck};
use samples::Samples;
use track::TrackError;

use super::{FrameRate, FrameSource};
use crate::{MediaError, Result, RgbImage};

/// A video in an MP4 or MOV file, coded as progressive 8-bit 4:2:0 H.264: what cameras, phones
/// and web pages mostly hold. Fragmented files are read too.
///
/// The file stays on disk: compressed frames are read one by one and the index, about 32 bytes
/// a frame, is all that is kept of it. Reading frames in order decodes each once; going back,
/// or far ahead, decodes from the keyframe before. Decoded are kept: the last frame delivered
/// and those that the format delivers out of order.
///
/// **Frames** are those a player shows, in order: B-frames in their place, parts outside of
/// the edit list left out, the track's rotation and mirroring applied. Pixels that are not
/// square stay as stored. Colours are converted as by `ffmpeg -pix_fmt rgb24` (matrix and
/// range from the stream, else from the container, else BT.601 in limited range).
///
/// **Damage.** Frames before the damage are delivered, then the error names the first that is
/// not. Frames after it can be asked for, and are there if a keyframe lies between.
pub struct Mp4Video<R = File> {
    name: String,
    samples: Samples<R>,
    /// Sample numbers in order of presentation.
    order: Vec<u32>,
    /// The part of `order` that is shown.
    shown: std::ops::Range<usize>,
    run: Option<Run>,
    last: Option<(usize, RgbImage)>,
}

impl Mp4Video {
    /// Opens a file.
    ///
    /// # Errors
    /// [`MediaError::Read`]; [`MediaError::NotAVideo`] if it is no MP4 file or its index is
    /// missing or damaged; [`MediaError::UnsupportedVideo`] if it holds another kind of video.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| MediaError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_reader(file, path.display().to_string())
    }
}

impl<R: Read + Seek + Send> Mp4Video<R> {
    /// Reads a video from anything that can be read at any position; `name` stands for it in
    /// messages.
    ///
    /// # Errors
    /// As [`Mp4Video::open`].
    pub fn from_reader(reader: R, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let samples = match Samples::open(reader) {
            Ok(samples) => samples,
            Err(TrackError::Damaged(reason)) => return Err(MediaError::NotAVideo { name, reason }),
            Err(TrackError::Unsupported(reason)) => {
                return Err(MediaError::UnsupportedVideo { name, reason });
            }
        };
        let time = |sample: &u32| samples.track.samples[*sample as usize].time;
        let mut order: Vec<u32> = (0..samples.count() as u32).collect();
        order.sort_by_key(time);
        let shown = match samples.track.edit {
            Some((from, to)) => {
                order.partition_point(|sample| time(sample) < from)
                    ..order.partition_point(|sample| time(sample) < to)
            }
            None => 0..order.len(),
        };
        if shown.is_empty() {
            let reason = "its edit list shows no frame".to_owned();
            return Err(MediaError::NotAVideo { name, reason });
        }
        Ok(Self {
            name,
            samples,
            order,
            shown,
            run: None,
            last: None,
        })
    }

    /// The picture at `place`, from the run that is under way, or from a keyframe before it if
    /// that is nearer.
    fn picture(&mut self, place: usize) -> Result<RgbImage, Stuck> {
        let mut run = self.run.take().filter(|run| run.is_before(place));
        let earliest = run.as_ref().map_or(0, Run::worthwhile_start);
        if let Some(start) = self
            .keyframe(earliest, place)
            .or(run.is_none().then_some(0))
        {
            let begun = Run::begin(&self.samples, start);
            run = Some(begun.map_err(|reason| Stuck { place, reason })?);
        }
        let Some(run) = run else {
            let reason = "there is nothing to decode".to_owned();
            return Err(Stuck { place, reason });
        };
        self.run
            .insert(run)
            .picture(&mut self.samples, &self.order, place)
    }

    /// The last sample from `earliest` up to `place` at which decoding can start and which is
    /// shown in its place.
    fn keyframe(&mut self, earliest: usize, place: usize) -> Option<usize> {
        (earliest..=place).rev().find(|&sample| {
            self.order[sample] as usize == sample && self.samples.begins_afresh(sample)
        })
    }

    /// When a frame is shown, in the track's units; `None` past the last.
    fn time(&self, index: usize) -> Option<i64> {
        let sample = *self.order[self.shown.clone()].get(index)?;
        Some(self.samples.track.samples[sample as usize].time)
    }
}

impl<R: Read + Seek + Send> FrameSource for Mp4Video<R> {
    fn dimensions(&self) -> (u32, u32) {
        (self.samples.track.orientation).dimensions(self.samples.target.shown)
    }

    fn frame_count(&self) -> Option<usize> {
        Some(self.shown.len())
    }

    fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
        let unreadable = |name: &String, frame, reason| MediaError::Frame {
            name: name.clone(),
            frame,
            reason,
        };
        if index >= self.shown.len() {
            return match &self.samples.track.cut_off {
                Some(reason) => Err(unreadable(&self.name, self.shown.len(), reason.clone())),
                None => Ok(None),
            };
        }
        if let Some((_, frame)) = self.last.as_ref().filter(|(last, _)| *last == index) {
            return Ok(Some(frame.clone()));
        }
        let first = self.shown.start;
        let picture = self.picture(first + index).map_err(|stuck| {
            // Damage before the first frame shown keeps that one from being decoded.
            unreadable(&self.name, stuck.place.saturating_sub(first), stuck.reason)
        })?;
        let frame = self.samples.track.orientation.apply(picture)?;
        self.last = Some((index, frame.clone()));
        Ok(Some(frame))
    }

    fn frame_rate(&self) -> Option<FrameRate> {
        let intervals = self.shown.len() as u64 - 1;
        let duration = self
            .time(self.shown.len() - 1)?
            .checked_sub(self.time(0)?)?;
        let rate = intervals.checked_mul(u64::from(self.samples.track.timescale))?;
        FrameRate::from_u64(rate, u64::try_from(duration).ok()?)
    }

    fn presentation_time(&self, index: usize) -> Option<Duration> {
        let units = self.time(index)?.checked_sub(self.time(0)?)?;
        let nanoseconds = u128::try_from(units).ok()? * 1_000_000_000;
        let nanoseconds = nanoseconds / u128::from(self.samples.track.timescale);
        Some(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))
    }
}
