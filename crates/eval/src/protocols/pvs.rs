//! Promptable video segmentation, interactive (paper, section on PVS): an annotator clicks where
//! the model is wrong, and the model tracks again.
//!
//! *Offline*, the annotator sees the whole result and corrects the frame with the lowest IoU, in up
//! to eight rounds. *Online*, the video is gone through once, stopping wherever the IoU falls below
//! 0.75, up to eight frames in all. Three clicks are given on each frame. Each object is annotated
//! by itself. Only frames on which it is annotated as visible are candidates.

mod interactive;

use masklet::Model;
use masklet_data::{FrameAnnotation, Sequence, VideoDataset};
use masklet_media::{Mask, Rle};
use serde::{Deserialize, Serialize};

use super::vos::{describe, slug};
use super::{SequenceFailure, annotation};
use crate::cache::{Cache, digest};
use crate::methods::{ModelIdentity, Target, Task, Watch};
use crate::scoring::{Missing, Rules, Scoring, SequenceScore, Void, score_sequence};
use crate::{Error, Result};

use interactive::{CopyingAnnotations, Interactive, ModelInteraction};

/// How the annotator goes through the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Again and again, to the worst frame.
    Offline,
    /// Once, from the first frame to the last.
    Online,
}

impl Mode {
    /// The mode's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Online => "online",
        }
    }
}

/// The numbers of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// Clicks on each annotated frame.
    pub clicks: usize,
    /// Frames that are annotated at most, the first one included.
    pub frames: usize,
    /// Online: below this IoU a frame is annotated.
    pub threshold: f64,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            clicks: 3,
            frames: 8,
            threshold: 0.75,
        }
    }
}

/// Who answers the annotator.
#[derive(Debug, Clone)]
pub enum Responder {
    /// The network. Encoded frames are kept for the next round, up to so many.
    Model {
        /// The model.
        model: Box<Model>,
        /// Which it is.
        identity: ModelIdentity,
        /// Frames kept encoded.
        cached_frames: usize,
    },
    /// The baseline: the true mask of each annotated frame holds until the next one.
    CopiedMasks,
}

impl Responder {
    /// The method's name in reports.
    pub fn name(&self) -> String {
        match self {
            Self::Model { identity, .. } => identity.name.clone(),
            Self::CopiedMasks => "annotated masks copied".to_owned(),
        }
    }

    /// Whether it is the simple method that scores are to be seen against.
    pub fn is_baseline(&self) -> bool {
        matches!(self, Self::CopiedMasks)
    }

    fn identity(&self) -> serde_json::Value {
        match self {
            Self::Model { identity, .. } => serde_json::json!({ "model": identity }),
            Self::CopiedMasks => serde_json::json!("copied masks"),
        }
    }
}

/// What an object looks like once so many frames are annotated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The annotated frames, in the order they were annotated.
    pub annotated: Vec<usize>,
    /// Clicks so far.
    pub clicks: usize,
    /// Seconds of computing so far; online, of this pass.
    pub seconds: f64,
    /// The mask on each frame; `None` before the object's first frame.
    pub masks: Vec<Option<Rle>>,
}

/// What to evaluate on, and how.
pub struct Pvs<'a> {
    /// The data set.
    pub data: &'a dyn VideoDataset,
    /// The sequences.
    pub names: &'a [String],
    /// Which frames and objects count.
    pub rules: Rules,
    /// The numbers of the protocol.
    pub effort: Effort,
    /// Use only so many frames of each sequence.
    pub max_frames: Option<usize>,
    /// Where results are kept.
    pub cache: Cache,
}

/// What an object took.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectCost {
    /// The object's number.
    pub id: u32,
    /// Clicks and seconds after each round.
    pub rounds: Vec<(usize, f64)>,
}

/// A sequence with each number of annotated frames.
#[derive(Debug, Clone)]
pub struct PvsSequence {
    /// The score after each round, up to the effort's frames.
    pub scores: Vec<SequenceScore>,
    /// What each object took.
    pub costs: Vec<ObjectCost>,
    /// The masks of each object after the last round.
    pub last: crate::methods::Masklets,
}

