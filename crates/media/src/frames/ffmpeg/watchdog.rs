//! The end of a program that hangs.

use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A program, and somebody who ends it if it is silent for longer than it may be.
pub(super) struct Watched {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    child: Child,
    /// Until when it has to say something.
    deadline: Option<Instant>,
    /// Whether it was ended for its silence.
    ended: bool,
    closed: bool,
}

impl Watched {
    pub(super) fn new(child: Child) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                child,
                deadline: None,
                ended: false,
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let watched = Arc::clone(&shared);
        Self {
            shared,
            thread: Some(std::thread::spawn(move || watched.watch())),
        }
    }

    /// Gives the program so much time again.
    pub(super) fn renew(&self, patience: Duration) {
        self.shared
            .set_deadline(Instant::now().checked_add(patience));
    }

    /// What `work` comes to, which ends early if the program is silent for so long; then that is
    /// said instead.
    pub(super) fn within<T>(
        &self,
        patience: Duration,
        work: impl FnOnce(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        self.renew(patience);
        let result = work(self);
        self.shared.set_deadline(None);
        match self.shared.lock().ended {
            true => Err(format!(
                "ffmpeg gave nothing for {} s and was ended",
                patience.as_secs_f32()
            )),
            false => result,
        }
    }

    /// Waits until the program has ended.
    pub(super) fn wait(&self) -> std::io::Result<std::process::ExitStatus> {
        const PAUSE: Duration = Duration::from_millis(2);
        loop {
            // Waiting with the lock held would keep the watch from ending it.
            if let Some(status) = self.shared.lock().child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Ends the program, and waits until it has.
    pub(super) fn end(&self) {
        self.shared.lock().end();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.end();
            state.closed = true;
        }
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has nothing to panic over.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_deadline(&self, deadline: Option<Instant>) {
        self.lock().deadline = deadline;
        self.changed.notify_one();
    }

    fn watch(&self) {
        let mut state = self.lock();
        while !state.closed {
            let left = state
                .deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => {
                    state.end();
                    state.ended = true;
                    state.deadline = None;
                    state
                }
                Some(left) => {
                    let woken = self.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let woken = self.changed.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }
}

impl State {
    fn end(&mut self) {
        // Both fail only if it has ended and been reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
