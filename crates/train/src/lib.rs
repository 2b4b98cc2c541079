//! Training and fine-tuning of SAM 2 (arXiv 2408.00714, section 4 and appendix): a clip goes through
//! the network frame by frame ([`rollout`](rollout())), prompted by a simulated annotator, and the
//! [`losses`] of all its predictions are followed back through the memory.

mod error;
pub mod losses;
pub mod rollout;

pub use error::{Result, TrainError};
pub use rollout::{Annotator, ClipTensors, PromptInput, Rollout, Visit, rollout};
