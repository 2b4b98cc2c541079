//! The thread that runs the model.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use masklet_engine::{TaskId, UserId};
use tokio::sync::oneshot;

use super::propagation::{Control, Propagation, Step};
use super::queue::{Next, Queue};
use super::sessions::Sessions;
use crate::error::{ApiError, Result};

/// How often leases of what is being propagated are renewed, if they are not shorter.
const RENEWAL: Duration = Duration::from_secs(15);
/// How often it is looked whether they are due.
const RENEWAL_CHECK: Duration = Duration::from_millis(250);
/// How often an idle worker looks for sessions to drop.
const IDLE_CHECK: Duration = Duration::from_secs(30);

type Job = Box<dyn FnMut(&mut Sessions) -> Turn<()> + Send>;

/// What comes of a turn.
pub(crate) enum Turn<T> {
    /// The answer.
    Done(T),
    /// Another one is needed; others have theirs before.
    Again,
}

/// How much somebody waits for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// At their screen.
    Urgent,
    /// Not yet, and only for their newest one.
    Ahead,
}

/// A handle of the thread that runs the model.
pub(crate) struct Worker {
    inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    queue: Queue<Job, Box<Propagation>>,
    /// Those that are paused.
    paused: Vec<(UserId, Box<Propagation>)>,
    /// Tasks through which something is being propagated, for whom.
    tasks: HashMap<TaskId, (UserId, Arc<Control>)>,
    /// Whether a job is being done.
    at_work: bool,
    closed: bool,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(sessions: Sessions) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            waiting: Mutex::default(),
            wake: Condvar::new(),
        });
        let own = Arc::clone(&inner);
        let thread = Builder::new().name("model".to_owned());
        let thread = thread.spawn(move || own.run(sessions))?;
        Ok(Self {
            inner,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Has the model do something, in one turn or several, and waits for what comes of it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        user: UserId,
        lane: Lane,
        mut run: impl FnMut(&mut Sessions) -> Result<Turn<T>> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let mut answer = Some(answer);
        let job: Job = Box::new(move |sessions| {
            // Whoever asked may have left meanwhile.
            if answer.as_ref().is_none_or(oneshot::Sender::is_closed) {
                return Turn::Done(());
            }
            let result = match run(sessions) {
                Ok(Turn::Again) => return Turn::Again,
                Ok(Turn::Done(result)) => Ok(result),
                Err(error) => Err(error),
            };
            if let Some(answer) = answer.take() {
                let _ = answer.send(result);
            }
            Turn::Done(())
        });
        {
            let mut waiting = self.inner.lock();
            if waiting.closed {
                return Err(closing());
            }
            match lane {
                Lane::Urgent => waiting.queue.push_urgent(user, job),
                Lane::Ahead => waiting.queue.push_ahead(user, job),
            }
        }
        self.inner.wake.notify_one();
        answered.await.unwrap_or_else(|_| {
            Err(match lane {
                Lane::Urgent => ApiError::failed("the model failed; the server's log says why"),
                Lane::Ahead => ApiError::busy("a newer frame was asked for before this one's turn"),
            })
        })
    }

    /// Lets a propagation have its turns. Returns how many others have theirs.
    pub(crate) fn propagate(&self, propagation: Propagation) -> Result<usize> {
        let (user, task) = (propagation.user(), propagation.task());
        let mut waiting = self.inner.lock();
        if waiting.closed {
            return Err(closing());
        }
        if waiting.tasks.contains_key(&task) {
            return Err(ApiError::wrong_state(format!(
                "objects of task {task} are being propagated: wait for the end, or cancel it"
            )));
        }
        let control = Arc::clone(propagation.control());
        waiting.tasks.insert(task, (user, control));
        let ahead = waiting.queue.propagations();
        waiting.queue.push_slow(user, Box::new(propagation));
        drop(waiting);
        self.inner.wake.notify_one();
        Ok(ahead)
    }

    /// Ends the propagation through a task unless it is for whoever holds the task.
    pub(crate) fn leave_to(&self, task: TaskId, holder: Option<UserId>) {
        {
            let mut waiting = self.inner.lock();
            match waiting.tasks.get(&task) {
                Some((user, control)) if Some(*user) != holder => control.cancel(),
                _ => return,
            }
            waiting.wake_paused();
        }
        self.inner.wake.notify_one();
    }

    /// Looks at the controls of the propagations again.
    pub(crate) fn nudge(&self) {
        self.inner.lock().wake_paused();
        self.inner.wake.notify_one();
    }

    /// Whether somebody waits for the model at their screen.
    pub(crate) fn has_urgent(&self) -> bool {
        let waiting = self.inner.lock();
        waiting.at_work || waiting.queue.has_urgent()
    }

    /// Ends the thread: what propagations have computed is saved, what comes later is refused.
    pub(crate) fn close(&self) {
        {
            let mut waiting = self.inner.lock();
            waiting.closed = true;
            for propagation in waiting.queue.each_propagation() {
                propagation.control().cancel();
            }
            for (_, propagation) in &waiting.paused {
                propagation.control().cancel();
            }
            waiting.wake_paused();
        }
        self.inner.wake.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A panic of the thread was told when it happened.
            let _ = thread.join();
        }
    }
}

