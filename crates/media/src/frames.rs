//! Where the frames of a video come from.

mod ffmpeg;
mod folder;
mod memory;
mod mp4;
mod open;
mod orientation;
mod rate;
mod sequential;
mod stream;

pub use ffmpeg::{FfmpegTools, FfmpegVideo};
pub use folder::{ImageFolder, sort_frames};
pub use memory::MemoryFrames;
pub use mp4::Mp4Video;
pub use open::{DecoderInfo, decoders, open_video};
pub use rate::FrameRate;
pub use stream::{PictureStream, RawStream};

use std::time::Duration;

use crate::{Result, RgbImage};

/// A video as a source of frames, decoded when they are asked for.
///
/// Frames are numbered from 0 in the order of presentation and all have the same size. The
/// trait can be made into an object: the predictors take `&mut dyn FrameSource` as well.
///
/// Reading [`frame`](Self::frame) in ascending order must be fast for every source. A source
/// that cannot go back (a stream) returns an error for an earlier frame; one that can (a
/// folder, a file) reads it again, so that no caller needs to keep frames.
pub trait FrameSource: Send {
    /// Width and height of every frame, in pixels.
    fn dimensions(&self) -> (u32, u32);

    /// The number of frames, if it is known. A file's own statement may be wrong and a stream
    /// has none: the end is certain only where [`frame`](Self::frame) returns `None`.
    fn frame_count(&self) -> Option<usize>;

    /// Frame `index`, or `None` past the last one.
    ///
    /// # Errors
    /// If the frame is there but cannot be read, decoded, or is not of the source's size; the
    /// error names the frame.
    fn frame(&mut self, index: usize) -> Result<Option<RgbImage>>;

    /// How many frames are shown in a second, on average where their durations vary; `None`
    /// if the source does not say (a folder, a stream).
    fn frame_rate(&self) -> Option<FrameRate> {
        None
    }

    /// When frame `index` is shown, counted from frame 0; ascending, and uneven where the
    /// frame rate varies. `None` if the source does not say, or past the last frame it knows.
    fn presentation_time(&self, index: usize) -> Option<Duration> {
        Some(self.frame_rate()?.time_of(index))
    }

    /// Whether [`frame`](Self::frame) can return to an earlier frame.
    fn can_go_back(&self) -> bool {
        true
    }
}

impl<S: FrameSource + ?Sized> FrameSource for Box<S> {
    fn dimensions(&self) -> (u32, u32) {
        (**self).dimensions()
    }

    fn frame_count(&self) -> Option<usize> {
        (**self).frame_count()
    }

    fn frame(&mut self, index: usize) -> Result<Option<RgbImage>> {
        (**self).frame(index)
    }

    fn frame_rate(&self) -> Option<FrameRate> {
        (**self).frame_rate()
    }

    fn presentation_time(&self, index: usize) -> Option<Duration> {
        (**self).presentation_time(index)
    }

    fn can_go_back(&self) -> bool {
        (**self).can_go_back()
    }
}

/// The frames of a source in order, from a given one to the end or the first error.
pub struct Frames<'a> {
    source: &'a mut dyn FrameSource,
    next: Option<usize>,
}

impl<'a> Frames<'a> {
    /// The frames of `source`, beginning with frame `start`.
    pub fn from(source: &'a mut dyn FrameSource, start: usize) -> Self {
        Self {
            source,
            next: Some(start),
        }
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<RgbImage>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next?;
        let frame = self.source.frame(index).transpose();
        self.next = matches!(frame, Some(Ok(_))).then_some(index + 1);
        frame
    }
}