impl Pvs<'_> {
    /// All sequences in one mode; one that fails does not stop the others.
    ///
    /// # Errors
    /// [`Error::Interrupted`] only.
    pub fn evaluate(
        &self,
        responder: &Responder,
        mode: Mode,
        watch: &Watch<'_>,
    ) -> Result<(Vec<PvsSequence>, Vec<SequenceFailure>)> {
        let (mut sequences, mut failures) = (Vec::new(), Vec::new());
        for name in self.names {
            match self.evaluate_one(responder, mode, name, watch) {
                Ok(sequence) => sequences.push(sequence),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => failures.push(SequenceFailure {
                    name: format!("{name} ({}, {})", responder.name(), mode.name()),
                    message: error.to_string(),
                }),
            }
            (watch.step)();
        }
        Ok((sequences, failures))
    }

    fn evaluate_one(
        &self,
        responder: &Responder,
        mode: Mode,
        name: &str,
        watch: &Watch<'_>,
    ) -> Result<PvsSequence> {
        let sequence = self.data.open_named(name)?;
        let task = Task::new(&*sequence, self.rules, self.max_frames)?;
        let description = describe(&task)?;
        let mut objects = Vec::new();
        for object in &task.objects {
            let truth = Truth::read(&task, object)?;
            let depends_on = serde_json::json!({
                "format": 1,
                "responder": responder.identity(),
                "mode": mode,
                "effort": self.effort,
                "task": description,
                "truth": truth.digest(),
                "object": object.id,
            });
            let name = format!(
                "{}-{}-{name}-{}",
                slug(&responder.name()),
                mode.name(),
                object.id
            );
            let interact = || self.interact(responder, mode, &task, &truth, watch);
            let (rounds, _): (Vec<Round>, bool) = self.cache.get(&name, &depends_on, interact)?;
            objects.push((object.id, rounds));
        }
        self.score(&*sequence, &task, &objects)
    }

    fn interact(
        &self,
        responder: &Responder,
        mode: Mode,
        task: &Task<'_>,
        truth: &Truth,
        watch: &Watch<'_>,
    ) -> Result<Vec<Round>> {
        let begin = || -> Result<Box<dyn Interactive>> {
            Ok(match responder {
                Responder::Model {
                    model,
                    cached_frames,
                    ..
                } => {
                    let frames = task.sequence.frames()?;
                    Box::new(ModelInteraction::new(
                        model,
                        frames,
                        *cached_frames,
                        task.frame_count,
                    ))
                }
                Responder::CopiedMasks => Box::new(CopyingAnnotations::new(task.frame_count)),
            })
        };
        match mode {
            Mode::Offline => self.offline(&mut *begin()?, truth, watch),
            Mode::Online => self.online(&mut *begin()?, truth, watch),
        }
    }

    fn offline(
        &self,
        responder: &mut dyn Interactive,
        truth: &Truth,
        watch: &Watch<'_>,
    ) -> Result<Vec<Round>> {
        let mut rounds: Vec<Round> = Vec::new();
        let mut masks: Vec<Option<Mask>> = vec![None; truth.masks.len()];
        let (mut annotated, mut clicks, mut seconds) = (Vec::new(), 0, 0.0);
        let mut next = Some(truth.first);
        while let Some(frame) = next.filter(|_| rounds.len() < self.effort.frames) {
            let started = std::time::Instant::now();
            clicks += responder
                .annotate(
                    frame,
                    truth.at(frame),
                    masks[frame].as_ref(),
                    self.effort.clicks,
                )?
                .1;
            annotated.push(frame);
            responder.propagate(truth.first, &mut |frame, mask| {
                masks[frame] = Some(mask);
                check(watch).map(|()| true)
            })?;
            seconds += started.elapsed().as_secs_f64();
            rounds.push(Round {
                annotated: annotated.clone(),
                clicks,
                seconds,
                masks: encoded(&masks),
            });
            next = truth.worst(&masks, &annotated);
        }
        Ok(rounds)
    }

    /// A pass for each number of frames that may be annotated, until one needs fewer.
    fn online(
        &self,
        responder: &mut dyn Interactive,
        truth: &Truth,
        watch: &Watch<'_>,
    ) -> Result<Vec<Round>> {
        let mut rounds: Vec<Round> = Vec::new();
        for budget in 1..=self.effort.frames {
            responder.forget()?;
            let (round, wanted_more) = self.pass(responder, truth, budget, watch)?;
            rounds.push(round);
            if !wanted_more {
                break;
            }
        }
        Ok(rounds)
    }

    fn pass(
        &self,
        responder: &mut dyn Interactive,
        truth: &Truth,
        budget: usize,
        watch: &Watch<'_>,
    ) -> Result<(Round, bool)> {
        let started = std::time::Instant::now();
        let mut masks: Vec<Option<Mask>> = vec![None; truth.masks.len()];
        let mut annotated = vec![truth.first];
        let mut clicks = responder
            .annotate(truth.first, truth.at(truth.first), None, self.effort.clicks)?
            .1;
        let mut wanted_more = false;
        let mut from = truth.first;
        loop {
            let mut low = None;
            responder.propagate(from, &mut |frame, mask| {
                let is_low = !annotated.contains(&frame)
                    && truth
                        .iou(frame, &mask)
                        .is_some_and(|iou| iou < self.effort.threshold);
                masks[frame] = Some(mask);
                check(watch)?;
                let stop = is_low && annotated.len() < budget;
                wanted_more |= is_low && !stop;
                low = stop.then_some(frame);
                Ok(!stop)
            })?;
            let Some(frame) = low else { break };
            clicks += responder
                .annotate(
                    frame,
                    truth.at(frame),
                    masks[frame].as_ref(),
                    self.effort.clicks,
                )?
                .1;
            annotated.push(frame);
            from = frame;
        }
        let seconds = started.elapsed().as_secs_f64();
        Ok((
            Round {
                annotated,
                clicks,
                seconds,
                masks: encoded(&masks),
            },
            wanted_more,
        ))
    }

    fn score(
        &self,
        sequence: &dyn Sequence,
        task: &Task<'_>,
        objects: &[(u32, Vec<Round>)],
    ) -> Result<PvsSequence> {
        let annotated = sequence.annotated_frames().iter().copied();
        let frames: Vec<usize> = annotated
            .filter(|&frame| frame < task.frame_count)
            .collect();
        let listed = if self.rules.use_list() {
            Some(sequence.objects()?)
        } else {
            None
        };
        let scoring = Scoring {
            frames: &frames,
            rules: self.rules,
            void: Void::Background,
            missing: Missing::Empty,
            listed,
        };
        let masks_on = |round: usize, frame: usize| -> Vec<(u32, Rle)> {
            let mask = |(id, rounds): &(u32, Vec<Round>)| {
                Some((*id, at_round(rounds, round).masks[frame].clone()?))
            };
            objects.iter().filter_map(mask).collect()
        };
        let mut scores = Vec::new();
        for round in 0..self.effort.frames {
            let predicted = |frame: usize| {
                let masks = masks_on(round, frame);
                let size = masks.first().map(|(_, mask)| (mask.width(), mask.height()));
                Ok(size.map(|size| FrameAnnotation::from_masks(size, masks)))
            };
            let truth = |frame| annotation(sequence, frame);
            scores.push(score_sequence(sequence.name(), scoring, truth, predicted)?);
        }
        let rounds = 0..self.effort.frames;
        let cost = |rounds_of: &Vec<Round>, round| {
            let round = at_round(rounds_of, round);
            (round.clicks, round.seconds)
        };
        let costs = objects
            .iter()
            .map(|(id, all)| ObjectCost {
                id: *id,
                rounds: rounds.clone().map(|round| cost(all, round)).collect(),
            })
            .collect();
        let last = crate::methods::Masklets {
            frames: (0..task.frame_count)
                .map(|frame| masks_on(self.effort.frames - 1, frame))
                .collect(),
            seconds: objects
                .iter()
                .map(|(_, all)| at_round(all, self.effort.frames).seconds)
                .sum(),
        };
        Ok(PvsSequence {
            scores,
            costs,
            last,
        })
    }
}

