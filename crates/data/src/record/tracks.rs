//! Records sorted by object.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::slice;
use std::sync::Arc;

use masklet_media::atomic;
use tempfile::NamedTempFile;

use super::{LineReader, ObjectRecord, ObjectSummary, Order, Records};

/// Objects that are sorted out in one pass over the file; each has a temporary file open.
const OBJECTS_AT_ONCE: usize = 64;

/// One object through the video, in a temporary file of its own.
#[derive(Debug)]
pub struct Track {
    summary: ObjectSummary,
    lines: Arc<NamedTempFile>,
}

impl Track {
    /// Which object, and on how many frames.
    pub fn summary(&self) -> ObjectSummary {
        self.summary
    }

    /// The object on each of its frames: the frame's number and the record.
    ///
    /// # Errors
    /// Each item, if the temporary file cannot be read.
    pub fn entries(&self) -> impl Iterator<Item = io::Result<(usize, ObjectRecord)>> + use<> {
        // The file lives as long as somebody reads it.
        let lines = Arc::clone(&self.lines);
        let mut reader = None;
        std::iter::from_fn(move || {
            let reader = match &mut reader {
                Some(reader) => reader,
                none => match LineReader::open(lines.path()) {
                    Ok(opened) => none.insert(opened),
                    Err(error) => return Some(Err(error)),
                },
            };
            reader.next().transpose()
        })
    }
}

/// The objects one after another; see [`Records::tracks`].
#[derive(Debug)]
pub struct Tracks<'a> {
    records: &'a Records,
    order: Order,
    left: slice::Chunks<'a, ObjectSummary>,
    ready: VecDeque<Track>,
}

impl Records {
    /// The objects one after another, in the order of [`Records::objects`].
    ///
    /// Temporary files hold 64 objects at a time, so that neither many objects nor many frames
    /// fill the memory.
    ///
    /// # Errors
    /// Each item, if the records cannot be read or a temporary file cannot be written.
    pub fn tracks(&self, order: Order) -> Tracks<'_> {
        Tracks {
            records: self,
            order,
            left: self.objects.chunks(OBJECTS_AT_ONCE),
            ready: VecDeque::new(),
        }
    }
}

impl Tracks<'_> {
    fn sort_out(&self, objects: &[ObjectSummary]) -> io::Result<VecDeque<Track>> {
        let mut tracks = objects
            .iter()
            .map(|&summary| {
                // Beside the records, where there is room for a file of their size.
                let folder = self
                    .records
                    .path
                    .parent()
                    .filter(|f| !f.as_os_str().is_empty());
                let lines = tempfile::Builder::new()
                    .prefix(atomic::TEMPORARY_PREFIX)
                    .suffix(atomic::TEMPORARY_SUFFIX)
                    .tempfile_in(folder.unwrap_or(Path::new(".")))?;
                Ok((summary, BufWriter::new(lines)))
            })
            .collect::<io::Result<Vec<_>>>()?;
        for frame in self.records.frames(self.order) {
            let frame = frame?;
            for object in frame.objects {
                let wanted = tracks
                    .iter_mut()
                    .find(|(summary, _)| summary.id == object.id);
                if let Some((_, lines)) = wanted {
                    serde_json::to_writer(&mut *lines, &(frame.frame, object))?;
                    lines.write_all(b"\n")?;
                }
            }
        }
        tracks
            .into_iter()
            .map(|(summary, lines)| {
                let lines = lines.into_inner().map_err(io::IntoInnerError::into_error)?;
                Ok(Track {
                    summary,
                    lines: Arc::new(lines),
                })
            })
            .collect()
    }
}

impl Iterator for Tracks<'_> {
    type Item = io::Result<Track>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            let objects = self.left.next()?;
            match self.sort_out(objects) {
                Ok(tracks) => self.ready = tracks,
                Err(error) => {
                    self.left = [].chunks(1);
                    return Some(Err(error));
                }
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
