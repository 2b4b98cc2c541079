//! Label maps from PNG files.
//!
//! What counts in a palette picture is the index, which a picture decoder would look up and
//! throw away: the file is read without that step.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use masklet_media::MAX_PIXELS;
use png::{BitDepth, ColorType, Decoder, Transformations};

use super::{LabelMap, Labels};
use crate::{DataError, Result};

impl LabelMap {
    /// Reads a label map from a PNG file.
    ///
    /// Palette pictures give their indices and grey ones their values, of any depth. RGB
    /// pictures (some tools write them) are accepted if every pixel is grey, or else if every
    /// colour is one of the DAVIS palette. Transparency is ignored.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Png`] if the file is damaged or no PNG,
    /// [`DataError::NotLabels`] if its colours are no labels or it has too many pixels.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |source| match source {
            png::DecodingError::IoError(source)
                if source.kind() != std::io::ErrorKind::UnexpectedEof =>
            {
                DataError::Read {
                    path: path.to_owned(),
                    source,
                }
            }
            source => DataError::Png {
                path: path.to_owned(),
                source,
            },
        };
        let file = File::open(path).map_err(DataError::read(path))?;
        let mut decoder = Decoder::new(BufReader::new(file));
        decoder.set_transformations(Transformations::IDENTITY);
        let mut reader = decoder.read_info().map_err(failed)?;
        let (width, height) = (reader.info().width, reader.info().height);
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(DataError::NotLabels {
                path: path.to_owned(),
                found: format!("it has {width}x{height} pixels, of at most {MAX_PIXELS}"),
            });
        }
        let size = reader.output_buffer_size().unwrap_or_default();
        let mut buffer = vec![0; size];
        let info = reader.next_frame(&mut buffer).map_err(failed)?;
        let is_label = info.color_type.samples() == 1 && info.bit_depth == BitDepth::Eight;
        if is_label && info.line_size == width as usize {
            return Self::new(width, height, Labels::Bytes(buffer));
        }
        let rows = buffer.chunks_exact(info.line_size);
        let not_labels = |colour| DataError::NotLabels {
            path: path.to_owned(),
            found: format!("the colour {colour:?} is neither grey nor one of the palette's"),
        };
        let labels = labels_of(rows, width as usize, info.color_type, info.bit_depth);
        Self::from_labels(width, height, labels.map_err(not_labels)?)
    }
}

/// The labels of all rows; the error is a colour that stands for no label.
fn labels_of<'a>(
    rows: impl Iterator<Item = &'a [u8]>,
    width: usize,
    colour: ColorType,
    depth: BitDepth,
) -> Result<Vec<u16>, [u16; 3]> {
    let mut labels = Vec::new();
    let mut colours = Vec::new();
    let samples = colour.samples();
    for row in rows {
        let values = unpack(row, width * samples, depth);
        match samples {
            1 | 2 => labels.extend(values.step_by(samples)),
            _ => {
                let values: Vec<u16> = values.collect();
                colours.extend(values.chunks_exact(samples).map(|p| [p[0], p[1], p[2]]));
            }
        }
    }
    if colours.is_empty() {
        Ok(labels)
    } else {
        labels_of_colours(&colours)
    }
}

fn labels_of_colours(colours: &[[u16; 3]]) -> Result<Vec<u16>, [u16; 3]> {
    if colours.iter().all(|[r, g, b]| r == g && g == b) {
        return Ok(colours.iter().map(|colour| colour[0]).collect());
    }
    let palette: std::collections::HashMap<[u16; 3], u16> = (0..=255u16)
        .map(|label| (davis_colour(label as u8).map(u16::from), label))
        .collect();
    colours
        .iter()
        .map(|colour| palette.get(colour).copied().ok_or(*colour))
        .collect()
}

/// The first `count` samples of a row.
fn unpack(row: &[u8], count: usize, depth: BitDepth) -> impl Iterator<Item = u16> {
    let bits = match depth {
        BitDepth::One => 1,
        BitDepth::Two => 2,
        BitDepth::Four => 4,
        BitDepth::Eight => 8,
        BitDepth::Sixteen => 16,
    };
    (0..count).map(move |index| match bits {
        16 => u16::from_be_bytes([row[2 * index], row[2 * index + 1]]),
        8 => u16::from(row[index]),
        _ => {
            let at = index * bits;
            let shift = 8 - bits - at % 8;
            u16::from(row[at / 8] >> shift) & ((1 << bits) - 1)
        }
    })
}

/// The colour of a label in the palette of DAVIS and PASCAL VOC: the bits of the label are
/// dealt out to red, green and blue in turn, most significant bit of the colour first.
pub fn davis_colour(label: u8) -> [u8; 3] {
    let mut colour = [0u8; 3];
    for bit in 0..8 {
        let channel = bit % 3;
        colour[channel] |= (label >> bit & 1) << (7 - bit / 3);
    }
    colour
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colours_are_those_of_davis() {
        let first: Vec<_> = (0..6).map(davis_colour).collect();
        assert_eq!(
            first,
            [
                [0, 0, 0],
                [128, 0, 0],
                [0, 128, 0],
                [128, 128, 0],
                [0, 0, 128],
                [128, 0, 128]
            ]
        );
        assert_eq!(davis_colour(255), [224, 224, 192]);
        assert_eq!(davis_colour(22), [0, 192, 128]);
    }

    #[test]
    fn samples_of_less_than_a_byte_are_unpacked_from_the_left() {
        let two =
            |count| unpack(&[0b0001_1011, 0b1100_0000], count, BitDepth::Two).collect::<Vec<_>>();
        assert_eq!(two(5), [0, 1, 2, 3, 3]);
        assert_eq!(
            unpack(&[0xa3], 2, BitDepth::Four).collect::<Vec<_>>(),
            [10, 3]
        );
        assert_eq!(
            unpack(&[1, 2], 1, BitDepth::Sixteen).collect::<Vec<_>>(),
            [258]
        );
    }
}
