//! Evaluation of promptable segmentation: the protocols of the SAM 2 paper (arXiv 2408.00714) with
//! the metrics that the benchmarks publish.
//!
//! Read from the bottom up: [`metrics`] compares one mask with another and takes statistics over
//! time; [`scoring`] applies a benchmark's rules on which frames and objects count; [`clicks`] and
//! [`prompts`] simulate the annotator; [`methods`] are what is evaluated, the model and the baselines
//! ([`flow`]); [`protocols`] run a method over a data set, keeping what took long in a [`cache`];
//! [`report`] shows what came of it.
//!
//! ```
//! use masklet_eval::metrics::{BOUNDARY_TOLERANCE, BitMask, boundary_accuracy, region_similarity};
//! use masklet_media::Mask;
//!
//! let square = |x0: u32| BitMask::from(&Mask::from_fn(64, 64, |x, y| {
//!     (x0..x0 + 20).contains(&x) && (20..40).contains(&y)
//! }));
//! let (truth, predicted) = (square(10), square(11));
//! assert!((region_similarity(&truth, &predicted) - 19.0 / 21.0).abs() < 1e-12);
//! assert!(boundary_accuracy(&truth, &predicted, BOUNDARY_TOLERANCE) > 0.9);
//! ```

pub mod cache;
pub mod clicks;
mod error;
pub mod flow;
pub mod methods;
pub mod metrics;
pub mod prompts;
pub mod protocols;
pub mod report;
pub mod scoring;

pub use error::{Error, Result};
