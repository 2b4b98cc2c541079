//! [`MaskGenerator`] against `SAM2AutomaticMaskGenerator` on the micro models, whose hypernetworks
//! are replaced by ones that answer to the click (see tools/reference/everything.py).

mod common;

use std::collections::BTreeMap;

use common::{FAMILIES, Reference, config, json, model_of, picture};
use masklet::{
    MaskChoice, MaskGenerator, MaskGeneratorOptions, MaskRecord, Model, PointGrid, RegionRemoval,
};
use masklet_media::{RgbImage, Rle};
use serde::Deserialize;

/// Largest difference of a predicted IoU. Click coordinates and boxes are equal.
const IOU_TOLERANCE: f32 = 1e-5;
/// A mask's IoU with the reference's, where a pixel's logit is on the cut.
const MASK_IOU: f64 = 0.99;
/// The same for the stability score, a ratio of areas.
const STABILITY_TOLERANCE: f32 = 0.01;
/// How many pixels may differ of all masks of a case together.
const FLIPPED_PIXELS: u64 = 2;

#[derive(Deserialize)]
struct Fixture {
    picture: String,
    cases: BTreeMap<String, Case>,
    removal: Removal,
}

#[derive(Deserialize)]
struct Case {
    options: Options,
    records: Vec<Record>,
}

/// `postprocess_small_regions` on the masks of another case.
#[derive(Deserialize)]
struct Removal {
    case: String,
    min_area: u64,
    nms_thresh: f64,
    records: Vec<Record>,
}

/// The official options; those that are missing have their default.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Options {
    points_per_side: Option<u32>,
    point_grids: Option<Vec<Vec<[f64; 2]>>>,
    points_per_batch: Option<usize>,
    pred_iou_thresh: f32,
    stability_score_thresh: f32,
    stability_score_offset: f32,
    mask_threshold: f32,
    box_nms_thresh: Option<f64>,
    crop_n_layers: Option<u32>,
    crop_nms_thresh: Option<f64>,
    crop_overlap_ratio: Option<f64>,
    crop_n_points_downscale_factor: Option<u32>,
    min_mask_region_area: Option<u64>,
    use_m2m: Option<bool>,
    multimask_output: Option<bool>,
}

#[derive(Deserialize)]
struct Record {
    segmentation: Rle,
    area: u64,
    bbox: [f32; 4],
    predicted_iou: f32,
    point_coords: [[f32; 2]; 1],
    stability_score: f32,
    crop_box: [f32; 4],
}

impl Options {
    fn of_generator(&self) -> MaskGeneratorOptions {
        let default = MaskGeneratorOptions::default();
        let points = match (self.points_per_side, &self.point_grids) {
            (Some(side), None) => PointGrid::PerSide(side),
            (None, Some(grids)) => PointGrid::Given(grids.clone()),
            other => panic!("{other:?}"),
        };
        MaskGeneratorOptions {
            points,
            points_per_batch: self.points_per_batch.unwrap_or(default.points_per_batch),
            pred_iou_thresh: self.pred_iou_thresh,
            stability_score_thresh: self.stability_score_thresh,
            stability_score_offset: self.stability_score_offset,
            mask_threshold: self.mask_threshold,
            box_nms_thresh: self.box_nms_thresh.unwrap_or(default.box_nms_thresh),
            crop_n_layers: self.crop_n_layers.unwrap_or(default.crop_n_layers),
            crop_nms_thresh: self.crop_nms_thresh.unwrap_or(default.crop_nms_thresh),
            crop_overlap_ratio: self
                .crop_overlap_ratio
                .unwrap_or(default.crop_overlap_ratio),
            crop_n_points_downscale_factor: self
                .crop_n_points_downscale_factor
                .unwrap_or(default.crop_n_points_downscale_factor),
            min_mask_region_area: self
                .min_mask_region_area
                .unwrap_or(default.min_mask_region_area),
            region_removal: RegionRemoval::LowResolution,
            use_m2m: self.use_m2m.unwrap_or(default.use_m2m),
            mask_choice: match self.multimask_output {
                Some(false) => MaskChoice::Single,
                _ => MaskChoice::Multi,
            },
        }
    }
}

