//! [`Segmenter`]: who segments images.

use std::collections::BTreeMap;
use std::time::Instant;

use masklet::{ImagePredictor, ImagePrompt, MaskChoice, Model};
use masklet_data::Segment;
use masklet_media::{Mask, RgbImage, Rle};

use super::SegmentedImage;
use crate::clicks::squared_distances;
use crate::methods::{ModelIdentity, Watch};
use crate::prompts::{Prompt, box_around, click_until};
use crate::{Error, Result};

/// Who segments.
#[derive(Debug, Clone)]
pub enum Segmenter {
    /// The network. One click asks for its three candidates and takes the one it rates best;
    /// further clicks and a box ask for one mask, clicks refining the mask before.
    Model {
        /// The model.
        model: Box<Model>,
        /// Which it is.
        identity: ModelIdentity,
    },
    /// The baseline that looks at no picture: the largest disk inside the segment around the first
    /// click; the filled box.
    Shapes,
}

impl Segmenter {
    /// The method's name in reports.
    pub fn name(&self) -> String {
        match self {
            Self::Model { identity, .. } => identity.name.clone(),
            Self::Shapes => "disk at the click, filled box".to_owned(),
        }
    }

    /// Whether it is the simple method that scores are to be seen against.
    pub fn is_baseline(&self) -> bool {
        matches!(self, Self::Shapes)
    }

    /// Whether it does anything with such a prompt.
    pub fn takes(&self, prompt: Prompt) -> bool {
        match self {
            Self::Model { .. } => prompt != Prompt::Mask,
            Self::Shapes => matches!(prompt, Prompt::Clicks(1) | Prompt::Box),
        }
    }

    pub(super) fn identity(&self) -> serde_json::Value {
        match self {
            Self::Model { identity, .. } => serde_json::json!({ "model": identity }),
            Self::Shapes => serde_json::json!("shapes"),
        }
    }
}

/// Segments `segments` of a picture.
pub(super) fn segment(
    segmenter: &Segmenter,
    picture: &RgbImage,
    segments: &[&Segment],
    prompts: &[Prompt],
    watch: &Watch<'_>,
) -> Result<SegmentedImage> {
    let started = Instant::now();
    let predictor = match segmenter {
        Segmenter::Model { model, .. } => {
            let mut predictor = ImagePredictor::new(model);
            predictor.set_image(picture);
            Some(predictor)
        }
        Segmenter::Shapes => None,
    };
    let encode_seconds = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let mut predictions = 0;
    let mut masks = Vec::new();
    for segment in segments {
        if (watch.interrupted)() {
            return Err(Error::Interrupted);
        }
        let truth = segment.mask.decode();
        masks.push(match &predictor {
            Some(predictor) => by_model(predictor, &truth, prompts, &mut predictions)?,
            None => by_shapes(&truth, prompts),
        });
    }
    Ok(SegmentedImage {
        masks,
        encode_seconds,
        prompt_seconds: started.elapsed().as_secs_f64(),
        predictions,
    })
}

fn by_model(
    predictor: &ImagePredictor,
    truth: &Mask,
    prompts: &[Prompt],
    predictions: &mut usize,
) -> Result<BTreeMap<String, Rle>> {
    let mut predict = |prompt: &ImagePrompt, choice: MaskChoice| {
        *predictions += 1;
        let prediction = predictor.predict(prompt, choice)?;
        let best = prediction.best();
        let logits = prediction.low_res_logits[best].clone();
        Ok((prediction.mask(best), logits))
    };
    let counts = prompts.iter().filter_map(|prompt| match prompt {
        Prompt::Clicks(count) => Some(usize::from(*count)),
        _ => None,
    });
    let after = by_clicks(truth, counts.max().unwrap_or(0), &mut predict)?;
    let mut masks = BTreeMap::new();
    for prompt in prompts {
        let mask = match prompt {
            // A perfect mask needs no further clicks.
            Prompt::Clicks(count) => after.get(usize::from(*count) - 1).or(after.last()).cloned(),
            Prompt::Box => match box_around(truth) {
                Some(bounds) => {
                    let (mask, _) = predict(&ImagePrompt::bounds(bounds), MaskChoice::Single)?;
                    Some(Rle::encode(&mask))
                }
                None => None,
            },
            Prompt::Mask => None,
        };
        masks.extend(mask.map(|mask| (prompt.to_string(), mask)));
    }
    Ok(masks)
}

/// The mask after each of up to `count` clicks. `predict` is given all clicks so far with the logits
/// of the mask before, and answers with the mask and its logits.
fn by_clicks(
    truth: &Mask,
    count: usize,
    mut predict: impl FnMut(&ImagePrompt, MaskChoice) -> Result<(Mask, Vec<f32>)>,
) -> Result<Vec<Rle>> {
    let mut prompt = ImagePrompt::default();
    let mut after = Vec::new();
    click_until(truth, None, count, |click| {
        let choice = if prompt.clicks.is_empty() {
            MaskChoice::Multi
        } else {
            MaskChoice::Single
        };
        prompt.clicks.push(click);
        let (mask, logits) = predict(&prompt, choice)?;
        prompt.mask_logits = Some(logits);
        after.push(Rle::encode(&mask));
        Ok::<_, Error>(mask)
    })?;
    Ok(after)
}

fn by_shapes(truth: &Mask, prompts: &[Prompt]) -> BTreeMap<String, Rle> {
    let (width, height) = truth.dimensions();
    let shape = |prompt: &Prompt| match prompt {
        Prompt::Box => {
            let b = truth.bounding_box()?;
            Some(Mask::from_fn(width, height, |x, y| {
                (b.x0..b.x1).contains(&x) && (b.y0..b.y1).contains(&y)
            }))
        }
        _ => {
            let distances = squared_distances((width as usize, height as usize), truth.bits());
            let radius = distances.iter().copied().max()?;
            let at = distances.iter().position(|&distance| distance == radius)? as u32;
            let (cx, cy) = (at % width, at / width);
            let square = |a: u32, b: u32| u64::from(a.abs_diff(b)).pow(2);
            Some(Mask::from_fn(width, height, |x, y| {
                square(x, cx) + square(y, cy) < radius
            }))
        }
    };
    prompts
        .iter()
        .filter_map(|prompt| Some((prompt.to_string(), Rle::encode(&shape(prompt)?))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_click_reaches_the_model_with_the_mask_before() {
        let truth = Mask::from_fn(60, 40, |x, y| (10..50).contains(&x) && (5..35).contains(&y));
        // Finds one more column with each click.
        let mut seen: Vec<(usize, Option<f32>, MaskChoice)> = Vec::new();
        let answers = by_clicks(&truth, 5, |prompt, choice| {
            let before = prompt.mask_logits.as_ref().map(|logits| logits[0]);
            seen.push((prompt.clicks.len(), before, choice));
            let found = 10 + prompt.clicks.len() as u32;
            let mask = Mask::from_fn(60, 40, |x, y| x < found && truth.contains(x, y));
            Ok((mask, vec![found as f32]))
        })
        .unwrap();
        assert_eq!(
            seen,
            [
                (1, None, MaskChoice::Multi),
                (2, Some(11.0), MaskChoice::Single),
                (3, Some(12.0), MaskChoice::Single),
                (4, Some(13.0), MaskChoice::Single),
                (5, Some(14.0), MaskChoice::Single),
            ]
        );
        let areas: Vec<u64> = answers.iter().map(Rle::area).collect();
        assert_eq!(areas, [30, 60, 90, 120, 150]);
    }
}
