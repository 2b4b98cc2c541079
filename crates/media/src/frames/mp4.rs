//! MP4 and MOV files with H.264, decoded without any other program.

mod access_unit;
mod boxes;
mod decoder;
mod fragments;
mod sample;
mod track;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use access_unit::PictureFormat;
use decoder::{PictureDecoder, Target};
use sample::Sample;
use track::{Track, TrackError};

use super::{FrameRate, FrameSource};
use crate::{MediaError, Result, RgbImage};

/// The largest compressed frame that is read: far above what a frame of the largest size
/// takes uncompressed, so that only damage exceeds it.
const MAX_SAMPLE: u32 = 64 << 20;

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
    reader: R,
    length: u64,
    track: Track,
    target: Target,
    /// Sample numbers in order of presentation.
    order: Vec<u32>,
    /// The part of `order` that is shown.
    shown: std::ops::Range<usize>,
    run: Option<Run>,
    last: Option<(usize, RgbImage)>,
}

/// A stretch of decoding that began at a keyframe. Places are positions in the order of
/// presentation of all samples, shown or not.
struct Run {
    decoder: PictureDecoder,
    start: usize,
    next_sample: usize,
    next_place: usize,
    finished: bool,
    damage: Option<Damage>,
}

/// Why decoding cannot go on.
struct Damage {
    /// The sample that could not be decoded.
    sample: usize,
    reason: String,
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
    pub fn from_reader(mut reader: R, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let damaged = |reason: String| MediaError::NotAVideo {
            name: name.clone(),
            reason,
        };
        let unsupported = |reason: String| MediaError::UnsupportedVideo {
            name: name.clone(),
            reason,
        };
        let length = reader
            .seek(SeekFrom::End(0))
            .map_err(|error| damaged(error.to_string()))?;
        let track = track::read(&mut reader, length).map_err(|error| match error {
            TrackError::Damaged(reason) => damaged(reason),
            TrackError::Unsupported(reason) => unsupported(reason),
        })?;
        let target = find_target(&mut reader, length, &track).map_err(|error| match error {
            TrackError::Damaged(reason) => damaged(reason),
            TrackError::Unsupported(reason) => unsupported(reason),
        })?;

        let mut order: Vec<u32> = (0..track.samples.len() as u32).collect();
        order.sort_by_key(|&sample| track.samples[sample as usize].time);
        let time = |sample: &u32| track.samples[*sample as usize].time;
        let shown = match track.edit {
            Some((from, to)) => {
                order.partition_point(|sample| time(sample) < from)
                    ..order.partition_point(|sample| time(sample) < to)
            }
            None => 0..order.len(),
        };
        if shown.is_empty() {
            return Err(damaged("its edit list shows no frame".to_owned()));
        }
        Ok(Self {
            name,
            reader,
            length,
            track,
            target,
            order,
            shown,
            run: None,
            last: None,
        })
    }

    /// Starts to decode at the last keyframe up to `place`, unless the run that is under way
    /// gets there with less work.
    fn start_run(&mut self, place: usize) -> Result<&mut Run, String> {
        let reachable = self.run.as_ref().filter(|run| run.next_place <= place);
        // A run goes on to the next keyframe: starting anew before it would only decode more.
        let under_way = reachable.map(|run| match &run.damage {
            // It will not get beyond the frame it is at; a keyframe after that may.
            Some(_) => run.next_place,
            None => run.next_sample,
        });
        let keyframe = self.keyframe(place, under_way.unwrap_or(0));
        if keyframe.is_some() || under_way.is_none() {
            let start = keyframe.unwrap_or(0);
            self.run = Some(Run {
                decoder: PictureDecoder::new(self.target)?,
                start,
                next_sample: start,
                next_place: start,
                finished: false,
                damage: None,
            });
        }
        self.run
            .as_mut()
            .ok_or_else(|| "there is nothing to decode".to_owned())
    }

