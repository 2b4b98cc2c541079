//! The flags of the mask generator and of discovery.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::ArgAction;
use masklet::{
    DiscoveryOptions, Error, MaskChoice, MaskGeneratorOptions, PointGrid, RegionRemoval,
};

use crate::failure::Failure;

/// The generator's options, by the reference's names. Without a flag, the reference's default.
#[derive(clap::Args)]
#[command(next_help_heading = "Mask generator")]
pub(crate) struct GeneratorArgs {
    /// Click on an even grid of this many points a side, 1 to 1024 [default: 32].
    #[arg(long, value_name = "N", conflicts_with = "point_grids")]
    points_per_side: Option<u32>,
    /// Click on these points: JSON, a list for the picture and one for each crop layer, each of
    /// [x, y] from 0 to below 1 of the picture's or crop's sides.
    #[arg(long, value_name = "FILE.json")]
    point_grids: Option<PathBuf>,
    /// Clicks that are decoded at once; more take more memory [default: 64].
    #[arg(long, value_name = "N")]
    points_per_batch: Option<usize>,
    /// Drop masks whose predicted IoU is not above this, 0 to 1 [default: 0.8].
    #[arg(long, value_name = "IOU", allow_hyphen_values = true)]
    pred_iou_thresh: Option<f32>,
    /// Drop masks whose stability score is below this, 0 to 1 [default: 0.95].
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true)]
    stability_score_thresh: Option<f32>,
    /// How far the cut is moved to measure stability, 0 or more [default: 1].
    #[arg(long, value_name = "LOGITS", allow_hyphen_values = true)]
    stability_score_offset: Option<f32>,
    /// Logits above this are the object [default: 0].
    #[arg(long, value_name = "LOGIT", allow_hyphen_values = true)]
    mask_threshold: Option<f32>,
    /// Of masks whose boxes have a larger IoU than this, 0 to 1, keep the best [default: 0.7].
    #[arg(long, value_name = "IOU", allow_hyphen_values = true)]
    box_nms_thresh: Option<f64>,
    /// Look at crops of the picture as well: layer N has 4^N of them; 0 to 8 [default: 0].
    #[arg(long, value_name = "N")]
    crop_n_layers: Option<u32>,
    /// As --box-nms-thresh between crops, where the smaller crop wins [default: 0.7].
    #[arg(long, value_name = "IOU", allow_hyphen_values = true)]
    crop_nms_thresh: Option<f64>,
    /// Overlap of the first layer's crops as a share of the picture's shorter side, 0 to below 1
    /// [default: 0.341333].
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    crop_overlap_ratio: Option<f64>,
    /// Divide the points a side by this from layer to layer, 1 or more [default: 1].
    #[arg(long, value_name = "N")]
    crop_n_points_downscale_factor: Option<u32>,
    /// Remove holes and islands of this many pixels; see --region-removal [default: 0].
    #[arg(long, value_name = "AREA")]
    min_mask_region_area: Option<u64>,
    /// Which pixels --min-mask-region-area counts.
    #[arg(
        long,
        value_enum,
        default_value = "logits",
        requires = "min_mask_region_area"
    )]
    region_removal: RegionRemovalName,
    /// Refine each mask once with itself as a prompt; takes up to four times as long.
    #[arg(long)]
    use_m2m: bool,
    /// Three candidates for each click, or one.
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true)]
    multimask_output: bool,
}

/// Ways to remove regions.
#[derive(clap::ValueEnum, Clone, Copy)]
enum RegionRemovalName {
    /// Those of the model's own logits, a quarter of its input's size, as SAM 2.
    Logits,
    /// Those of the picture in finished masks, as SAM; masks that become alike are dropped.
    Masks,
}

impl GeneratorArgs {
    /// The options, all in their ranges; the reference's defaults where no flag is given.
    pub(super) fn options(&self) -> Result<MaskGeneratorOptions, Failure> {
        self.options_or(MaskGeneratorOptions::default())
    }

