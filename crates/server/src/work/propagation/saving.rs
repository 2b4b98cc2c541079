//! A propagation's frames become actions.

use std::sync::Arc;

use masklet_engine::EngineError;

use super::{Happened, Order, Propagation};
use crate::error::Result;
use crate::work::sessions::Sessions;

/// How often saving is tried while the user changes the task at the same time.
const TRIES: usize = 5;

impl Propagation {
    /// Writes what was found as one action.
    pub(super) fn save(&mut self, sessions: &mut Sessions) -> Result<()> {
        let Order { user, task: id, .. } = self.order;
        let project = Arc::clone(&sessions.project);
        self.unsaved_since = None;
        // Whether the session lacks what the user did meanwhile.
        let mut followed = false;
        let mut updates = std::mem::take(&mut self.unsaved);
        for attempt in 1.. {
            if updates.is_empty() {
                return Ok(());
            }
            let (seen, began) = (self.revision, self.order.seen);
            match project.save_propagated(user, id, seen, &updates, &sessions.facts, began) {
                Ok(done) => {
                    self.revision = done.revision;
                    break;
                }
                // The user did something else meanwhile: what they touched is theirs.
                Err(EngineError::Stale { current, .. }) if attempt < TRIES => {
                    self.revision = current;
                    followed = true;
                    let task = project.task(id)?;
                    updates.retain(|update| task.masklet(update.masklet).is_ok());
                    let mut untouched = Vec::new();
                    for update in updates {
                        let entry = project.frame(update.masklet, update.frame)?;
                        if !entry.is_some_and(|entry| entry.touched()) {
                            untouched.push(update);
                        }
                    }
                    updates = untouched;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let task = project.task(id)?;
        let session = sessions.get(user, &task)?;
        for update in &updates {
            if let Some(entry) = project.frame(update.masklet, update.frame)? {
                session.confirm(update.masklet, &entry);
            }
        }
        let revision = self.revision;
        session.revision = session.revision.filter(|_| !followed).map(|_| revision);
        sessions.live.task(&task);
        let mut frames: Vec<u32> = updates.iter().map(|update| update.frame).collect();
        frames.sort_unstable();
        frames.dedup();
        self.tell(Happened::Saved {
            revision: self.revision,
            frames,
        });
        Ok(())
    }
}
