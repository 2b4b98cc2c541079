//! Prompts on one frame, answered with a mask that is stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use masklet::{Direction, ObjectMask};
use masklet_engine::{
    EventId, FrameEntry, MaskUpdate, MaskletId, Phase, Project, Prompt, Task, TaskId, UserId,
};
use masklet_media::{Rle, stability_score};
use serde::Serialize;

use super::session::{SCRATCH, Scratch, Session, Showing, object_of};
use super::sessions::Sessions;
use super::wanted::{Conditioning, Wanted};
use crate::error::{ApiError, Result};

/// Prompts of one frame and object at most.
const MOST_PROMPTS: usize = 256;

/// Prompts that somebody gave.
pub(crate) struct PromptOrder {
    pub(crate) user: UserId,
    pub(crate) task: TaskId,
    pub(crate) seen: EventId,
    pub(crate) masklet: MaskletId,
    pub(crate) frame: u32,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) milliseconds: u32,
    /// Time in the model so far, in earlier turns.
    pub(crate) spent: Duration,
    /// Lives as long as somebody waits for the answer.
    pub(crate) asking: Arc<()>,
}

/// What came of them.
#[derive(Serialize)]
pub(crate) struct Predicted {
    revision: EventId,
    entry: FrameEntry,
    mask: Rle,
    /// The mask's IoU with the object as the model predicts it.
    score: f32,
    /// Time in the model.
    milliseconds: u64,
}

/// Where to begin with a list of prompts.
enum Start {
    /// What the session has is the list's beginning.
    Continue,
    /// The stored mask is.
    Mask,
    /// Nothing is known.
    Fresh,
}

impl PromptOrder {
    /// Refuses lists that mean nothing.
    pub(crate) fn check(&self) -> Result<()> {
        let bad = |why: &str| Err(ApiError::bad_request(why));
        let Some((first, more)) = self.prompts.split_first() else {
            return bad("there is no prompt: give at least one click, or a box");
        };
        if self.prompts.len() > MOST_PROMPTS {
            return bad("there are more than 256 prompts: draw the mask instead");
        }
        if !more
            .iter()
            .all(|prompt| matches!(prompt, Prompt::Click { .. }))
        {
            return bad("only clicks can follow a prompt: a box or mask stands first, once");
        }
        if *first == Prompt::Mask && more.is_empty() {
            return bad("the stored mask alone needs no model: add a click, or store another mask");
        }
        Ok(())
    }

    fn begins_with(&self, stored: &FrameEntry) -> bool {
        !stored.prompts.is_empty()
            && stored.prompts.len() < self.prompts.len()
            && self.prompts.starts_with(&stored.prompts)
    }

    /// Where to begin, and what is to be played from there.
    fn plan(&self, stored: Option<&FrameEntry>, known: bool) -> Result<(Start, &[Prompt])> {
        let continued = stored.filter(|stored| self.begins_with(stored));
        let rest = continued.map(|stored| &self.prompts[stored.prompts.len()..]);
        Ok(match (rest, self.prompts.first()) {
            (Some(rest), _) if known => (Start::Continue, rest),
            (rest, Some(Prompt::Mask)) => {
                if stored.is_none() {
                    return Err(ApiError::bad_request(
                        "there is no mask on this frame to begin with: click, or draw one",
                    ));
                }
                (Start::Mask, rest.unwrap_or(&self.prompts[1..]))
            }
            _ => (Start::Fresh, &self.prompts[..]),
        })
    }

    /// Clicks that are not stored yet.
    fn new_clicks(&self, stored: &[Prompt]) -> u32 {
        let mut before = stored.to_vec();
        let mut new = 0;
        for prompt in &self.prompts {
            // One that was taken away does not make those after it new.
            match before.iter().position(|known| known == prompt) {
                Some(at) => drop(before.swap_remove(at)),
                None => new += u32::from(matches!(prompt, Prompt::Click { .. })),
            }
        }
        new
    }
}

