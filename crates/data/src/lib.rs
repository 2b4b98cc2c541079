//! Data sets of videos and images with masks: reading and writing their layouts.

mod annotation;
pub mod clip;
pub mod coco;
mod dataset;
mod detect;
mod error;
pub mod export;
pub mod generate;
mod images;
pub mod inspect;
mod label_map;
mod label_maps;
mod listing;
pub mod mixture;
mod options;
pub mod record;
mod sa1b;
pub mod sav;
mod skipped;
mod track_files;
mod video;

pub use annotation::{FrameAnnotation, LabelRule};
pub use dataset::{Dataset, ImageDataset, Layout, ObjectInfo, Sequence, VideoDataset};
pub use detect::{detect, open, open_as};
pub use error::{DataError, Result};
pub use images::{LabelledImage, Segment, Segmentation};
pub use label_map::{LabelMap, davis_colour};
pub use listing::read_list;
pub use options::{Masklets, ReadOptions};
pub use skipped::{SkipReason, SkipReport, Skipped};
pub use track_files::{TrackFile, TrackedFrame, TrackedMask};
pub use video::open_masks;
