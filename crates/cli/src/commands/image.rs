//! `masklet image`: masks of an object on a picture.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use clap::ArgAction;
use masklet::{BoxPrompt, Click, ImagePrediction, ImagePredictor, ImagePrompt, MaskChoice};
use masklet_media::{Mask, OverlayObject, RgbImage, draw_overlay, preprocess};
use masklet_model::weights::{Checkpoint, Precision, save_safetensors};
use serde::Serialize;

use crate::Global;
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::output::{
    OutputFolder, is_numbered, path_in_report, path_in_report_if_any, print_json, print_line,
};
use crate::prompts::{marks_of, parse_box, parse_click};

/// Logits of a mask that is given as a picture: ±10.
const GIVEN_MASK_LOGIT: f32 = 10.0;

/// Segment an object on a picture.
///
/// Writes `mask_<k>.png` (0/255, best first), overlay.png and result.json into the output folder.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  One click; three candidate masks, best first:
    masklet image truck.jpg --weights sam2.1_hiera_tiny.pt --point 500,375 -o out/
  A box with a correction (0: not the object), one mask:
    masklet image truck.jpg --weights sam2.1_hiera_tiny.pt --box 425,600,700,875 \\
        --point 575,750,0 --single -o out/
  Refine an earlier result with another click:
    masklet image truck.jpg --weights FILE --point 500,375 --logits a.safetensors -o out/
    masklet image truck.jpg --weights FILE --point 500,375 --point 1125,625 \\
        --mask-logits a.safetensors --single -o out/")]
pub(crate) struct Args {
    /// The picture.
    image: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// A click in pixels, fractions allowed; label 1 (default) is the object, 0 the background.
    #[arg(long = "point", value_name = "X,Y[,LABEL]", value_parser = parse_click,
          allow_hyphen_values = true, action = ArgAction::Append)]
    points: Vec<Click>,
    /// A box around the object. Several boxes are several objects, each with its best mask.
    #[arg(long = "box", value_name = "X0,Y0,X1,Y1", value_parser = parse_box,
          allow_hyphen_values = true, action = ArgAction::Append)]
    boxes: Vec<BoxPrompt>,
    /// A rough mask of the object, of the picture's size: anything but black is the object.
    #[arg(long, value_name = "PNG", conflicts_with = "mask_logits")]
    mask: Option<PathBuf>,
    /// Logits of an earlier run (--logits); the mask with the best predicted IoU is refined.
    #[arg(long, value_name = "FILE")]
    mask_logits: Option<PathBuf>,
    /// One mask instead of three candidates: for prompts that are not ambiguous.
    #[arg(long)]
    single: bool,
    /// Also write the logits, in the model's own order: `low_res_logits` (masks × side × side),
    /// `iou` (masks) and `object_score`.
    #[arg(long, value_name = "FILE.safetensors")]
    logits: Option<PathBuf>,
    /// Folder for the results; created if need be.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// `result.json`.
#[derive(Serialize)]
struct Report {
    image: ImageReport,
    model: String,
    #[serde(serialize_with = "path_in_report_if_any")]
    weights: Option<PathBuf>,
    masks: Vec<MaskReport>,
    overlay: &'static str,
    timings: Timings,
}

#[derive(Serialize)]
struct ImageReport {
    #[serde(serialize_with = "path_in_report")]
    file: PathBuf,
    width: u32,
    height: u32,
}

/// One mask file.
#[derive(Serialize)]
struct MaskReport {
    file: String,
    /// Index of the box it belongs to, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<usize>,
    predicted_iou: f32,
    /// Occlusion score: positive if the object is in the picture.
    occlusion_score: f32,
    /// Pixels.
    area: u64,
    /// Left, top, width, height in pixels; null for an empty mask.
    bounding_box: Option<[u32; 4]>,
}

