//! Alignment with phase 1: how often a mask is as good as one that was made frame by frame.

use std::collections::BTreeMap;

use masklet_media::BitMask;
use serde::Serialize;

use super::{Counted, share};
use crate::masks::MaskPlace;
use crate::{MaskletId, Phase, Project, Result};

/// A mask agrees with that of phase 1 if their IoU is above this (table 1 of the paper).
const AGREES: f64 = 0.75;

/// The masks that agree with those of phase 1, by the size of phase 1's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Alignment {
    /// All.
    pub all: Aligned,
    /// Below 32² pixels.
    pub small: Aligned,
    /// From 32² to below 96² pixels.
    pub medium: Aligned,
    /// From 96² pixels on.
    pub large: Aligned,
}

/// A share of masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Aligned {
    /// Masks that were compared.
    pub masks: usize,
    /// Those that agree.
    pub agreeing: usize,
}

impl Aligned {
    /// The share that agrees; `None` if nothing was compared.
    pub fn share(&self) -> Option<f64> {
        (self.masks > 0).then(|| share(self.agreeing, self.masks))
    }

    fn add(&mut self, agrees: bool) {
        self.masks += 1;
        self.agreeing += usize::from(agrees);
    }
}

/// A mask of phase 1, and one of the same object and frame from another phase.
pub(super) type Pair = (MaskPlace, MaskPlace);

/// The masks to compare, by phase: of masklets that name one of phase 1, on the frames where phase
/// 1 has the object.
pub(super) fn pairs(counted: &[Counted<'_>]) -> BTreeMap<Phase, Vec<Pair>> {
    let by_id: BTreeMap<MaskletId, &Counted<'_>> =
        counted.iter().map(|of| (of.masklet.id, of)).collect();
    let mut pairs: BTreeMap<Phase, Vec<Pair>> = BTreeMap::new();
    for of in counted {
        let reference = of.masklet.reference.and_then(|id| by_id.get(&id));
        let Some(reference) = reference.filter(|it| it.task.phase == Phase::PerFrame) else {
            continue;
        };
        let of_phase = pairs.entry(of.task.phase).or_default();
        for truth in reference.frames.iter().filter(|entry| entry.visible()) {
            let place = of
                .frames
                .binary_search_by_key(&truth.frame, |entry| entry.frame);
            if let Ok(place) = place {
                of_phase.push((truth.mask.clone(), of.frames[place].mask.clone()));
            }
        }
    }
    pairs
}

/// Compares masks.
pub(super) fn measure(project: &Project, pairs: &[Pair]) -> Result<Alignment> {
    /// Pairs that are in memory at once.
    const AT_ONCE: usize = 256;
    let mut alignment = Alignment::default();
    for pairs in pairs.chunks(AT_ONCE) {
        let (truths, others): (Vec<_>, Vec<_>) = pairs.iter().cloned().unzip();
        let (truths, others) = (project.read_masks(&truths)?, project.read_masks(&others)?);
        for (truth, other) in truths.iter().zip(&others) {
            let shared = BitMask::from(truth).shared_area(&BitMask::from(other));
            let joined = truth.area() + other.area() - shared;
            let agrees = shared as f64 / joined as f64 > AGREES;
            alignment.all.add(agrees);
            let of_size = match masklet_data::export::sav::size_bucket(truth.area() as f64) {
                "small" => &mut alignment.small,
                "medium" => &mut alignment.medium,
                _ => &mut alignment.large,
            };
            of_size.add(agrees);
        }
    }
    Ok(alignment)
}