/// A family's model, picture and fixture.
fn open(family: &str) -> (Model, RgbImage, Fixture) {
    let reference = Reference::open(family, "everything");
    let fixture: Fixture = json(family, "everything");
    let model = model_of(family, &config(family), &reference);
    (model, picture(&fixture.picture), fixture)
}

/// Compares the sets of masks, one by one and in order.
fn compare(name: &str, found: &[MaskRecord], expected: &[Record]) {
    let places = |boxes: Vec<[f32; 4]>| format!("{boxes:?}");
    assert_eq!(
        places(found.iter().map(|r| r.bbox).collect()),
        places(expected.iter().map(|r| r.bbox).collect()),
        "{name}: other masks"
    );
    let (mut largest, mut flipped) = (0f32, 0);
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        let name = format!("{name}, mask {k}");
        assert_eq!(found.point_coords, expected.point_coords, "{name}");
        assert_eq!(found.crop_box, expected.crop_box, "{name}");
        let (ours, theirs) = (found.mask(), expected.segmentation.decode());
        let iou = ours.iou(&theirs).unwrap();
        assert!(iou >= MASK_IOU, "{name}: IoU {iou}");
        flipped += ours.area() + theirs.area() - 2 * ours.shared_area(&theirs).unwrap();
        assert_eq!(found.area, ours.area(), "{name}");
        assert!(
            found.area.abs_diff(expected.area) <= FLIPPED_PIXELS,
            "{name}"
        );
        let difference = (found.predicted_iou - expected.predicted_iou).abs();
        assert!(difference <= IOU_TOLERANCE, "{name}: IoU {difference} off");
        largest = largest.max(difference);
        let difference = (found.stability_score - expected.stability_score).abs();
        assert!(
            difference <= STABILITY_TOLERANCE,
            "{name}: stability {difference} off"
        );
    }
    println!(
        "{name}: {} masks, predicted IoU up to {largest:.1e} off, {flipped} pixels differ",
        found.len()
    );
    assert!(flipped <= FLIPPED_PIXELS, "{name}: {flipped} pixels differ");
}

#[test]
fn every_set_of_options_gives_the_official_masks() {
    for family in FAMILIES {
        let (model, picture, fixture) = open(family);
        for (name, case) in &fixture.cases {
            let generator = MaskGenerator::with_options(&model, case.options.of_generator());
            let found = generator.unwrap().generate(&picture).unwrap();
            compare(&format!("{family} {name}"), &found, &case.records);
        }
    }
}

#[test]
fn small_regions_of_finished_masks_are_removed_as_by_the_official_code() {
    for family in FAMILIES {
        let (model, picture, fixture) = open(family);
        let removal = &fixture.removal;
        let options = MaskGeneratorOptions {
            min_mask_region_area: removal.min_area,
            region_removal: RegionRemoval::FullResolution,
            ..fixture.cases[&removal.case].options.of_generator()
        };
        let threshold = options.box_nms_thresh.max(options.crop_nms_thresh);
        assert_eq!(threshold, removal.nms_thresh);
        let generator = MaskGenerator::with_options(&model, options).unwrap();
        let found = generator.generate(&picture).unwrap();
        compare(&format!("{family} removal"), &found, &removal.records);
    }
}

#[test]
fn the_number_of_points_a_batch_changes_nothing() {
    let (model, picture, fixture) = open("sam2.1");
    let case = &fixture.cases["mask_to_mask"];
    let options = MaskGeneratorOptions {
        points_per_batch: 1000,
        ..case.options.of_generator()
    };
    let generator = MaskGenerator::with_options(&model, options).unwrap();
    let mut batches = 0;
    let found = generator.generate_with(&picture, || batches += 1).unwrap();
    compare("one batch", &found, &case.records);
    assert_eq!((batches, generator.batches(picture.dimensions())), (1, 1));
}
