//! Frames that are already in memory.

use super::FrameSource;
use crate::{MediaError, Result, RgbImage};

/// A short video held in memory, for tests and for users who make their frames themselves.
#[derive(Clone, Debug)]
pub struct MemoryFrames {
    frames: Vec<RgbImage>,
    dimensions: (u32, u32),
}

impl MemoryFrames {
    /// A video of `frames`, in their order.
    ///
    /// # Errors
    /// [`MediaError::NoFramesGiven`] if `frames` is empty; [`MediaError::SizeMismatch`],
    /// naming the frame, if one differs in size from the first.
    pub fn new(frames: Vec<RgbImage>) -> Result<Self> {
        let dimensions = frames
            .first()
            .ok_or(MediaError::NoFramesGiven)?
            .dimensions();
        for (index, frame) in frames.iter().enumerate() {
            if frame.dimensions() != dimensions {
                return Err(MediaError::SizeMismatch {
                    what: format!("frame {index}"),
                    found: frame.dimensions(),
                    expected: dimensions,
                });
            }
        }
        Ok(Self { frames, dimensions })
    }
}

impl FrameSource for MemoryFrames {
    fn dimensions(&self) -> (u32, u32) {
        self.dimensions
    }

    fn frame_count(&self) -> Option<usize> {
        Some(self.frames.len())
    }

    fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
        Ok(self.frames.get(index).cloned())
    }
}
