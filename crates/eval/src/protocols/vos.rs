//! Semi-supervised video object segmentation: each object is shown where it first appears, and
//! tracked to the end.

use std::collections::BTreeSet;

use masklet_data::{FrameAnnotation, Sequence, VideoDataset};
use rayon::prelude::*;

use super::{Outcome, SequenceFailure, annotation};
use crate::cache::{Cache, digest};
use crate::methods::{Masklets, Task, Tracker, Watch, picture};
use crate::prompts::Prompt;
use crate::scoring::{Missing, Rules, Scoring, SequenceScore, Void, score_sequence};
use crate::{Error, Result};

/// What to evaluate on, and how.
pub struct Vos<'a> {
    /// The data set.
    pub data: &'a dyn VideoDataset,
    /// The sequences.
    pub names: &'a [String],
    /// Which frames and objects count.
    pub rules: Rules,
    /// What happens to void pixels.
    pub void: Void,
    /// Track only so many frames of each sequence.
    pub max_frames: Option<usize>,
    /// YouTube-VOS: the categories that occur in training.
    pub seen: Option<BTreeSet<String>>,
    /// Where predictions are kept.
    pub cache: Cache,
}

impl Vos<'_> {
    /// Frames that a tracker has to go through, for progress.
    pub fn frames(&self) -> usize {
        let frames = |name: &String| {
            let count = self
                .data
                .open_named(name)
                .map_or(0, |sequence| sequence.frame_count());
            count.min(self.max_frames.unwrap_or(usize::MAX))
        };
        self.names.par_iter().map(frames).sum()
    }

    /// Tracks and scores all sequences with one method and prompt. A sequence that fails does not
    /// stop the others. Also returns the seconds of computing and the frames they were for.
    ///
    /// # Errors
    /// [`Error::Interrupted`] only.
    pub fn evaluate(
        &self,
        tracker: &dyn Tracker,
        prompt: Prompt,
        watch: &Watch<'_>,
    ) -> Result<(Outcome, f64, usize)> {
        let one = |name: &String| self.evaluate_one(tracker, prompt, name, watch);
        // A network uses all threads by itself and takes much memory; baselines do neither.
        let results: Vec<_> = if tracker.is_baseline() {
            self.names.par_iter().map(one).collect()
        } else {
            self.names.iter().map(one).collect()
        };
        let (mut outcome, mut seconds, mut frames) = (Outcome::default(), 0.0, 0);
        for (name, result) in self.names.iter().zip(results) {
            match result {
                Ok((score, took, tracked)) => {
                    seconds += took;
                    frames += tracked;
                    outcome.scores.push(score);
                }
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => outcome.failures.push(SequenceFailure {
                    name: format!("{name} ({}, {})", tracker.name(), prompt.words()),
                    message: error.to_string(),
                }),
            }
        }
        Ok((outcome, seconds, frames))
    }

    fn evaluate_one(
        &self,
        tracker: &dyn Tracker,
        prompt: Prompt,
        name: &str,
        watch: &Watch<'_>,
    ) -> Result<(SequenceScore, f64, usize)> {
        let sequence = self.data.open_named(name)?;
        let masklets = self.masklets(&*sequence, tracker, prompt, watch)?;
        let tracked = masklets
            .frames
            .iter()
            .filter(|masks| !masks.is_empty())
            .count();
        Ok((
            self.score(&*sequence, &masklets)?,
            masklets.seconds,
            tracked,
        ))
    }

    /// The predictions of a method on a sequence, from an earlier run if they are kept.
    ///
    /// # Errors
    /// If an annotation or frame cannot be read, or [`Error::Interrupted`].
    pub fn masklets(
        &self,
        sequence: &dyn Sequence,
        tracker: &dyn Tracker,
        prompt: Prompt,
        watch: &Watch<'_>,
    ) -> Result<Masklets> {
        let task = Task::new(sequence, self.rules, self.max_frames)?;
        (watch.skip)(task.start());
        let depends_on = serde_json::json!({
            "format": 1,
            "tracker": tracker.identity(),
            "prompt": prompt.to_string(),
            "task": describe(&task)?,
        });
        let name = format!("{}-{prompt}-{}", slug(&tracker.name()), sequence.name());
        let compute = || tracker.track(&task, prompt, watch);
        let (masklets, known) = self.cache.get(&name, &depends_on, compute)?;
        if known {
            (watch.skip)(task.frame_count - task.start());
        }
        Ok(masklets)
    }

    fn score(&self, sequence: &dyn Sequence, masklets: &Masklets) -> Result<SequenceScore> {
        let annotated = sequence.annotated_frames().iter().copied();
        let frames: Vec<usize> = annotated
            .filter(|&frame| frame < masklets.frames.len())
            .collect();
        let listed = if self.rules.use_list() {
            Some(sequence.objects()?)
        } else {
            None
        };
        let scoring = Scoring {
            frames: &frames,
            rules: self.rules,
            void: self.void,
            missing: Missing::Empty,
            listed,
        };
        score_sequence(
            sequence.name(),
            scoring,
            |frame| annotation(sequence, frame),
            |frame| Ok(predicted(masklets, frame)),
        )
    }
}

/// What is predicted on a frame.
pub fn predicted(masklets: &Masklets, frame: usize) -> Option<FrameAnnotation> {
    let masks = masklets.frames.get(frame)?;
    let (_, first) = masks.first()?;
    Some(FrameAnnotation::from_masks(
        (first.width(), first.height()),
        masks.clone(),
    ))
}

/// Everything of a task that a prediction depends on: the first picture stands for the video.
pub(crate) fn describe(task: &Task<'_>) -> Result<serde_json::Value> {
    let first = picture(&mut *task.sequence.frames()?, task.start())?;
    let objects: Vec<serde_json::Value> = task
        .objects
        .iter()
        .map(|object| {
            let mask = masklet_media::Rle::encode(&object.mask);
            serde_json::json!({ "id": object.id, "frame": object.first_frame, "mask": mask })
        })
        .collect();
    Ok(serde_json::json!({
        "sequence": task.sequence.name(),
        "frames": task.frame_count,
        "picture": digest(first.pixels()),
        "objects": objects,
        "overlapping": task.overlapping,
    }))
}

/// A method's name as a part of a file's name.
pub(crate) fn slug(name: &str) -> String {
    name.replace(' ', "-")
}
