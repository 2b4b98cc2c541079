//! Searches for automatic masklets. They take minutes, so they have a thread of their own, which
//! waits while somebody waits for the model at their screen.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use masklet::Model;
use masklet_engine::auto::{AutoOptions, find};
use masklet_engine::{UserId, VideoId};
use serde::Serialize;
use serde_json::json;

use crate::error::{ApiError, Result};
use crate::state::State;

/// How often a waiting search looks whether it may go on.
const PAUSE: Duration = Duration::from_millis(20);

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Progress {
    Running,
    Done,
    Cancelled,
    Failed,
}

/// A search in a video.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Search {
    video: VideoId,
    /// Frames that were tracked.
    frame: usize,
    frames: u32,
    state: Progress,
    /// How many masklets were sent to verification.
    masklets: Option<usize>,
    error: Option<String>,
}

/// The latest search in each video, and the model that searches.
pub(crate) struct Searches {
    model: Model,
    latest: Mutex<Vec<Search>>,
    cancelled: Arc<AtomicBool>,
}

impl Searches {
    pub(crate) fn new(model: Model) -> Self {
        Self {
            model,
            latest: Mutex::default(),
            cancelled: Arc::default(),
        }
    }

    pub(crate) fn list(&self) -> Vec<Search> {
        self.lock().clone()
    }

    /// Stops the search in a video, if there is one.
    pub(crate) fn cancel(&self, video: VideoId) {
        let running = |search: &Search| search.video == video && search.is_running();
        if self.lock().iter().any(running) {
            self.cancelled.store(true, Ordering::SeqCst);
        }
    }

    /// Stops whatever runs.
    pub(crate) fn close(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Search>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a search, for an owner.
    pub(crate) fn begin(
        state: &State,
        user: UserId,
        video: VideoId,
        options: AutoOptions,
    ) -> Result<Search> {
        options.check()?;
        let known = state.project.video(video)?;
        let search = Search {
            video,
            frame: 0,
            frames: known.frames,
            state: Progress::Running,
            masklets: None,
            error: None,
        };
        {
            let mut latest = state.searches.lock();
            if latest.iter().any(Search::is_running) {
                return Err(ApiError::busy(
                    "another search runs: wait for its end, or stop it",
                ));
            }
            latest.retain(|search| search.video != video);
            latest.push(search.clone());
            state.searches.cancelled.store(false, Ordering::SeqCst);
        }
        let own = state.clone();
        let thread = Builder::new().name("search".to_owned()).spawn(move || {
            let found = catch_unwind(AssertUnwindSafe(|| own.search(user, video, &options)));
            let found = found.unwrap_or_else(|_| {
                Err(ApiError::failed(
                    "the search failed; the server's log says why",
                ))
            });
            own.end(video, found);
        });
        if let Err(why) = thread {
            let why = || ApiError::failed(format!("the search cannot begin: {why}"));
            state.end(video, Err(why()));
            return Err(why());
        }
        Ok(search)
    }
}

impl Search {
    fn is_running(&self) -> bool {
        self.state == Progress::Running
    }
}

type Ended = (Progress, Option<usize>, Option<String>);

impl State {
    /// Changes what is known of a search, and tells everybody.
    fn note(&self, video: VideoId, change: impl FnOnce(&mut Search)) {
        let mut latest = self.searches.lock();
        if let Some(search) = latest.iter_mut().find(|search| search.video == video) {
            change(search);
            self.live.auto(&json!(search));
        }
    }

    /// Notes how a search ended.
    fn end(&self, video: VideoId, found: Result<Ended>) {
        let ended = found.unwrap_or_else(|error| {
            let error = error.to_json()["message"].as_str().map(str::to_owned);
            (Progress::Failed, None, error)
        });
        self.note(video, |search| {
            (search.state, search.masklets, search.error) = ended;
        });
    }

    fn search(&self, user: UserId, video: VideoId, options: &AutoOptions) -> Result<Ended> {
        let known = self.project.video(video)?;
        let mut frames = self.project.open_frames(&known)?;
        let cancelled = || self.searches.cancelled.load(Ordering::SeqCst);
        let found = find(&self.searches.model, &mut frames, options, &mut |tracked| {
            self.note(video, |search| search.frame = tracked);
            while self.worker.has_urgent() && !cancelled() {
                std::thread::sleep(PAUSE);
            }
            !cancelled()
        })?;
        let Some(found) = found else {
            return Ok((Progress::Cancelled, None, None));
        };
        let mut count = 0;
        if !found.masklets.is_empty() {
            let added = self
                .project
                .add_auto_masklets(user, video, &found, &self.model)?;
            count = added.value.len();
            for (task, _) in added.value {
                self.tell_task(task)?;
            }
        }
        Ok((Progress::Done, Some(count), None))
    }
}
