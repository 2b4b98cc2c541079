//! [`TrainError`].

use std::io;
use std::path::{Path, PathBuf};

use masklet_data::DataError;
use masklet_media::MediaError;
use masklet_model::ModelError;
use masklet_model::weights::WeightsError;
use thiserror::Error;

use crate::config::ConfigError;

/// What stops a training run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration is not right.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The network cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Weights cannot be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A data set cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A picture or another file cannot be read or written.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The network cannot be run on a validation clip.
    #[error(transparent)]
    Predict(#[from] masklet::Error),
    /// There is nothing to train on.
    #[error(
        "there is no data to train on: give a folder with `--data`, or `[[data.source]]` with a \
         `path` in the configuration"
    )]
    NoData,
    /// Nothing that was read could be used.
    #[error(
        "none of the last {tried} sequences or images could be used; `masklet data inspect` says \
         what is wrong with a data set"
    )]
    NothingUsable {
        /// How many were tried.
        tried: usize,
    },
    /// The thread that reads clips is gone.
    #[error("the thread that reads clips ended unexpectedly")]
    LoaderEnded,
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
    /// There is no architecture to train.
    #[error(
        "it is not said which network to train: give `--weights`, or `preset` or `config` in the \
         configuration's [model]"
    )]
    NoModel,
    /// The weights are of another model than the configuration names.
    #[error("the weights {path} are of {found}, but [model] says {wanted}; leave one of them out")]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What the configuration names.
        wanted: String,
    },
    /// A new run would overwrite another.
    #[error(
        "there is a run in {path} already; go on with it by `--resume {path}`, or choose another \
         folder"
    )]
    FolderTaken {
        /// The folder.
        path: PathBuf,
    },
    /// There is no run to go on with.
    #[error("there is no run in {path}: it has no config.toml")]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A checkpoint cannot be understood.
    #[error("the checkpoint {path} is damaged: {what}; remove it to go on from the one before")]
    BadCheckpoint {
        /// The checkpoint's folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A loss or a gradient is not finite any more.
    #[error(
        "the network has diverged in step {step}: {what}; the clips of the step are in {saved}. A \
         lower learning rate or a longer warm-up helps; the run goes on from its last checkpoint"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// What is not finite.
        what: Divergence,
        /// Where the clips are.
        saved: PathBuf,
    },
    /// A file or folder cannot be used.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What is not finite when a network diverges.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Divergence {
    /// The loss.
    #[error("the loss is {0}")]
    Loss(f64),
    /// A gradient, though the loss is finite.
    #[error("the gradient of {0} is not finite")]
    Gradient(
        /// The first parameter with such a gradient.
        String,
    ),
}

impl TrainError {
    pub(crate) fn file(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// A result with [`TrainError`].
pub type Result<T> = std::result::Result<T, TrainError>;
