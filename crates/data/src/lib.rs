//! Data sets of videos and images with masks: reading and writing their layouts.

pub mod export;
pub mod record;
