//! The video track of an MP4 file, as its index describes it.

use std::io::{Read, Seek};

use shiguredo_mp4::BoxType;
use shiguredo_mp4::boxes::{AvccBox, ElstBox, MdhdBox, MoovBox, MvhdBox, TkhdBox};

use super::boxes::{self, Child};
use super::fragments::Fragments;
use super::sample::{self, Sample};
use crate::frames::orientation::Orientation;

/// Why an index could not be used.
pub(super) enum TrackError {
    /// It is damaged or not an index.
    Damaged(String),
    /// It is sound, but of a video that this decoder is not made for.
    Unsupported(String),
}

impl From<String> for TrackError {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

/// How the samples of a track are coded: an H.264 sample description.
#[derive(Clone, Debug)]
pub(super) struct Description {
    /// The picture's size for display.
    pub(super) dimensions: (u32, u32),
    /// Parameter sets and the size of length fields.
    pub(super) avcc: AvccBox,
    /// Matrix coefficients (H.273) and full range, where the container states them.
    pub(super) colour: Option<(u8, bool)>,
}

/// A video track.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) descriptions: Vec<Description>,
    pub(super) orientation: Orientation,
    /// Units of [`Sample::time`] per second.
    pub(super) timescale: u32,
    /// In decoding order.
    pub(super) samples: Vec<Sample>,
    /// The span of times that is shown, if the file says so: from (inclusive), to (exclusive).
    pub(super) edit: Option<(i64, i64)>,
    /// Set if the index ends early: what is wrong with the part after the last sample.
    pub(super) cut_off: Option<String>,
}

/// Reads the index of a file of `length` bytes.
///
/// # Errors
/// If there is none, it is damaged, or its video is not H.264.
pub(super) fn read(reader: &mut (impl Read + Seek), length: u64) -> Result<Track, TrackError> {
    let mut found: Option<(Track, Option<Fragments>)> = None;
    let mut position = 0;
    let limit = sample::limit(length);
    while let Some(span) =
        boxes::span_at(reader, position, length).map_err(|error| error.to_string())?
    {
        if span.kind == MoovBox::TYPE && found.is_none() {
            let whole = boxes::read_span(reader, span, length)?;
            let moov = boxes::child(&whole, b"moov").ok_or_else(|| "no index".to_owned())?;
            found = Some(read_moov(moov.payload, limit)?);
        } else if Fragments::is_fragment(span.kind)
            && let Some((track, Some(fragments))) = &mut found
            && let Err(reason) = fragments.read(reader, span, length, limit, &mut track.samples)
        {
            track.cut_off = Some(reason);
            break;
        }
        if span.end <= position {
            break;
        }
        position = span.end;
    }
    let (track, _) = found.ok_or_else(|| {
        "it has no index (`moov` box); it is not an MP4 or MOV file, or it is cut off before \
         its end, where the index often lies"
            .to_owned()
    })?;
    if track.samples.is_empty() {
        let reason = track
            .cut_off
            .as_deref()
            .unwrap_or("its video track has no frames");
        return Err(TrackError::Damaged(reason.to_owned()));
    }
    Ok(track)
}

fn read_moov(moov: &[u8], limit: usize) -> Result<(Track, Option<Fragments>), TrackError> {
    // The largest video track is the one to show; the others are previews.
    let mut best: Option<(u64, Child<'_>, TkhdBox)> = None;
    for trak in boxes::children(moov) {
        if trak.kind == BoxType::Normal(*b"trak") && is_video(trak.payload) {
            let header: TkhdBox = boxes::decode_child(trak.payload, b"tkhd")?;
            let area = header.width.integer.unsigned_abs() as u64
                * header.height.integer.unsigned_abs() as u64;
            if best.as_ref().is_none_or(|(largest, ..)| area > *largest) {
                best = Some((area, trak, header));
            }
        }
    }
    let (_, trak, header) = best.ok_or_else(|| "it has no video track".to_owned())?;
    let mdia = payload(trak.payload, b"mdia")?;
    let minf = payload(mdia, b"minf")?;
    let stbl = payload(minf, b"stbl")?;
    let descriptions = read_descriptions(payload(stbl, b"stsd")?)?;
    let media: MdhdBox = boxes::decode_child(mdia, b"mdhd")?;
    let fragments = Fragments::of(moov, header.track_id)?;
    let timescale = media.timescale.get();
    let track = Track {
        descriptions,
        orientation: Orientation::from_matrix(&header.matrix),
        timescale,
        samples: sample::read_tables(stbl, limit)?,
        edit: read_edit(moov, trak.payload, timescale)?,
        cut_off: None,
    };
    Ok((track, fragments))
}

/// The payload of the first box of a kind.
fn payload<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Result<&'a [u8], String> {
    boxes::child(bytes, kind)
        .map(|child| child.payload)
        .ok_or_else(|| format!("its index has no {} box", String::from_utf8_lossy(kind)))
}

