//! Pixels in and out: pictures, video frames, masks and the drawings that show them.
//!
//! Everything above this crate works on tensors; everything a user hands over or gets
//! back is a file. This crate is the border between the two:
//!
//! * [`RgbImage`]: an 8-bit picture, decoded by content and not by file extension;
//! * [`preprocess`]: a picture becomes the network's input, in the reference's two ways;
//! * [`FrameSource`]: frames of a video, decoded one at a time; [`open_video`] picks from a
//!   folder ([`ImageFolder`]), a file ([`Mp4Video`], [`FfmpegVideo`]), and streams are
//!   [`PictureStream`] and [`RawStream`];
//! * [`video_writer`]: frames become an MP4 with H.264, in segments, so that a run can resume;
//! * [`Mask`] and [`Rle`]: a binary mask, as PNG and as COCO run-length encoding; [`BitMask`], with
//!   64 pixels to a word, for measures;
//! * [`boxes`]: overlap of boxes, and non-maximum suppression;
//! * [`components`]: connected regions, for filling holes and dropping specks;
//! * [`contours`]: the outlines of a mask, for polygons;
//! * [`overlay`]: tint, contours, prompts and numbers drawn onto a picture;
//! * [`compose`]: objects cut out, or put before another background;
//! * [`sheet`]: small pictures with their objects, in rows;
//! * [`atomic`]: files that are either complete or not there.
//!
//! Three decisions shape the code. **JPEG is decoded by libjpeg-turbo's code** (through
//! `mozjpeg`, whose decoder is the same), because the reference's pixels come from it and
//! other decoders differ by several levels, which the network turns into different logits;
//! it is the one part in C, and its build needs a C compiler and nothing else. It reports
//! damaged files by unwinding, which is caught here and becomes an error; a program built with
//! `panic = "abort"` would end instead.
//! **Resampling is written here** rather than taken from a
//! library, because the network's answer depends on it and the reference uses two different
//! ones (PyTorch's antialiased bilinear on floats, Pillow's bicubic in fixed point): the
//! second is reproduced bit for bit. **Buffers are plain**: pictures are `[height, width, 3]`
//! bytes, masks `[height, width]` booleans, tensors `[size, size, 3]` floats, all row-major,
//! so no image or tensor library appears in the public API.
//!
//! ```
//! use masklet_media::{Mask, OverlayObject, PromptMark, RgbImage, draw_overlay, preprocess};
//!
//! let picture = RgbImage::filled(64, 48, [90, 120, 150])?;
//! let input: Vec<f32> = preprocess::for_image_predictor(&picture, 32);
//! assert_eq!(input.len(), 32 * 32 * 3);
//!
//! let mask = Mask::from_fn(64, 48, |x, y| (10..30).contains(&x) && (10..20).contains(&y));
//! assert_eq!(mask.area(), 200);
//! let prompts = [PromptMark::Point { x: 20.0, y: 15.0, positive: true }];
//! let shown = draw_overlay(&picture, &[OverlayObject { id: 1, mask: Some(&mask), prompts: &prompts }])?;
//! assert_eq!(shown.dimensions(), (64, 48));
//! # Ok::<(), masklet_media::MediaError>(())
//! ```

pub mod atomic;
mod bit_mask;
pub mod boxes;
pub mod components;
pub mod compose;
pub mod contours;
mod error;
pub mod frames;
mod h264;
mod jpeg;
pub mod mask;
pub mod overlay;
pub mod preprocess;
mod rgb_image;
pub mod rle;
pub mod sheet;
pub mod video_writer;
mod yuv;

pub use bit_mask::BitMask;
pub use error::{MediaError, Result};
pub use frames::{
    FfmpegVideo, FrameRate, FrameSource, Frames, ImageFolder, MemoryFrames, Mp4Video,
    PictureStream, RawStream, open_video,
};
pub use mask::{BoundingBox, Mask, stability_score};
pub use overlay::{OverlayObject, PromptMark, draw_overlay};
pub use rgb_image::{MAX_PIXELS, RgbImage};
pub use rle::{Rle, RleError, UncompressedRle};
