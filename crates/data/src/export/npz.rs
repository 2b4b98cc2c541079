//! NumPy: one `.npz` of arrays.
//!
//! | array | type | shape | |
//! |---|---|---|---|
//! | `frames` | int64 | T | numbers of the tracked frames, ascending |
//! | `times` | float64 | T | seconds; NaN if unknown |
//! | `object_ids` | int64 | K | objects, in the order they appeared |
//! | `occlusion_scores` | float32 | T, K | positive: visible; NaN where the object is not tracked |
//! | `masks` | bool | T, K, H, W | |

use std::io::{self, Write};

use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::VideoFacts;
use crate::record::{FrameRecord, Order, Records};

/// Writes the file; masks are compressed and never in memory together.
///
/// # Errors
/// If the records cannot be read or the file cannot be written.
pub fn write(video: &VideoFacts, records: &Records, file: &mut dyn Write) -> io::Result<()> {
    let (width, height) = video.dimensions;
    let (frames, objects) = (records.len(), records.objects().len());
    let mut archive = Archive(ZipWriter::new_stream(file));

    archive.start("frames", "<i8", &[frames])?;
    for number in records.numbers(Order::Frame) {
        archive.0.write_all(&(number as i64).to_le_bytes())?;
    }
    archive.start("times", "<f8", &[frames])?;
    for record in records.frames(Order::Frame) {
        let time = record?.time.unwrap_or(f64::NAN);
        archive.0.write_all(&time.to_le_bytes())?;
    }
    archive.start("object_ids", "<i8", &[objects])?;
    for object in records.objects() {
        archive.0.write_all(&i64::from(object.id).to_le_bytes())?;
    }
    archive.start("occlusion_scores", "<f4", &[frames, objects])?;
    for record in records.frames(Order::Frame) {
        let record = record?;
        for object in records.objects() {
            let score = find(&record, object.id).map_or(f32::NAN, |o| o.occlusion_score);
            archive.0.write_all(&score.to_le_bytes())?;
        }
    }
    let shape = [frames, objects, height as usize, width as usize];
    archive.start("masks", "|b1", &shape)?;
    let mut pixels = vec![0u8; width as usize * height as usize];
    for record in records.frames(Order::Frame) {
        let record = record?;
        for object in records.objects() {
            pixels.fill(0);
            if let Some(object) = find(&record, object.id) {
                let mask = object.segmentation.decode();
                for (pixel, &bit) in pixels.iter_mut().zip(mask.bits()) {
                    *pixel = bit.into();
                }
            }
            archive.0.write_all(&pixels)?;
        }
    }
    archive.0.finish()?;
    Ok(())
}

fn find(record: &FrameRecord, id: u32) -> Option<&crate::record::ObjectRecord> {
    record.objects.iter().find(|object| object.id == id)
}

/// A zip archive of arrays.
struct Archive<W: Write>(ZipWriter<StreamWriter<W>>);

impl<W: Write> Archive<W> {
    /// Begins an array, whose values are to follow in C order.
    fn start(&mut self, name: &str, dtype: &str, shape: &[usize]) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1))
            .last_modified_time(DateTime::default())
            .large_file(true);
        self.0.start_file(format!("{name}.npy"), options)?;
        self.0.write_all(&header(dtype, shape))
    }
}

/// The header of the NPY format, version 1.0: padded so that values begin at a multiple of 64.
fn header(dtype: &str, shape: &[usize]) -> Vec<u8> {
    let shape: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let mut text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({shape}), }}");
    const BEFORE_TEXT: usize = 10;
    let end = (BEFORE_TEXT + text.len() + 1).next_multiple_of(64);
    text.push_str(&" ".repeat(end - BEFORE_TEXT - text.len() - 1));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes
}
