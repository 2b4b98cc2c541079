//! What a [`MaskGenerator`](super::MaskGenerator) does with its grid of clicks.

use std::ops::Range;

use crate::{Error, MaskChoice, Result};

use super::grid::even_grid;

/// Layers of crops beyond this many would look at single pixels: the eighth has 65,536 crops.
const MAX_LAYERS: u32 = 8;
/// More points a side than this would click on every pixel of the network's input.
const MAX_POINTS_PER_SIDE: u32 = 1024;

/// Where the clicks are.
#[derive(Debug, Clone, PartialEq)]
pub enum PointGrid {
    /// An even grid of this many points a side (1 to 1024) on the whole picture; on the crops of
    /// layer `n` it is thinner by
    /// [`crop_n_points_downscale_factor`](MaskGeneratorOptions::crop_n_points_downscale_factor)
    /// to the power of `n`.
    PerSide(u32),
    /// These points, `[x, y]` in 0..1 of the crop's width and height: a list for the whole picture
    /// and one for each crop layer.
    Given(Vec<Vec<[f64; 2]>>),
}

/// At which resolution small regions are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RegionRemoval {
    /// As SAM 2: in the logits at the model's resolution (a quarter of its input), before masks
    /// are cut and judged. Areas up to and including the given one are removed.
    #[default]
    LowResolution,
    /// As SAM: in the finished masks, in pixels of the picture; areas below the given one are
    /// removed. Masks that come to repeat another are dropped, with the larger of the two NMS
    /// thresholds; masks that needed no change are preferred, and come first.
    FullResolution,
}

/// The reference's parameters, by the reference's names and with its defaults
/// (`SAM2AutomaticMaskGenerator`).
#[derive(Debug, Clone, PartialEq)]
pub struct MaskGeneratorOptions {
    /// The clicks; by default 32 a side. (Reference: `points_per_side`, `point_grids`.)
    pub points: PointGrid,
    /// How many clicks are decoded at once, at least 1; bounds memory. By default 64.
    pub points_per_batch: usize,
    /// Masks must have a predicted IoU above this, 0..=1; 0 keeps all. By default 0.8.
    pub pred_iou_thresh: f32,
    /// Masks must have at least this stability score, 0..=1; 0 keeps all. By default 0.95. See
    /// [`stability_score`](masklet_media::stability_score).
    pub stability_score_thresh: f32,
    /// By how much the cut is moved up and down to measure stability, at least 0. By default 1.
    pub stability_score_offset: f32,
    /// Logits above this are the object. By default 0.
    pub mask_threshold: f32,
    /// Of two masks of a crop whose boxes have a larger IoU than this, 0..=1, the one with the
    /// lower predicted IoU is dropped. By default 0.7.
    pub box_nms_thresh: f64,
    /// Layers of crops that are looked at besides the whole picture, up to 8; layer `n` has `4^n`
    /// of them. By default 0.
    pub crop_n_layers: u32,
    /// Of two masks of different crops whose boxes have a larger IoU than this, 0..=1, the one of
    /// the larger crop is dropped. By default 0.7.
    pub crop_nms_thresh: f64,
    /// Overlap of the crops of the first layer as a share of the picture's shorter side, 0..1;
    /// those of later layers overlap less. By default 512/1500.
    pub crop_overlap_ratio: f64,
    /// How much thinner the grid gets from layer to layer, at least 1. By default 1.
    pub crop_n_points_downscale_factor: u32,
    /// Holes and islands of this many pixels are removed (see [`RegionRemoval`]); 0, the default,
    /// removes none.
    pub min_mask_region_area: u64,
    /// Which pixels `min_mask_region_area` counts.
    pub region_removal: RegionRemoval,
    /// Refine each mask once, with itself as a prompt. By default not.
    pub use_m2m: bool,
    /// Three candidates for each click, as by default, or one. (Reference: `multimask_output`.)
    pub mask_choice: MaskChoice,
}

impl Default for MaskGeneratorOptions {
    fn default() -> Self {
        Self {
            points: PointGrid::PerSide(32),
            points_per_batch: 64,
            pred_iou_thresh: 0.8,
            stability_score_thresh: 0.95,
            stability_score_offset: 1.0,
            mask_threshold: 0.0,
            box_nms_thresh: 0.7,
            crop_n_layers: 0,
            crop_nms_thresh: 0.7,
            crop_overlap_ratio: 512.0 / 1500.0,
            crop_n_points_downscale_factor: 1,
            min_mask_region_area: 0,
            region_removal: RegionRemoval::LowResolution,
            use_m2m: false,
            mask_choice: MaskChoice::Multi,
        }
    }
}