impl Sessions {
    /// Segments an object on a frame, and stores its mask; `None` if the session needs another turn
    /// before that, to be shown what is stored.
    pub(crate) fn prompt(&mut self, order: &mut PromptOrder) -> Result<Option<Predicted>> {
        let PromptOrder {
            user,
            task,
            masklet,
            frame,
            ..
        } = *order;
        order.check()?;
        let known = self
            .project
            .check_annotate(user, task, Some(order.seen), &[masklet])?;
        let stored = self.project.frame(masklet, frame)?;
        let begun = Instant::now();
        let found = self.predict(order, &known, stored.as_ref());
        let found = found.inspect_err(|_| self.forget(user, task))?;
        order.spent += begun.elapsed();
        let Some(found) = found else {
            self.keep_for(user, task, &order.asking);
            return Ok(None);
        };
        let milliseconds = order.spent.as_millis() as u64;
        let mask = Rle::encode(&found.mask());
        let update = MaskUpdate {
            occlusion_score: Some(found.object_score),
            stability_score: Some(stability_score(&found.low_res_logits, 0.0, 1.0)),
            prompts: Some(order.prompts.clone()),
            clicks: order.new_clicks(stored.as_ref().map_or(&[], |stored| &stored.prompts)),
            milliseconds: order.milliseconds,
            ..MaskUpdate::new(masklet, frame, mask.clone())
        };
        let done =
            self.project
                .annotate(user, task, Some(order.seen), &[update], Some(&self.facts));
        // The session has seen a prompt that is not stored.
        let done = done.inspect_err(|_| self.forget(user, task))?;
        let entry = self.project.frame(masklet, frame)?.ok_or_else(|| {
            ApiError::failed("the mask was stored, and removed by somebody at once")
        })?;
        let session = self.get(user, &known)?;
        match known.phase {
            Phase::Interactive => session.note(masklet, &entry, true),
            Phase::PerFrame | Phase::MaskPropagation => {
                session.scratch = Some(Scratch {
                    masklet,
                    frame,
                    mask: entry.mask.clone(),
                });
            }
        }
        let task = self.project.task(task)?;
        self.live.task(&task);
        Ok(Some(Predicted {
            revision: done.revision,
            entry,
            mask,
            score: found.predicted_iou,
            milliseconds,
        }))
    }

    fn predict(
        &mut self,
        order: &PromptOrder,
        task: &Task,
        stored: Option<&FrameEntry>,
    ) -> Result<Option<ObjectMask>> {
        let project = Arc::clone(&self.project);
        let mut turn = self.turn_of(order.user, task.id);
        let session = self.get(order.user, task)?;
        match task.phase {
            Phase::PerFrame | Phase::MaskPropagation => {
                session.alone(&project, order, stored).map(Some)
            }
            Phase::Interactive => session.with_memory(&project, order, stored, &mut turn),
        }
    }
}

impl Session {
    /// Segments by the picture alone.
    fn alone(
        &mut self,
        project: &Project,
        order: &PromptOrder,
        stored: Option<&FrameEntry>,
    ) -> Result<ObjectMask> {
        let tried = self.scratch.take();
        let known = tried.zip(stored).is_some_and(|(tried, stored)| {
            let here = (order.masklet, order.frame);
            (tried.masklet, tried.frame) == here && tried.mask == stored.mask
        });
        let (start, rest) = order.plan(stored, known)?;
        let frame = order.frame as usize;
        if !matches!(start, Start::Continue) {
            self.remove(SCRATCH)?;
        }
        if let (Start::Mask, Some(stored)) = (start, stored) {
            let mask = self.read(project, stored)?;
            self.video.add_mask(frame, SCRATCH, &mask.decode())?;
        }
        self.play(frame, SCRATCH, rest)
    }

