//! `masklet train`: training and fine-tuning.

mod view;
