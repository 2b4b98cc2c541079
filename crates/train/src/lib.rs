//! Training and fine-tuning of SAM 2 (arXiv 2408.00714, section 4 and appendix): a clip goes through
//! the network frame by frame ([`rollout`](rollout())), prompted by a simulated user, and the
//! [`losses`] of all its predictions are followed back through the memory.

mod clips;
pub mod config;
mod error;
pub mod losses;
pub mod monitor;
mod nearest;
pub mod optimizer;
pub mod rollout;
pub mod run;
pub mod simulated_user;
pub mod simulation;
mod validate;

pub use clips::{ClipLoader, ClipRecipe, Sources, TrainingClip, validation_clips};
pub use config::TrainConfig;
pub use error::{Divergence, Result, TrainError};
pub use rollout::{Annotator, ClipTensors, PromptInput, Rollout, Visit, rollout};
pub use run::Run;
pub use simulated_user::SimulatedUser;
pub use validate::{ClipMeans, ClipScore, Shown, score_clip, validate};
