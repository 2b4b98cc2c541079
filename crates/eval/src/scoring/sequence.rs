//! The scores of one sequence.

use std::collections::{BTreeMap, BTreeSet};

use masklet_data::{FrameAnnotation, ObjectInfo};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Missing, Rules, Void};
use crate::metrics::{
    BOUNDARY_TOLERANCE, BitMask, Statistics, boundary_accuracy, region_similarity,
};
use crate::{Error, Result};

/// An object on one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrameScore {
    /// The frame's number in the sequence.
    pub frame: usize,
    /// Region similarity, 0..=1.
    pub j: f64,
    /// Boundary accuracy, 0..=1.
    pub f: f64,
    /// Whether the object is annotated with at least one pixel.
    pub present: bool,
    /// Whether it is predicted with at least one pixel.
    pub predicted: bool,
}

/// An object over the frames on which it is scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectScore {
    /// The object's number in the data set.
    pub id: u32,
    /// Its category, where the data set tells.
    pub category: Option<String>,
    /// Region similarity over the frames.
    pub j: Statistics,
    /// Boundary accuracy over the frames.
    pub f: Statistics,
    /// The share of frames on which the object is predicted exactly if it is annotated.
    pub occlusion_accuracy: f64,
    /// Each frame that is scored, in order.
    pub frames: Vec<FrameScore>,
}

impl ObjectScore {
    /// The mean of J and F.
    pub fn jf(&self) -> f64 {
        (self.j.mean + self.f.mean) / 2.0
    }
}

/// All objects of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceScore {
    /// The sequence's name.
    pub name: String,
    /// Its objects, by number.
    pub objects: Vec<ObjectScore>,
    /// What a reader of the score should know: objects that were left out, labels that no object has.
    pub notes: Vec<String>,
}

impl SequenceScore {
    /// The mean over objects of the mean of J and F.
    pub fn jf(&self) -> f64 {
        crate::metrics::mean(self.objects.iter().map(ObjectScore::jf))
    }

    /// The mean over objects of J.
    pub fn j(&self) -> f64 {
        crate::metrics::mean(self.objects.iter().map(|object| object.j.mean))
    }

    /// The mean over objects of F.
    pub fn f(&self) -> f64 {
        crate::metrics::mean(self.objects.iter().map(|object| object.f.mean))
    }
}

/// What to score in a sequence, and how.
#[derive(Debug, Clone, Copy)]
pub struct Scoring<'a> {
    /// The numbers of the annotated frames, ascending.
    pub frames: &'a [usize],
    /// Which of them count, for which objects.
    pub rules: Rules,
    /// What happens to void pixels.
    pub void: Void,
    /// What a scored frame without prediction is.
    pub missing: Missing,
    /// What the data set itself says of its objects, if it has such an index.
    pub listed: Option<&'a [ObjectInfo]>,
}

/// Scores a sequence.
///
/// `truth` gives what is annotated on a frame and `predicted` what is predicted there, `None` if
/// there is no prediction; both are called from several threads, once for each frame.
///
/// # Errors
/// What `truth` or `predicted` return; [`Error::PredictionSize`] if a prediction's size differs
/// from the annotation's; [`Error::MissingPrediction`] if there is none where one is scored;
/// [`Error::NothingToScore`] if the rules leave no object.
pub fn score_sequence(
    name: &str,
    scoring: Scoring<'_>,
    truth: impl Fn(usize) -> Result<FrameAnnotation> + Sync,
    predicted: impl Fn(usize) -> Result<Option<FrameAnnotation>> + Sync,
) -> Result<SequenceScore> {
    let Scoring {
        frames,
        rules,
        void,
        missing,
        listed,
    } = scoring;
    let pairs: Vec<FramePair> = frames
        .par_iter()
        .map(|&frame| {
            let truth = truth(frame)?;
            let nothing = || FrameAnnotation::from_masks(truth.dimensions(), Vec::new());
            let predicted = predicted(frame)?.unwrap_or_else(nothing);
            FramePair::score(name, frame, &truth, &predicted, void)
        })
        .collect::<Result<_>>()?;
    let timeline = Timeline {
        name,
        frames,
        pairs: &pairs,
        missing,
        listed,
    };
    let mut notes = timeline.notes(rules);
    let mut objects = Vec::new();
    for id in timeline.objects(rules) {
        let positions = timeline.positions(id, rules);
        if positions.is_empty() {
            notes.push(format!("object {id} has no frame that is scored"));
            continue;
        }
        objects.push(timeline.object(id, &positions)?);
    }
    if objects.is_empty() {
        return Err(Error::NothingToScore {
            sequence: name.to_owned(),
            frames: frames.len(),
            rules: rules.sentence(),
        });
    }
    Ok(SequenceScore {
        name: name.to_owned(),
        objects,
        notes,
    })
}

