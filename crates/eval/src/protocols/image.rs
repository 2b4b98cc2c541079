//! Promptable segmentation of images: each segment by clicks and by its box.

use std::collections::BTreeMap;
use std::time::Instant;

use masklet::{Click, ImagePredictor, ImagePrompt, MaskChoice, Model};
use masklet_data::{ImageDataset, LabelledImage, Segment};
use masklet_media::{Mask, RgbImage, Rle};
use serde::{Deserialize, Serialize};

use super::SequenceFailure;
use super::videos::slug;
use crate::cache::{Cache, digest};
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

    fn identity(&self) -> serde_json::Value {
        match self {
            Self::Model { identity, .. } => serde_json::json!({ "model": identity }),
            Self::Shapes => serde_json::json!("shapes"),
        }
    }
}

/// What was segmented on an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentedImage {
    /// For each segment, in order, the mask after each prompt, by the prompt's name.
    pub masks: Vec<BTreeMap<String, Rle>>,
    /// Seconds to encode the picture.
    pub encode_seconds: f64,
    /// Seconds for all prompts.
    pub prompt_seconds: f64,
    /// Predictions that were made.
    pub predictions: usize,
}

/// An image with the IoU of each segment after each prompt.
#[derive(Debug, Clone)]
pub struct ImageScore {
    /// The image's name.
    pub name: String,
    /// Its number in the data set.
    pub index: usize,
    /// What was segmented.
    pub found: SegmentedImage,
    /// By the prompt's name, the IoU of each segment.
    pub ious: BTreeMap<String, Vec<f64>>,
}

/// What to evaluate on, and how.
pub struct Images<'a> {
    /// The data set.
    pub data: &'a dyn ImageDataset,
    /// The numbers of its images.
    pub indices: &'a [usize],
    /// The prompts.
    pub prompts: &'a [Prompt],
    /// Use at most so many segments of an image, evenly from all of them.
    pub max_segments: Option<usize>,
    /// Where results are kept.
    pub cache: Cache,
}

impl Images<'_> {
    /// All images; one that fails does not stop the others.
    ///
    /// # Errors
    /// [`Error::Interrupted`] only.
    pub fn evaluate(
        &self,
        segmenter: &Segmenter,
        watch: &Watch<'_>,
    ) -> Result<(Vec<ImageScore>, Vec<SequenceFailure>)> {
        let (mut scores, mut failures) = (Vec::new(), Vec::new());
        for &index in self.indices {
            match self.evaluate_one(segmenter, index, watch) {
                Ok(Some(score)) => scores.push(score),
                Ok(None) => {}
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => failures.push(SequenceFailure {
                    name: format!("{} ({})", self.data.image_name(index), segmenter.name()),
                    message: error.to_string(),
                }),
            }
        }
        Ok((scores, failures))
    }

    /// `None` if the image has no segment.
    fn evaluate_one(
        &self,
        segmenter: &Segmenter,
        index: usize,
        watch: &Watch<'_>,
    ) -> Result<Option<ImageScore>> {
        let image = self.data.open(index)?;
        let segments = self.segments(&image);
        if segments.is_empty() {
            (watch.skip)(1);
            return Ok(None);
        }
        let prompts: Vec<Prompt> = self
            .prompts
            .iter()
            .copied()
            .filter(|&p| segmenter.takes(p))
            .collect();
        let picture = image.picture()?;
        let depends_on = serde_json::json!({
            "format": 1,
            "segmenter": segmenter.identity(),
            "prompts": prompts.iter().map(Prompt::to_string).collect::<Vec<_>>(),
            "picture": digest(picture.pixels()),
            "segments": segments.iter().map(|segment| &segment.mask).collect::<Vec<_>>(),
        });
        let name = format!("{}-{}", slug(&segmenter.name()), image.name);
        let compute = || segment(segmenter, &picture, &segments, &prompts, watch);
        let (found, known) = self.cache.get(&name, &depends_on, compute)?;
        if known {
            (watch.skip)(1);
        } else {
            watch.frame_done()?;
        }
        let mut ious: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (segment, masks) in segments.iter().zip(&found.masks) {
            let truth = segment.mask.decode();
            for (prompt, mask) in masks {
                ious.entry(prompt.clone())
                    .or_default()
                    .push(truth.iou(&mask.decode())?);
            }
        }
        Ok(Some(ImageScore {
            name: image.name.clone(),
            index,
            found,
            ious,
        }))
    }

    /// The segments that are scored: no crowds, nothing empty.
    pub fn segments<'s>(&self, image: &'s LabelledImage) -> Vec<&'s Segment> {
        let all: Vec<&Segment> = image
            .segments()
            .filter(|segment| !segment.crowd && segment.mask.area() > 0)
            .collect();
        match self.max_segments {
            Some(most) if most < all.len() => {
                (0..most).map(|at| all[at * all.len() / most]).collect()
            }
            _ => all,
        }
    }
}

fn segment(
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
    let mut masks = BTreeMap::new();
    let counts = prompts.iter().filter_map(|prompt| match prompt {
        Prompt::Clicks(count) => Some(usize::from(*count)),
        _ => None,
    });
    let most = counts.max().unwrap_or(0);
    let (mut clicks, mut after): (Vec<Click>, Vec<Rle>) = (Vec::new(), Vec::new());
    let mut logits: Option<Vec<f32>> = None;
    click_until(truth, None, most, |click| {
        clicks.push(click);
        *predictions += 1;
        let mut prompt = ImagePrompt::clicks(clicks.iter().copied());
        prompt.mask_logits = logits.take();
        let choice = if clicks.len() == 1 {
            MaskChoice::Multi
        } else {
            MaskChoice::Single
        };
        let prediction = predictor.predict(&prompt, choice)?;
        let best = prediction.best();
        logits = Some(prediction.low_res_logits[best].clone());
        let mask = prediction.mask(best);
        after.push(Rle::encode(&mask));
        Ok::<_, Error>(mask)
    })?;
    for prompt in prompts {
        let mask = match prompt {
            // A perfect mask needs no further clicks.
            Prompt::Clicks(count) => after.get(usize::from(*count) - 1).or(after.last()).cloned(),
            Prompt::Box => match box_around(truth) {
                Some(bounds) => {
                    *predictions += 1;
                    let prediction =
                        predictor.predict(&ImagePrompt::bounds(bounds), MaskChoice::Single)?;
                    Some(Rle::encode(&prediction.mask(prediction.best())))
                }
                None => None,
            },
            Prompt::Mask => None,
        };
        masks.extend(mask.map(|mask| (prompt.to_string(), mask)));
    }
    Ok(masks)
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
