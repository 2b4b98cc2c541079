//! COCO instances.
//!
//! One JSON file (`annotations/instances_<split>.json`) for all images of a split, with polygons
//! or run-length encodings. The file of COCO itself has 450 MB: it is read through once, and
//! only where each annotation begins is kept; an image's annotations are read when it is opened.
//!
//! An annotation with `iscrowd` 1 marks a group that was not told apart. It becomes a segment
//! with [`Segment::crowd`](crate::Segment::crowd), which training and prompting leave out and
//! scoring ignores.

mod dataset;
mod polygon;
mod scan;

pub(crate) use dataset::{annotation_files, open};
pub use polygon::rasterise;