/// Seconds.
#[derive(Serialize)]
struct Timings {
    load_s: f64,
    encode_s: f64,
    predict_s: f64,
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    if args.boxes.len() > 1
        && (!args.points.is_empty() || args.mask.is_some() || args.mask_logits.is_some())
    {
        return Err(Failure::usage(anyhow!(
            "{} boxes are given with points or a mask: several boxes are several objects, so it \
             is not clear to which one the points belong; run the command once for each object",
            args.boxes.len()
        )));
    }
    let image = RgbImage::open(&args.image)?;
    let start = Instant::now();
    let model = args.model.load(global)?;
    let load_s = start.elapsed().as_secs_f64();

    let side = model.config().low_res();
    let prompt = args.prompt(&image, side)?;
    let mut predictor = ImagePredictor::new(&model);
    let start = Instant::now();
    predictor.set_image(&image);
    let encode_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let choice = if args.single {
        MaskChoice::Single
    } else {
        MaskChoice::Multi
    };
    let predictions = if args.boxes.len() > 1 {
        predictor.predict_boxes(&args.boxes, choice)?
    } else {
        vec![predictor.predict(&prompt, choice)?]
    };
    let predict_s = start.elapsed().as_secs_f64();

    let folder = OutputFolder::prepare(&args.output, |name| {
        is_numbered(name, "mask_", ".png") || matches!(name, "overlay.png" | "result.json")
    })?;
    let shown = shown_masks(&predictions);
    let mut masks = Vec::new();
    for (k, (object, prediction, index)) in shown.iter().enumerate() {
        let mask = prediction.mask(*index);
        let file = format!("mask_{k}.png");
        mask.save_png(folder.file(&file)?)?;
        masks.push((
            MaskReport {
                file,
                object: (predictions.len() > 1).then_some(*object),
                predicted_iou: prediction.iou[*index],
                occlusion_score: prediction.object_score,
                area: mask.area(),
                bounding_box: mask.bounding_box().map(|bounds| bounds.to_coco()),
            },
            mask,
        ));
    }
    let best: Vec<&Mask> = if predictions.len() > 1 {
        masks.iter().map(|(_, mask)| mask).collect()
    } else {
        masks.iter().take(1).map(|(_, mask)| mask).collect()
    };
    args.draw(&image, &best)?
        .save_png(folder.file("overlay.png")?)?;
    if let Some(path) = &args.logits {
        write_logits(path, &predictions, side)?;
    }
    let report = Report {
        image: ImageReport {
            file: args.image.clone(),
            width: image.width(),
            height: image.height(),
        },
        model: model.name().to_owned(),
        weights: args.model.weights().cloned(),
        masks: masks.into_iter().map(|(report, _)| report).collect(),
        overlay: "overlay.png",
        timings: Timings {
            load_s,
            encode_s,
            predict_s,
        },
    };
    folder.write_json("result.json", &report)?;
    report.print(&folder, global)
}

/// The masks to write: of a single object all of them, best first; of several the best of each.
fn shown_masks(predictions: &[ImagePrediction]) -> Vec<(usize, &ImagePrediction, usize)> {
    match predictions {
        [one] => one.ranking().into_iter().map(|k| (0, one, k)).collect(),
        several => several
            .iter()
            .enumerate()
            .map(|(object, prediction)| (object, prediction, prediction.best()))
            .collect(),
    }
}

impl Args {
    fn prompt(&self, image: &RgbImage, side: usize) -> Result<ImagePrompt, Failure> {
        let mask_logits = match (&self.mask, &self.mask_logits) {
            (Some(path), _) => Some(mask_as_logits(path, image, side)?),
            (None, Some(path)) => Some(best_logits(path, side)?),
            (None, None) => None,
        };
        Ok(ImagePrompt {
            clicks: self.points.clone(),
            bounds: self.boxes.first().copied(),
            mask_logits,
        })
    }

    /// The picture with the best masks and the prompts.
    fn draw(&self, image: &RgbImage, masks: &[&Mask]) -> Result<RgbImage, Failure> {
        let marks = marks_of(&self.points, &self.boxes);
        let objects: Vec<OverlayObject<'_>> = masks
            .iter()
            .zip(1..)
            .map(|(mask, id)| OverlayObject {
                id,
                mask: Some(mask),
                // A lone object owns all marks; of several, each owns its box.
                prompts: match masks {
                    [_] => &marks,
                    _ => &marks[id as usize - 1..][..1],
                },
            })
            .collect();
        Ok(draw_overlay(image, &objects)?)
    }
}

