//! JPEG, decoded bit for bit as Pillow does: by libjpeg-turbo's code.
//!
//! `mozjpeg` carries that code; its changes are to the encoder. The settings are those of
//! Pillow: exact integer DCT, smooth ("fancy") chroma upsampling, block smoothing.
//!
//! libjpeg reports in two ways. A fatal error unwinds as a panic that bypasses the panic hook
//! (so nothing is printed) and is caught here. Damage that libjpeg can carry on after is only
//! a warning, and the missing part of the picture becomes grey; [`strict_errors`] counts the
//! warnings so that such a file is refused. Warnings are expected in some sound files, outside
//! the pixels: about markers in the header, or about padding before the end.

use std::cell::Cell;
use std::ffi::c_int;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use image::error::{DecodingError, ImageFormatHint};
use image::{DynamicImage, GrayImage, ImageError, ImageFormat, RgbImage};
use mozjpeg::{ColorSpace, Compress, DctMethod, Decompress};
use mozjpeg_sys::{jpeg_common_struct, jpeg_error_mgr};

/// Width and height from the header.
pub(crate) fn dimensions(bytes: &[u8]) -> Result<(u32, u32), ImageError> {
    let mut ran_out = false;
    let header = guarded(|| {
        let picture = Decompress::builder().from_reader(Input::new(bytes, &mut ran_out))?;
        Ok(picture.size())
    });
    let (width, height) = header.map_err(|reason| failed(ran_out, &reason))?;
    // JPEG stores both in 16 bits.
    Ok((width as u32, height as u32))
}

/// The picture: grey if it has one channel, RGB otherwise. The size was checked before.
pub(crate) fn decode(bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    let mut ran_out = false;
    if let Ok(picture) = guarded(|| read(bytes, Some(strict_errors()), &mut ran_out)) {
        return Ok(picture);
    }
    // The counting error handler cannot tell the reason; the usual one can.
    let reason = match guarded(|| read(bytes, None, &mut false)) {
        Err(reason) => reason,
        Ok(_) => "its compressed data is damaged".to_owned(),
    };
    Err(failed(ran_out, &reason))
}

/// What an encoder spends time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// A small file: several scans, and coefficients chosen for it.
    Small,
    /// An answer at once: one scan, as libjpeg-turbo's own encoder writes it.
    Fast,
}

/// A JPEG file of `pixels`, `[height, width, 3]`.
pub(crate) fn encode(
    pixels: &[u8],
    width: u32,
    height: u32,
    quality: u8,
    effort: Effort,
) -> io::Result<Vec<u8>> {
    let run = || {
        let mut picture = Compress::new(ColorSpace::JCS_RGB);
        picture.set_size(width as usize, height as usize);
        if effort == Effort::Fast {
            picture.set_fastest_defaults();
        }
        picture.set_quality(f32::from(quality.clamp(1, 100)));
        let mut started = picture.start_compress(Vec::new())?;
        started.write_scanlines(pixels)?;
        started.finish()
    };
    guarded(run).map_err(io::Error::other)
}

fn failed(ran_out: bool, reason: &str) -> ImageError {
    let reason = if ran_out {
        "the file ends before the picture does"
    } else {
        reason
    };
    let format = ImageFormatHint::Exact(ImageFormat::Jpeg);
    ImageError::Decoding(DecodingError::new(format, reason))
}

/// Runs libjpeg, with its fatal errors as a message.
fn guarded<T>(run: impl FnOnce() -> io::Result<T>) -> Result<T, String> {
    // Nothing `run` touches is used again after it unwound, except a flag that is always valid.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(finished) => finished.map_err(|error| error.to_string()),
        Err(payload) => Err(match payload.downcast::<String>() {
            Ok(message) => message.trim_start_matches("libjpeg fatal error: ").into(),
            Err(_) => "libjpeg failed".to_owned(),
        }),
    }
}

