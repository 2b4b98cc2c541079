//! Scores of predicted masks under the rules of a benchmark.

mod rules;
mod sequence;
mod summary;

pub use rules::{Missing, Rules, Void};
pub use sequence::{FrameScore, ObjectScore, Scoring, SequenceScore, score_sequence};
pub use summary::{SeenUnseen, Summary};
