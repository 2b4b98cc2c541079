//! The scores of a whole data set.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{ObjectScore, SequenceScore};
use crate::metrics::{Statistics, mean};

/// Means over all objects of all sequences, as all the benchmarks take them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The mean of J and F.
    pub jf: f64,
    /// Region similarity.
    pub j: Statistics,
    /// Boundary accuracy.
    pub f: Statistics,
    /// The share of an object's frames on which it is predicted exactly if it is annotated.
    pub occlusion_accuracy: f64,
    /// YouTube-VOS's split of categories, where it is known.
    pub seen_unseen: Option<SeenUnseen>,
    /// How many sequences were scored.
    pub sequences: usize,
    /// How many objects.
    pub objects: usize,
    /// How many pairs of object and frame.
    pub frames: usize,
}

/// J and F of categories that occur in training and of those that do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenUnseen {
    /// The mean of the four that follow.
    pub overall: f64,
    /// J of seen categories.
    pub j_seen: f64,
    /// J of unseen categories.
    pub j_unseen: f64,
    /// F of seen categories.
    pub f_seen: f64,
    /// F of unseen categories.
    pub f_unseen: f64,
}

impl Summary {
    /// Over sequences; `seen` are the categories that occur in training, if they are known.
    pub fn over(sequences: &[SequenceScore], seen: Option<&BTreeSet<String>>) -> Self {
        let objects: Vec<&ObjectScore> = sequences
            .iter()
            .flat_map(|sequence| &sequence.objects)
            .collect();
        let j = Statistics::averaged(objects.iter().map(|object| &object.j));
        let f = Statistics::averaged(objects.iter().map(|object| &object.f));
        Self {
            jf: (j.mean + f.mean) / 2.0,
            j,
            f,
            occlusion_accuracy: mean(objects.iter().map(|object| object.occlusion_accuracy)),
            seen_unseen: seen.and_then(|seen| SeenUnseen::over(&objects, seen)),
            sequences: sequences.len(),
            objects: objects.len(),
            frames: objects.iter().map(|object| object.frames.len()).sum(),
        }
    }
}

impl SeenUnseen {
    /// `None` unless there are objects of both kinds, and all have a category.
    fn over(objects: &[&ObjectScore], seen: &BTreeSet<String>) -> Option<Self> {
        let is_seen = |object: &ObjectScore| Some(seen.contains(object.category.as_ref()?));
        if objects.iter().any(|object| is_seen(object).is_none()) {
            return None;
        }
        let of = |wanted: bool, value: fn(&ObjectScore) -> f64| {
            let chosen = objects
                .iter()
                .filter(|object| is_seen(object) == Some(wanted));
            mean(chosen.map(|object| value(object)))
        };
        let split = Self {
            overall: 0.0,
            j_seen: of(true, |object| object.j.mean),
            j_unseen: of(false, |object| object.j.mean),
            f_seen: of(true, |object| object.f.mean),
            f_unseen: of(false, |object| object.f.mean),
        };
        let overall = (split.j_seen + split.j_unseen + split.f_seen + split.f_unseen) / 4.0;
        (!overall.is_nan()).then_some(Self { overall, ..split })
    }
}
