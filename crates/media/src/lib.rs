//! Pixels in and out.