    /// Segments with what is remembered of other frames; `None` if showing them takes another turn.
    fn with_memory(
        &mut self,
        project: &Project,
        order: &PromptOrder,
        stored: Option<&FrameEntry>,
        turn: &mut Showing,
    ) -> Result<Option<ObjectMask>> {
        let PromptOrder { masklet, frame, .. } = *order;
        let id = object_of(masklet)?;
        let touched = stored.filter(|stored| stored.touched());
        // Prompts that are not the stored ones with more after them replace these.
        let from_mask = order.prompts.first() == Some(&Prompt::Mask);
        let replaced = touched.is_some_and(|stored| !from_mask && !order.begins_with(stored));
        let wanted = Wanted {
            conditioning: Conditioning::Touched,
            // A frame that was tracked is corrected with what tracking knew.
            near: stored
                .filter(|stored| !stored.touched())
                .map(|_| (frame, Direction::Forward)),
            except: replaced.then_some(frame),
        };
        // A propagation in between would show the frame that is about to be prompted anew, and each would
        // begin again for the other.
        let mut at_once = Showing::during(None);
        let turn = if replaced { &mut at_once } else { turn };
        if !self.sync(project, masklet, &wanted, turn)? {
            return Ok(None);
        }
        let known = touched.is_some_and(|stored| self.knows(masklet, stored));
        let (start, rest) = order.plan(stored, known)?;
        if let (Start::Mask, Some(stored)) = (start, stored) {
            let mask = self.read(project, stored)?;
            self.video.add_mask(frame as usize, id, &mask.decode())?;
        }
        self.play(frame as usize, id, rest).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use masklet::{Compute, Model};
    use masklet_engine::{ModelFacts, NewMasklet, NewTask, VideoImport};
    use masklet_media::Mask;

    use super::*;
    use crate::live::Live;

    fn click(x: f32) -> Prompt {
        Prompt::Click {
            x,
            y: 1.0,
            positive: true,
        }
    }

    fn order(prompts: &[Prompt]) -> PromptOrder {
        PromptOrder {
            user: UserId(1),
            task: TaskId(1),
            seen: EventId(1),
            masklet: MaskletId(1),
            frame: 0,
            prompts: prompts.to_vec(),
            milliseconds: 0,
            spent: Duration::ZERO,
            asking: Arc::default(),
        }
    }

    const BOX: Prompt = Prompt::Box {
        x0: 0.0,
        y0: 0.0,
        x1: 5.0,
        y1: 5.0,
    };

    #[test]
    fn a_click_counts_once_whatever_is_taken_away_before_it() {
        let (a, b, c) = (click(1.0), click(2.0), click(3.0));
        let cases: [(&[Prompt], &[Prompt], u32); 5] = [
            (&[], &[a.clone(), b.clone()], 2),
            (
                &[a.clone(), b.clone()],
                &[a.clone(), b.clone(), c.clone()],
                1,
            ),
            (
                &[a.clone(), b.clone(), c.clone()],
                &[b.clone(), c.clone()],
                0,
            ),
            (&[click(1.0)], &[click(1.0), click(1.0)], 1),
            (&[BOX], &[BOX, a.clone()], 1),
        ];
        for (before, now, new) in cases {
            assert_eq!(order(now).new_clicks(before), new, "{before:?} {now:?}");
        }
    }

    #[test]
    fn lists_that_mean_nothing_are_refused() {
        for good in [
            vec![click(1.0)],
            vec![BOX],
            vec![BOX, click(1.0)],
            vec![Prompt::Mask, click(1.0), click(2.0)],
        ] {
            assert!(order(&good).check().is_ok(), "{good:?}");
        }
        for bad in [
            vec![],
            vec![Prompt::Mask],
            vec![click(1.0), BOX],
            vec![BOX, BOX],
            vec![click(1.0), Prompt::Mask],
            vec![click(1.0); 257],
        ] {
            assert!(order(&bad).check().is_err(), "{bad:?}");
        }
    }

    /// A project with a clip, two tasks alike with masks that were drawn on the first five frames, and
    /// the sessions of a server; an order for each task.
    fn long_sessions(folder: &std::path::Path) -> (Sessions, [PromptOrder; 2]) {
        let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let clip = folder.join("clip");
        std::fs::create_dir_all(&clip).unwrap();
        for frame in 0..7 {
            let name = format!("{frame:05}.png");
            std::fs::copy(fixtures.join("frames").join(&name), clip.join(&name)).unwrap();
        }
        let project = Project::create(folder.join("project"), "Lab", "Olga").unwrap();
        let user = project.owner().unwrap().id;
        let video = VideoImport::of(&clip).unwrap();
        let video = project.import_video(user, &video, &mut |_| ()).unwrap();
        let orders = [(); 2].map(|()| {
            let new = NewTask {
                phase: Some(Phase::Interactive),
                masklets: vec![NewMasklet::default()],
                ..NewTask::on(video.value)
            };
            let task = project.create_task(user, &new).unwrap().value;
            project.claim(user, task).unwrap();
            let masklet = project.task(task).unwrap().masklets[0].id;
            let drawn = |frame| {
                let mask = Mask::from_fn(208, 152, |x, y| {
                    x.abs_diff(60 + frame) + y.abs_diff(70) < 30
                });
                MaskUpdate {
                    edited: true,
                    ..MaskUpdate::new(masklet, frame, Rle::encode(&mask))
                }
            };
            let drawn: Vec<MaskUpdate> = (0..5).map(drawn).collect();
            let done = project.annotate(user, task, None, &drawn, None).unwrap();
            PromptOrder {
                user,
                task,
                seen: done.revision,
                masklet,
                frame: 6,
                prompts: vec![click(70.0)],
                ..order(&[])
            }
        });
        let config = std::fs::read(fixtures.join("sam2.1/config.json")).unwrap();
        let config = serde_json::from_slice(&config).unwrap();
        let model = Model::random(&config, 1, Compute::default()).unwrap();
        let facts = ModelFacts {
            name: "micro".to_owned(),
            sha256: None,
        };
        let live = Arc::new(Live::new());
        let sessions = Sessions::new(&model, facts, Arc::new(project), live);
        (sessions, orders)
    }

    #[test]
    fn a_long_session_is_rebuilt_in_several_turns_and_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (mut sessions, [mut first, mut second]) = long_sessions(folder.path());
        let answer = |sessions: &mut Sessions, order: &mut PromptOrder| {
            let mut turns = 1;
            loop {
                match sessions.prompt(order).unwrap() {
                    Some(found) => return (turns, found),
                    None => turns += 1,
                }
                assert!(turns < 10, "it goes on");
            }
        };
        sessions.showing = Duration::MAX;
        let (_, whole) = answer(&mut sessions, &mut first);
        sessions.showing = Duration::ZERO;
        let (turns, parts) = answer(&mut sessions, &mut second);
        assert_eq!(turns, 5, "a frame each");
        assert!(whole.mask == parts.mask);
    }
}
