//! The paper's evaluations, each from a data set to scores.

pub mod image;
pub mod pvs;
mod score;
mod videos;
pub mod vos;

pub(crate) use score::annotation;
pub use score::{Outcome, SequenceFailure, open_predicted, score_predictions};
pub use videos::{Videos, unwatched};