/// A mask picture as logits `[side, side]`, soft at its edges.
fn mask_as_logits(path: &Path, image: &RgbImage, side: usize) -> Result<Vec<f32>, Failure> {
    let mask = Mask::open(path)?;
    if mask.dimensions() != image.dimensions() {
        let ((width, height), (wide, high)) = (mask.dimensions(), image.dimensions());
        return Err(Failure::usage(anyhow!(
            "the mask {} is {width}×{height} pixels, the picture {wide}×{high}: give a mask of \
             the picture's size",
            path.display()
        )));
    }
    Ok(preprocess::resize_mask(&mask, side, side)
        .into_iter()
        .map(|soft| (2.0 * soft - 1.0) * GIVEN_MASK_LOGIT)
        .collect())
}

/// Of the logits in a file the map with the best predicted IoU, or the first if none is given.
fn best_logits(path: &Path, side: usize) -> Result<Vec<f32>, Failure> {
    let file = Checkpoint::open(path)?;
    let name = "low_res_logits";
    let shape = file.get(name).map(|info| info.shape.clone());
    let maps = match shape.as_deref() {
        Some(&[maps, height, width]) if [height, width] == [side; 2] && maps > 0 => maps,
        Some(&[height, width]) if [height, width] == [side; 2] => 1,
        other => {
            return Err(Failure::usage(anyhow!(
                "{} has {}; needed is the tensor `{name}` of shape [masks, {side}, {side}], as \
                 written by --logits with the same model",
                path.display(),
                other.map_or_else(
                    || format!("no tensor `{name}`"),
                    |shape| format!("`{name}` of shape {shape:?}")
                ),
            )));
        }
    };
    let logits = file.read_f32(name)?;
    let iou = match file.get("iou") {
        Some(info) if info.shape == [maps] => file.read_f32("iou")?,
        _ => vec![0.0; maps],
    };
    let best = (0..maps)
        .rev()
        .max_by(|&a, &b| iou[a].total_cmp(&iou[b]))
        .context("the file holds no mask")?;
    Ok(logits[best * side * side..][..side * side].to_vec())
}

/// Writes logits in the model's own order; several objects follow each other.
fn write_logits(path: &Path, predictions: &[ImagePrediction], side: usize) -> Result<(), Failure> {
    let logits: Vec<f32> = predictions
        .iter()
        .flat_map(|p| p.low_res_logits.concat())
        .collect();
    let iou: Vec<f32> = predictions.iter().flat_map(|p| p.iou.clone()).collect();
    let scores: Vec<f32> = predictions.iter().map(|p| p.object_score).collect();
    let tensors: [(&str, &[usize], &[f32]); 3] = [
        ("low_res_logits", &[iou.len(), side, side], &logits),
        ("iou", &[iou.len()], &iou),
        ("object_score", &[scores.len()], &scores),
    ];
    Ok(save_safetensors(
        path,
        tensors,
        Precision::F32,
        Default::default(),
    )?)
}

impl Report {
    fn print(&self, folder: &OutputFolder, global: &Global) -> Result<(), Failure> {
        if global.json {
            return print_json(self);
        }
        if global.quiet {
            return Ok(());
        }
        for mask in &self.masks {
            print_line(&format!(
                "{}: predicted IoU {:.3}, {} pixels{}",
                folder.path().join(&mask.file).display(),
                mask.predicted_iou,
                mask.area,
                if mask.occlusion_score > 0.0 {
                    ""
                } else {
                    " (the model sees no object)"
                },
            ))?;
        }
        print_line(&format!("{}", folder.path().join(self.overlay).display()))?;
        if global.verbose {
            let Timings {
                load_s,
                encode_s,
                predict_s,
            } = self.timings;
            eprintln!(
                "{}: loaded in {load_s:.2} s, encoded in {encode_s:.2} s, predicted in {predict_s:.2} s",
                self.model
            );
        }
        Ok(())
    }
}
