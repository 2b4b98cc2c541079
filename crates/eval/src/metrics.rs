//! Measures of one mask against another, and their statistics over time.

mod boundary;
mod region;
mod statistics;

pub use boundary::{BOUNDARY_TOLERANCE, boundary_accuracy, tolerance_radius};
pub use masklet_media::BitMask;
pub use region::region_similarity;
pub use statistics::{Statistics, mean};
