//! Tracking objects through a video, a frame at a time, so that others have their turns between.

mod order;
mod saving;
mod tracking;

use std::sync::Arc;
use std::time::{Duration, Instant};

use masklet::Direction;
use masklet_engine::{EventId, MaskUpdate, Task, TaskId, UserId};
use tokio::sync::mpsc::UnboundedSender;

use super::sessions::Sessions;
use crate::error::{ApiError, Result};
pub(crate) use order::{Control, FoundMask, Happened, Order, Outcome};

/// Frames that are saved as one action, at most.
const BATCH: usize = 16;
/// For how long a frame is not saved, at most.
const UNSAVED: Duration = Duration::from_secs(2);

/// What comes after a step.
pub(crate) enum Step {
    Again,
    Paused,
    Over,
}

/// A propagation on its way.
pub(crate) struct Propagation {
    order: Order,
    control: Arc<Control>,
    happened: UnboundedSender<Happened>,
    /// Whether it was not stale in its first turn.
    accepted: bool,
    /// Phase 2: whether the session was made to forget what was tracked before.
    alone: bool,
    revision: EventId,
    next: u32,
    unsaved: Vec<MaskUpdate>,
    unsaved_since: Option<Instant>,
    frames: u32,
    last: Option<u32>,
}

impl Propagation {
    pub(crate) fn new(
        order: Order,
        control: Arc<Control>,
        happened: UnboundedSender<Happened>,
    ) -> Self {
        Self {
            control,
            happened,
            accepted: false,
            alone: false,
            revision: order.seen,
            next: order.from,
            unsaved: Vec::new(),
            unsaved_since: None,
            frames: 0,
            last: None,
            order,
        }
    }

    pub(super) fn user(&self) -> UserId {
        self.order.user
    }

    pub(super) fn task(&self) -> TaskId {
        self.order.task
    }

    pub(super) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Tells that it cannot go on.
    pub(super) fn fail(&self, error: ApiError) {
        self.tell(Happened::Error(error));
    }

    fn tell(&self, happened: Happened) {
        // Whoever asked may have left, and cancels it then.
        let _ = self.happened.send(happened);
    }

    /// Tracks the next frame, or does what the control says.
    pub(super) fn step(&mut self, sessions: &mut Sessions) -> Step {
        match self.try_step(sessions) {
            Ok(step) => step,
            Err(error) => {
                // What is not saved is not known to anybody but the session.
                sessions.forget(self.order.user, self.order.task);
                let project = &sessions.project;
                self.fail(error.with_task(project, self.order.task));
                Step::Over
            }
        }
    }

    fn try_step(&mut self, sessions: &mut Sessions) -> Result<Step> {
        if self.control.is_cancelled() {
            return self.finish(sessions, "cancelled");
        }
        if self.control.is_paused() {
            if !self.accepted {
                // What the user changes while it waits does not make it stale.
                self.accept(&Arc::clone(&sessions.project))?;
            }
            self.save(sessions)?;
            self.tell(Happened::Paused { next: self.next });
            return Ok(Step::Paused);
        }
        if let Some(task) = self.catch_up(sessions)? {
            self.track(sessions, &task)?;
            let Some(next) = self.after(self.next, sessions, &task)? else {
                return self.finish(sessions, "end");
            };
            self.next = next;
        }
        let frames = self.unsaved.len() / self.order.masklets.len().max(1);
        let due = self
            .unsaved_since
            .is_some_and(|since| since.elapsed() > UNSAVED);
        if frames >= BATCH || due {
            self.save(sessions)?;
        }
        Ok(Step::Again)
    }

    fn finish(&mut self, sessions: &mut Sessions, reason: &'static str) -> Result<Step> {
        self.save(sessions)?;
        self.tell(Happened::Done(Outcome {
            revision: self.revision,
            frames: self.frames,
            last: self.last,
            reason,
        }));
        Ok(Step::Over)
    }

    /// The frame after one, if it is wanted.
    fn after(&self, frame: u32, sessions: &Sessions, task: &Task) -> Result<Option<u32>> {
        if self.order.until == Some(frame) {
            return Ok(None);
        }
        Ok(match self.order.direction {
            Direction::Forward => {
                let frames = sessions.project.video(task.video)?.frames;
                Some(frame + 1).filter(|next| *next < frames)
            }
            Direction::Backward => frame.checked_sub(1),
        })
    }
}
