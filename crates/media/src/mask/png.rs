//! Masks as PNG files.

use std::io;
use std::path::Path;

use image::{DynamicImage, ExtendedColorType};

use super::Mask;
use crate::rgb_image::{decode_dynamic, encode_png, read_file, write_png};
use crate::{MediaError, Result};

impl Mask {
    /// Reads a mask from a picture file: the object is where any colour channel is not zero.
    ///
    /// Grey, RGB and palette pictures of any depth are accepted, so 0/1 and 0/255 masks both
    /// work; in a palette picture, what counts is the colour (index 0 is black in the DAVIS
    /// palette). Transparency is ignored. A lossy format such as JPEG is accepted, but its
    /// compression noise will show up as object.
    ///
    /// # Errors
    /// [`MediaError::Read`], [`MediaError::NotAnImage`], [`MediaError::Decode`] or
    /// [`MediaError::TooLarge`], each naming the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        from_encoded(&path.display().to_string(), &read_file(path)?)
    }

    /// Decodes a mask from the bytes of a picture file; see [`Mask::open`].
    ///
    /// # Errors
    /// [`MediaError::NotAnImage`], [`MediaError::Decode`] or [`MediaError::TooLarge`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        from_encoded("the mask given as bytes", bytes)
    }

    /// Writes the mask as an 8-bit grey PNG, 255 where the object is and 0 elsewhere,
    /// complete or not at all (see [`crate::atomic`]).
    ///
    /// # Errors
    /// [`MediaError::Write`], naming the file; [`MediaError::EmptyImage`] if a side is zero.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        self.check_not_empty()?;
        write_png(path.as_ref(), self.encoded())
    }

    /// The bytes of such a PNG file.
    ///
    /// # Errors
    /// [`MediaError::EmptyImage`] if a side is zero; [`MediaError::Write`] if the encoder fails.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.check_not_empty()?;
        self.encoded().map_err(|source| MediaError::Write {
            path: "PNG in memory".into(),
            source,
        })
    }

    fn check_not_empty(&self) -> Result<()> {
        match self.dimensions() {
            (0, height) => Err(MediaError::EmptyImage { width: 0, height }),
            (width, 0) => Err(MediaError::EmptyImage { width, height: 0 }),
            _ => Ok(()),
        }
    }

    fn encoded(&self) -> io::Result<Vec<u8>> {
        let (width, height) = self.dimensions();
        let grey: Vec<u8> = self
            .bits()
            .iter()
            .map(|&bit| if bit { 255 } else { 0 })
            .collect();
        encode_png(&grey, width, height, ExtendedColorType::L8)
    }
}

fn from_encoded(name: &str, bytes: &[u8]) -> Result<Mask> {
    let decoded = decode_dynamic(name, bytes)?;
    let (width, height) = (decoded.width(), decoded.height());
    Mask::from_bits(width, height, nonzero(decoded))
}

/// `[height, width]`: where any channel but alpha is not zero.
fn nonzero(decoded: DynamicImage) -> Vec<bool> {
    let any = |channels: &[u16]| channels.iter().any(|&value| value != 0);
    match decoded {
        DynamicImage::ImageLuma8(p) => p.pixels().map(|p| p.0[0] != 0).collect(),
        DynamicImage::ImageLumaA8(p) => p.pixels().map(|p| p.0[0] != 0).collect(),
        DynamicImage::ImageRgb8(p) => p.pixels().map(|p| p.0 != [0; 3]).collect(),
        DynamicImage::ImageRgba8(p) => p.pixels().map(|p| p.0[..3] != [0; 3]).collect(),
        DynamicImage::ImageLuma16(p) => p.pixels().map(|p| p.0[0] != 0).collect(),
        DynamicImage::ImageLumaA16(p) => p.pixels().map(|p| p.0[0] != 0).collect(),
        other => other
            .into_rgba16()
            .pixels()
            .map(|p| any(&p.0[..3]))
            .collect(),
    }
}