fn closing() -> ApiError {
    ApiError::busy("the server is ending")
}

impl Waiting {
    fn wake_paused(&mut self) {
        let (paused, ready): (Vec<_>, Vec<_>) = std::mem::take(&mut self.paused)
            .into_iter()
            .partition(|(_, propagation)| propagation.control().is_paused());
        self.paused = paused;
        for (user, propagation) in ready {
            self.queue.push_slow(user, propagation);
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut sessions: Sessions) {
        let mut renewed = Instant::now();
        while let Some(next) = self.next(&mut sessions) {
            self.renew_leases(&sessions, &mut renewed);
            match next {
                Next::Job(user, mut job) => {
                    match catch_unwind(AssertUnwindSafe(|| job(&mut sessions))) {
                        Ok(Turn::Done(())) => {}
                        Ok(Turn::Again) => self.lock().queue.again_urgent(user, job),
                        // Nobody knows what state they are in; all of it is stored.
                        Err(_) => sessions.drop_all(),
                    }
                }
                Next::Step(user, propagation) => self.step(&mut sessions, user, propagation),
            }
        }
    }

    /// What is next, when there is something; `None` when the server ends.
    fn next(&self, sessions: &mut Sessions) -> Option<Next<Job, Box<Propagation>>> {
        let mut waiting = self.lock();
        waiting.at_work = false;
        loop {
            if let Some(next) = waiting.queue.pop(|next| next.control().stands_still()) {
                waiting.at_work = matches!(next, Next::Job(..));
                return Some(next);
            }
            if waiting.closed {
                return None;
            }
            let woken = self.wake.wait_timeout(waiting, IDLE_CHECK);
            let (guard, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
            waiting = guard;
            if timeout.timed_out() {
                sessions.drop_unused();
            }
        }
    }

    /// Renews the leases of propagations that have their turns or wait for them, when it is time.
    fn renew_leases(&self, sessions: &Sessions, renewed: &mut Instant) {
        if renewed.elapsed() < RENEWAL_CHECK {
            return;
        }
        let project = &sessions.project;
        let lease = project.settings().map_or(RENEWAL, |settings| {
            Duration::from_secs(settings.lease_seconds.into())
        });
        if renewed.elapsed() < RENEWAL.min(lease / 3) {
            return;
        }
        *renewed = Instant::now();
        let waiting = self.lock();
        let held = waiting.queue.each_propagation();
        let held: Vec<_> = held.map(|one| (one.user(), one.task())).collect();
        drop(waiting);
        for (user, task) in held {
            // Whoever lost a task is told when it is their turn.
            let _ = project.renew(user, task);
        }
    }

    fn step(&self, sessions: &mut Sessions, user: UserId, mut propagation: Box<Propagation>) {
        let task = propagation.task();
        sessions.pin(user, task);
        let step = catch_unwind(AssertUnwindSafe(|| propagation.step(sessions)));
        let step = step.unwrap_or_else(|_| {
            sessions.drop_all();
            propagation.fail(ApiError::failed(
                "the model failed; the server's log says why",
            ));
            Step::Over
        });
        if !matches!(step, Step::Again) {
            sessions.unpin(user, task);
        }
        let mut waiting = self.lock();
        if waiting.closed {
            propagation.control().cancel();
        }
        match step {
            Step::Again => waiting.queue.again(user, propagation),
            Step::Paused => {
                waiting.paused.push((user, propagation));
                // It may have been resumed meanwhile.
                waiting.wake_paused();
            }
            Step::Over => drop(waiting.tasks.remove(&task)),
        }
    }
}

#[cfg(test)]
mod tests {
    use masklet::{Compute, Model};
    use masklet_engine::{ModelFacts, Project};

    use super::*;
    use crate::live::Live;

    fn worker(folder: &std::path::Path) -> Worker {
        let config = include_str!("../../../../fixtures/sam2.1/config.json");
        let config = serde_json::from_str(config).unwrap();
        let model = Model::random(&config, 1, Compute::default()).unwrap();
        let facts = ModelFacts {
            name: "micro".to_owned(),
            sha256: None,
        };
        let project = Project::create(folder.join("project"), "Lab", "Olga").unwrap();
        let live = Arc::new(Live::new());
        let sessions = Sessions::new(&model, facts, Arc::new(project), live);
        Worker::start(sessions).unwrap()
    }

    #[test]
    fn a_failure_of_the_model_is_one_job_s_and_the_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let worker = worker(folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let ask = |run: fn() -> Result<u8>| {
            runtime.block_on(worker.ask(UserId(1), Lane::Urgent, move |_| run().map(Turn::Done)))
        };
        let failed = ask(|| panic!("what a kernel might say")).unwrap_err();
        assert_eq!(failed.code(), "failed");
        assert_eq!(ask(|| Ok(7)).unwrap(), 7);
        worker.close();
        assert_eq!(ask(|| Ok(7)).unwrap_err().code(), "busy");
    }
}
