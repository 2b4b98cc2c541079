//! Frames that come one after the other.

use super::FrameRate;
use crate::{MediaError, Result, RgbImage};

/// Something that hands out pictures in order.
pub(super) trait Pictures: Send {
    /// The next picture, or `None` after the last; what is wrong where it is incomplete.
    fn next_picture(&mut self) -> Result<Option<RgbImage>, String>;
}

/// What is known about the frames after those read so far.
enum Ahead {
    More,
    End,
    Failure { frame: usize, reason: String },
}

/// Numbers the pictures, checks that they have one size, and holds on to the last one, so that
/// the frame at hand can be asked for again.
pub(super) struct Sequential<P> {
    pub(super) name: String,
    pub(super) dimensions: (u32, u32),
    pub(super) frame_rate: Option<FrameRate>,
    pictures: P,
    held: (usize, RgbImage),
    ahead: Ahead,
}

impl<P: Pictures> Sequential<P> {
    /// Reads the first picture, which becomes frame `start`.
    ///
    /// # Errors
    /// [`MediaError::NotAVideo`] if there is none, or it cannot be read.
    pub(super) fn begin(name: String, mut pictures: P, start: usize) -> Result<Self> {
        let first = match pictures.next_picture() {
            Ok(Some(first)) => first,
            Ok(None) => {
                let reason = "it ends before its first frame".to_owned();
                return Err(MediaError::NotAVideo { name, reason });
            }
            Err(reason) => return Err(MediaError::NotAVideo { name, reason }),
        };
        Ok(Self {
            name,
            dimensions: first.dimensions(),
            frame_rate: None,
            pictures,
            held: (start, first),
            ahead: Ahead::More,
        })
    }

    /// The number of the frame at hand: no earlier one can be had.
    pub(super) fn position(&self) -> usize {
        self.held.0
    }

    /// Where the pictures come from.
    pub(super) fn pictures(&self) -> &P {
        &self.pictures
    }

    /// Frame `index`, passing over those before it.
    ///
    /// # Errors
    /// [`MediaError::CannotGoBack`]; [`MediaError::Frame`] naming the first frame that could
    /// not be read, for it and all after it; [`MediaError::SizeMismatch`].
    pub(super) fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
        if index < self.held.0 {
            return Err(MediaError::CannotGoBack {
                name: self.name.clone(),
                frame: index,
                next: self.held.0 + 1,
            });
        }
        while self.held.0 < index {
            match &self.ahead {
                Ahead::More => self.read_next()?,
                Ahead::End => return Ok(None),
                Ahead::Failure { frame, reason } => {
                    return Err(MediaError::Frame {
                        name: self.name.clone(),
                        frame: *frame,
                        reason: reason.clone(),
                    });
                }
            }
        }
        Ok(Some(self.held.1.clone()))
    }

    fn read_next(&mut self) -> Result<()> {
        let frame = self.held.0 + 1;
        match self.pictures.next_picture() {
            Ok(Some(picture)) => {
                if picture.dimensions() != self.dimensions {
                    return Err(MediaError::SizeMismatch {
                        what: format!("frame {frame} of {}", self.name),
                        found: picture.dimensions(),
                        expected: self.dimensions,
                    });
                }
                self.held = (frame, picture);
            }
            Ok(None) => self.ahead = Ahead::End,
            Err(reason) => self.ahead = Ahead::Failure { frame, reason },
        }
        Ok(())
    }
}
