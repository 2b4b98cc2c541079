//! The crate's error type.

use std::path::PathBuf;

use masklet_data::DataError;
use masklet_media::MediaError;

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in an evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A data set could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A picture or mask could not be read or written.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The model was given something it does not accept, or could not read a frame.
    #[error(transparent)]
    Model(#[from] masklet::Error),
    /// A predicted mask does not have the size of the annotation.
    #[error(
        "{sequence}, frame {frame}: the prediction is {}x{} pixels, but the annotation {}x{}; \
         resize the prediction (nearest neighbour) or score against annotations of its size",
        found.0, found.1, expected.0, expected.1
    )]
    PredictionSize {
        /// The sequence.
        sequence: String,
        /// The frame's number.
        frame: usize,
        /// Width and height of the prediction.
        found: (u32, u32),
        /// Width and height of the annotation.
        expected: (u32, u32),
    },
    /// The rules leave nothing to score.
    #[error(
        "{sequence}: none of its {frames} annotated frames is scored ({rules}); \
         choose other rules or leave the sequence out"
    )]
    NothingToScore {
        /// The sequence.
        sequence: String,
        /// How many frames are annotated.
        frames: usize,
        /// The rules, in words.
        rules: &'static str,
    },
    /// A prediction is not there.
    #[error(
        "{sequence}: no prediction for object {object} on frame {frame}, which is scored; write a \
         mask for every annotated frame (an empty one where the object is not seen), or let \
         missing ones count as empty"
    )]
    MissingPrediction {
        /// The sequence.
        sequence: String,
        /// The object's number.
        object: u32,
        /// The frame's number.
        frame: usize,
    },
    /// A video ends before its list of frames does.
    #[error(
        "the video has no frame {frame}, though its list says so; check that its files are complete"
    )]
    NoFrame {
        /// The frame's number.
        frame: usize,
    },
    /// Somebody asked to stop.
    #[error("stopped; what was finished is kept, and the same command continues from there")]
    Interrupted,
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file of an earlier run or report is not what it should be.
    #[error("{} is not {expected}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// Reports that do not belong together.
    #[error("the reports cannot be compared: {0}")]
    Incomparable(String),
}

impl Error {
    /// An input/output error at `path`.
    pub(crate) fn read(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}
