//! One module for each command.

pub(crate) mod bench;
pub(crate) mod eval;
pub(crate) mod image;
pub(crate) mod video;
pub(crate) mod weights;