fn is_video(trak: &[u8]) -> bool {
    let handler = boxes::child(trak, b"mdia").and_then(|mdia| boxes::child(mdia.payload, b"hdlr"));
    // Version and flags, a reserved field, then the kind of handler.
    handler.is_some_and(|handler| handler.payload.get(8..12) == Some(b"vide"))
}

/// The sample descriptions in the payload of a `stsd` box.
fn read_descriptions(stsd: &[u8]) -> Result<Vec<Description>, TrackError> {
    // Version, flags and the number of entries.
    let entries = boxes::children(stsd.get(8..).unwrap_or_default());
    let descriptions: Vec<_> = entries.map(read_description).collect::<Result<_, _>>()?;
    if descriptions.is_empty() {
        return Err("its index does not describe how the video is coded"
            .to_owned()
            .into());
    }
    Ok(descriptions)
}

fn read_description(entry: Child<'_>) -> Result<Description, TrackError> {
    /// Fields common to all pictures (ISO/IEC 14496-12, 12.1.3), before the boxes.
    const FIELDS: usize = 78;
    if !matches!(entry.kind.as_bytes(), b"avc1" | b"avc3") {
        let reason = format!("its video is coded as {}, not as H.264", entry.kind);
        return Err(TrackError::Unsupported(reason));
    }
    let field = |offset: usize| -> Option<u16> {
        let bytes = entry.payload.get(offset..offset + 2)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    };
    let (Some(width), Some(height), Some(inner)) =
        (field(24), field(26), entry.payload.get(FIELDS..))
    else {
        return Err(format!("its {} box is cut off", entry.kind).into());
    };
    Ok(Description {
        dimensions: (width.into(), height.into()),
        avcc: boxes::decode_child(inner, b"avcC")?,
        colour: boxes::child(inner, b"colr").and_then(|colr| read_colour(colr.payload)),
    })
}

/// Matrix coefficients and full range of a `colr` box.
fn read_colour(colr: &[u8]) -> Option<(u8, bool)> {
    let matrix = *colr.get(9)?;
    match colr.get(..4)? {
        b"nclx" => Some((matrix, colr.get(10)? & 0x80 != 0)),
        b"nclc" => Some((matrix, false)),
        _ => None,
    }
}

/// The part of the track that is shown.
fn read_edit(moov: &[u8], trak: &[u8], timescale: u32) -> Result<Option<(i64, i64)>, TrackError> {
    let Some(edts) = boxes::child(trak, b"edts") else {
        return Ok(None);
    };
    let Some(list): Option<ElstBox> = boxes::optional_child(edts.payload, b"elst")? else {
        return Ok(None);
    };
    // An empty edit delays the beginning, which changes no frame.
    let mut edits = list.entries.iter().filter(|edit| edit.media_time >= 0);
    let Some(edit) = edits.next() else {
        return Ok(None);
    };
    if edits.next().is_some() || edit.media_rate.integer != 1 {
        let reason = "its edit list puts several pieces together".to_owned();
        return Err(TrackError::Unsupported(reason));
    }
    let movie: MvhdBox = boxes::decode_child(moov, b"mvhd")?;
    let movie_timescale = u128::from(movie.timescale.get());
    let duration = (u128::from(edit.edit_duration) * u128::from(timescale) + movie_timescale / 2)
        / movie_timescale;
    let end = match i64::try_from(duration) {
        // No duration: to the end.
        Ok(0) | Err(_) => i64::MAX,
        Ok(duration) => edit.media_time.saturating_add(duration),
    };
    Ok(Some((edit.media_time, end)))
}
