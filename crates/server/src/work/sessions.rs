//! The sessions that are in memory: the latest ones, within bounds.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use masklet::{Model, VideoOptions, VideoPredictor};
use masklet_engine::{ModelFacts, Project, Task, TaskId, UserId};

use super::session::{Session, Showing};
use crate::error::Result;
use crate::live::Live;

/// Sessions that are kept at most.
const MOST_SESSIONS: usize = 8;
/// Frames of objects that all sessions together remember at most: 0.8 MB each at 1024 pixels. Each is
/// bounded by itself but for frames that people prompted.
const MOST_REMEMBERED: usize = 2500;
/// Encoded frames that each session keeps, 16 MB each at 1024 pixels.
const CACHED_FRAMES: usize = 6;
/// For how long a session that nobody uses is kept.
const UNUSED: Duration = Duration::from_secs(600);

/// For how long a session is shown frames in a turn.
const SHOWING: Duration = Duration::from_millis(200);
/// Sessions that may be unfinished between turns at most.
const MOST_UNFINISHED: usize = 2;

struct Open {
    user: UserId,
    task: TaskId,
    used: Instant,
    /// Whoever waits for it to be shown more of what is stored, in another turn.
    asking: Weak<()>,
    session: Session,
}

/// The model, and everybody's sessions with it.
pub(crate) struct Sessions {
    predictor: VideoPredictor,
    pub(crate) facts: ModelFacts,
    pub(crate) project: Arc<Project>,
    pub(crate) live: Arc<Live>,
    /// The latest last.
    open: Vec<Open>,
    /// For how long a session is shown frames before others have their turn.
    pub(super) showing: Duration,
    /// Those in which something is propagated.
    pinned: HashSet<(UserId, TaskId)>,
}

impl Open {
    /// Whether somebody waits for it to be finished.
    fn is_unfinished(&self) -> bool {
        self.asking.strong_count() > 0
    }
}

impl Sessions {
    pub(crate) fn new(
        model: &Model,
        facts: ModelFacts,
        project: Arc<Project>,
        live: Arc<Live>,
    ) -> Self {
        let options = VideoOptions {
            cached_frames: CACHED_FRAMES,
            ..VideoOptions::default()
        };
        Self {
            predictor: VideoPredictor::with_options(model, options),
            facts,
            project,
            live,
            open: Vec::new(),
            showing: SHOWING,
            pinned: HashSet::new(),
        }
    }

    /// A user's session of a task.
    pub(crate) fn get(&mut self, user: UserId, task: &Task) -> Result<&mut Session> {
        let known = |open: &Open| open.user == user && open.task == task.id;
        let mut open = match self.open.iter().position(known) {
            Some(at) => self.open.remove(at),
            None => {
                let video = self.project.video(task.video)?;
                let frames = self.project.open_frames(&video)?;
                Open {
                    user,
                    task: task.id,
                    used: Instant::now(),
                    asking: Weak::new(),
                    session: Session::new(self.predictor.session(frames), task.phase),
                }
            }
        };
        open.used = Instant::now();
        open.session.in_phase(task.phase);
        self.make_room(open.session.remembered());
        self.open.push(open);
        let open = self.open.last_mut().expect("one was pushed");
        Ok(&mut open.session)
    }

    /// Drops the oldest that nothing is propagated in, until there is room for one more with so many
    /// frames of objects.
    fn make_room(&mut self, remembered: usize) {
        let all =
            |open: &[Open]| -> usize { open.iter().map(|open| open.session.remembered()).sum() };
        while self.open.len() >= MOST_SESSIONS || all(&self.open) + remembered > MOST_REMEMBERED {
            let free = |open: &Open| {
                !self.pinned.contains(&(open.user, open.task)) && !open.is_unfinished()
            };
            let Some(oldest) = self.open.iter().position(free) else {
                return;
            };
            self.open.remove(oldest);
        }
    }

    /// A turn for showing a user's session frames. Others have theirs between, but only so many
    /// sessions can be unfinished: if all were, each would drop another before its next turn, and none
    /// would ever be finished.
    pub(super) fn turn_of(&self, user: UserId, task: TaskId) -> Showing {
        let others = self
            .open
            .iter()
            .filter(|open| open.is_unfinished() && (open.user, open.task) != (user, task));
        let may_wait = others.count() < MOST_UNFINISHED;
        Showing::during(may_wait.then_some(self.showing))
    }

    /// Keeps an unfinished session for as long as there is whoever asks for it.
    pub(super) fn keep_for(&mut self, user: UserId, task: TaskId, asking: &Arc<()>) {
        let known = |open: &&mut Open| open.user == user && open.task == task;
        if let Some(open) = self.open.iter_mut().find(known) {
            open.asking = Arc::downgrade(asking);
        }
    }

    /// Keeps a session: made again, its memories would be close to what they were, not equal.
    pub(crate) fn pin(&mut self, user: UserId, task: TaskId) {
        self.pinned.insert((user, task));
    }

    /// Lets a session be dropped again.
    pub(crate) fn unpin(&mut self, user: UserId, task: TaskId) {
        self.pinned.remove(&(user, task));
    }

    /// Drops a session of which nobody knows the state.
    pub(crate) fn forget(&mut self, user: UserId, task: TaskId) {
        self.open
            .retain(|open| open.user != user || open.task != task);
    }

    /// Drops what nobody has used for a while.
    pub(crate) fn drop_unused(&mut self) {
        self.open.retain(|open| open.used.elapsed() < UNUSED);
    }

    /// Drops everything.
    pub(crate) fn drop_all(&mut self) {
        self.open.clear();
    }
}
