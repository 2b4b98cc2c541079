//! A propagation's next frame.

use std::sync::Arc;
use std::time::Instant;

use masklet_engine::{FrameEntry, MaskletId, Phase, Project, Scope, Task};

use super::{FoundMask, Happened, Order, Propagation};
use crate::error::{ApiError, Result};
use crate::work::session::object_of;
use crate::work::sessions::Sessions;
use crate::work::wanted::{Conditioning, Wanted};

impl Propagation {
    /// Whether the order may go on. In its first turn it is refused if it is stale; in later ones it
    /// follows the user's changes.
    pub(super) fn accept(&mut self, project: &Project) -> Result<Task> {
        let Order {
            user, task, seen, ..
        } = self.order;
        let seen = match self.accepted {
            false => seen,
            true => project.revision(Scope::Task(task))?,
        };
        let task = project.check_annotate(user, task, Some(seen), &self.order.masklets)?;
        self.accepted = true;
        self.revision = seen;
        Ok(task)
    }

    /// Brings the session to what is stored, where the user changed something meanwhile; `None` if that
    /// takes another turn.
    pub(super) fn catch_up(&mut self, sessions: &mut Sessions) -> Result<Option<Task>> {
        let Order { user, task: id, .. } = self.order;
        let project = Arc::clone(&sessions.project);
        let current = project.revision(Scope::Task(id))?;
        if current != self.revision && !self.unsaved.is_empty() {
            self.save(sessions)?;
        }
        let task = self.accept(&project)?;
        let seen = self.revision;
        if task.phase == Phase::PerFrame {
            return Err(ApiError::wrong_state(
                "nothing is tracked in phase 1: annotate each frame, or change the task's phase",
            ));
        }
        let mut turn = sessions.turn_of(user, id);
        let session = sessions.get(user, &task)?;
        if session.revision == Some(seen) && self.frames > 0 {
            return Ok(Some(task));
        }
        let (from, next) = (self.order.from, self.next);
        let wanted = Wanted {
            conditioning: match task.phase {
                Phase::MaskPropagation => Conditioning::Passed { from, to: next },
                _ => Conditioning::Touched,
            },
            near: Some((next, self.order.direction)),
            except: None,
        };
        if !self.alone && task.phase == Phase::MaskPropagation {
            // What follows a mask is by that mask alone, whatever was tracked before.
            self.alone = true;
            for &masklet in &self.order.masklets {
                session.forget(masklet)?;
            }
        }
        for &masklet in &self.order.masklets {
            if !session.sync(&project, masklet, &wanted, &mut turn)? {
                return Ok(None);
            }
            if !session.video.objects().contains(&object_of(masklet)?) {
                let name = &task.masklet(masklet)?.name;
                return Err(ApiError::bad_request(match task.phase {
                    Phase::MaskPropagation => {
                        format!("{name} has no mask on frame {from}: click or draw one there")
                    }
                    _ => format!("{name} has no mask yet: click on it, or draw it, on any frame"),
                }));
            }
        }
        session.revision = Some(seen);
        Ok(Some(task))
    }

    /// Tracks the objects on the next frame.
    pub(super) fn track(&mut self, sessions: &mut Sessions, task: &Task) -> Result<()> {
        let Order {
            user, direction, ..
        } = self.order;
        let frame = self.next;
        let project = Arc::clone(&sessions.project);
        let mut kept: Vec<(MaskletId, FrameEntry)> = Vec::new();
        for &masklet in &self.order.masklets {
            let entry = project.frame(masklet, frame)?;
            // In phase 2 the first mask is what all others follow from, whoever made it.
            let given = task.phase == Phase::MaskPropagation && frame == self.order.from;
            kept.extend(
                entry
                    .filter(|entry| given || entry.touched())
                    .map(|entry| (masklet, entry)),
            );
        }
        let session = sessions.get(user, task)?;
        for (masklet, entry) in &kept {
            if !session.knows(*masklet, entry) {
                let mask = session.read(&project, entry)?.decode();
                let id = object_of(*masklet)?;
                session.video.add_mask(frame as usize, id, &mask)?;
                session.note(*masklet, entry, true);
            }
        }
        let ids = self.order.masklets.iter().map(|id| object_of(*id));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let result = session.video.track(frame as usize, direction, &ids)?;
        let mut found = Vec::new();
        for (&masklet, id) in self.order.masklets.iter().zip(&ids) {
            let is_kept = kept.iter().any(|(kept, _)| *kept == masklet);
            let Some(object) = result.object(*id).filter(|_| !is_kept) else {
                continue;
            };
            session.note_found(masklet, frame);
            found.push(FoundMask::of(masklet, object));
        }
        session.forget_far(frame);
        self.unsaved
            .extend(found.iter().map(|mask| mask.update(frame)));
        if !self.unsaved.is_empty() {
            self.unsaved_since.get_or_insert_with(Instant::now);
        }
        self.frames += 1;
        self.last = Some(frame);
        self.tell(Happened::Frame {
            frame,
            masks: found,
        });
        Ok(())
    }
}
