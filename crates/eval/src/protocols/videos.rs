//! What the evaluations on videos have in common.

use masklet_data::{FrameAnnotation, Sequence, VideoDataset};
use masklet_media::Rle;
use rayon::prelude::*;

use super::{SequenceFailure, annotation};
use crate::cache::{Cache, files_digest};
use crate::methods::{Task, Watch};
use crate::scoring::{Missing, Rules, Scoring, SequenceScore, Void, score_sequence};
use crate::{Error, Result};

/// Which videos to evaluate on, and what counts.
pub struct Videos<'a> {
    /// The data set.
    pub data: &'a dyn VideoDataset,
    /// The sequences.
    pub names: &'a [String],
    /// Which frames and objects count.
    pub rules: Rules,
    /// What happens to void pixels.
    pub void: Void,
    /// Use only so many frames of each sequence.
    pub max_frames: Option<usize>,
    /// Where results are kept.
    pub cache: Cache,
}

impl Videos<'_> {
    /// All frames of all sequences, for progress.
    pub fn frames(&self) -> usize {
        let frames = |name: &String| {
            let sequence = self.data.open_named(name);
            let count = sequence.map_or(0, |sequence| sequence.frame_count());
            count.min(self.max_frames.unwrap_or(usize::MAX))
        };
        self.names.par_iter().map(frames).sum()
    }

    /// What `one` makes of each sequence; several at a time if the `method` is a baseline, as a
    /// network uses all threads by itself and takes much memory. A sequence that fails does not stop
    /// the others.
    ///
    /// # Errors
    /// [`Error::Interrupted`] only.
    pub(super) fn each<T: Send>(
        &self,
        method: &str,
        is_baseline: bool,
        one: impl Fn(&dyn Sequence) -> Result<T> + Sync,
    ) -> Result<(Vec<T>, Vec<SequenceFailure>)> {
        let one = |name: &String| one(&*self.data.open_named(name)?);
        let results: Vec<Result<T>> = if is_baseline {
            self.names.par_iter().map(one).collect()
        } else {
            // Nothing is begun after an interruption.
            let mut interrupted = false;
            let more = self.names.iter().map_while(|name| {
                let result = (!interrupted).then(|| one(name))?;
                interrupted = matches!(result, Err(Error::Interrupted));
                Some(result)
            });
            more.collect()
        };
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for (name, result) in self.names.iter().zip(results) {
            match result {
                Ok(one) => found.push(one),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => failures.push(SequenceFailure {
                    name: format!("{name} ({method})"),
                    message: error.to_string(),
                }),
            }
        }
        Ok((found, failures))
    }

    /// The objects of a sequence that are prompted.
    pub(super) fn task<'s>(&self, sequence: &'s dyn Sequence) -> Result<Task<'s>> {
        Task::new(sequence, self.rules, self.max_frames)
    }

    /// Scores masks of the first `frame_count` frames of a sequence: `predicted` are each object's
    /// on a frame.
    pub(super) fn score(
        &self,
        sequence: &dyn Sequence,
        frame_count: usize,
        predicted: impl Fn(usize) -> Vec<(u32, Rle)> + Sync,
    ) -> Result<SequenceScore> {
        let annotated = sequence.annotated_frames().iter().copied();
        let frames: Vec<usize> = annotated.filter(|&frame| frame < frame_count).collect();
        let scoring = Scoring {
            frames: &frames,
            rules: self.rules,
            void: self.void,
            missing: Missing::Empty,
            listed: self.rules.list_of(sequence)?,
        };
        score_sequence(
            sequence.name(),
            scoring,
            |frame| annotation(sequence, frame),
            |frame| Ok(frame_of(predicted(frame))),
        )
    }
}

/// The masks of one frame; nothing if there are none.
pub(super) fn frame_of(masks: Vec<(u32, Rle)>) -> Option<FrameAnnotation> {
    let (_, first) = masks.first()?;
    let dimensions = (first.width(), first.height());
    Some(FrameAnnotation::from_masks(dimensions, masks))
}

/// Everything of a task that a prediction depends on. For the pictures stand their files' names,
/// sizes and times of change.
pub(super) fn describe(task: &Task<'_>) -> Result<serde_json::Value> {
    let objects: Vec<serde_json::Value> = task
        .objects
        .iter()
        .map(|object| {
            let mask = Rle::encode(&object.mask);
            serde_json::json!({ "id": object.id, "frame": object.first_frame, "mask": mask })
        })
        .collect();
    let pictures = task.sequence.picture_files();
    Ok(serde_json::json!({
        "sequence": task.sequence.name(),
        "frames": task.frame_count,
        "pictures": files_digest(pictures.iter().take(task.frame_count))?,
        "objects": objects,
        "overlapping": task.overlapping,
    }))
}

/// Does not tell of progress and is not interrupted: for what is known already.
pub fn unwatched() -> Watch<'static> {
    Watch {
        step: &|| {},
        skip: &|_| {},
        interrupted: &|| false,
    }
}

/// A method's name as a part of a file's name.
pub(super) fn slug(name: &str) -> String {
    name.replace(' ', "-")
}
