//! A session with the model, kept equal to what is stored.
//!
//! The project is the truth and a session only a memory of it: before each use it is compared with
//! what is stored, and shown what it lacks. So an undo, a brush stroke, another person's change, a
//! session that was dropped and a server that was killed are all one case.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use masklet::{
    BoxPrompt, Click, ClickHistory, Direction, FrameResult, ObjectId, ObjectMask, VideoSession,
};
use masklet_engine::{EventId, FrameEntry, MaskPlace, MaskletId, Phase, Project, Prompt};
use masklet_media::{FrameSource, Rle};

use super::wanted::{Conditioning, Wanted};
use crate::error::{ApiError, Result};

/// Frames before the next one whose masks are remembered, if the session did not track them: those
/// whose spatial memories tracking attends to.
const REMEMBERED_BEFORE: u32 = 6;

/// Tracked frames of objects around the latest one that a session remembers at most, on each side:
/// 0.8 MB each at 1024 pixels. What lies further is shown again when it is wanted.
const MOST_AROUND: usize = 300;
/// Frames around the latest one that are remembered in any case: object pointers reach so far.
const LEAST_AROUND: usize = 32;

/// The object that prompts of phases 1 and 2 are tried on.
pub(super) const SCRATCH: ObjectId = ObjectId::MAX;

/// What the session was shown, or found, of an object on a frame.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    /// `None` while it is not stored yet.
    mask: Option<MaskPlace>,
    /// Whether it conditions other frames.
    conditioning: bool,
}

/// The last prompts that were tried without memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scratch {
    pub(super) masklet: MaskletId,
    pub(super) frame: u32,
    pub(super) mask: MaskPlace,
}

/// A turn in which a session is shown frames: one at least, so that it comes to an end, and more until
/// its time is up.
pub(super) struct Showing {
    until: Option<Instant>,
    shown: bool,
}

impl Showing {
    /// For so long from now on; for as long as it takes with `None`.
    pub(super) fn during(time: Option<Duration>) -> Self {
        Self {
            until: time.and_then(|time| Instant::now().checked_add(time)),
            shown: false,
        }
    }

    /// Whether there is time for one more frame, which is shown then.
    fn may_show(&mut self) -> bool {
        let over = self.until.is_some_and(|until| Instant::now() >= until);
        let may = !(self.shown && over);
        self.shown |= may;
        may
    }
}

/// A user's session of a task.
pub(crate) struct Session {
    pub(super) video: VideoSession<Box<dyn FrameSource>>,
    phase: Phase,
    /// The task's revision that the objects of a propagation were last compared at.
    pub(super) revision: Option<EventId>,
    known: BTreeMap<MaskletId, BTreeMap<u32, Known>>,
    pub(super) scratch: Option<Scratch>,
}

/// The number of a masklet's object in the session.
pub(super) fn object_of(masklet: MaskletId) -> Result<ObjectId> {
    let id = ObjectId::try_from(masklet.0)
        .ok()
        .filter(|id| *id != SCRATCH);
    id.ok_or_else(|| ApiError::failed(format!("masklet {masklet} has too large a number")))
}

/// Whether a frame's mask may be what its prompts give.
fn by_prompts(entry: &FrameEntry) -> bool {
    !entry.prompts.is_empty() && !entry.prompts.contains(&Prompt::Mask)
}

impl Session {
    pub(super) fn new(video: VideoSession<Box<dyn FrameSource>>, phase: Phase) -> Self {
        Self {
            video,
            phase,
            revision: None,
            known: BTreeMap::new(),
            scratch: None,
        }
    }

    /// Begins anew if the task is annotated in another phase now; frames stay encoded.
    pub(super) fn in_phase(&mut self, phase: Phase) {
        if self.phase != phase {
            self.video.reset();
            self.known.clear();
            self.scratch = None;
            self.revision = None;
            self.phase = phase;
        }
    }

    /// Frames of objects that it remembers.
    pub(super) fn remembered(&self) -> usize {
        self.known.values().map(BTreeMap::len).sum()
    }

    /// Encodes a frame.
    pub(crate) fn prepare(&mut self, frame: u32) -> Result<()> {
        Ok(self.video.prepare(frame as usize)?)
    }

