//! The file of logits.
//!
//! A safetensors file begins with a table of all its tensors, which is not known before the end.
//! The values wait in a file of their own and are copied behind the table.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use masklet_data::record::{Order, Records};
use masklet_media::atomic;

use super::names::UNFINISHED;
use super::scene::{Scene, Sink, Whole};
use crate::failure::Failure;
use crate::output::OutputFolder;

/// Bytes of a value.
const VALUE: u64 = size_of::<f32>() as u64;

/// Collects logits: for each frame and object the low-resolution ones and the object's score.
pub(super) struct LogitsFile {
    /// The values, little-endian, in the order of tracking.
    values: BufWriter<File>,
    values_path: PathBuf,
    /// Where the result goes.
    path: PathBuf,
    /// The side of low-resolution logits.
    side: usize,
}

impl LogitsFile {
    /// Begins to collect, or continues after the frames of `resumed`.
    pub(super) fn create(
        folder: &OutputFolder,
        path: &Path,
        side: usize,
        resumed: Option<&Records>,
    ) -> Result<Self, Failure> {
        let values_path = folder.file(&format!("{UNFINISHED}/logits.f32"))?;
        let open = || -> io::Result<File> {
            let Some(resumed) = resumed else {
                return File::create(&values_path);
            };
            let entries: usize = resumed.objects().iter().map(|object| object.frames).sum();
            let length = entries as u64 * entry_length(side);
            let mut file = OpenOptions::new().write(true).open(&values_path)?;
            if file.metadata()?.len() < length {
                let message = "it is shorter than the completed frames need";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            file.set_len(length)?;
            io::Seek::seek(&mut file, io::SeekFrom::Start(length))?;
            Ok(file)
        };
        let values = open().with_context(|| format!("cannot write {}", values_path.display()))?;
        Ok(Self {
            values: BufWriter::new(values),
            values_path,
            path: path.to_owned(),
            side,
        })
    }

    fn failed(&self) -> String {
        format!("cannot write {}", self.values_path.display())
    }
}

/// Bytes of one object on one frame.
fn entry_length(side: usize) -> u64 {
    (side as u64 * side as u64 + 1) * VALUE
}

impl Sink for LogitsFile {
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        for object in &scene.result.objects {
            let values = object.low_res_logits.iter().chain([&object.object_score]);
            for value in values {
                let written = self.values.write_all(&value.to_le_bytes());
                written.with_context(|| self.failed())?;
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        self.values.flush().with_context(|| self.failed())?;
        Ok(())
    }

    fn finish(&mut self, whole: &Whole<'_>) -> Result<(), Failure> {
        self.checkpoint()?;
        atomic::write_with(&self.path, |file| {
            let mut length = Length::default();
            write_table(&mut length, whole.records, self.side)?;
            // Padded with spaces to a multiple of eight, which keeps the values aligned.
            let padded = length.0.next_multiple_of(8);
            file.write_all(&padded.to_le_bytes())?;
            write_table(file, whole.records, self.side)?;
            let padding = (padded - length.0) as usize;
            file.write_all(&b"       "[..padding])?;
            io::copy(&mut File::open(&self.values_path)?, file)?;
            Ok(())
        })?;
        Ok(())
    }
}

/// The table of tensors: `<frame>/<id>/low_res_logits`, `<frame>/<id>/object_score`.
fn write_table(file: &mut dyn Write, records: &Records, side: usize) -> io::Result<()> {
    file.write_all(br#"{"__metadata__":{"format":"pt"}"#)?;
    let mut start = 0;
    for record in records.frames(Order::Tracked) {
        let record = record?;
        for object in &record.objects {
            let end = start + entry_length(side);
            let score = end - VALUE;
            let name = format!("{:05}/{}", record.frame, object.id);
            write!(
                file,
                r#","{name}/low_res_logits":{{"dtype":"F32","shape":[{side},{side}],"data_offsets":[{start},{score}]}}"#,
            )?;
            write!(
                file,
                r#","{name}/object_score":{{"dtype":"F32","shape":[1],"data_offsets":[{score},{end}]}}"#,
            )?;
            start = end;
        }
    }
    file.write_all(b"}")
}

/// Counts bytes and forgets them.
#[derive(Default)]
struct Length(u64);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
