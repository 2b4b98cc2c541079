//! Segments become an MP4 file.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shiguredo_mp4::boxes::{Avc1Box, AvccBox, SampleEntry, UnknownBox, VisualSampleEntryFields};
use shiguredo_mp4::mux::{
    Mp4FileMuxer, Mp4FileMuxerOptions, MuxError, Sample, estimate_maximum_moov_box_size,
};
use shiguredo_mp4::{BoxSize, BoxType, TrackKind, Uint};

use super::access_units::{AccessUnits, Parameters};
use super::coded_dimensions;
use crate::atomic::PendingFile;
use crate::h264::PictureFormat;
use crate::{FrameRate, MediaError, Result};

/// When the frames of a video are shown.
#[derive(Clone, Copy, Debug)]
pub enum Timing<'a> {
    /// All equally long.
    Constant(FrameRate),
    /// When each begins, ascending; the last is shown as long as the one before it. There must
    /// be as many as frames.
    Times(&'a [Duration]),
}

/// Puts segments together, in order, into an MP4 file that a browser plays: the index comes
/// first, so that playing begins before the file has arrived. Frames are copied and not
/// encoded again, one at a time. `dimensions` are those of the frames given to the
/// [`SegmentWriter`](super::SegmentWriter)s.
///
/// # Errors
/// [`MediaError::Read`] for a segment; [`MediaError::Encode`] if there is no frame, a segment
/// was made for another size or does not begin with a keyframe, or times are too few, too many
/// or not ascending; [`MediaError::Write`].
pub fn mux(
    segments: &[PathBuf],
    dimensions: (u32, u32),
    timing: Timing<'_>,
    output: &Path,
) -> Result<()> {
    let failed = |reason: String| MediaError::Encode {
        name: output.display().to_string(),
        reason,
    };
    let contents = Contents::scan(segments).map_err(|error| error.into_media(failed))?;
    let entry = sample_entry(&contents.parameters, dimensions).map_err(&failed)?;
    let clock = Clock::new(timing, contents.frames).map_err(&failed)?;

    let options = Mp4FileMuxerOptions {
        reserved_moov_box_size: estimate_maximum_moov_box_size(&[contents.frames]),
        ..Default::default()
    };
    let refused = |error: MuxError| failed(error.to_string());
    let mut muxer = Mp4FileMuxer::with_options(options).map_err(refused)?;
    let mut pending = PendingFile::create(output)?;
    let mut position = muxer.initial_boxes_bytes().len() as u64;
    if let Err(source) = pending.write_all(muxer.initial_boxes_bytes()) {
        return Err(pending.failed(source));
    }
    let mut entry = Some(entry);
    let mut index = 0;
    for path in segments {
        let mut units = open(path).map_err(|error| error.into_media(failed))?;
        while let Some(unit) = units.next().map_err(|source| read_error(path, source))? {
            if let Err(source) = pending.write_all(&unit.data) {
                return Err(pending.failed(source));
            }
            let sample = Sample {
                track_kind: TrackKind::Video,
                sample_entry: entry.take(),
                keyframe: unit.keyframe,
                timescale: clock.timescale,
                duration: clock.duration(index),
                composition_time_offset: None,
                data_offset: position,
                data_size: unit.data.len(),
            };
            muxer.append_sample(&sample).map_err(refused)?;
            position += unit.data.len() as u64;
            index += 1;
        }
    }
    let finished = muxer.finalize().map_err(refused)?;
    for (offset, bytes) in finished.offset_and_bytes_pairs() {
        let file = pending.file()?;
        let written = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(bytes));
        if let Err(source) = written {
            return Err(pending.failed(source));
        }
    }
    pending.commit()
}

/// What stands in the way of reading a segment.
enum SegmentError {
    Io(MediaError),
    Content(String),
}

impl SegmentError {
    fn into_media(self, failed: impl Fn(String) -> MediaError) -> MediaError {
        match self {
            Self::Io(error) => error,
            Self::Content(reason) => failed(reason),
        }
    }
}

fn read_error(path: &Path, source: std::io::Error) -> MediaError {
    MediaError::Read {
        path: path.to_owned(),
        source,
    }
}

fn open(path: &Path) -> Result<AccessUnits<File>, SegmentError> {
    match File::open(path) {
        Ok(file) => Ok(AccessUnits::new(file)),
        Err(source) => Err(SegmentError::Io(read_error(path, source))),
    }
}

/// What the segments hold.
struct Contents {
    frames: usize,
    parameters: Parameters,
}

