//! What everybody is told as it happens, and whose leases end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use masklet_engine::{Lease, Task, TaskId, UserId};
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// Messages that a slow reader may be behind.
const BACKLOG: usize = 512;

/// A message, and whom it is for; everybody if nobody is named.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) to: Option<UserId>,
    pub(crate) message: Value,
}

/// Where notices go through.
pub(crate) struct Live {
    notices: broadcast::Sender<Notice>,
    /// Who holds which task, as far as is known.
    leases: Mutex<HashMap<TaskId, Lease>>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            notices: broadcast::Sender::new(BACKLOG),
            leases: Mutex::default(),
        }
    }

    /// Hears all notices from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    fn tell(&self, message: Value) {
        // Nobody listens: nobody misses it.
        let _ = self.notices.send(Notice { to: None, message });
    }

    /// A task has changed, or its lease.
    pub(crate) fn task(&self, task: &Task) {
        match &task.lease {
            Some(lease) => drop(self.leases().insert(task.id, lease.clone())),
            None => drop(self.leases().remove(&task.id)),
        }
        self.tell(json!({ "type": "task", "task": task }));
    }

    /// A task is there no more.
    pub(crate) fn gone(&self, task: TaskId) {
        self.leases().remove(&task);
        self.tell(json!({ "type": "task-gone", "task": task }));
    }

    /// Videos have come or gone.
    pub(crate) fn videos(&self) {
        self.tell(json!({ "type": "videos" }));
    }

    /// A video is being taken in.
    pub(crate) fn import(&self, name: &str, frames: u32) {
        self.tell(json!({ "type": "import", "name": name, "frames": frames }));
    }

    /// A search for automatic masklets goes on.
    pub(crate) fn auto(&self, search: &Value) {
        self.tell(json!({ "type": "auto", "auto": search }));
    }

    /// The leases that have ended by `now`, in milliseconds since 1970, as far as is known; they
    /// are forgotten.
    pub(crate) fn take_ended(&self, now: i64) -> Vec<Lease> {
        let mut leases = self.leases();
        let ended = leases.values().filter(|lease| lease.expires <= now);
        let ended: Vec<Lease> = ended.cloned().collect();
        leases.retain(|_, lease| lease.expires > now);
        ended
    }

    /// Somebody's lease has ended without being given back.
    pub(crate) fn lease_lost(&self, lease: &Lease) {
        let message = json!({ "type": "lease-lost", "task": lease.task });
        let _ = self.notices.send(Notice {
            to: Some(lease.user),
            message,
        });
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<TaskId, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
