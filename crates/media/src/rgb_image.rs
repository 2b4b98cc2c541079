//! An 8-bit RGB picture and its way in from, and out to, a file.

use std::fs::File;
use std::io::{self, Cursor, Read as _};
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{
    DynamicImage, ExtendedColorType, ImageEncoder, ImageError, ImageFormat, ImageReader, Limits,
};

use crate::jpeg::{self, Effort};
use crate::{BoundingBox, MediaError, Result, atomic, preprocess};

/// The most pixels a picture or mask read from outside may have: 178,956,970, the count at
/// which Pillow too refuses (13,377 squared).
pub const MAX_PIXELS: u64 = 178_956_970;

/// The longest beginning by which a format is recognised, with room to spare.
const SIGNATURE_LENGTH: u64 = 64;

/// An 8-bit RGB picture: `[height, width, 3]` bytes, row-major, at least one pixel.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl RgbImage {
    /// A picture over `pixels`, `[height, width, 3]` bytes in red, green, blue order.
    ///
    /// # Errors
    /// [`MediaError::EmptyImage`] if a side is zero; [`MediaError::BufferLength`] if `pixels`
    /// is not `width * height * 3` long.
    pub fn from_raw(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self> {
        if width == 0 || height == 0 {
            return Err(MediaError::EmptyImage { width, height });
        }
        let expected = (width as usize)
            .saturating_mul(height as usize)
            .saturating_mul(3);
        if pixels.len() != expected {
            return Err(MediaError::BufferLength {
                what: "RGB picture",
                width,
                height,
                expected,
                found: pixels.len(),
            });
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// A picture of one colour.
    ///
    /// # Errors
    /// [`MediaError::EmptyImage`] if a side is zero; [`MediaError::TooLarge`] above
    /// [`MAX_PIXELS`].
    pub fn filled(width: u32, height: u32, colour: [u8; 3]) -> Result<Self> {
        check_pixel_count("the new picture", width, height)?;
        Self::from_raw(
            width,
            height,
            colour.repeat(width as usize * height as usize),
        )
    }

    /// Reads a picture file, whatever its extension says.
    ///
    /// JPEG, PNG, WebP, BMP, TIFF and GIF (first frame) are recognised by their first bytes.
    /// Pixels become 8-bit RGB as by Pillow's `convert("RGB")`, which the reference uses:
    /// transparency is dropped without blending, greyscale is repeated, palettes are looked
    /// up; of 16-bit channels the high byte is kept.
    ///
    /// Lossless formats and JPEG give Pillow's pixels exactly: JPEG is decoded by
    /// libjpeg-turbo's code, as in Pillow, because other decoders round differently. Colour
    /// profiles are ignored. A JPEG that ends early or whose data is damaged is an error,
    /// also where Pillow would fill the missing part with grey. JPEG with arithmetic coding
    /// (rare) is not supported.
    ///
    /// An EXIF orientation is **not** applied, because the reference does not: the pixels,
    /// and all prompt coordinates, are in the stored orientation.
    ///
    /// # Errors
    /// [`MediaError::Read`], [`MediaError::NotAnImage`], [`MediaError::Decode`] or
    /// [`MediaError::TooLarge`], each naming the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::decode_named(&path.display().to_string(), &read_file(path)?)
    }

    /// Whether a file begins as a picture of a format that is read; it may still be damaged.
    ///
    /// # Errors
    /// [`MediaError::Read`].
    pub fn recognises(path: impl AsRef<Path>) -> Result<bool> {
        let path = path.as_ref();
        let mut beginning = Vec::new();
        File::open(path)
            .and_then(|file| file.take(SIGNATURE_LENGTH).read_to_end(&mut beginning))
            .map_err(|source| MediaError::Read {
                path: path.to_owned(),
                source,
            })?;
        Ok(recognise("the file", &beginning).is_ok())
    }

    /// Decodes a picture from the bytes of a file; see [`RgbImage::open`].
    ///
    /// # Errors
    /// [`MediaError::NotAnImage`], [`MediaError::Decode`] or [`MediaError::TooLarge`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::decode_named("the picture given as bytes", bytes)
    }

    fn decode_named(name: &str, bytes: &[u8]) -> Result<Self> {
        let decoded = decode_dynamic(name, bytes)?;
        let (width, height) = (decoded.width(), decoded.height());
        Self::from_raw(width, height, into_rgb8(decoded))
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The pixels, `[height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, `[height, width, 3]`, to change in place.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The pixels, `[height, width, 3]`, without a copy.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// The colour at column `x`, row `y`, or `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let at = (y as usize * self.width as usize + x as usize) * 3;
        self.pixels.get(at..at + 3)?.try_into().ok()
    }

    /// The picture at another width and height, by Pillow's default filter (bicubic).
    ///
    /// # Errors
    /// [`MediaError::EmptyImage`] if a side is zero.
    pub fn resized(&self, (width, height): (u32, u32)) -> Result<Self> {
        // The filter has no windows for a side of zero: the error comes from the empty picture.
        let pixels = match width == 0 || height == 0 {
            true => Vec::new(),
            false => preprocess::resize_like_pillow(self, width as usize, height as usize),
        };
        Self::from_raw(width, height, pixels)
    }

    /// The part of the picture inside `bounds`.
    ///
    /// # Errors
    /// [`MediaError::OutsidePicture`] if `bounds` has no pixel or reaches beyond the picture.
    pub fn crop(&self, bounds: BoundingBox) -> Result<Self> {
        let inside = bounds.x1 <= self.width && bounds.y1 <= self.height;
        if !inside || bounds.area() == 0 {
            return Err(MediaError::OutsidePicture {
                bounds,
                width: self.width,
                height: self.height,
            });
        }
        let row = |y: u32| {
            let first = (y as usize * self.width as usize + bounds.x0 as usize) * 3;
            &self.pixels[first..][..bounds.width() as usize * 3]
        };
        let rows: Vec<&[u8]> = (bounds.y0..bounds.y1).map(row).collect();
        Self::from_raw(bounds.width(), bounds.height(), rows.concat())
    }

    /// Writes the picture as an 8-bit RGB PNG, complete or not at all (see [`atomic`]).
    ///
    /// # Errors
    /// [`MediaError::Write`], naming the file.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = encode_png(
            &self.pixels,
            self.width,
            self.height,
            ExtendedColorType::Rgb8,
        );
        write_png(path.as_ref(), bytes)
    }

    /// The picture as the bytes of an 8-bit RGB PNG file.
    ///
    /// # Errors
    /// [`MediaError::Write`] if the encoder fails (it has no reason to).
    pub fn to_png(&self) -> Result<Vec<u8>> {
        encode_png(
            &self.pixels,
            self.width,
            self.height,
            ExtendedColorType::Rgb8,
        )
        .map_err(|source| MediaError::Write {
            path: "PNG in memory".into(),
            source,
        })
    }

    /// The picture as the bytes of a JPEG file. `quality` is 1 (smallest) to 100 (best).
    ///
    /// # Errors
    /// [`MediaError::Write`] if the encoder fails (a side above 65,535 pixels).
    pub fn to_jpeg(&self, quality: u8) -> Result<Vec<u8>> {
        self.encoded_as_jpeg(quality, Effort::Small)
    }

    /// As [`to_jpeg`](Self::to_jpeg) in a fraction of the time, and a somewhat larger file: for
    /// pictures that somebody waits for.
    ///
    /// # Errors
    /// As [`to_jpeg`](Self::to_jpeg).
    pub fn to_jpeg_fast(&self, quality: u8) -> Result<Vec<u8>> {
        self.encoded_as_jpeg(quality, Effort::Fast)
    }

    fn encoded_as_jpeg(&self, quality: u8, effort: Effort) -> Result<Vec<u8>> {
        let encoded = jpeg::encode(&self.pixels, self.width, self.height, quality, effort);
        encoded.map_err(|source| MediaError::Write {
            path: "JPEG in memory".into(),
            source,
        })
    }
}

