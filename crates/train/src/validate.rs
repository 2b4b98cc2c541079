//! Validation: clips that were not trained on are tracked as a user would, and scored with the
//! benchmarks' metrics.

use std::time::Instant;

use masklet::{ClickHistory, MemoryRetention, Model, Propagation, VideoOptions, VideoPredictor};
use masklet_data::clip::Clip;
use masklet_eval::clicks::first_click;
use masklet_eval::metrics::{
    BOUNDARY_TOLERANCE, BitMask, boundary_accuracy, mean, region_similarity,
};
use masklet_media::{Mask, MemoryFrames};
use serde::Serialize;

use crate::Result;
use crate::monitor::{Sample, ValidationRecord};

/// How a clip's objects are shown to the model on its first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// By their masks.
    Mask,
    /// By a click at each one's centre.
    Click,
}

impl Shown {
    /// The ways that make sense for a clip: a single frame's masks are not worth giving.
    pub fn ways(clip: &Clip) -> &'static [Self] {
        match clip.frames.len() {
            1 => &[Self::Click],
            _ => &[Self::Mask, Self::Click],
        }
    }
}

/// How well an object of a clip was found, as fractions. Frames that are given are not scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipScore {
    /// Region similarity.
    pub j: f64,
    /// Boundary accuracy.
    pub f: f64,
    /// The share of frames on which the occlusion score says whether the object is in the picture.
    pub occlusion: f64,
    /// Whether it is out of sight on one of the frames at least.
    pub disappears: bool,
}

/// Means over objects, per cent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClipMeans {
    /// The mean of J and F.
    pub j_and_f: f64,
    /// Region similarity.
    pub j: f64,
    /// Boundary accuracy.
    pub f: f64,
    /// The share of frames on which the occlusion score says whether an object is in the picture.
    pub occlusion_accuracy: f64,
}

impl ClipMeans {
    /// Over these objects.
    pub fn over(scores: &[ClipScore]) -> Self {
        let percent = |of: fn(&ClipScore) -> f64| 100.0 * mean(scores.iter().map(of));
        let (j, f) = (percent(|score| score.j), percent(|score| score.f));
        Self {
            j_and_f: (j + f) / 2.0,
            j,
            f,
            occlusion_accuracy: percent(|score| score.occlusion),
        }
    }
}

/// What the model says of an object on a frame.
#[derive(Debug)]
struct Found {
    mask: Mask,
    visible: bool,
}

/// Tracks all clips: from the first frame's masks (but not those of one frame), and from a click at
/// each object's centre. Frames that are given are not scored. `sampled` is shown each clip's
/// prediction from the mask, or from the click where there is no other; validation stops, and there
/// is no result, when `stopped` says so.
///
/// # Errors
/// If the model cannot be run on a clip, or as `sampled`.
pub fn validate(
    model: &Model,
    clips: &[Clip],
    step: u64,
    sampled: &mut dyn FnMut(&Sample<'_>) -> Result<()>,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<ValidationRecord>> {
    let start = Instant::now();
    let mut scores = Vec::new();
    for clip in clips {
        for (place, &shown) in Shown::ways(clip).iter().enumerate() {
            if stopped() {
                return Ok(None);
            }
            let (of_clip, predictions) = score_clip(model, clip, shown)?;
            if place == 0 {
                let jf = mean(of_clip.iter().map(|score| (score.j + score.f) / 2.0));
                sampled(&Sample {
                    step,
                    clip,
                    predictions: &predictions,
                    j_and_f: 100.0 * jf,
                })?;
            }
            scores.extend(of_clip);
        }
    }
    let means = ClipMeans::over(&scores);
    Ok(Some(ValidationRecord {
        step,
        clips: clips.len(),
        j: means.j,
        f: means.f,
        j_and_f: means.j_and_f,
        occlusion_accuracy: means.occlusion_accuracy,
        seconds: start.elapsed().as_secs_f64(),
    }))
}

/// Tracks a clip: how well each object was found, and for each frame the predicted mask of each.
///
/// # Errors
/// If the model cannot be run on the clip.
///
/// # Panics
/// If the clip has no frames, or an object is not on its first one
/// ([`Clip::keep_promptable`] sees to that).
pub fn score_clip(
    model: &Model,
    clip: &Clip,
    shown: Shown,
) -> Result<(Vec<ClipScore>, Vec<Vec<Mask>>)> {
    let found = track(model, clip, shown)?;
    let scores = (0..clip.objects.len())
        .map(|object| score(clip, &found, object, shown))
        .collect();
    let masks = |frame: Vec<Found>| frame.into_iter().map(|found| found.mask).collect();
    Ok((scores, found.into_iter().map(masks).collect()))
}

fn track(model: &Model, clip: &Clip, shown: Shown) -> Result<Vec<Vec<Found>>> {
    let options = VideoOptions {
        retention: MemoryRetention::Reachable,
        ..VideoOptions::default()
    };
    let pictures = clip.frames.iter().map(|frame| frame.picture.clone());
    let frames = MemoryFrames::new(pictures.collect())?;
    let mut session = VideoPredictor::with_options(model, options).session(frames);
    for (id, mask) in (0u32..).zip(&clip.frames[0].masks) {
        match (shown, first_click(mask)) {
            (Shown::Mask, _) => {
                session.add_mask(0, id, mask)?;
            }
            (Shown::Click, Some(click)) => {
                session.add_clicks(0, id, &[click], ClickHistory::Replace)?;
            }
            (Shown::Click, None) => unreachable!("the objects of a clip are on its first frame"),
        }
    }
    let mut predictions = Vec::with_capacity(clip.frames.len());
    for result in session.propagate(Propagation::default())? {
        let objects = result?.objects;
        let found = objects.iter().map(|object| Found {
            mask: object.mask(),
            visible: object.visible(),
        });
        predictions.push(found.collect());
    }
    Ok(predictions)
}

fn score(clip: &Clip, found: &[Vec<Found>], object: usize, shown: Shown) -> ClipScore {
    let given = match shown {
        Shown::Mask => 1,
        Shown::Click => 0,
    };
    let frames: Vec<_> = clip
        .frames
        .iter()
        .zip(found)
        .skip(given)
        .map(|(frame, found)| (&frame.masks[object], &found[object]))
        .collect();
    let pairs: Vec<_> = frames
        .iter()
        .map(|(truth, found)| (BitMask::from(*truth), BitMask::from(&found.mask)))
        .collect();
    let over = |of: fn(&BitMask, &BitMask) -> f64| {
        mean(pairs.iter().map(|(truth, found)| of(truth, found)))
    };
    let right = |(truth, found): &(&Mask, &Found)| truth.is_empty() != found.visible;
    ClipScore {
        j: over(region_similarity),
        f: over(|truth, found| boundary_accuracy(truth, found, BOUNDARY_TOLERANCE)),
        occlusion: mean(frames.iter().map(|pair| f64::from(u8::from(right(pair))))),
        disappears: frames.iter().any(|(truth, _)| truth.is_empty()),
    }
}
