//! Promptable segmentation of images and video: SAM 2 (arXiv 2408.00714) in Rust.
//!
//! Mark an object once, with a click, a box or a mask, and get its mask: on an image with
//! [`ImagePredictor`], on every frame of a video (its *masklet*) with [`VideoPredictor`], and on a
//! stream without end with [`StreamTracker`]. Or mark nothing, and get the masks of everything with
//! [`MaskGenerator`], or the masklets with [`EverythingTracker`].
//!
//! ```no_run
//! use masklet::{Click, ImagePredictor, ImagePrompt, MaskChoice, Model};
//! use masklet_media::RgbImage;
//!
//! let model = Model::open("sam2.1_hiera_tiny.pt")?;
//! let mut predictor = ImagePredictor::new(&model);
//! predictor.set_image(&RgbImage::open("truck.jpg")?);
//! let prompt = ImagePrompt::clicks([Click::positive(500.0, 375.0)]);
//! let prediction = predictor.predict(&prompt, MaskChoice::Multi)?;
//! let best = prediction.best();
//! println!("IoU {:.3}, {} pixels", prediction.iou[best], prediction.mask(best).area());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Model`] is loaded once and shared. Coordinates are pixels of the picture as it is, with
//! fractions allowed. Misuse is an [`Error`] that says what was given and what is accepted.

pub mod built_in;
mod error;
mod everything_tracker;
#[cfg(feature = "hub")]
pub mod hub;
mod image_predictor;
mod mask_generator;
mod model;
mod prompt;
mod upscale;
mod video_predictor;

pub use error::{Error, Result};
pub use everything_tracker::{DiscoveryOptions, EverythingFrame, EverythingTracker, new_objects};
pub use image_predictor::{ImageOptions, ImagePrediction, ImagePredictor, ImagePrompt};
pub use mask_generator::{
    MaskGenerator, MaskGeneratorOptions, MaskRecord, PointGrid, RegionRemoval,
};
pub use masklet_model::config::{Official, Preset, Sam2Config};
pub use masklet_model::memory_bank::Direction;
pub use masklet_model::{Compute, MaskChoice, Precision};
pub use model::Model;
pub use prompt::{BoxPrompt, Click, clicks_from_labels};
pub use video_predictor::{
    ClickHistory, ConfidentMemory, DistractorAwareMemory, FrameResult, MemoryPolicy,
    MemoryRetention, ObjectId, ObjectMask, Propagate, Propagation, SavedSession, StreamTracker,
    VideoOptions, VideoPredictor, VideoSession,
};