/// What is on one frame, in truth and prediction.
struct FramePair {
    /// Objects with at least one pixel in either.
    objects: BTreeMap<u32, PairScore>,
    /// The objects of which the annotation speaks; `None` if it speaks of all.
    annotated: Option<BTreeSet<u32>>,
    /// The objects of which the prediction speaks, as `annotated`.
    predicted: Option<BTreeSet<u32>>,
}

#[derive(Clone, Copy)]
struct PairScore {
    j: f64,
    f: f64,
    present: bool,
    predicted: bool,
}

/// An object that is neither annotated nor predicted.
const ABSENT: PairScore = PairScore {
    j: 1.0,
    f: 1.0,
    present: false,
    predicted: false,
};

impl FramePair {
    fn score(
        sequence: &str,
        frame: usize,
        truth: &FrameAnnotation,
        predicted: &FrameAnnotation,
        void: Void,
    ) -> Result<Self> {
        if truth.dimensions() != predicted.dimensions() {
            return Err(Error::PredictionSize {
                sequence: sequence.to_owned(),
                frame,
                found: predicted.dimensions(),
                expected: truth.dimensions(),
            });
        }
        let (present, found) = (truth.object_ids(), predicted.object_ids());
        let all: BTreeSet<u32> = present.iter().chain(&found).copied().collect();
        let void = match void {
            Void::Background => None,
            Void::Ignored => truth.void().map(|mask| BitMask::from(&mask)),
        };
        let bits = |annotation: &FrameAnnotation, id, there: bool| {
            let (width, height) = annotation.dimensions();
            let bits = there.then(|| annotation.bits(id)).flatten();
            let bits = bits.unwrap_or_else(|| BitMask::empty(width, height));
            match &void {
                Some(void) => bits.without(void),
                None => bits,
            }
        };
        let score = |id: u32| {
            let (present, found) = (present.contains(&id), found.contains(&id));
            let (truth, guess) = (bits(truth, id, present), bits(predicted, id, found));
            PairScore {
                j: region_similarity(&truth, &guess),
                f: boundary_accuracy(&truth, &guess, BOUNDARY_TOLERANCE),
                present,
                predicted: found,
            }
        };
        Ok(Self {
            objects: all.into_iter().map(|id| (id, score(id))).collect(),
            annotated: spoken_of(truth),
            predicted: spoken_of(predicted),
        })
    }

    fn is_annotated(&self, id: u32) -> bool {
        self.annotated
            .as_ref()
            .is_none_or(|known| known.contains(&id))
    }

    fn is_predicted(&self, id: u32) -> bool {
        self.predicted
            .as_ref()
            .is_none_or(|known| known.contains(&id))
    }

    fn has(&self, id: u32, which: impl Fn(&PairScore) -> bool) -> bool {
        self.objects.get(&id).is_some_and(which)
    }
}

/// The objects of which an annotation speaks; `None` if it speaks of all.
fn spoken_of(annotation: &FrameAnnotation) -> Option<BTreeSet<u32>> {
    annotation
        .annotated_ids()
        .map(|ids| ids.into_iter().collect())
}

/// A sequence's frames in order.
struct Timeline<'a> {
    name: &'a str,
    frames: &'a [usize],
    pairs: &'a [FramePair],
    missing: Missing,
    listed: Option<&'a [ObjectInfo]>,
}

