//! One module for each command.

pub(crate) mod annotate;
pub(crate) mod bench;
pub(crate) mod data;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod engine;
pub(crate) mod eval;
pub(crate) mod everything;
pub(crate) mod image;
pub(crate) mod models;
pub(crate) mod train;
pub(crate) mod video;
pub(crate) mod weights;
