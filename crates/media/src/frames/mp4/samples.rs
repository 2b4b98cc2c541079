//! Compressed frames, read from the file one by one.

use std::io::{Read, Seek, SeekFrom};

use super::access_unit;
use super::decoder::Target;
use super::sample::Sample;
use super::track::{self, Description, Track, TrackError};
use crate::h264::PictureFormat;

/// The largest compressed frame that is read: far above what a frame of the largest size
/// takes uncompressed, so that only damage exceeds it.
const MAX_SAMPLE: u32 = 64 << 20;

/// A file and its index.
pub(super) struct Samples<R> {
    reader: R,
    length: u64,
    pub(super) track: Track,
    pub(super) target: Target,
}

impl<R: Read + Seek> Samples<R> {
    /// Reads the index, and of the first sample what pictures will be like.
    ///
    /// # Errors
    /// If either is damaged, or of a video that the decoder is not made for.
    pub(super) fn open(mut reader: R) -> Result<Self, TrackError> {
        let length = reader
            .seek(SeekFrom::End(0))
            .map_err(|error| error.to_string())?;
        let track = track::read(&mut reader, length)?;
        let first = read(&mut reader, length, track.samples[0])
            .map_err(|reason| format!("its first frame cannot be read: {reason}"))?;
        let target = find_target(&track, &first)?;
        Ok(Self {
            reader,
            length,
            track,
            target,
        })
    }

    /// The number of samples.
    pub(super) fn count(&self) -> usize {
        self.track.samples.len()
    }

    /// Whether decoding can start at sample `index`: the file says so, and it is true.
    pub(super) fn begins_afresh(&mut self, index: usize) -> bool {
        let sample = self.track.samples[index];
        if !sample.sync {
            return false;
        }
        let bytes = read(&mut self.reader, self.length, sample);
        match (bytes, describe(&self.track, sample)) {
            (Ok(bytes), Ok(description)) => access_unit::begins_afresh(description, &bytes),
            _ => false,
        }
    }

    /// Sample `index` as the decoder takes it: with the parameter sets of its description where
    /// that is new to the decoder, as it always is to the `first` sample that it is given.
    ///
    /// # Errors
    /// If it cannot be read, or its structure is damaged.
    pub(super) fn stream(&mut self, index: usize, first: bool) -> Result<Vec<u8>, String> {
        let sample = self.track.samples[index];
        let bytes = read(&mut self.reader, self.length, sample)?;
        let description = describe(&self.track, sample)?;
        let dimensions = self.target.coded;
        let mut stream = Vec::with_capacity(bytes.len() + 64);
        if first || self.track.samples[index - 1].description != sample.description {
            for parameters in &description.avcc.sps_list {
                access_unit::check_parameters(parameters, dimensions)?;
            }
            stream.extend_from_slice(&access_unit::parameter_sets(description));
        }
        access_unit::append_stream(description, &bytes, dimensions, &mut stream)?;
        Ok(stream)
    }
}

fn describe(track: &Track, sample: Sample) -> Result<&Description, String> {
    (track.descriptions.get(sample.description as usize))
        .ok_or_else(|| "the index does not describe how it is coded".to_owned())
}

fn find_target(track: &Track, first: &[u8]) -> Result<Target, TrackError> {
    let description = describe(track, track.samples[0])?;
    let parameters = (description.avcc.sps_list.first().map(Vec::as_slice))
        .or_else(|| access_unit::parameters_within(description, first))
        .ok_or_else(|| "it has no sequence parameters".to_owned())?;
    let format = PictureFormat::parse(parameters).map_err(TrackError::Unsupported)?;
    if let Some(Err(reason)) = access_unit::nal_units(description, first).find(Result::is_err) {
        return Err(TrackError::Damaged(format!(
            "its first frame is damaged: {reason}"
        )));
    }
    if !access_unit::begins_afresh(description, first) {
        let reason = "it does not begin with a keyframe".to_owned();
        return Err(TrackError::Unsupported(reason));
    }
    Ok(Target {
        coded: format.dimensions,
        shown: format.shown_dimensions(description.dimensions),
        colour: format.colour(description.colour),
    })
}

fn read(reader: &mut (impl Read + Seek), length: u64, sample: Sample) -> Result<Vec<u8>, String> {
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
