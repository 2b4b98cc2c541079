//! Training and fine-tuning of SAM 2 (arXiv 2408.00714, section "Training" and appendix).

pub mod config;
mod nearest;
pub mod simulation;
