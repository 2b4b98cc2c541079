//! Splits a stream into the picture files it consists of.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use crate::RgbImage;
use crate::frames::sequential::Pictures;
use crate::rgb_image::check_pixel_count;

/// The most bytes of one picture: a guard against a stream that never ends one.
const MAX_PICTURE: u64 = 1 << 30;
/// The most bytes between two pictures.
const MAX_GAP: usize = 1 << 20;

const JPEG: &[u8] = &[0xff, 0xd8, 0xff];
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const PPM: &[u8] = b"P6";

const TOO_LONG: &str = "it does not end within 1 GiB";

/// Reads JPEG, PNG and PPM files that follow each other.
pub(in crate::frames) struct PictureReader<R> {
    reader: BufReader<R>,
}

impl<R: Read> PictureReader<R> {
    pub(in crate::frames) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, reader),
        }
    }
}

impl<R: Read + Send> Pictures for PictureReader<R> {
    fn next_picture(&mut self) -> Result<Option<RgbImage>, String> {
        let Some(signature) = find_signature(&mut self.reader)? else {
            return Ok(None);
        };
        let mut input = Input {
            reader: &mut self.reader,
            bytes: signature.to_vec(),
        };
        match signature {
            PPM => return read_ppm(&mut input).map(Some),
            JPEG => input.jpeg()?,
            _ => input.png()?,
        }
        let bytes = input.bytes;
        RgbImage::decode(&bytes)
            .map(Some)
            .map_err(|error| error.to_string())
    }
}

/// Passes over bytes up to the beginning of a picture, which is consumed.
fn find_signature(reader: &mut impl BufRead) -> Result<Option<&'static [u8]>, String> {
    let mut window = Vec::new();
    let mut passed = 0;
    while let Some(byte) = read_byte(reader)? {
        window.push(byte);
        for signature in [JPEG, PNG, PPM] {
            // `P6` is short enough to occur by chance: it counts only where a picture is due.
            let expected = signature != PPM || window.len() == signature.len() && passed == 0;
            if expected && window.ends_with(signature) {
                return Ok(Some(signature));
            }
        }
        if window.len() > 2 * PNG.len() {
            passed += 1;
            window.remove(0);
        }
        if passed > MAX_GAP {
            return Err("there is no JPEG, PNG or PPM picture where it should begin".to_owned());
        }
    }
    let only_padding = passed == 0 && window.iter().all(|byte| matches!(byte, 0 | b'\r' | b'\n'));
    if only_padding || is_multipart_end(&window) {
        Ok(None)
    } else {
        Err("the stream ends with something that is no JPEG, PNG or PPM picture".to_owned())
    }
}

/// The end of a multipart stream is a boundary line, `--name` or `--name--`.
fn is_multipart_end(rest: &[u8]) -> bool {
    let line: Vec<u8> = rest
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect();
    line.is_ascii() && (line.starts_with(b"--") || line.ends_with(b"--"))
}

fn read_byte(reader: &mut impl BufRead) -> Result<Option<u8>, String> {
    let mut byte = [0];
    loop {
        return match reader.read(&mut byte) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(byte[0])),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error.to_string()),
        };
    }
}

/// The bytes of one picture, as far as they have been read.
struct Input<'a, R> {
    reader: &'a mut R,
    bytes: Vec<u8>,
}

