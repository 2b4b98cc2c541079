//! Steps of a session for programs that share one model among many: they decide themselves which
//! frame is next, and may have dropped a session whose masks they still have.

use masklet_media::{FrameSource, Mask};

use super::{FrameResult, ObjectId, VideoSession};
use crate::{Direction, Error, Result};

impl<S: FrameSource> VideoSession<S> {
    /// Reads and encodes a frame ahead of the prompts on it. It stays among the
    /// [`cached_frames`](super::VideoOptions::cached_frames).
    ///
    /// # Errors
    /// If the frame does not exist or cannot be read.
    pub fn prepare(&mut self, frame: usize) -> Result<()> {
        self.check_frame(frame)?;
        self.features(frame).map(drop)
    }

    /// Tracks some objects on one frame, coming from the frame before it in `direction`:
    /// [`propagate`](Self::propagate) by hand. Returns their masks.
    ///
    /// # Errors
    /// If there is no such frame or object, or an object has no prompted frame.
    pub fn track(
        &mut self,
        frame: usize,
        direction: Direction,
        ids: &[ObjectId],
    ) -> Result<FrameResult> {
        self.check_frame(frame)?;
        for &id in ids {
            self.find(id)?;
        }
        self.settle(|id| ids.contains(&id))?;
        self.track_frame(frame, None, direction, |id| ids.contains(&id))?
            .ok_or(Error::NoSuchFrame {
                frame,
                count: frame,
            })
    }

    /// Remembers the mask of an object on a frame that was tracked in an earlier session, coming
    /// from `direction`, as an ordinary memory: the frame conditions nothing, and prompts on it
    /// refine the mask. What is known of a prompted frame stays.
    ///
    /// The memory is made of the mask and not of the logits that it came from, so that it is close
    /// to the earlier session's and not equal to it.
    ///
    /// # Errors
    /// If there is no such frame or object, or the mask has another size than the video.
    pub fn recall(
        &mut self,
        frame: usize,
        id: ObjectId,
        mask: &Mask,
        direction: Direction,
    ) -> Result<()> {
        self.check_mask(mask)?;
        self.check_frame(frame)?;
        self.find(id)?;
        let hard = self.hard_mask(mask);
        self.look_at(frame, id, |object, scene| {
            object.recall(scene, hard, direction)
        })
    }
}
