//! Promptable video segmentation, interactive (paper, section on PVS): an annotator clicks where
//! the model is wrong, and the model tracks again.
//!
//! *Offline*, the annotator sees the whole result and corrects the frame with the lowest IoU, in up
//! to eight rounds. *Online*, the video is gone through once, stopping wherever the IoU falls below
//! 0.75, up to eight frames in all. Three clicks are given on each frame. Each object is annotated
//! by itself. Only frames on which it is annotated as visible are candidates.

mod annotator;
mod interactive;
mod responder;
mod truth;

use masklet_data::Sequence;
use masklet_media::Rle;
use serde::{Deserialize, Serialize};

use super::SequenceFailure;
use super::videos::{Videos, describe, slug};
use crate::Result;
use crate::methods::{Masklets, Watch};
use crate::scoring::SequenceScore;

use annotator::Annotator;
pub use responder::Responder;
use truth::Truth;

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
    /// The videos.
    pub videos: Videos<'a>,
    /// The numbers of the protocol.
    pub effort: Effort,
}

/// What an object took.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectCost {
    /// The object's number.
    pub id: u32,
    /// After each round, all in all.
    pub rounds: Vec<RoundCost>,
}

/// What an object took up to some round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundCost {
    /// Clicks.
    pub clicks: usize,
    /// Seconds of computing.
    pub computing: f64,
    /// Seconds that an annotator would need, as the paper reckons them.
    pub annotating: f64,
}

impl Mode {
    /// Seconds that an annotator needs for `clicks` on `annotated` frames of a video of `frames`, as
    /// the paper's appendix on this evaluation reckons them: a second to find the object on each
    /// frame, one and a half for a click, and watching the video at ten frames a second, in each
    /// round or once.
    fn annotation_seconds(self, frames: usize, annotated: usize, clicks: usize) -> f64 {
        let watched = match self {
            Self::Offline => annotated,
            Self::Online => 1,
        };
        (frames * watched) as f64 / 10.0 + annotated as f64 + 1.5 * clicks as f64
    }
}

/// A sequence with each number of annotated frames.
#[derive(Debug, Clone)]
pub struct PvsSequence {
    /// The score after each round, up to the effort's frames.
    pub scores: Vec<SequenceScore>,
    /// What each object took.
    pub costs: Vec<ObjectCost>,
    /// The masks of each object after the last round.
    pub last: Masklets,
}

impl Pvs<'_> {
    /// All sequences in one mode; one that fails does not stop the others. The watch is told of
    /// each sequence.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted) only.
    pub fn evaluate(
        &self,
        responder: &Responder,
        mode: Mode,
        watch: &Watch<'_>,
    ) -> Result<(Vec<PvsSequence>, Vec<SequenceFailure>)> {
        let method = format!("{}, {}", responder.name(), mode.name());
        let one = |sequence: &dyn Sequence| {
            let found = self.evaluate_one(sequence, responder, mode, watch);
            (watch.step)();
            found
        };
        self.videos.each(&method, responder.is_baseline(), one)
    }

    fn evaluate_one(
        &self,
        sequence: &dyn Sequence,
        responder: &Responder,
        mode: Mode,
        watch: &Watch<'_>,
    ) -> Result<PvsSequence> {
        let task = self.videos.task(sequence)?;
        let description = describe(&task)?;
        let flows = responder.flows(&task)?;
        let mut objects = Vec::new();
        for object in &task.objects {
            let truth = Truth::read(&task, object)?;
            let depends_on = serde_json::json!({
                "format": 2,
                "responder": responder.identity(),
                "mode": mode,
                "effort": self.effort,
                "task": description,
                "truth": truth.digest(),
                "object": object.id,
            });
            let (method, mode_name) = (slug(&responder.name()), mode.name());
            let name = format!("{method}-{mode_name}-{}-{}", sequence.name(), object.id);
            let annotator = Annotator {
                effort: self.effort,
                truth: &truth,
                watch,
            };
            let interact = || {
                let mut partner = responder.partner(&task, flows.as_ref())?;
                annotator.interact(&mut *partner, mode)
            };
            let (rounds, _) = self.videos.cache.get(&name, &depends_on, interact)?;
            objects.push((object.id, rounds));
        }
        self.score(sequence, task.frame_count, mode, &objects)
    }

    fn score(
        &self,
        sequence: &dyn Sequence,
        frame_count: usize,
        mode: Mode,
        objects: &[(u32, Vec<Round>)],
    ) -> Result<PvsSequence> {
        let masks_on = |round: usize, frame: usize| -> Vec<(u32, Rle)> {
            let mask = |(id, rounds): &(u32, Vec<Round>)| {
                Some((*id, at_round(rounds, round).masks[frame].clone()?))
            };
            objects.iter().filter_map(mask).collect()
        };
        let score = |round: usize| {
            let predicted = |frame: usize| masks_on(round, frame);
            self.videos.score(sequence, frame_count, predicted)
        };
        let rounds = 0..self.effort.frames;
        let cost_of = |round: &Round| RoundCost {
            clicks: round.clicks,
            computing: round.seconds,
            annotating: mode.annotation_seconds(frame_count, round.annotated.len(), round.clicks),
        };
        let cost = |(id, all): &(u32, Vec<Round>)| ObjectCost {
            id: *id,
            rounds: rounds
                .clone()
                .map(|round| cost_of(at_round(all, round)))
                .collect(),
        };
        let last = self.effort.frames - 1;
        let seconds = objects.iter().map(|(_, all)| at_round(all, last).seconds);
        Ok(PvsSequence {
            scores: rounds.clone().map(score).collect::<Result<_>>()?,
            costs: objects.iter().map(cost).collect(),
            last: Masklets {
                frames: (0..frame_count)
                    .map(|frame| masks_on(last, frame))
                    .collect(),
                seconds: seconds.sum(),
            },
        })
    }
}

/// After the last round nothing changes.
fn at_round(rounds: &[Round], round: usize) -> &Round {
    &rounds[round.min(rounds.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotator_watches_the_video_in_each_round_or_once() {
        // The paper's example: 30 seconds for 300 frames, 1 for a frame, 1.5 for a click.
        assert_eq!(Mode::Offline.annotation_seconds(300, 2, 6), 71.0);
        assert_eq!(Mode::Online.annotation_seconds(300, 2, 6), 41.0);
    }
}