    /// The last sample after `from`, at or before `place`, at which decoding can start: a sync
    /// sample that is shown after all samples before it, and that really needs none of them.
    fn keyframe(&mut self, place: usize, from: usize) -> Option<usize> {
        let mut candidates = from + 1..place + 1;
        while let Some(sample) = candidates.next_back() {
            let known = self.track.samples[sample];
            if known.sync
                && self.order[sample] as usize == sample
                && let Ok(bytes) = read_sample(&mut self.reader, self.length, known)
                && self
                    .track
                    .descriptions
                    .get(known.description as usize)
                    .is_some_and(|description| access_unit::begins_afresh(description, &bytes))
            {
                return Some(sample);
            }
        }
        None
    }

    /// The picture at `place`, decoding up to it.
    fn picture(&mut self, place: usize) -> Result<RgbImage, (usize, String)> {
        self.start_run(place).map_err(|reason| (place, reason))?;
        loop {
            let Some(run) = &mut self.run else {
                return Err((place, "there is nothing to decode".to_owned()));
            };
            let decodable = match &run.damage {
                None => true,
                // Of what was flushed, only that is in its place which precedes the damage.
                Some(damage) => (self.order.get(run.next_place))
                    .is_some_and(|&sample| (sample as usize) < damage.sample),
            };
            if decodable && let Some(picture) = run.decoder.pop() {
                let at = run.next_place;
                run.next_place += 1;
                if at == place {
                    return Ok(picture);
                }
                continue;
            }
            if let Some(damage) = &run.damage {
                return Err((run.next_place, damage.reason.clone()));
            }
            if run.finished {
                let reason = "the decoder made no picture of its data".to_owned();
                return Err((run.next_place, reason));
            }
            self.advance();
        }
    }

    /// Decodes one more sample, or what is held back after the last.
    fn advance(&mut self) {
        let Some(run) = &mut self.run else { return };
        let sample = run.next_sample;
        let decoded = if sample < self.track.samples.len() {
            run.next_sample += 1;
            let first = sample == run.start;
            compressed(
                &mut self.reader,
                self.length,
                &self.track,
                self.target,
                sample,
                first,
            )
            .and_then(|stream| run.decoder.push(&stream))
        } else {
            run.finished = true;
            run.decoder.finish()
        };
        if let Err(reason) = decoded {
            let (start, delivered) = (run.start, run.next_place - run.start);
            let sound = self.decode_before_damage(start, sample, delivered);
            if let (Some(run), Ok(decoder)) = (&mut self.run, sound) {
                run.decoder = decoder;
            }
            if let Some(run) = &mut self.run {
                run.damage = Some(Damage { sample, reason });
            }
        }
    }

    /// Decodes samples from `start` up to a damaged one anew, and passes over the first
    /// pictures, which were delivered. Damage may take sound pictures with it that the decoder
    /// was still holding back; without it, all come out.
    fn decode_before_damage(
        &mut self,
        start: usize,
        damaged: usize,
        mut delivered: usize,
    ) -> Result<PictureDecoder, String> {
        let mut decoder = PictureDecoder::new(self.target)?;
        let mut pass_over = |decoder: &mut PictureDecoder| {
            while delivered > 0 && decoder.pop().is_some() {
                delivered -= 1;
            }
        };
        for sample in start..damaged {
            let first = sample == start;
            let stream = compressed(
                &mut self.reader,
                self.length,
                &self.track,
                self.target,
                sample,
                first,
            )?;
            decoder.push(&stream)?;
            pass_over(&mut decoder);
        }
        decoder.finish()?;
        pass_over(&mut decoder);
        Ok(decoder)
    }
}

impl<R: Read + Seek + Send> FrameSource for Mp4Video<R> {
    fn dimensions(&self) -> (u32, u32) {
        self.track.orientation.dimensions(self.target.shown)
    }

    fn frame_count(&self) -> Option<usize> {
        Some(self.shown.len())
    }

    fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
        if index >= self.shown.len() {
            return match &self.track.cut_off {
                Some(reason) => Err(MediaError::Frame {
                    name: self.name.clone(),
                    frame: self.shown.len(),
                    reason: reason.clone(),
                }),
                None => Ok(None),
            };
        }
        if let Some((_, frame)) = self.last.as_ref().filter(|(last, _)| *last == index) {
            return Ok(Some(frame.clone()));
        }
        let picture = self
            .picture(self.shown.start + index)
            .map_err(|(place, reason)| MediaError::Frame {
                name: self.name.clone(),
                frame: place.saturating_sub(self.shown.start),
                reason,
            })?;
        let frame = self.track.orientation.apply(picture)?;
        self.last = Some((index, frame.clone()));
        Ok(Some(frame))
    }

    fn frame_rate(&self) -> Option<FrameRate> {
        let shown = &self.order[self.shown.clone()];
        let time = |sample: &u32| self.track.samples[*sample as usize].time;
        let duration = time(shown.last()?).checked_sub(time(shown.first()?))?;
        let units = u64::try_from(duration).ok()?;
        let frames = (shown.len() as u64).checked_sub(1)?;
        let rate = frames.checked_mul(u64::from(self.track.timescale))?;
        FrameRate::from_u64(rate, units)
    }

    fn presentation_time(&self, index: usize) -> Option<Duration> {
        let shown = &self.order[self.shown.clone()];
        let time = |sample: &u32| self.track.samples[*sample as usize].time;
        let units = time(shown.get(index)?).checked_sub(time(shown.first()?))?;
        let nanoseconds = u128::try_from(units).ok()? * 1_000_000_000;
        let nanoseconds = nanoseconds / u128::from(self.track.timescale);
        Some(Duration::from_nanos(
            u64::try_from(nanoseconds).unwrap_or(u64::MAX),
        ))
    }
}

/// What pictures will be like, from the first sample's parameters.
fn find_target(
    reader: &mut (impl Read + Seek),
    length: u64,
    track: &Track,
) -> Result<Target, TrackError> {
    let first = track.samples[0];
    let description = (track.descriptions.get(first.description as usize))
        .ok_or_else(|| "its index does not describe how its first frame is coded".to_owned())?;
    let sample = read_sample(reader, length, first)
        .map_err(|reason| format!("its first frame cannot be read: {reason}"))?;
    let parameters = (description.avcc.sps_list.first().map(Vec::as_slice))
        .or_else(|| access_unit::parameters_within(description, &sample))
        .ok_or_else(|| "it has no sequence parameters".to_owned())?;
    let format = PictureFormat::parse(parameters).map_err(TrackError::Unsupported)?;
    if let Some(Err(reason)) = access_unit::nal_units(description, &sample).find(Result::is_err) {
        return Err(TrackError::Damaged(format!(
            "its first frame is damaged: {reason}"
        )));
    }
    if !access_unit::begins_afresh(description, &sample) {
        let reason = "it does not begin with a keyframe".to_owned();
        return Err(TrackError::Unsupported(reason));
    }
    Ok(Target {
        coded: format.dimensions,
        shown: format.shown_dimensions(description),
        colour: format.colour(description),
    })
}

/// Sample `index` as the decoder takes it: with the parameter sets of its description where
/// that is new to the decoder, as it always is to the `first` sample of a run.
fn compressed(
    reader: &mut (impl Read + Seek),
    length: u64,
    track: &Track,
    target: Target,
    index: usize,
    first: bool,
) -> Result<Vec<u8>, String> {
    let sample = track.samples[index];
    let description = (track.descriptions.get(sample.description as usize))
        .ok_or_else(|| "the index does not describe how it is coded".to_owned())?;
    let bytes = read_sample(reader, length, sample)?;
    let mut stream = Vec::with_capacity(bytes.len() + 64);
    if first || track.samples[index - 1].description != sample.description {
        for parameters in &description.avcc.sps_list {
            access_unit::check_parameters(parameters, target.coded)?;
        }
        stream.extend_from_slice(&access_unit::parameter_sets(description));
    }
    access_unit::append_stream(description, &bytes, target.coded, &mut stream)?;
    Ok(stream)
}

fn read_sample(
    reader: &mut (impl Read + Seek),
    length: u64,
    sample: Sample,
) -> Result<Vec<u8>, String> {
    let end = sample.offset.saturating_add(sample.size.into());
    if end > length {
        return Err(format!(
            "the file is cut off: {} bytes are missing for it",
            end - length
        ));
    }
    if sample.size > MAX_SAMPLE {
        return Err(format!("its data claim {} bytes", sample.size));
    }
    let mut bytes = vec![0; sample.size as usize];
    reader
        .seek(SeekFrom::Start(sample.offset))
        .and_then(|_| reader.read_exact(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}
