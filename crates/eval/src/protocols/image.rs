//! Promptable segmentation of images: each segment by clicks and by its box.

mod segmenter;

use std::collections::BTreeMap;

use masklet_data::{ImageDataset, LabelledImage, Segment};
use masklet_media::Rle;
use serde::{Deserialize, Serialize};

use super::SequenceFailure;
use super::videos::slug;
use crate::cache::{Cache, digest};
use crate::methods::Watch;
use crate::prompts::Prompt;
use crate::{Error, Result};

pub use segmenter::Segmenter;
use segmenter::segment;

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
    /// Leave out segments with less than this fraction of their image's pixels.
    pub min_area: f64,
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

    /// The segments that are scored: no crowds, nothing empty, nothing too small.
    pub fn segments<'s>(&self, image: &'s LabelledImage) -> Vec<&'s Segment> {
        let counts = |segment: &&Segment| {
            let pixels = f64::from(segment.mask.width()) * f64::from(segment.mask.height());
            let area = segment.mask.area();
            !segment.crowd && area > 0 && area as f64 >= self.min_area * pixels
        };
        let all: Vec<&Segment> = image.segments().filter(counts).collect();
        match self.max_segments {
            Some(most) if most < all.len() => {
                (0..most).map(|at| all[at * all.len() / most]).collect()
            }
            _ => all,
        }
    }
}