impl std::fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbImage({}x{})", self.width, self.height)
    }
}

/// Reads a whole file, naming it on failure.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| MediaError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Decodes by content, within the limits on size; `name` is for messages.
pub(crate) fn decode_dynamic(name: &str, bytes: &[u8]) -> Result<DynamicImage> {
    let (width, height) = decode_dimensions(name, bytes)?;
    check_pixel_count(name, width, height)?;
    let decoded = match recognise(name, bytes)? {
        ImageFormat::Jpeg => jpeg::decode(bytes),
        other => reader(other, bytes).decode(),
    };
    decoded.map_err(|source| MediaError::Decode {
        name: name.to_owned(),
        source,
    })
}

/// Width and height from the header alone. `bytes` may be the beginning of a file, if it
/// reaches past the header.
pub(crate) fn decode_dimensions(name: &str, bytes: &[u8]) -> Result<(u32, u32)> {
    let dimensions = match recognise(name, bytes)? {
        ImageFormat::Jpeg => jpeg::dimensions(bytes),
        other => reader(other, bytes).into_dimensions(),
    };
    dimensions.map_err(|source| MediaError::Decode {
        name: name.to_owned(),
        source,
    })
}

/// Whether the first bytes are those of a picture format this build decodes.
pub(crate) fn is_image(first_bytes: &[u8]) -> bool {
    image::guess_format(first_bytes).is_ok_and(is_decoded)
}

