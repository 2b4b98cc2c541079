//! Data sets of videos and images with masks: reading and writing their layouts.

mod annotation;
mod dataset;
mod error;
mod images;
mod label_map;
mod listing;
pub mod sav;
mod video;

pub use annotation::{FrameAnnotation, LabelRule};
pub use dataset::{Dataset, ImageDataset, Layout, ObjectInfo, Sequence, VideoDataset};
pub use error::{DataError, Result};
pub use images::{LabelledImage, Segment, Segmentation};
pub use label_map::{LabelMap, davis_colour};
pub use video::{Masklets, VideoOptions, open_masks};
