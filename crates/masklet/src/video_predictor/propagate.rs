//! [`Propagate`]: tracking as an iterator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use masklet_media::{FrameSource, RgbImage};

use super::{FrameResult, VideoSession};
use crate::{Direction, Error, Result};

/// Which frames to track, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Propagation {
    /// Towards later frames, or towards earlier ones.
    pub direction: Direction,
    /// The first frame to visit. By default the first prompted frame, or going backward the last
    /// one.
    pub start: Option<usize>,
    /// How many frames to visit at most. By default all up to the end of the video.
    pub max_frames: Option<usize>,
}

impl Propagation {
    /// Through the whole video towards earlier frames.
    pub fn backward() -> Self {
        Self {
            direction: Direction::Backward,
            ..Self::default()
        }
    }
}

/// Tracks a frame each time it is advanced. After an error it ends.
#[derive(Debug)]
pub struct Propagate<'a, S> {
    session: &'a mut VideoSession<S>,
    direction: Direction,
    next: Option<usize>,
    remaining: usize,
}

impl<'a, S: FrameSource> Propagate<'a, S> {
    pub(super) fn new(
        session: &'a mut VideoSession<S>,
        Propagation {
            direction,
            start,
            max_frames,
        }: Propagation,
    ) -> Result<Self> {
        let (first, last) = session.conditioning_range().ok_or(Error::NoPrompts)?;
        let start = start.unwrap_or(match direction {
            Direction::Forward => first,
            Direction::Backward => last,
        });
        session.check_frame(start)?;
        Ok(Self {
            session,
            direction,
            next: Some(start),
            remaining: max_frames.unwrap_or(usize::MAX),
        })
    }

    /// The picture of a frame, as [`VideoSession::picture`].
    ///
    /// # Errors
    /// If the frame does not exist or cannot be read.
    pub fn picture(&mut self, frame: usize) -> Result<Arc<RgbImage>> {
        self.session.picture(frame)
    }

    /// When a frame is shown, if the source says.
    pub fn presentation_time(&self, frame: usize) -> Option<Duration> {
        self.session.source().presentation_time(frame)
    }

    /// The frame that comes next, unless the end was reached or nothing more is wanted. The video
    /// may turn out to end before it.
    pub fn next_frame(&self) -> Option<usize> {
        self.next.filter(|_| self.remaining > 0)
    }

    /// Writes the session into a file, as [`VideoSession::save`].
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, note: &str) -> Result<()> {
        self.session.save(path, note)
    }

    /// How many frames are still to come, if the video's length is known.
    pub fn frames_left(&self) -> Option<usize> {
        let Some(next) = self.next else {
            return Some(0);
        };
        let to_the_end = match self.direction {
            Direction::Forward => self.session.frame_count()?.saturating_sub(next),
            Direction::Backward => next + 1,
        };
        Some(to_the_end.min(self.remaining))
    }
}

impl<S: FrameSource> Iterator for Propagate<'_, S> {
    type Item = Result<FrameResult>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.next.take().filter(|_| self.remaining > 0)?;
        let next = match self.direction {
            Direction::Forward => frame.checked_add(1),
            Direction::Backward => frame.checked_sub(1),
        };
        let ahead = next.filter(|_| self.remaining > 1);
        let result = self
            .session
            .track_frame(frame, ahead, self.direction, |_| true)
            .transpose()?;
        if result.is_ok() {
            self.remaining -= 1;
            self.next = next;
        }
        Some(result)
    }
}
