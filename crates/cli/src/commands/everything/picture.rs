//! Everything on a picture.

use std::path::{Path, PathBuf};
use std::time::Instant;

use masklet::{MaskGenerator, MaskRecord};
use masklet_media::{Mask, OverlayObject, RgbImage, Rle, UncompressedRle, draw_overlay};
use serde::Serialize;

use super::{Args, NOTHING_FOUND, OutputMode};
use crate::Global;
use crate::failure::Failure;
use crate::output::{OutputFolder, is_numbered, print_json, print_line};
use crate::progress::Progress;

const REPORT: &str = "masks.json";
const OVERLAY: &str = "overlay.png";

/// `masks.json`, in the layout of SA-1B's files.
#[derive(Serialize)]
struct Report {
    image: ImageReport,
    annotations: Vec<Annotation>,
    model: String,
    weights: Option<PathBuf>,
    seconds: f64,
}

#[derive(Serialize)]
struct ImageReport {
    image_id: u32,
    file_name: PathBuf,
    width: u32,
    height: u32,
}

/// A mask: the generator's record in the form that is wanted.
#[derive(Serialize)]
struct Annotation {
    id: usize,
    segmentation: Segmentation,
    area: u64,
    bbox: [f32; 4],
    predicted_iou: f32,
    point_coords: [[f32; 2]; 1],
    stability_score: f32,
    crop_box: [f32; 4],
    /// The mask as a picture, 0 or 255.
    file: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Segmentation {
    CocoRle(Rle),
    UncompressedRle(UncompressedRle),
    BinaryMask(Vec<Vec<u8>>),
}

/// Finds everything on a picture and writes it.
pub(super) fn run(args: &Args, path: &Path, global: &Global) -> Result<(), Failure> {
    let options = args.generator.options()?;
    let picture = &RgbImage::open(path)?;
    let model = args.model.load(global)?;
    let generator = MaskGenerator::with_options(&model, options)?;
    let start = Instant::now();
    let batches = generator.batches(picture.dimensions());
    let mut progress = Progress::new("batch", Some(batches), global.quiet);
    let records = generator.generate_with(picture, || progress.step())?;
    progress.finish();
    let seconds = start.elapsed().as_secs_f64();

    let folder = OutputFolder::prepare(args.results.folder(), |name| {
        matches!(name, REPORT | OVERLAY | "masks/") || is_numbered(name, "masks/", ".png")
    })?;
    let masks: Vec<Mask> = records.iter().map(MaskRecord::mask).collect();
    for (id, mask) in masks.iter().enumerate() {
        mask.save_png(folder.file(&mask_file(id))?)?;
    }
    if args.results.draws_overlay() {
        draw(picture, &masks)?.save_png(folder.file(OVERLAY)?)?;
    }
    let mode = args.output_mode.unwrap_or_default();
    let annotations = records.into_iter().zip(&masks).enumerate();
    let report = Report {
        image: ImageReport {
            image_id: 0,
            file_name: path.to_owned(),
            width: picture.width(),
            height: picture.height(),
        },
        annotations: annotations
            .map(|(id, (record, mask))| annotation(id, record, mask, mode))
            .collect(),
        model: model.name().to_owned(),
        weights: args.model.weights().cloned(),
        seconds,
    };
    folder.write_json(REPORT, &report)?;
    report.print(&folder, global)
}

fn mask_file(id: usize) -> String {
    format!("masks/{id:04}.png")
}

fn annotation(id: usize, record: MaskRecord, mask: &Mask, mode: OutputMode) -> Annotation {
    Annotation {
        id,
        area: record.area,
        bbox: record.bbox,
        predicted_iou: record.predicted_iou,
        point_coords: record.point_coords,
        stability_score: record.stability_score,
        crop_box: record.crop_box,
        file: mask_file(id),
        segmentation: match mode {
            OutputMode::CocoRle => Segmentation::CocoRle(record.segmentation),
            OutputMode::UncompressedRle => {
                Segmentation::UncompressedRle(UncompressedRle(record.segmentation))
            }
            OutputMode::BinaryMask => Segmentation::BinaryMask(
                mask.bits()
                    .chunks_exact(mask.width() as usize)
                    .map(|row| row.iter().map(|&bit| u8::from(bit)).collect())
                    .collect(),
            ),
        },
    }
}

/// The picture with all masks, large ones below small ones.
fn draw(picture: &RgbImage, masks: &[Mask]) -> Result<RgbImage, Failure> {
    let mut order: Vec<(u64, &Mask)> = masks.iter().map(|mask| (mask.area(), mask)).collect();
    order.sort_by_key(|(area, _)| std::cmp::Reverse(*area));
    let objects: Vec<OverlayObject<'_>> = order
        .iter()
        .zip(1..)
        .map(|((_, mask), id)| OverlayObject {
            id,
            mask: Some(mask),
            prompts: &[],
        })
        .collect();
    Ok(draw_overlay(picture, &objects)?)
}

impl Report {
    fn print(&self, folder: &OutputFolder, global: &Global) -> Result<(), Failure> {
        if global.json {
            return print_json(self);
        }
        if global.quiet {
            return Ok(());
        }
        match self.annotations.len() {
            0 => print_line(NOTHING_FOUND)?,
            count => print_line(&format!("{count} masks in {:.1} s", self.seconds))?,
        }
        print_line(&format!("{}", folder.path().join(REPORT).display()))
    }
}
