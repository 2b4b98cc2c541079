//! What can go wrong, and what to do about it.

use std::path::PathBuf;

use masklet_media::MediaError;
use masklet_model::ModelError;
use masklet_model::weights::WeightsError;
use thiserror::Error;

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Misuse of a predictor, or trouble below it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The model cannot be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A picture, frame or mask cannot be read or used.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// `predict` before `set_image`.
    #[error("no image has been set: call `set_image` before predicting")]
    NoImage,
    /// An index beyond the images that were set.
    #[error("there is no image {index}: {count} were set, counted from 0")]
    NoSuchImage {
        /// The index given.
        index: usize,
        /// How many images there are.
        count: usize,
    },
    /// A prompt that says nothing.
    #[error("the prompt is empty: give at least one click, a box or a mask")]
    EmptyPrompt,
    /// Labels and points do not pair up.
    #[error("{points} points came with {labels} labels: each point needs exactly one label")]
    LabelCount {
        /// How many points.
        points: usize,
        /// How many labels.
        labels: usize,
    },
    /// A label that means nothing.
    #[error("label {0} is unknown: 1 marks a point on the object, 0 a point on the background")]
    UnknownLabel(i64),
    /// A coordinate that is not a number in the picture.
    #[error(
        "the point ({x}, {y}) is outside the picture: x must be in 0..{width}, y in 0..{height}"
    )]
    PointOutside {
        /// Across.
        x: f32,
        /// Down.
        y: f32,
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
    },
    /// A box whose corners are the wrong way round.
    #[error(
        "the box ({x0}, {y0}, {x1}, {y1}) has its corners reversed or no area: give the upper left \
         corner, then the lower right one"
    )]
    BoxReversed {
        /// Left.
        x0: f32,
        /// Top.
        y0: f32,
        /// Right.
        x1: f32,
        /// Bottom.
        y1: f32,
    },
    /// Mask logits of another size than the model's.
    #[error(
        "the mask logits have {found} values, the model takes {side}×{side}: pass an earlier \
         prediction's low-resolution logits"
    )]
    MaskLogitsSize {
        /// How many values were given.
        found: usize,
        /// Side of the model's low-resolution masks.
        side: usize,
    },
    /// Prompts of one batch that differ in kind.
    #[error(
        "the prompts of a batch have {points:?} points (a box counts as two), and {masks} of {} \
         have mask logits: give all the same number of points, and mask logits to all or none",
        points.len()
    )]
    UnevenPrompts {
        /// Points of each prompt.
        points: Vec<usize>,
        /// How many prompts have mask logits.
        masks: usize,
    },
    /// An option that cannot be.
    #[error("{option} is {found}; accepted: {accepted}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What was given.
        found: String,
        /// What it may be.
        accepted: String,
    },
    /// A mask prompt of another size than the video.
    #[error(
        "the mask is {}×{} pixels, the frames are {}×{}: masks are given at the size of the video",
        found.0, found.1, expected.0, expected.1
    )]
    MaskSize {
        /// Width and height of the mask.
        found: (u32, u32),
        /// Width and height of the frames.
        expected: (u32, u32),
    },
    /// A frame beyond the end of the video.
    #[error("there is no frame {frame}: the video has {count} frames, counted from 0")]
    NoSuchFrame {
        /// The frame asked for.
        frame: usize,
        /// How many frames there are.
        count: usize,
    },
    /// An object that was never added.
    #[error("there is no object {id}; known objects: {known:?}")]
    UnknownObject {
        /// The id given.
        id: u32,
        /// The ids that exist.
        known: Vec<u32>,
    },
    /// Tracking without anything to track.
    #[error(
        "nothing is prompted yet: add clicks, a box or a mask for an object before propagating"
    )]
    NoPrompts,
    /// An object whose prompts were all removed.
    #[error(
        "object {id} has no prompted frame left: prompt it again on any frame, or remove it, \
         before propagating"
    )]
    ObjectWithoutPrompts {
        /// The object.
        id: u32,
    },
    /// A prompt before the first frame of a stream.
    #[error("no frame has been pushed yet: push a frame, then prompt objects on it")]
    NoFrameYet,
    /// A saved session that cannot be continued.
    #[error("the saved session {} cannot be continued: {what}", path.display())]
    SavedSession {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// A saved session that cannot be read or written.
    #[error(transparent)]
    StateFile(#[from] WeightsError),
}
