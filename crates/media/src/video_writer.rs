//! Frames become a video file: H.264 in MP4, by a bundled encoder.
//!
//! A video is written in **segments**, files that each begin with a keyframe and are complete
//! on their own, and [`mux`] puts them together without encoding again. A long run that is
//! interrupted keeps its finished segments and goes on with the next; memory is bounded by one
//! frame. The same frames give the same bytes: quality is constant and one thread encodes.
//!
//! ```
//! use masklet_media::video_writer::{SegmentWriter, Timing, VideoQuality, mux};
//! use masklet_media::{FrameRate, FrameSource, Mp4Video, RgbImage};
//!
//! let folder = tempfile::tempdir()?;
//! let segment = folder.path().join("0.h264");
//! let mut writer = SegmentWriter::create(&segment, (32, 16), VideoQuality::default())?;
//! for level in [0, 100, 200] {
//!     writer.push(&RgbImage::filled(32, 16, [level; 3])?)?;
//! }
//! writer.finish()?;
//! let file = folder.path().join("grey.mp4");
//! let rate = FrameRate::new(25, 1).expect("not zero");
//! mux(&[segment], (32, 16), Timing::Constant(rate), &file)?;
//! assert_eq!(Mp4Video::open(&file)?.frame_count(), Some(3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access_units;
mod mux;
mod segment;

pub use mux::{Timing, mux};
pub use segment::{SegmentWriter, VideoQuality};

/// The longest side that the encoder accepts.
pub const MAX_SIDE: u32 = 3840;
/// The longest shorter side that the encoder accepts.
pub const MAX_SHORT_SIDE: u32 = 2160;

/// The size that is encoded for frames of `dimensions`: even, and not below what the encoder
/// accepts. What is added is cut off again by the container.
fn coded_dimensions((width, height): (u32, u32)) -> (u32, u32) {
    const SMALLEST: u32 = 16;
    let coded = |side: u32| side.next_multiple_of(2).max(SMALLEST);
    (coded(width), coded(height))
}
