//! Recorded masklets: a file of one JSON line for each frame, written while a video is tracked.
//!
//! The file is the truth of which everything else is made: it can be read while it grows, cut
//! off after any line and continued, and be larger than memory.
//!
//! ```json
//! {"frame":0,"time":0.0,"objects":[{"id":1,"segmentation":{"size":[480,854],"counts":"…"},
//!  "occlusion_score":7.2,"area":5120,"bbox":[200,150,90,80],"stability_score":0.98,"prompted":true}]}
//! ```

mod tracks;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use masklet_media::Rle;
use serde::{Deserialize, Serialize};

pub use tracks::{Track, Tracks};

/// One frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameRecord {
    /// The frame's number in the video, from 0.
    pub frame: usize,
    /// Its moment in seconds from the beginning of the video, if the input tells.
    pub time: Option<f64>,
    /// The objects that are tracked on it, those that are hidden too.
    pub objects: Vec<ObjectRecord>,
}

/// One object on one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Which object.
    pub id: u32,
    /// Its mask, of the video's size.
    pub segmentation: Rle,
    /// The logit of its being in the picture: positive if the model sees it.
    pub occlusion_score: f32,
    /// Pixels of the mask.
    pub area: u64,
    /// Left, top, width and height in pixels; zeros for an empty mask.
    pub bbox: [u32; 4],
    /// How little the mask depends on the threshold, in 0..=1: pixels with logits above 1 to
    /// pixels with logits above -1, at the model's resolution; 1 if there are none.
    pub stability_score: f32,
    /// Whether the user prompted the object on this frame.
    pub prompted: bool,
}

impl ObjectRecord {
    /// Whether the model sees the object.
    pub fn visible(&self) -> bool {
        self.occlusion_score > 0.0
    }
}

/// Appends frames to a file of records.
#[derive(Debug)]
pub struct RecordWriter {
    file: BufWriter<File>,
    line: Vec<u8>,
}

impl RecordWriter {
    /// Begins an empty file, in place of an older one.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self::new(File::create(path)?))
    }

    /// Continues a file after its first `frames` lines; what follows them is cut off.
    ///
    /// # Errors
    /// If the file cannot be opened, or has fewer lines.
    pub fn resume(path: &Path, frames: usize) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let end = end_of_line(&file, frames)?.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("it holds fewer than the {frames} frames that were completed"),
            )
        })?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        Ok(Self::new(file))
    }

    fn new(file: File) -> Self {
        Self {
            file: BufWriter::new(file),
            line: Vec::new(),
        }
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, frame: &FrameRecord) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, frame)?;
        self.line.push(b'\n');
        self.file.write_all(&self.line)
    }

    /// Hands everything to the operating system, where it survives the end of the process.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Where line number `count` ends, if there are so many.
fn end_of_line(file: &File, count: usize) -> io::Result<Option<u64>> {
    let mut reader = BufReader::new(file);
    let mut end = 0;
    let mut line = Vec::new();
    for _ in 0..count {
        line.clear();
        end += reader.read_until(b'\n', &mut line)? as u64;
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
    }
    Ok(Some(end))
}

/// In which order frames are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they were tracked, which may be backward.
    Tracked,
    /// By their numbers.
    Frame,
}

/// A complete file of records. It is read from disk as often as needed: in memory are sixteen
/// bytes for each frame and a few for each object.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    /// Number and place of each frame, as tracked.
    frames: Vec<(usize, u64)>,
    objects: Vec<ObjectSummary>,
}

/// One object in all frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectSummary {
    /// Which object.
    pub id: u32,
    /// The frames on which it is tracked.
    pub frames: usize,
    /// Those of them on which the model sees it.
    pub visible_frames: usize,
}

impl Records {
    /// Reads a file once and notes what is where.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut reader = LineReader::open(path)?;
        let mut frames = Vec::new();
        let mut objects: Vec<ObjectSummary> = Vec::new();
        let mut index: BTreeMap<u32, usize> = BTreeMap::new();
        let mut place = 0;
        while let Some(record) = reader.next::<FrameRecord>()? {
            frames.push((record.frame, place));
            place = reader.place;
            for object in &record.objects {
                let at = *index.entry(object.id).or_insert_with(|| {
                    objects.push(ObjectSummary {
                        id: object.id,
                        frames: 0,
                        visible_frames: 0,
                    });
                    objects.len() - 1
                });
                objects[at].frames += 1;
                objects[at].visible_frames += usize::from(object.visible());
            }
        }
        Ok(Self {
            path: path.to_owned(),
            frames,
            objects,
        })
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are no frames.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The objects, in the order of their first frames as tracked.
    pub fn objects(&self) -> &[ObjectSummary] {
        &self.objects
    }

    /// The numbers of the frames.
    pub fn numbers(&self, order: Order) -> impl Iterator<Item = usize> {
        self.places(order).into_iter().map(|(number, _)| number)
    }

    /// The frames, read one by one.
    ///
    /// # Errors
    /// Each item, if the file cannot be read any more.
    pub fn frames(&self, order: Order) -> impl Iterator<Item = io::Result<FrameRecord>> + use<> {
        let places = self.places(order);
        let path = self.path.clone();
        let mut reader = None;
        places.into_iter().map(move |(_, place)| {
            let reader = match &mut reader {
                Some(reader) => reader,
                none => none.insert(LineReader::open(&path)?),
            };
            reader.seek(place)?;
            reader
                .next()?
                .ok_or_else(|| reader.invalid("it became shorter"))
        })
    }

    fn places(&self, order: Order) -> Vec<(usize, u64)> {
        let mut places = self.frames.clone();
        if order == Order::Frame {
            places.sort_unstable();
        }
        places
    }
}

/// Reads JSON lines.
#[derive(Debug)]
struct LineReader {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the next line begins.
    place: u64,
    line: Vec<u8>,
}

impl LineReader {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::new(File::open(path)?),
            place: 0,
            line: Vec::new(),
        })
    }

    fn seek(&mut self, place: u64) -> io::Result<()> {
        if place != self.place {
            self.file.seek(SeekFrom::Start(place))?;
            self.place = place;
        }
        Ok(())
    }

    fn next<T: for<'a> Deserialize<'a>>(&mut self) -> io::Result<Option<T>> {
        self.line.clear();
        self.place += self.file.read_until(b'\n', &mut self.line)? as u64;
        if self.line.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&self.line)
            .map(Some)
            .map_err(|error| self.invalid(&error.to_string()))
    }

    fn invalid(&self, what: &str) -> io::Error {
        let message = format!("{} is not a file of records: {what}", self.path.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    }
}
