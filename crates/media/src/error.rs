//! The crate's error type.

use std::path::PathBuf;

use crate::BoundingBox;
use crate::rle::RleError;

/// The crate's result type.
pub type Result<T, E = MediaError> = std::result::Result<T, E>;

/// The picture formats this build decodes, for error messages.
pub(crate) const FORMATS: &str = "JPEG, PNG, WebP, BMP, TIFF or GIF";

/// What can go wrong between a file and its pixels.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The file or folder could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file's final name.
        path: PathBuf,
        /// What the operating system or the encoder said.
        source: std::io::Error,
    },
    /// The content's first bytes are of no known picture format.
    #[error(
        "{name} is not a picture: its content was expected to be {FORMATS} \
         (the extension does not matter); convert it, or pass another file"
    )]
    NotAnImage {
        /// The file, or what the bytes were.
        name: String,
    },
    /// The format was recognised, but the content is damaged or unsupported.
    #[error("cannot decode {name}: {source}; the file may be damaged or cut off")]
    Decode {
        /// The file, or what the bytes were.
        name: String,
        /// What the decoder said.
        source: image::ImageError,
    },
    /// The picture has more pixels than this crate is willing to allocate.
    #[error(
        "{name} is {width}x{height} pixels; at most {max} pixels in all are accepted, \
         as a guard against decompression bombs; scale it down first", max = crate::MAX_PIXELS
    )]
    TooLarge {
        /// The file, or what the bytes were.
        name: String,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A picture with no pixels.
    #[error(
        "a picture of {width}x{height} pixels has no content; width and height must be at least 1"
    )]
    EmptyImage {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A part of a picture was asked for that is not in it.
    #[error(
        "the picture of {width}x{height} pixels has no columns {}..{} and rows {}..{}; a part must \
         have at least one pixel and lie inside the picture",
        bounds.x0, bounds.x1, bounds.y0, bounds.y1
    )]
    OutsidePicture {
        /// The part asked for.
        bounds: BoundingBox,
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
    },
    /// A buffer does not have the length its dimensions ask for.
    #[error("a {what} of {width}x{height} needs {expected} values, but {found} were given")]
    BufferLength {
        /// What the buffer holds.
        what: &'static str,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Values needed.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// Two things that belong together have different sizes.
    #[error(
        "{what} is {}x{} pixels, but {}x{} is needed; resize it to match",
        found.0, found.1, expected.0, expected.1
    )]
    SizeMismatch {
        /// What has the wrong size.
        what: String,
        /// Its width and height.
        found: (u32, u32),
        /// The width and height needed.
        expected: (u32, u32),
    },
    /// A path that should be a folder of frames is something else.
    #[error("{} is not a folder; give the folder that holds the frames as pictures", path.display())]
    NotAFolder {
        /// The path given.
        path: PathBuf,
    },
    /// A folder holds no picture at all.
    #[error("{} holds no pictures ({skipped} other entries were ignored); {FORMATS} files are accepted", path.display())]
    NoFrames {
        /// The folder.
        path: PathBuf,
        /// How many entries were there that are not pictures.
        skipped: usize,
    },
    /// A video was made of no frames.
    #[error("no frames were given; a video needs at least one")]
    NoFramesGiven,
    /// Some frames are numbered and some are not, so their order is unclear.
    #[error(
        "the frames in {} have no clear order: {numbered:?} is a number but {named:?} is not; \
         number all of them (00000.jpg, 00001.jpg, …) or move the others elsewhere", path.display()
    )]
    MixedFrameNames {
        /// The folder.
        path: PathBuf,
        /// A file whose stem is a number.
        numbered: String,
        /// A file whose stem is not.
        named: String,
    },
    /// Two frames carry the same number.
    #[error(
        "{first:?} and {second:?} in {} are both frame number {number}; \
         give every frame its own number", path.display()
    )]
    DuplicateFrameNumber {
        /// The folder.
        path: PathBuf,
        /// The number, without leading zeros.
        number: String,
        /// One of the files.
        first: String,
        /// The other.
        second: String,
    },
    /// A file is not a video that can be read, or its index is damaged.
    #[error("cannot read {name} as a video: {reason}")]
    NotAVideo {
        /// The file, or what the bytes were.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A sound video that the built-in decoder is not made for.
    #[error(
        "{name} cannot be decoded by the built-in decoder: {reason}; \
         it reads MP4 and MOV files with progressive 8-bit 4:2:0 H.264, ffmpeg reads the others"
    )]
    UnsupportedVideo {
        /// The file, or what the bytes were.
        name: String,
        /// What the decoder is not made for.
        reason: String,
    },
    /// A video needs ffmpeg, and none was found.
    #[error(
        "{name} needs ffmpeg, which was not found on the PATH ({reason}); install it \
         (`apt install ffmpeg`, `brew install ffmpeg`, `winget install ffmpeg`), or convert the \
         video elsewhere to an MP4 with H.264 or to a folder of pictures"
    )]
    NoFfmpeg {
        /// The video.
        name: String,
        /// Why it is not read without.
        reason: String,
    },
    /// A frame is damaged or missing; the frames before it were delivered.
    #[error("frame {frame} of {name} cannot be read: {reason}")]
    Frame {
        /// The video.
        name: String,
        /// The number of the frame, from 0.
        frame: usize,
        /// What happened.
        reason: String,
    },
    /// A stream was asked for a frame that has gone by.
    #[error(
        "frame {frame} of {name} has gone by: a stream cannot go back (frame {next} comes next); \
         store it in a file to return to earlier frames"
    )]
    CannotGoBack {
        /// The stream.
        name: String,
        /// The frame asked for.
        frame: usize,
        /// The next frame of the stream.
        next: usize,
    },
    /// A video could not be encoded or put together.
    #[error("cannot encode {name}: {reason}")]
    Encode {
        /// The file to be written.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A run-length encoding is malformed.
    #[error(transparent)]
    Rle(#[from] RleError),
}
