//! Walking through the boxes of an MP4 file.

use std::io::{Read, Seek, SeekFrom};

use shiguredo_mp4::{BoxHeader, BoxSize, BoxType, Decode};

/// The largest box that is read into memory: the index of a video of many days.
const MAX_INDEX: u64 = 512 << 20;

/// Where a box of the file lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) kind: BoxType,
    pub(super) start: u64,
    /// Past the last byte, as the header says: it may lie past the end of the file.
    pub(super) end: u64,
}

/// The header of the box at `start` of a file of `length` bytes; `None` at its end, or where
/// no box follows any more.
pub(super) fn span_at(
    reader: &mut (impl Read + Seek),
    start: u64,
    length: u64,
) -> std::io::Result<Option<Span>> {
    let available = length.saturating_sub(start).min(BoxHeader::MAX_SIZE as u64);
    let mut beginning = [0; BoxHeader::MAX_SIZE];
    let beginning = &mut beginning[..available as usize];
    reader.seek(SeekFrom::Start(start))?;
    reader.read_exact(beginning)?;
    let Ok((header, _)) = BoxHeader::decode(beginning) else {
        return Ok(None);
    };
    let end = match header.box_size {
        BoxSize::U32(0) => length,
        size => start.saturating_add(size.get()),
    };
    Ok(Some(Span {
        kind: header.box_type,
        start,
        end,
    }))
}

/// The whole box, header included.
///
/// # Errors
/// If the file ends within it, if it is too large to be an index, or on a failed read.
pub(super) fn read_span(
    reader: &mut (impl Read + Seek),
    span: Span,
    length: u64,
) -> Result<Vec<u8>, String> {
    let size = span.end - span.start;
    if span.end > length {
        return Err(format!(
            "its index is cut off ({} bytes are missing at the end of the file)",
            span.end - length
        ));
    }
    if size > MAX_INDEX {
        return Err(format!(
            "its index claims {size} bytes, more than makes sense"
        ));
    }
    let mut bytes = vec![0; size as usize];
    reader
        .seek(SeekFrom::Start(span.start))
        .and_then(|_| reader.read_exact(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// A box within another.
#[derive(Clone, Copy)]
pub(super) struct Child<'a> {
    pub(super) kind: BoxType,
    /// Header and payload.
    pub(super) whole: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// The boxes in `bytes`, up to the first malformed one.
pub(super) fn children(mut bytes: &[u8]) -> impl Iterator<Item = Child<'_>> {
    std::iter::from_fn(move || {
        let (header, header_size) = BoxHeader::decode(bytes).ok()?;
        let size = match header.box_size {
            BoxSize::U32(0) => bytes.len(),
            size => usize::try_from(size.get()).ok()?,
        };
        let (whole, rest) = bytes.split_at_checked(size)?;
        bytes = rest;
        Some(Child {
            kind: header.box_type,
            whole,
            payload: whole.get(header_size..)?,
        })
    })
}

/// The first box of a kind in `bytes`.
pub(super) fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<Child<'a>> {
    children(bytes).find(|child| child.kind == BoxType::Normal(*kind))
}

/// The first box of a kind, decoded.
///
/// # Errors
/// If it is not there or malformed.
pub(super) fn decode_child<T: Decode>(bytes: &[u8], kind: &[u8; 4]) -> Result<T, String> {
    optional_child(bytes, kind)?.ok_or_else(|| format!("its index has no {} box", name(kind)))
}

/// The first box of a kind, decoded, if it is there.
///
/// # Errors
/// If it is malformed.
pub(super) fn optional_child<T: Decode>(bytes: &[u8], kind: &[u8; 4]) -> Result<Option<T>, String> {
    child(bytes, kind)
        .map(|child| decode(child.whole, kind))
        .transpose()
}

/// A whole box, decoded.
///
/// # Errors
/// If it is malformed.
pub(super) fn decode<T: Decode>(whole: &[u8], kind: &[u8; 4]) -> Result<T, String> {
    T::decode(whole)
        .map(|(decoded, _)| decoded)
        .map_err(|error| format!("the {} box of its index is damaged ({error})", name(kind)))
}

fn name(kind: &[u8; 4]) -> String {
    String::from_utf8_lossy(kind).into_owned()
}