/// After the last round nothing changes.
fn at_round(rounds: &[Round], round: usize) -> &Round {
    &rounds[round.min(rounds.len() - 1)]
}

fn encoded(masks: &[Option<Mask>]) -> Vec<Option<Rle>> {
    masks
        .iter()
        .map(|mask| mask.as_ref().map(Rle::encode))
        .collect()
}

fn check(watch: &Watch<'_>) -> Result<()> {
    if (watch.interrupted)() {
        return Err(Error::Interrupted);
    }
    Ok(())
}

/// The true masks of one object.
struct Truth {
    first: usize,
    /// On each frame that is annotated, where the object is visible.
    masks: Vec<Option<Mask>>,
}

impl Truth {
    fn read(task: &Task<'_>, object: &Target) -> Result<Self> {
        let mut masks = vec![None; task.frame_count];
        for &frame in task.sequence.annotated_frames() {
            if (object.first_frame..task.frame_count).contains(&frame) {
                let mask = task.sequence.mask(frame, object.id)?;
                masks[frame] = mask.filter(|mask| !mask.is_empty());
            }
        }
        Ok(Self {
            first: object.first_frame,
            masks,
        })
    }

    fn at(&self, frame: usize) -> &Mask {
        self.masks[frame]
            .as_ref()
            .expect("only frames with a true mask are annotated")
    }

    fn iou(&self, frame: usize, predicted: &Mask) -> Option<f64> {
        self.masks[frame].as_ref()?.iou(predicted).ok()
    }

    /// The frame with the lowest IoU, the earliest of several; none if all that is left is perfect.
    fn worst(&self, masks: &[Option<Mask>], annotated: &[usize]) -> Option<usize> {
        let candidates = (0..masks.len()).filter(|frame| !annotated.contains(frame));
        let scored =
            candidates.filter_map(|frame| Some((frame, self.iou(frame, masks[frame].as_ref()?)?)));
        let worst = scored.min_by(|a, b| a.1.total_cmp(&b.1));
        worst.filter(|&(_, iou)| iou < 1.0).map(|(frame, _)| frame)
    }

    fn digest(&self) -> String {
        let masks = serde_json::to_vec(&encoded(&self.masks)).unwrap_or_default();
        digest(&masks)
    }
}