    /// The options, all in their ranges, with other defaults.
    pub(crate) fn options_or(
        &self,
        default: MaskGeneratorOptions,
    ) -> Result<MaskGeneratorOptions, Failure> {
        let points = match (&self.point_grids, self.points_per_side) {
            (Some(path), _) => PointGrid::Given(read_grids(path)?),
            (None, Some(side)) => PointGrid::PerSide(side),
            (None, None) => default.points,
        };
        let options = MaskGeneratorOptions {
            points,
            points_per_batch: self.points_per_batch.unwrap_or(default.points_per_batch),
            pred_iou_thresh: self.pred_iou_thresh.unwrap_or(default.pred_iou_thresh),
            stability_score_thresh: self
                .stability_score_thresh
                .unwrap_or(default.stability_score_thresh),
            stability_score_offset: self
                .stability_score_offset
                .unwrap_or(default.stability_score_offset),
            mask_threshold: self.mask_threshold.unwrap_or(default.mask_threshold),
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
            region_removal: match self.region_removal {
                RegionRemovalName::Logits => RegionRemoval::LowResolution,
                RegionRemovalName::Masks => RegionRemoval::FullResolution,
            },
            use_m2m: self.use_m2m,
            mask_choice: if self.multimask_output {
                MaskChoice::Multi
            } else {
                MaskChoice::Single
            },
        };
        options.check().map_err(naming_the_flag)?;
        Ok(options)
    }
}

fn read_grids(path: &PathBuf) -> Result<Vec<Vec<[f64; 2]>>, Failure> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the points {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| {
            format!(
                "{} has no points: give a list of lists of [x, y], such as [[[0.5, 0.5]]]",
                path.display()
            )
        })
        .map_err(Failure::Usage)
}

/// What is followed through a video.
#[derive(clap::Args)]
#[command(next_help_heading = "Videos")]
pub(super) struct DiscoveryArgs {
    /// Look for new objects every N frames; 0 is never after the first frame [default: 30].
    #[arg(long, value_name = "N")]
    every: Option<usize>,
    /// Track at most this many objects, 1 or more [default: 64].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_objects: Option<u32>,
    /// A new object has at least this share of its pixels, 0 to 1, where no other is
    /// [default: 0.5].
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    min_uncovered: Option<f64>,
    /// A new object's mask has at most this IoU, 0 to 1, with any other [default: 0.7].
    #[arg(long, value_name = "IOU", allow_hyphen_values = true)]
    max_iou: Option<f64>,
    /// Track at most this many frames, 1 or more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_frames: Option<u64>,
    /// Give each pixel to one object only, the one with the highest score.
    #[arg(long)]
    pub(super) non_overlapping: bool,
}

impl DiscoveryArgs {
    /// The first of these flags that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        [
            self.every.map(|_| "--every"),
            self.max_objects.map(|_| "--max-objects"),
            self.min_uncovered.map(|_| "--min-uncovered"),
            self.max_iou.map(|_| "--max-iou"),
            self.max_frames.map(|_| "--max-frames"),
            self.non_overlapping.then_some("--non-overlapping"),
        ]
        .into_iter()
        .flatten()
        .next()
    }

    /// Whether objects are looked for after the first frame.
    pub(super) fn looks_again(&self) -> bool {
        self.every != Some(0)
    }

    /// How many frames are tracked at most.
    pub(super) fn max_frames(&self) -> usize {
        let most = self.max_frames.map(usize::try_from);
        most.map_or(usize::MAX, |count| count.unwrap_or(usize::MAX))
    }

    /// The options, all in their ranges.
    pub(super) fn options(&self) -> Result<DiscoveryOptions, Failure> {
        let default = DiscoveryOptions::default();
        let limit = |count: u32| usize::try_from(count).ok().and_then(NonZeroUsize::new);
        let options = DiscoveryOptions {
            every: self.every.map_or(default.every, NonZeroUsize::new),
            max_objects: self.max_objects.map_or(default.max_objects, limit),
            min_uncovered: self.min_uncovered.unwrap_or(default.min_uncovered),
            max_iou: self.max_iou.unwrap_or(default.max_iou),
        };
        options.check().map_err(naming_the_flag)?;
        Ok(options)
    }
}

/// The library names options, a user of the command knows flags.
fn naming_the_flag(error: Error) -> Failure {
    match error {
        Error::InvalidOption {
            option,
            found,
            accepted,
        } => {
            let flag = option.replace('_', "-");
            Failure::usage(anyhow!("--{flag} is {found}; accepted: {accepted}"))
        }
        other => other.into(),
    }
}