impl Timeline<'_> {
    /// The objects that may be scored.
    fn objects(&self, rules: Rules) -> Vec<u32> {
        let present = |pairs: &[FramePair]| -> BTreeSet<u32> {
            let objects = pairs.iter().flat_map(|pair| &pair.objects);
            objects
                .filter(|(_, score)| score.present)
                .map(|(&id, _)| id)
                .collect()
        };
        match (rules, self.listed) {
            (Rules::Davis, _) => {
                let first = self.pairs.get(..1).unwrap_or_default();
                (1..=present(first).last().copied().unwrap_or(0)).collect()
            }
            (Rules::YoutubeVos | Rules::Lvos, Some(listed)) => {
                listed.iter().map(|object| object.id).collect()
            }
            _ => present(self.pairs).into_iter().collect(),
        }
    }

    /// The positions in `frames` at which an object is scored.
    fn positions(&self, id: u32, rules: Rules) -> Vec<usize> {
        let annotated: Vec<usize> = (0..self.pairs.len())
            .filter(|&position| self.pairs[position].is_annotated(id))
            .collect();
        match rules {
            Rules::Davis => without_ends(&annotated).to_vec(),
            Rules::VosBenchmark | Rules::Sav => {
                let inner = without_ends(&annotated);
                let in_truth = |&&position: &&usize| self.pairs[position].has(id, |s| s.present);
                if inner.iter().find(in_truth).is_none() {
                    return Vec::new();
                }
                let appears = |&position: &usize| self.pairs[position].has(id, |_| true);
                let start = inner.iter().position(appears).unwrap_or(0);
                inner[start..].to_vec()
            }
            Rules::YoutubeVos => {
                let mut listed = self.listed_positions(id).unwrap_or(annotated);
                let first = (0..self.pairs.len())
                    .find(|&position| self.pairs[position].has(id, |s| s.present));
                listed.retain(|&position| first.is_some_and(|first| position > first));
                listed
            }
            Rules::Lvos => self.listed_positions(id).unwrap_or(annotated),
        }
    }

    fn listed_positions(&self, id: u32) -> Option<Vec<usize>> {
        let object = self.listed?.iter().find(|object| object.id == id)?;
        let frames = object.listed_frames.as_ref()?;
        Some(
            frames
                .iter()
                .filter_map(|frame| self.frames.binary_search(frame).ok())
                .collect(),
        )
    }

    fn object(&self, id: u32, positions: &[usize]) -> Result<ObjectScore> {
        let missing = |&&position: &&usize| !self.pairs[position].is_predicted(id);
        if let Some(&position) = positions.iter().find(missing)
            && self.missing == Missing::Error
        {
            return Err(Error::MissingPrediction {
                sequence: self.name.to_owned(),
                object: id,
                frame: self.frames[position],
            });
        }
        let frames: Vec<FrameScore> = positions
            .iter()
            .map(|&position| {
                let PairScore {
                    j,
                    f,
                    present,
                    predicted,
                } = self.pairs[position]
                    .objects
                    .get(&id)
                    .copied()
                    .unwrap_or(ABSENT);
                FrameScore {
                    frame: self.frames[position],
                    j,
                    f,
                    present,
                    predicted,
                }
            })
            .collect();
        let over = |value: fn(&FrameScore) -> f64| {
            Statistics::over(&frames.iter().map(value).collect::<Vec<_>>())
        };
        let agreeing = frames
            .iter()
            .filter(|frame| frame.present == frame.predicted);
        let known = self.listed.unwrap_or_default().iter();
        Ok(ObjectScore {
            id,
            category: known
                .filter(|object| object.id == id)
                .find_map(|object| object.category.clone()),
            j: over(|frame| frame.j),
            f: over(|frame| frame.f),
            occlusion_accuracy: agreeing.count() as f64 / frames.len() as f64,
            frames,
        })
    }

    fn notes(&self, rules: Rules) -> Vec<String> {
        let objects = self.objects(rules);
        let strangers: BTreeSet<u32> = self
            .pairs
            .iter()
            .flat_map(|pair| &pair.objects)
            .filter(|(id, score)| score.predicted && !objects.contains(id))
            .map(|(&id, _)| id)
            .collect();
        if strangers.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "predicted labels that no scored object has, ignored: {strangers:?}"
        )]
    }
}

fn without_ends(positions: &[usize]) -> &[usize] {
    match positions {
        [_, inner @ .., _] => inner,
        _ => &[],
    }
}
