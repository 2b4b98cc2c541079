//! Clips from sequences.

use rand::Rng;
use rand::seq::index::sample as sample_indices;
use serde::{Deserialize, Serialize};

use super::transforms::within;
use super::{Clip, ClipFrame};
use crate::dataset::Sequence;
use crate::{DataError, Result, SkipReason};

/// How clips are taken from sequences. The defaults are those of SAM 2's full training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleOptions {
    /// Frames in a clip; at least 1.
    pub frames: usize,
    /// Most objects in a clip; at least 1.
    pub objects: usize,
    /// Smallest and largest distance between frames, counted in annotated frames and drawn
    /// evenly; at least 1. In a sequence too short for what was drawn it is made smaller.
    pub stride: (usize, usize),
    /// Probability of playing the clip backwards.
    pub reverse: f64,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self {
            frames: 8,
            objects: 3,
            stride: (1, 1),
            reverse: 0.5,
        }
    }
}

/// How often another beginning is tried where no object is visible on the first frame.
const ATTEMPTS: usize = 16;

impl SampleOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`DataError::BadValue`], naming the field.
    pub fn check(&self) -> Result<()> {
        let (least, most) = self.stride;
        within(
            "sampling: frames",
            self.frames as f64,
            1.0,
            1e6,
            "at least 1",
        )?;
        within(
            "sampling: objects",
            self.objects as f64,
            1.0,
            1e6,
            "at least 1",
        )?;
        let accepted = "1 to the largest stride";
        within(
            "sampling: smallest stride",
            least as f64,
            1.0,
            most as f64,
            accepted,
        )?;
        within("sampling: reverse", self.reverse, 0.0, 1.0, "0 to 1")
    }
}

/// Draws a clip of annotated frames. Its objects are drawn from those visible on its first frame
/// (after reversal); if there are none, other beginnings are tried.
///
/// # Errors
/// [`DataError::Unusable`] if the sequence has too few annotated frames, or no object was found;
/// otherwise as the sequence's annotations and pictures.
pub fn sample_clip(
    sequence: &dyn Sequence,
    options: &SampleOptions,
    rng: &mut impl Rng,
) -> Result<Clip> {
    options.check()?;
    let annotated = sequence.annotated_frames();
    if annotated.len() < options.frames {
        return Err(DataError::unusable(sequence.name(), SkipReason::TooShort));
    }
    for _ in 0..ATTEMPTS {
        let chosen = choose_frames(annotated, options, rng);
        let visible = match sequence.annotation(chosen[0])? {
            Some(annotation) => annotation.object_ids(),
            None => Vec::new(),
        };
        if visible.is_empty() {
            continue;
        }
        let count = options.objects.min(visible.len());
        let mut objects: Vec<u32> = sample_indices(rng, visible.len(), count)
            .into_iter()
            .map(|index| visible[index])
            .collect();
        objects.sort_unstable();
        return read(sequence, &chosen, objects);
    }
    Err(DataError::unusable(sequence.name(), SkipReason::EmptyMasks))
}

fn choose_frames(annotated: &[usize], options: &SampleOptions, rng: &mut impl Rng) -> Vec<usize> {
    let steps = options.frames - 1;
    let longest = (annotated.len() - 1).checked_div(steps).unwrap_or(1);
    let stride = rng
        .random_range(options.stride.0..=options.stride.1)
        .min(longest);
    let first = rng.random_range(0..annotated.len() - steps * stride);
    let indices = (0..options.frames).map(|step| first + step * stride);
    let mut chosen: Vec<usize> = indices.map(|index| annotated[index]).collect();
    if rng.random_bool(options.reverse) {
        chosen.reverse();
    }
    chosen
}

fn read(sequence: &dyn Sequence, chosen: &[usize], objects: Vec<u32>) -> Result<Clip> {
    let mut source = sequence.frames()?;
    // Ascending, which every source reads fast; put back into their order afterwards.
    let mut order: Vec<usize> = (0..chosen.len()).collect();
    order.sort_by_key(|&place| chosen[place]);
    let mut frames = Vec::with_capacity(chosen.len());
    for place in order {
        let number = chosen[place];
        let picture = source.frame(number)?.ok_or_else(|| {
            DataError::unusable(
                format!("{} frame {number}", sequence.name()),
                SkipReason::NoPicture,
            )
        })?;
        let annotation = sequence.annotation(number)?;
        let mask = |&object: &u32| {
            let known = annotation
                .as_ref()
                .and_then(|annotation| annotation.mask(object));
            known.unwrap_or_else(|| masklet_media::Mask::empty(picture.width(), picture.height()))
        };
        let masks = objects.iter().map(mask).collect();
        frames.push((place, ClipFrame { picture, masks }));
    }
    frames.sort_by_key(|&(place, _)| place);
    let clip = Clip {
        name: sequence.name().to_owned(),
        objects,
        frames: frames.into_iter().map(|(_, frame)| frame).collect(),
    };
    clip.check()?;
    Ok(clip)
}
