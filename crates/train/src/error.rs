//! [`TrainError`].

use thiserror::Error;

/// What stops a training run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A clip's frames are not of the network's input size.
    #[error(
        "the frames of clip {clip:?} are {}x{} pixels, the network takes squares of {size}; resize \
         them first",
        found.0, found.1
    )]
    ClipSize {
        /// The clip.
        clip: String,
        /// Width and height of its frames.
        found: (u32, u32),
        /// What the network takes.
        size: usize,
    },
}

/// A result with [`TrainError`].
pub type Result<T> = std::result::Result<T, TrainError>;