fn read(
    bytes: &[u8],
    errors: Option<jpeg_error_mgr>,
    ran_out: &mut bool,
) -> io::Result<DynamicImage> {
    let mut builder = Decompress::builder();
    if let Some(errors) = errors {
        builder = builder.with_err(errors);
    }
    let mut picture = builder.from_reader(Input::new(bytes, ran_out))?;
    picture.dct_method(DctMethod::IntegerSlow);
    picture.do_fancy_upsampling(true);
    picture.do_block_smoothing(true);

    let channels = picture.components().len();
    let colours = match channels {
        1 => ColorSpace::JCS_GRAYSCALE,
        3 => ColorSpace::JCS_RGB,
        4 => ColorSpace::JCS_CMYK,
        _ => {
            let message = format!("{channels} colour channels are not supported");
            return Err(io::Error::other(message));
        }
    };
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let before = WARNINGS.get();
    let mut rows = picture.to_colorspace(colours)?;
    // With one scan, no pixel data has been read so far. With several, all of it has.
    let before = if has_single_scan(bytes) {
        WARNINGS.get()
    } else {
        before
    };
    let pixels: Vec<u8> = rows.read_scanlines()?;
    if WARNINGS.get() != before {
        return Err(io::Error::other("damaged"));
    }
    rows.finish()?;

    let picture = match channels {
        1 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        3 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, cmyk_to_rgb(&pixels)).map(DynamicImage::from),
    };
    picture.ok_or_else(|| io::Error::other("rows are missing"))
}

/// Pillow's conversion. JPEG stores inks inverted (255 is no ink), by Adobe's convention.
fn cmyk_to_rgb(pixels: &[u8]) -> Vec<u8> {
    let under_black = |stored: u8, light: u8| {
        let ink = u32::from(255 - stored) * u32::from(light) + 128;
        light.saturating_sub(((ink + (ink >> 8)) >> 8) as u8)
    };
    pixels
        .chunks_exact(4)
        .flat_map(|stored| [0, 1, 2].map(|ink| under_black(stored[ink], stored[3])))
        .collect()
}

/// Whether all pixels come in one sequential scan, as in most files.
fn has_single_scan(bytes: &[u8]) -> bool {
    let mut sequential_channels = None;
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        rest = match rest {
            // Padding, and markers without content.
            [0xff, 0xff, ..] => &rest[1..],
            [0xff, 0x00 | 0x01 | 0xd0..=0xd9, after @ ..] => after,
            [0xff, marker, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match marker {
                    // Length, precision, height, width; then the count of channels.
                    0xc0 | 0xc1 => sequential_channels = rest.get(9),
                    // Length; then the count of channels in this scan.
                    0xda => {
                        return sequential_channels.is_some() && rest.get(4) == sequential_channels;
                    }
                    _ => {}
                }
                rest.get(2 + length..).unwrap_or_default()
            }
            [_, after @ ..] => after,
            [] => return false,
        }
    }
}

thread_local! {
    /// Warnings by libjpeg on this thread, ever.
    static WARNINGS: Cell<u64> = const { Cell::new(0) };
}

/// An error handler that counts warnings in [`WARNINGS`] and unwinds on a fatal error.
fn strict_errors() -> jpeg_error_mgr {
    extern "C-unwind" fn unwind(_: &mut jpeg_common_struct) {
        resume_unwind(Box::new(()));
    }
    extern "C-unwind" fn count(_: &mut jpeg_common_struct, level: c_int) {
        // Other levels are traces.
        if level < 0 {
            WARNINGS.set(WARNINGS.get() + 1);
        }
    }
    extern "C-unwind" fn ignore(_: &mut jpeg_common_struct) {}
    jpeg_error_mgr {
        error_exit: Some(unwind),
        emit_message: Some(count),
        reset_error_mgr: Some(ignore),
        // Called only by the functions replaced above.
        output_message: Some(ignore),
        format_message: None,
        msg_code: 0,
        msg_parm: Default::default(),
        trace_level: 0,
        num_warnings: 0,
        jpeg_message_table: std::ptr::null(),
        last_jpeg_message: 0,
        addon_message_table: std::ptr::null(),
        first_addon_message: 0,
        last_addon_message: 0,
    }
}

/// The bytes of a file. Reading past them is an error, where libjpeg's own inputs would make
/// up an end marker and the missing part of the picture would become grey.
struct Input<'a> {
    rest: &'a [u8],
    ran_out: &'a mut bool,
}

impl<'a> Input<'a> {
    fn new(rest: &'a [u8], ran_out: &'a mut bool) -> Self {
        Self { rest, ran_out }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            *self.ran_out = true;
            // Not `UnexpectedEof`, for which mozjpeg makes up an end marker.
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(self.rest)
    }

    fn consume(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }
}
