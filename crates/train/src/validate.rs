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

use crate::Result;
use crate::monitor::{Sample, ValidationRecord};

/// How a clip's objects are shown to the model on its first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Mask,
    Click,
}

/// An object's score in a clip.
struct Score {
    j: f64,
    f: f64,
    occlusion: f64,
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
        let still = clip.frames.len() == 1;
        let ways: &[Shown] = match still {
            true => &[Shown::Click],
            false => &[Shown::Mask, Shown::Click],
        };
        for (place, &shown) in ways.iter().enumerate() {
            if stopped() {
                return Ok(None);
            }
            let predictions = track(model, clip, shown)?;
            let of_clip = score(clip, &predictions, shown);
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
    let percent = |of: fn(&Score) -> f64| 100.0 * mean(scores.iter().map(of));
    let (j, f) = (percent(|score| score.j), percent(|score| score.f));
    Ok(Some(ValidationRecord {
        step,
        clips: clips.len(),
        j,
        f,
        j_and_f: (j + f) / 2.0,
        occlusion_accuracy: percent(|score| score.occlusion),
        seconds: start.elapsed().as_secs_f64(),
    }))
}

/// For each frame the predicted mask of each object.
fn track(model: &Model, clip: &Clip, shown: Shown) -> Result<Vec<Vec<Mask>>> {
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
        predictions.push(objects.iter().map(|object| object.mask()).collect());
    }
    Ok(predictions)
}

fn score(clip: &Clip, predictions: &[Vec<Mask>], shown: Shown) -> Vec<Score> {
    let given = match shown {
        Shown::Mask => 1,
        Shown::Click => 0,
    };
    let bits = |mask: &Mask| BitMask::from(mask);
    (0..clip.objects.len())
        .map(|object| {
            let pairs: Vec<_> = clip
                .frames
                .iter()
                .zip(predictions)
                .skip(given)
                .map(|(frame, found)| (bits(&frame.masks[object]), bits(&found[object])))
                .collect();
            let over = |of: &dyn Fn(&BitMask, &BitMask) -> f64| {
                mean(pairs.iter().map(|(truth, found)| of(truth, found)))
            };
            Score {
                j: over(&|truth, found| region_similarity(truth, found)),
                f: over(&|truth, found| boundary_accuracy(truth, found, BOUNDARY_TOLERANCE)),
                occlusion: over(&|truth, found| {
                    f64::from(u8::from(truth.is_empty() == found.is_empty()))
                }),
            }
        })
        .collect()
}