/// JPEG is decoded by [`jpeg`], the others by the `image` crate.
fn is_decoded(format: ImageFormat) -> bool {
    format == ImageFormat::Jpeg || format.reading_enabled()
}

fn recognise(name: &str, bytes: &[u8]) -> Result<ImageFormat> {
    match image::guess_format(bytes) {
        Ok(format) if is_decoded(format) => Ok(format),
        _ => Err(MediaError::NotAnImage {
            name: name.to_owned(),
        }),
    }
}

fn reader(format: ImageFormat, bytes: &[u8]) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The pixel count is checked from the header before decoding; this bounds what the
    // decoder allocates for the widest pixel (four 16-bit channels), plus working space.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_PIXELS * 12);
    reader.limits(limits);
    reader
}

/// Refuses sizes above [`MAX_PIXELS`].
pub(crate) fn check_pixel_count(name: &str, width: u32, height: u32) -> Result<()> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(MediaError::TooLarge {
            name: name.to_owned(),
            width,
            height,
        });
    }
    Ok(())
}

/// `[height, width, 3]` bytes: alpha dropped, grey repeated, the high byte of 16-bit channels.
fn into_rgb8(decoded: DynamicImage) -> Vec<u8> {
    let high = |value: u16| (value >> 8) as u8;
    match decoded {
        DynamicImage::ImageLuma16(p) => p.pixels().flat_map(|p| [high(p.0[0]); 3]).collect(),
        DynamicImage::ImageLumaA16(p) => p.pixels().flat_map(|p| [high(p.0[0]); 3]).collect(),
        DynamicImage::ImageRgb16(p) => p.pixels().flat_map(|p| p.0.map(high)).collect(),
        DynamicImage::ImageRgba16(p) => p
            .pixels()
            .flat_map(|p| [p.0[0], p.0[1], p.0[2]].map(high))
            .collect(),
        other => other.into_rgb8().into_raw(),
    }
}

/// Encodes a whole PNG in memory.
pub(crate) fn encode_png(
    pixels: &[u8],
    width: u32,
    height: u32,
    colour: ExtendedColorType,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive)
        .write_image(pixels, width, height, colour)
        .map_err(|failed| match failed {
            ImageError::IoError(source) => source,
            other => io::Error::other(other),
        })?;
    Ok(bytes)
}

/// Writes an encoded PNG to `path`, complete or not at all.
pub(crate) fn write_png(path: &Path, encoded: io::Result<Vec<u8>>) -> Result<()> {
    let bytes = encoded.map_err(|source| MediaError::Write {
        path: path.to_owned(),
        source,
    })?;
    atomic::write(path, &bytes)
}
