//! Frames from a pipe, a camera or anything else that can only be read once.

pub(super) mod pictures;

use std::io::{BufReader, Read};
use std::time::Duration;

use super::sequential::{Pictures, Sequential};
use super::{FrameRate, FrameSource};
use crate::rgb_image::check_pixel_count;
use crate::{Result, RgbImage};
use pictures::PictureReader;

/// Pictures one after the other, as from `ffmpeg -i … -f image2pipe -`: Motion-JPEG, or PNG or
/// PPM files back to back.
///
/// Pictures are told apart by their own structure, so that a thumbnail within one is not taken
/// for the next; bytes between pictures (padding, the headers of `multipart/x-mixed-replace`)
/// are passed over. Kept is the frame at hand, which can be asked for again; earlier ones are
/// gone, and how many will come is not known. A picture that ends early is an error.
pub struct PictureStream<R>(Sequential<PictureReader<R>>);

impl<R: Read + Send> PictureStream<R> {
    /// Reads the first picture; `name` stands for the stream in messages.
    ///
    /// # Errors
    /// [`MediaError::NotAVideo`](crate::MediaError::NotAVideo) if there is no first picture.
    pub fn new(reader: R, name: impl Into<String>) -> Result<Self> {
        Sequential::begin(name.into(), PictureReader::new(reader), 0).map(Self)
    }

    /// States the frame rate, which a stream does not.
    #[must_use]
    pub fn with_frame_rate(mut self, rate: FrameRate) -> Self {
        self.0.frame_rate = Some(rate);
        self
    }
}

/// Raw RGB frames one after the other (`rgb24`: rows from the top, three bytes a pixel), as
/// from `ffmpeg -i … -f rawvideo -pix_fmt rgb24 -`; otherwise as [`PictureStream`].
pub struct RawStream<R>(Sequential<RawReader<R>>);

impl<R: Read + Send> RawStream<R> {
    /// Reads the first frame of a stream of `width` x `height` pixels; `name` stands for the
    /// stream in messages.
    ///
    /// # Errors
    /// [`MediaError::NotAVideo`](crate::MediaError::NotAVideo) if there is no whole frame;
    /// [`MediaError::EmptyImage`](crate::MediaError::EmptyImage) and
    /// [`MediaError::TooLarge`](crate::MediaError::TooLarge) for impossible sizes.
    pub fn new(reader: R, width: u32, height: u32, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        check_pixel_count(&name, width, height)?;
        if width == 0 || height == 0 {
            return Err(crate::MediaError::EmptyImage { width, height });
        }
        let reader = RawReader {
            reader: BufReader::new(reader),
            width,
            height,
        };
        Sequential::begin(name, reader, 0).map(Self)
    }

    /// States the frame rate, which a stream does not.
    #[must_use]
    pub fn with_frame_rate(mut self, rate: FrameRate) -> Self {
        self.0.frame_rate = Some(rate);
        self
    }
}

struct RawReader<R> {
    reader: BufReader<R>,
    width: u32,
    height: u32,
}

impl<R: Read + Send> Pictures for RawReader<R> {
    fn next_picture(&mut self) -> Result<Option<RgbImage>, String> {
        pictures::read_pixels(&mut self.reader, self.width, self.height, true)
    }
}

/// A stream is its sequence, with nothing added.
macro_rules! stream_is_its_sequence {
    ($stream:ident) => {
        impl<R: Read + Send> FrameSource for $stream<R> {
            fn dimensions(&self) -> (u32, u32) {
                self.0.dimensions
            }

            fn frame_count(&self) -> Option<usize> {
                None
            }

            fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
                self.0.frame(index)
            }

            fn frame_rate(&self) -> Option<FrameRate> {
                self.0.frame_rate
            }

            fn presentation_time(&self, index: usize) -> Option<Duration> {
                Some(self.0.frame_rate?.time_of(index))
            }

            fn can_go_back(&self) -> bool {
                false
            }
        }
    };
}

stream_is_its_sequence!(PictureStream);
stream_is_its_sequence!(RawStream);
