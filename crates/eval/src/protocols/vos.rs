//! Semi-supervised video object segmentation: each object is shown where it first appears, and
//! tracked to the end.

use std::collections::BTreeSet;

use masklet_data::{FrameAnnotation, Sequence};

use super::Outcome;
use super::videos::{Videos, describe, frame_of, slug};
use crate::Result;
use crate::methods::{Masklets, Tracker, Watch};
use crate::prompts::Prompt;
use crate::scoring::SequenceScore;

/// What to evaluate on, and how.
pub struct Vos<'a> {
    /// The videos.
    pub videos: Videos<'a>,
    /// YouTube-VOS: the categories that occur in training.
    pub seen: Option<BTreeSet<String>>,
}

impl Vos<'_> {
    /// Tracks and scores all sequences with one method and prompt. A sequence that fails does not
    /// stop the others. Also returns the seconds of computing and the frames they were for.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted) only.
    pub fn evaluate(
        &self,
        tracker: &dyn Tracker,
        prompt: Prompt,
        watch: &Watch<'_>,
    ) -> Result<(Outcome, f64, usize)> {
        let method = format!("{}, {}", tracker.name(), prompt.words());
        let one = |sequence: &dyn Sequence| self.evaluate_one(sequence, tracker, prompt, watch);
        let (found, failures) = self.videos.each(&method, tracker.is_baseline(), one)?;
        let seconds = found.iter().map(|(_, seconds, _)| seconds).sum();
        let frames = found.iter().map(|(.., frames)| frames).sum();
        let outcome = Outcome {
            scores: found.into_iter().map(|(score, ..)| score).collect(),
            failures,
        };
        Ok((outcome, seconds, frames))
    }

    fn evaluate_one(
        &self,
        sequence: &dyn Sequence,
        tracker: &dyn Tracker,
        prompt: Prompt,
        watch: &Watch<'_>,
    ) -> Result<(SequenceScore, f64, usize)> {
        let Masklets { frames, seconds } = self.masklets(sequence, tracker, prompt, watch)?;
        let tracked = frames.iter().filter(|masks| !masks.is_empty()).count();
        let predicted = |frame: usize| frames[frame].clone();
        let score = self.videos.score(sequence, frames.len(), predicted)?;
        Ok((score, seconds, tracked))
    }

    /// The predictions of a method on a sequence, from an earlier run if they are kept.
    ///
    /// # Errors
    /// If an annotation or frame cannot be read, or
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn masklets(
        &self,
        sequence: &dyn Sequence,
        tracker: &dyn Tracker,
        prompt: Prompt,
        watch: &Watch<'_>,
    ) -> Result<Masklets> {
        let task = self.videos.task(sequence)?;
        (watch.skip)(task.start());
        let depends_on = serde_json::json!({
            "format": 2,
            "tracker": tracker.identity(),
            "prompt": prompt.to_string(),
            "task": describe(&task)?,
        });
        let name = format!("{}-{prompt}-{}", slug(&tracker.name()), sequence.name());
        let compute = || tracker.track(&task, prompt, watch);
        let (masklets, known) = self.videos.cache.get(&name, &depends_on, compute)?;
        if known {
            (watch.skip)(task.frame_count - task.start());
        }
        Ok(masklets)
    }
}

/// What is predicted on a frame.
pub fn predicted(masklets: &Masklets, frame: usize) -> Option<FrameAnnotation> {
    frame_of(masklets.frames.get(frame)?.clone())
}