impl MaskGeneratorOptions {
    /// Checks that every option is in its range. Options are named as their fields, and the points
    /// as `points_per_side` or `point_grids`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for the first that is not.
    pub fn check(&self) -> Result<()> {
        check_share("pred_iou_thresh", self.pred_iou_thresh)?;
        check_share("stability_score_thresh", self.stability_score_thresh)?;
        check_share("box_nms_thresh", self.box_nms_thresh)?;
        check_share("crop_nms_thresh", self.crop_nms_thresh)?;
        let offset = self.stability_score_offset;
        if !(offset.is_finite() && offset >= 0.0) {
            return Err(invalid("stability_score_offset", offset, "0 or more"));
        }
        if !self.mask_threshold.is_finite() {
            return Err(invalid(
                "mask_threshold",
                self.mask_threshold,
                "a finite number",
            ));
        }
        if !(0.0..1.0).contains(&self.crop_overlap_ratio) {
            return Err(invalid(
                "crop_overlap_ratio",
                self.crop_overlap_ratio,
                "0 to below 1",
            ));
        }
        if self.points_per_batch == 0 {
            return Err(invalid("points_per_batch", 0, "1 or more"));
        }
        if self.crop_n_layers > MAX_LAYERS {
            let accepted = format!("0 to {MAX_LAYERS}");
            return Err(invalid("crop_n_layers", self.crop_n_layers, &accepted));
        }
        if self.crop_n_points_downscale_factor == 0 {
            return Err(invalid("crop_n_points_downscale_factor", 0, "1 or more"));
        }
        self.check_points()
    }

    fn check_points(&self) -> Result<()> {
        let layers = self.crop_n_layers;
        match &self.points {
            PointGrid::PerSide(side) if !(1..=MAX_POINTS_PER_SIDE).contains(side) => {
                let accepted = format!("1 to {MAX_POINTS_PER_SIDE}");
                Err(invalid("points_per_side", side, &accepted))
            }
            PointGrid::PerSide(side) if self.side_in(*side, layers) == 0 => Err(invalid(
                "crop_n_points_downscale_factor",
                self.crop_n_points_downscale_factor,
                &format!(
                    "what leaves at least one of {side} points a side after {layers} divisions"
                ),
            )),
            PointGrid::PerSide(_) => Ok(()),
            PointGrid::Given(grids) if grids.len() <= layers as usize => Err(invalid(
                "point_grids",
                format!("{} lists of points", grids.len()),
                &format!(
                    "{} of them: one for the picture, one for each crop layer",
                    layers + 1
                ),
            )),
            PointGrid::Given(grids) => {
                let unit: Range<f64> = 0.0..1.0;
                let outside = |point: &&[f64; 2]| !point.iter().all(|x| unit.contains(x));
                match grids.iter().flatten().find(outside) {
                    Some([x, y]) => Err(invalid(
                        "point_grids",
                        format!("a list with the point ({x}, {y})"),
                        "x and y from 0 to below 1",
                    )),
                    None => Ok(()),
                }
            }
        }
    }

    /// Points a side in a crop layer.
    fn side_in(&self, side: u32, layer: u32) -> u32 {
        (0..layer).fold(side, |side, _| side / self.crop_n_points_downscale_factor)
    }

    /// The points of each layer, of options that were checked.
    pub(super) fn grids(&self) -> Vec<Vec<[f64; 2]>> {
        match &self.points {
            PointGrid::Given(grids) => grids.clone(),
            &PointGrid::PerSide(side) => (0..=self.crop_n_layers)
                .map(|layer| even_grid(self.side_in(side, layer)))
                .collect(),
        }
    }
}

/// Checks that an option is in 0..=1. NaN is not.
pub(crate) fn check_share<T>(option: &'static str, found: T) -> Result<()>
where
    T: Into<f64> + Copy + ToString,
{
    if (0.0..=1.0).contains(&found.into()) {
        Ok(())
    } else {
        Err(invalid(option, found, "0 to 1"))
    }
}

fn invalid(option: &'static str, found: impl ToString, accepted: &str) -> Error {
    Error::InvalidOption {
        option,
        found: found.to_string(),
        accepted: accepted.to_owned(),
    }
}