    /// Forgets an object.
    pub(super) fn forget(&mut self, masklet: MaskletId) -> Result<()> {
        let id = object_of(masklet)?;
        self.known.remove(&masklet);
        self.revision = None;
        self.remove(id)
    }

    /// Removes an object if there is one.
    pub(super) fn remove(&mut self, id: ObjectId) -> Result<()> {
        match self.video.objects().contains(&id) {
            true => Ok(self.video.remove_object(id)?),
            false => Ok(()),
        }
    }

    /// Whether the session has what is stored of a prompted frame.
    pub(super) fn knows(&self, masklet: MaskletId, entry: &FrameEntry) -> bool {
        let known = self
            .known
            .get(&masklet)
            .and_then(|own| own.get(&entry.frame));
        known.is_some_and(|known| known.conditioning && known.mask.as_ref() == Some(&entry.mask))
    }

    /// Notes that the session has what is stored of a frame.
    pub(super) fn note(&mut self, masklet: MaskletId, entry: &FrameEntry, conditioning: bool) {
        self.insert(masklet, entry.frame, Some(entry.mask.clone()), conditioning);
    }

    /// Notes where something is stored that the session found.
    pub(super) fn confirm(&mut self, masklet: MaskletId, entry: &FrameEntry) {
        let own = self.known.get_mut(&masklet);
        if let Some(known) = own.and_then(|own| own.get_mut(&entry.frame)) {
            known.mask.get_or_insert_with(|| entry.mask.clone());
        }
    }

    /// Notes that the session found something that is not stored yet.
    pub(super) fn note_found(&mut self, masklet: MaskletId, frame: u32) {
        self.insert(masklet, frame, None, false);
    }

    /// Forgets what was found far from a frame, so that its size does not grow with the video.
    pub(super) fn forget_far(&mut self, frame: u32) {
        let objects = self.video.objects().len().max(1);
        let reach = (MOST_AROUND / objects).max(LEAST_AROUND);
        self.video.forget_beyond(frame as usize, reach);
        for own in self.known.values_mut() {
            own.retain(|known_frame, known| {
                known.conditioning || known_frame.abs_diff(frame) as usize <= reach
            });
        }
    }

    fn insert(
        &mut self,
        masklet: MaskletId,
        frame: u32,
        mask: Option<MaskPlace>,
        conditioning: bool,
    ) {
        let known = Known { mask, conditioning };
        self.known.entry(masklet).or_default().insert(frame, known);
    }

    /// Shows the session what is stored of an object and it does not know, as far as the turn allows.
    /// Returns whether it knows all now.
    pub(super) fn sync(
        &mut self,
        project: &Project,
        masklet: MaskletId,
        wanted: &Wanted,
        turn: &mut Showing,
    ) -> Result<bool> {
        let id = object_of(masklet)?;
        let stored = project.frames(masklet)?;
        let mut conditioning: Vec<&FrameEntry> = stored
            .iter()
            .filter(|entry| wanted.conditioning.has(entry) && wanted.except != Some(entry.frame))
            .collect();
        if conditioning.is_empty() && matches!(wanted.conditioning, Conditioning::Touched) {
            // What a model found, or came from a data set: its first sight of the object.
            let first = stored.iter().find(|entry| entry.visible());
            conditioning.extend(first.filter(|entry| wanted.except != Some(entry.frame)));
        }
        if self.contradicts(masklet, &stored, &conditioning) {
            self.forget(masklet)?;
        }
        for entry in &conditioning {
            if !self.knows(masklet, entry) {
                if !turn.may_show() {
                    return Ok(false);
                }
                self.show(project, id, entry, wanted.conditioning)?;
                self.note(masklet, entry, true);
            }
        }
        if let Some((next, direction)) = wanted.near
            && !conditioning.is_empty()
        {
            let stored: Vec<FrameEntry> = stored
                .into_iter()
                .filter(|entry| wanted.conditioning.may_remember(entry.frame))
                .collect();
            return self.recall(project, masklet, &stored, (next, direction), turn);
        }
        Ok(true)
    }

