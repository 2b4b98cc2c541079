//! [`ImagePredictor`] against `SAM2ImagePredictor` on the micro models.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Comparison, FAMILIES, Reference, bounds, every_2nd, json, model, picture};
use masklet::{ImagePrediction, ImagePredictor, ImagePrompt, MaskChoice, clicks_from_labels};
use masklet_media::preprocess;
use serde::Deserialize;

/// Largest difference, relative to the largest value of a tensor.
const TOLERANCE: f32 = 1e-4;
const PICTURES: [&str; 2] = ["pictures/0.png", "pictures/1.png"];

#[derive(Deserialize)]
struct Script {
    cases: BTreeMap<String, Case>,
    batch: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    points: Vec<[f32; 2]>,
    #[serde(default)]
    labels: Vec<i64>,
    #[serde(default)]
    boxes: Vec<[f32; 4]>,
    mask: Option<(String, usize)>,
    #[serde(default = "multimask")]
    multimask: bool,
}

fn multimask() -> bool {
    true
}

fn choice(multimask: bool) -> MaskChoice {
    if multimask {
        MaskChoice::Multi
    } else {
        MaskChoice::Single
    }
}

impl Script {
    /// Predictions for a case; its mask prompt, if any, is another case's prediction.
    fn predict(&self, predictor: &ImagePredictor, name: &str) -> Vec<ImagePrediction> {
        let case = &self.cases[name];
        let choice = choice(case.multimask);
        if case.boxes.len() > 1 {
            let boxes: Vec<_> = case.boxes.iter().map(|&b| bounds(b)).collect();
            return predictor.predict_boxes(&boxes, choice).unwrap();
        }
        let mask = case
            .mask
            .as_ref()
            .map(|(other, index)| self.predict(predictor, other)[0].low_res_logits[*index].clone());
        let prompt = ImagePrompt {
            mask_logits: mask,
            ..case.prompt()
        };
        vec![predictor.predict(&prompt, choice).unwrap()]
    }
}

impl Case {
    /// Without the mask.
    fn prompt(&self) -> ImagePrompt {
        ImagePrompt {
            clicks: clicks_from_labels(&self.points, &self.labels).unwrap(),
            bounds: self.boxes.first().map(|&b| bounds(b)),
            mask_logits: None,
        }
    }
}

/// Compares predictions, one for each box or one alone, with what is stored under `name`.
fn compare(
    comparison: &mut Comparison,
    reference: &Reference,
    name: &str,
    predictions: &[ImagePrediction],
) {
    let mut check = |what: &str, actual: Vec<f32>| {
        let name = format!("{name}/{what}");
        if let Some(expected) = reference.values(&name) {
            comparison.values(&name, &actual, &expected);
        }
    };
    let low_res = || predictions.iter().flat_map(|p| &p.low_res_logits);
    check("low_res_logits", low_res().flatten().copied().collect());
    let every_2nd = low_res().flat_map(|map| every_2nd(map));
    check("low_res_logits_every_2nd", every_2nd.collect());
    check(
        "ious",
        predictions.iter().flat_map(|p| p.iou.clone()).collect(),
    );
    check(
        "object_score",
        predictions.iter().map(|p| p.object_score).collect(),
    );

    let logits: Vec<_> = predictions.iter().flat_map(|p| &p.logits).collect();
    if let Some(masks) = reference.masks(&format!("{name}/masks"), logits[0].len()) {
        assert_eq!(masks.len(), logits.len(), "{name}");
        for (k, (expected, logits)) in masks.iter().zip(logits).enumerate() {
            let near_zero = |pixel: usize, noise: f32| logits[pixel].abs() <= noise;
            comparison.mask(&format!("{name}, mask {k}"), logits, expected, near_zero);
        }
    }
}

#[test]
fn pictures_enter_the_network_as_in_the_official_predictor() {
    for family in FAMILIES {
        let reference = Reference::open(family, "image");
        let mut comparison = Comparison::new(1e-6);
        for (index, path) in PICTURES.iter().enumerate() {
            let name = format!("preprocessed_{index}_every_4th");
            let pixels = preprocess::for_image_predictor(&picture(path), 256);
            let at = |channel: usize, y: usize, x: usize| pixels[(y * 256 + x) * 3 + channel];
            let steps = || (0..256).step_by(4);
            let rows = (0..3).flat_map(|channel| steps().map(move |y| (channel, y)));
            let actual: Vec<f32> = rows
                .flat_map(|(c, y)| steps().map(move |x| at(c, y, x)))
                .collect();
            comparison.values(&name, &actual, &reference.values(&name).unwrap());
        }
        comparison.finish(&format!("{family} preprocessing"));
    }
}

#[test]
fn every_kind_of_prompt_gives_the_official_masks() {
    for family in FAMILIES {
        let script: Script = json(family, "image");
        let reference = Reference::open(family, "image");
        let mut predictor = ImagePredictor::new(&model(family));
        predictor.set_image(&picture(PICTURES[0]));
        let mut comparison = Comparison::new(TOLERANCE);

        let embedding = predictor.embedding().unwrap().permute([0, 3, 1, 2]);
        let embedding: Vec<f32> = embedding.into_data().try_into_vec().unwrap();
        let expected = reference.values("image_embedding").unwrap();
        comparison.values("image_embedding", &embedding, &expected);

        for name in script.cases.keys() {
            let predictions = script.predict(&predictor, name);
            compare(&mut comparison, &reference, name, &predictions);
        }
        comparison.finish(&format!("{family} image"));

        let stored = reference.names().filter_map(|name| name.split_once('/'));
        let stored: BTreeSet<&str> = stored.map(|(case, _)| case).collect();
        let unknown = stored
            .iter()
            .filter(|case| !script.cases.contains_key(**case));
        assert!(unknown.clone().all(|case| case.starts_with("batch_")));
    }
}

#[test]
fn a_batch_of_pictures_gives_the_official_masks_of_each() {
    for family in FAMILIES {
        let script: Script = json(family, "image");
        let reference = Reference::open(family, "image");
        let mut predictor = ImagePredictor::new(&model(family));
        predictor.set_images(&PICTURES.map(picture));
        let mut comparison = Comparison::new(TOLERANCE);
        for (index, case) in script.batch.iter().enumerate() {
            for (name, multimask) in [("batch", true), ("batch_single", false)] {
                let prompt = case.prompt();
                let prediction = predictor
                    .predict_on(index, &prompt, choice(multimask))
                    .unwrap();
                let name = format!("{name}_{index}");
                compare(&mut comparison, &reference, &name, &[prediction]);
            }
        }
        comparison.finish(&format!("{family} batch"));
    }
}
