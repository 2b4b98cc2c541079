//! SA-V: the JSON of masklets of the training videos, and the folders of one picture for each
//! object of the validation and test videos.

mod annotations;
mod eval;
mod train;

pub use annotations::SavAnnotations;
pub(crate) use eval::{open as open_eval, open_object_folders};
pub(crate) use train::{annotation_files, open as open_train};

/// Every how many frames SA-V is annotated (6 times a second, at 24 frames a second).
pub const ANNOTATED_EVERY: usize = 4;
