//! The paper's evaluations, each from a data set to scores.

mod score;

pub use score::{Outcome, SequenceFailure, score_predictions};