impl Contents {
    /// Reads through the segments and checks that they fit together.
    fn scan(segments: &[PathBuf]) -> Result<Self, SegmentError> {
        let mut frames = 0;
        let mut common: Option<Parameters> = None;
        for path in segments {
            let mut units = open(path)?;
            let mut first = true;
            while let Some(unit) =
                (units.next()).map_err(|source| SegmentError::Io(read_error(path, source)))?
            {
                if first && !unit.keyframe {
                    let reason = format!("{} does not begin with a keyframe", path.display());
                    return Err(SegmentError::Content(reason));
                }
                first = false;
                frames += 1;
            }
            if first {
                let reason = format!("{} holds no frame", path.display());
                return Err(SegmentError::Content(reason));
            }
            if common
                .as_ref()
                .is_some_and(|common| *common != units.parameters)
            {
                let reason = format!(
                    "{} was encoded in another way than the segments before it",
                    path.display()
                );
                return Err(SegmentError::Content(reason));
            }
            common = Some(units.parameters);
        }
        let parameters =
            common.ok_or_else(|| SegmentError::Content("there are no segments".to_owned()))?;
        Ok(Self { frames, parameters })
    }
}

/// How long frames are shown.
struct Clock<'a> {
    timescale: NonZeroU32,
    timing: Timing<'a>,
}

impl<'a> Clock<'a> {
    /// Units per second for times in nanoseconds.
    const TIMESCALE: NonZeroU32 = NonZeroU32::new(90_000).unwrap();

    fn new(timing: Timing<'a>, frames: usize) -> Result<Self, String> {
        let timescale = match timing {
            Timing::Constant(rate) => rate.numerator(),
            Timing::Times(times) => {
                if times.len() != frames {
                    return Err(format!("{frames} frames have {} times", times.len()));
                }
                if let Some(late) = times.windows(2).position(|pair| pair[0] >= pair[1]) {
                    return Err(format!(
                        "frame {} does not begin after frame {late}; times must ascend",
                        late + 1
                    ));
                }
                Self::TIMESCALE
            }
        };
        Ok(Self { timescale, timing })
    }

    /// The duration of frame `index`, in the time scale.
    fn duration(&self, index: usize) -> u32 {
        match self.timing {
            Timing::Constant(rate) => rate.denominator().get(),
            Timing::Times(times) => {
                // Differences of rounded times: errors do not add up.
                let unit = |index: usize| -> Option<u128> {
                    let nanoseconds = times.get(index)?.as_nanos();
                    Some(nanoseconds * u128::from(Self::TIMESCALE.get()) / 1_000_000_000)
                };
                let (from, to) = match (unit(index), unit(index + 1)) {
                    (Some(from), Some(to)) => (from, to),
                    // The last frame, as long as the one before it.
                    (Some(from), None) => match index.checked_sub(1).and_then(unit) {
                        Some(before) => (before, from),
                        None => (0, u128::from(Self::TIMESCALE.get()) / 25),
                    },
                    (None, _) => (0, 0),
                };
                u32::try_from(to - from).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}

/// How a player sets up its decoder.
fn sample_entry(
    parameters: &Parameters,
    (width, height): (u32, u32),
) -> Result<SampleEntry, String> {
    let first = (parameters.sequence.first()).ok_or("the segments have no sequence parameters")?;
    let found = PictureFormat::parse(first)
        .map_err(|reason| format!("the segments cannot be used: {reason}"))?
        .dimensions;
    let (Ok(stated_width), Ok(stated_height)) = (u16::try_from(width), u16::try_from(height))
    else {
        return Err(format!("frames of {width}x{height} pixels are too large"));
    };
    if found != coded_dimensions((width, height)) {
        return Err(format!(
            "the segments hold frames of {}x{} pixels, not {width}x{height}",
            found.0, found.1
        ));
    }
    let &[_, profile, compatibility, level, ..] = first.as_slice() else {
        return Err("the segments' parameters are cut off".to_owned());
    };
    let has_chroma_fields = !matches!(profile, 66 | 77 | 88);
    Ok(SampleEntry::Avc1(Avc1Box {
        visual: VisualSampleEntryFields {
            data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            width: stated_width,
            height: stated_height,
            horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
            vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
            frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
            compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
            depth: VisualSampleEntryFields::DEFAULT_DEPTH,
        },
        avcc_box: AvccBox {
            avc_profile_indication: profile,
            profile_compatibility: compatibility,
            avc_level_indication: level,
            length_size_minus_one: Uint::new(3),
            sps_list: parameters.sequence.clone(),
            pps_list: parameters.picture.clone(),
            // 4:2:0 with 8 bits.
            chroma_format: has_chroma_fields.then_some(Uint::new(1)),
            bit_depth_luma_minus8: has_chroma_fields.then_some(Uint::new(0)),
            bit_depth_chroma_minus8: has_chroma_fields.then_some(Uint::new(0)),
            sps_ext_list: Vec::new(),
        },
        unknown_boxes: vec![colour_box()],
    }))
}

/// BT.709 in limited range, as the stream itself says.
fn colour_box() -> UnknownBox {
    let payload = b"nclx\0\x01\0\x01\0\x01\0".to_vec();
    UnknownBox {
        box_type: BoxType::Normal(*b"colr"),
        box_size: BoxSize::with_payload_size(BoxType::Normal(*b"colr"), payload.len() as u64),
        payload,
    }
}