impl<R: BufRead> Input<'_, R> {
    fn byte(&mut self) -> Result<u8, String> {
        if self.bytes.len() as u64 >= MAX_PICTURE {
            return Err(TOO_LONG.to_owned());
        }
        let byte = read_byte(self.reader)?.ok_or_else(ended)?;
        self.bytes.push(byte);
        Ok(byte)
    }

    /// Reads `count` bytes; memory grows with what arrives and not with what was announced.
    fn take(&mut self, count: u64) -> Result<(), String> {
        if self.bytes.len() as u64 + count > MAX_PICTURE {
            return Err(TOO_LONG.to_owned());
        }
        let read = self
            .reader
            .by_ref()
            .take(count)
            .read_to_end(&mut self.bytes);
        match read {
            Ok(read) if read as u64 == count => Ok(()),
            Ok(_) => Err(ended()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Up to the end marker of a JPEG whose first three bytes have been read. Segments are
    /// passed over by their length, because they may hold a thumbnail with its own end.
    fn jpeg(&mut self) -> Result<(), String> {
        let mut marker = self.marker()?;
        loop {
            match marker {
                0xd9 => return Ok(()),
                // Markers without content.
                0x01 | 0xd0..=0xd8 => marker = self.next_marker()?,
                0xda => {
                    self.segment()?;
                    marker = self.entropy_coded()?;
                }
                _ => {
                    self.segment()?;
                    marker = self.next_marker()?;
                }
            }
        }
    }

    fn next_marker(&mut self) -> Result<u8, String> {
        match self.byte()? {
            0xff => self.marker(),
            _ => Err("its JPEG structure is damaged".to_owned()),
        }
    }

    /// The kind of marker after its first 0xff, of which there may be several.
    fn marker(&mut self) -> Result<u8, String> {
        loop {
            let byte = self.byte()?;
            if byte != 0xff {
                return Ok(byte);
            }
        }
    }

    fn segment(&mut self) -> Result<(), String> {
        let length = u16::from_be_bytes([self.byte()?, self.byte()?]);
        let rest = length
            .checked_sub(2)
            .ok_or("its JPEG structure is damaged")?;
        self.take(rest.into())
    }

    /// Passes over pixel data to the marker that ends them.
    fn entropy_coded(&mut self) -> Result<u8, String> {
        loop {
            if self.byte()? == 0xff {
                match self.marker()? {
                    0x00 | 0xd0..=0xd7 => {}
                    marker => return Ok(marker),
                }
            }
        }
    }

    /// Up to the last chunk of a PNG whose signature has been read.
    fn png(&mut self) -> Result<(), String> {
        loop {
            let start = self.bytes.len();
            self.take(8)?;
            let header = &self.bytes[start..];
            let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
            let last = header[4..] == *b"IEND";
            // The checksum follows.
            self.take(u64::from(length) + 4)?;
            if last {
                return Ok(());
            }
        }
    }
}

fn ended() -> String {
    "the stream ends within it".to_owned()
}

/// A PPM file whose signature has been read: width, height, largest value, pixels.
fn read_ppm(input: &mut Input<'_, impl BufRead>) -> Result<RgbImage, String> {
    let width = ppm_number(input)?;
    let height = ppm_number(input)?;
    let largest = ppm_number(input)?;
    if largest != 255 {
        return Err(format!(
            "it has values up to {largest}; PPM with 255 is read"
        ));
    }
    read_pixels(input.reader, width, height, false)?.ok_or_else(ended)
}

fn ppm_number(input: &mut Input<'_, impl BufRead>) -> Result<u32, String> {
    let damaged = || "its PPM header is damaged".to_owned();
    let mut byte = input.byte()?;
    while byte.is_ascii_whitespace() || byte == b'#' {
        if byte == b'#' {
            while input.byte()? != b'\n' {}
        }
        byte = input.byte()?;
    }
    let mut number = 0_u32;
    while byte.is_ascii_digit() {
        let digit = u32::from(byte - b'0');
        number = (number.checked_mul(10).and_then(|n| n.checked_add(digit))).ok_or_else(damaged)?;
        byte = input.byte()?;
    }
    // The one byte of white space that ends a number has been consumed.
    if byte.is_ascii_whitespace() {
        Ok(number)
    } else {
        Err(damaged())
    }
}

/// `[height, width, 3]` bytes; `None` if the stream ends before the first and `may_end`.
pub(in crate::frames) fn read_pixels(
    reader: &mut impl Read,
    width: u32,
    height: u32,
    may_end: bool,
) -> Result<Option<RgbImage>, String> {
    check_pixel_count("the frame", width, height).map_err(|error| error.to_string())?;
    let expected = u64::from(width) * u64::from(height) * 3;
    let mut pixels = Vec::new();
    let read = reader
        .take(expected)
        .read_to_end(&mut pixels)
        .map_err(|error| error.to_string())?;
    match read as u64 {
        0 if may_end => Ok(None),
        read if read < expected => Err(format!(
            "the stream ends within it ({read} of {expected} bytes are there)"
        )),
        _ => RgbImage::from_raw(width, height, pixels)
            .map(Some)
            .map_err(|error| error.to_string()),
    }
}
