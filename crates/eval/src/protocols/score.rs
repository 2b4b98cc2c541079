//! Predictions of any tool against annotations.

use std::collections::HashMap;

use masklet_data::{FrameAnnotation, Sequence, VideoDataset};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::scoring::{Missing, Rules, Scoring, SequenceScore, Void, score_sequence};

/// A sequence that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceFailure {
    /// The sequence, or the image.
    pub name: String,
    /// Why.
    pub message: String,
}

/// What came of each sequence.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The scores, in the order of the names that were asked for.
    pub scores: Vec<SequenceScore>,
    /// The sequences without a score.
    pub failures: Vec<SequenceFailure>,
}

/// Scores the predictions for the sequences `names` of `truth`, several at a time. `done` is
/// called after each. A sequence that fails does not stop the others.
pub fn score_predictions(
    truth: &dyn VideoDataset,
    predictions: &dyn VideoDataset,
    names: &[String],
    (rules, void, missing): (Rules, Void, Missing),
    done: impl Fn() + Sync,
) -> Outcome {
    let results: Vec<Result<SequenceScore>> = names
        .par_iter()
        .map(|name| {
            let score = || {
                let predicted = open_predicted(truth, predictions, name)?;
                score_one(
                    &*truth.open_named(name)?,
                    &*predicted,
                    (rules, void, missing),
                )
            };
            let score = score();
            done();
            score
        })
        .collect();
    let mut outcome = Outcome::default();
    for (name, result) in names.iter().zip(results) {
        match result {
            Ok(score) => outcome.scores.push(score),
            Err(error) => outcome.failures.push(SequenceFailure {
                name: name.clone(),
                message: error.to_string(),
            }),
        }
    }
    outcome
}

/// The predictions for sequence `name` of `truth`. Where both have a single sequence, they need not
/// have the same name.
///
/// # Errors
/// If there are none, or they cannot be read.
pub fn open_predicted(
    truth: &dyn VideoDataset,
    predictions: &dyn VideoDataset,
    name: &str,
) -> Result<Box<dyn Sequence>> {
    let name = match (truth.names(), predictions.names()) {
        ([_], [only]) => only,
        _ => name,
    };
    Ok(predictions.open_named(name)?)
}

fn score_one(
    truth: &dyn Sequence,
    predicted: &dyn Sequence,
    (rules, void, missing): (Rules, Void, Missing),
) -> Result<SequenceScore> {
    let by_name: HashMap<String, usize> = (0..predicted.frame_count())
        .map(|frame| (predicted.frame_name(frame), frame))
        .collect();
    let scoring = Scoring {
        frames: truth.annotated_frames(),
        rules,
        void,
        missing,
        listed: rules.list_of(truth)?,
    };
    let prediction = |frame: usize| -> Result<Option<FrameAnnotation>> {
        match by_name.get(&truth.frame_name(frame)) {
            Some(&frame) => Ok(predicted.annotation(frame)?),
            None => Ok(None),
        }
    };
    score_sequence(
        truth.name(),
        scoring,
        |frame| annotation(truth, frame),
        prediction,
    )
}

/// What is annotated on a frame that is known to be annotated.
pub(crate) fn annotation(truth: &dyn Sequence, frame: usize) -> Result<FrameAnnotation> {
    Ok(truth
        .annotation(frame)?
        .unwrap_or_else(|| FrameAnnotation::from_masks((0, 0), Vec::new())))
}
