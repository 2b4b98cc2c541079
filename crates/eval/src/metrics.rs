//! Measures of one mask against another, and their statistics over time.

mod bit_mask;
mod boundary;
mod region;
mod statistics;

pub use bit_mask::BitMask;
pub use boundary::{BOUNDARY_TOLERANCE, boundary_accuracy, tolerance_radius};
pub use region::region_similarity;
pub use statistics::{Statistics, mean};