    /// Whether the session knows something of an object that is not so any more, and that showing
    /// it more would not mend.
    fn contradicts(
        &self,
        masklet: MaskletId,
        stored: &[FrameEntry],
        conditioning: &[&FrameEntry],
    ) -> bool {
        let Some(own) = self.known.get(&masklet) else {
            return false;
        };
        let conditioning: BTreeMap<u32, &FrameEntry> = conditioning
            .iter()
            .map(|entry| (entry.frame, *entry))
            .collect();
        let stored: BTreeMap<u32, &FrameEntry> =
            stored.iter().map(|entry| (entry.frame, entry)).collect();
        own.iter().any(|(frame, known)| {
            if let Some(entry) = conditioning.get(frame) {
                // Another mask is shown over the old one; prompts only follow one another.
                let other = known.mask.as_ref() != Some(&entry.mask);
                return known.conditioning && other && by_prompts(entry);
            }
            let entry = stored.get(frame);
            let differs = known
                .mask
                .as_ref()
                .is_some_and(|mask| entry.is_none_or(|entry| entry.mask != *mask));
            known.conditioning || differs
        })
    }

    /// Shows the session a frame that somebody prompted or edited: in phase 3 by the same prompts if
    /// they give the same mask, so that it is exactly what it was; else by the mask.
    fn show(
        &mut self,
        project: &Project,
        id: ObjectId,
        entry: &FrameEntry,
        conditioning: Conditioning,
    ) -> Result<()> {
        let mask = self.read(project, entry)?;
        let frame = entry.frame as usize;
        if matches!(conditioning, Conditioning::Touched) && by_prompts(entry) {
            let played = self.play(frame, id, &entry.prompts)?;
            if Rle::encode(&played.mask()) == mask {
                return Ok(());
            }
        }
        self.video.add_mask(frame, id, &mask.decode())?;
        Ok(())
    }

    /// Lets the session remember the masks just before the next frame, and the one that is on it, as
    /// far as the turn allows. Returns whether it remembers all now.
    fn recall(
        &mut self,
        project: &Project,
        masklet: MaskletId,
        stored: &[FrameEntry],
        (next, direction): (u32, Direction),
        turn: &mut Showing,
    ) -> Result<bool> {
        let id = object_of(masklet)?;
        let near = match direction {
            Direction::Forward => next.saturating_sub(REMEMBERED_BEFORE)..=next,
            Direction::Backward => next..=next.saturating_add(REMEMBERED_BEFORE),
        };
        for entry in stored.iter().filter(|entry| near.contains(&entry.frame)) {
            let own = self.known.get(&masklet);
            if own.is_some_and(|own| own.contains_key(&entry.frame)) || entry.touched() {
                continue;
            }
            if !turn.may_show() {
                return Ok(false);
            }
            let mask = self.read(project, entry)?.decode();
            let frame = entry.frame as usize;
            self.video.recall(frame, id, &mask, direction)?;
            self.note(masklet, entry, false);
        }
        Ok(true)
    }

    /// The stored mask of a frame.
    pub(super) fn read(&self, project: &Project, entry: &FrameEntry) -> Result<Rle> {
        let mut masks = project.read_masks(std::slice::from_ref(&entry.mask))?;
        Ok(masks.remove(0))
    }

    /// Prompts an object one prompt after another, as somebody did.
    pub(super) fn play(
        &mut self,
        frame: usize,
        id: ObjectId,
        prompts: &[Prompt],
    ) -> Result<ObjectMask> {
        let mut last: Option<FrameResult> = None;
        for prompt in prompts {
            last = Some(match *prompt {
                Prompt::Click { x, y, positive } => {
                    let click = Click { x, y, positive };
                    let history = ClickHistory::Append;
                    self.video.add_clicks(frame, id, &[click], history)?
                }
                Prompt::Box { x0, y0, x1, y1 } => {
                    let bounds = BoxPrompt::new(x0, y0, x1, y1);
                    self.video.add_box(frame, id, bounds, &[])?
                }
                Prompt::Mask => {
                    return Err(ApiError::bad_request("a mask can only be the first prompt"));
                }
            });
        }
        let objects = last.map(|result| result.objects).unwrap_or_default();
        let found = objects.into_iter().find(|object| object.id == id);
        found.ok_or_else(|| ApiError::bad_request("there is no prompt: give at least one"))
    }
}
