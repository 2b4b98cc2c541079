//! `masklet eval image`: segments of images by clicks and boxes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;
use masklet_data::{Dataset, ImageDataset, ReadOptions};
use masklet_eval::metrics::mean;
use masklet_eval::prompts::Prompt;
use masklet_eval::protocols::image::{ImageScore, Images, Segmenter};
use masklet_eval::report::{
    CurvePoint, DataDescription, Metric, Protocol, Row, Strip, StripFrame, Unit, quoted_images,
};

use super::common::{Findings, ModelOfReport, RunArgs, finish, with_progress};
use crate::Global;
use crate::failure::Failure;

/// Segments shown of an image, the worst ones.
const SHOWN_SEGMENTS: usize = 6;
const RULES: &str = "mean IoU over all segments of a data set, then over data sets; crowds are left out; clicks at the deepest pixel of the largest error";

/// Segment the objects of images by clicks and by boxes.
///
/// The first click is the centre of the true mask, each further one the centre of the largest
/// error. Results are kept in the output folder, so that an interrupted run continues.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet eval image --data bsds500/ --clicks 1,3,5 --weights sam2.1_hiera_tiny.pt -o reports/bsds
  masklet eval image --data coco/ --data sa1b/ --max-images 500 --weights FILE -o reports/images")]
pub(super) struct Args {
    /// A data set of images: SA-1B, COCO or label maps. Several may be given.
    #[arg(long, value_name = "FOLDER", required = true)]
    data: Vec<PathBuf>,
    /// The split, where there are several.
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// After how many clicks masks are scored.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1,3,5", value_parser = clap::value_parser!(u8).range(1..=20))]
    clicks: Vec<u8>,
    /// Do not prompt with boxes.
    #[arg(long)]
    no_box: bool,
    /// Use at most so many images of each data set, evenly from all of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_images: Option<u32>,
    /// Use at most so many segments of each image, evenly from all of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_segments: Option<u32>,
    /// Leave out segments with less than this fraction of their image's pixels, such as 0.005.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0, value_parser = fraction)]
    min_area: f64,
    #[command(flatten)]
    run: RunArgs,
}

/// A data set to evaluate on.
struct Source {
    name: String,
    data: Box<dyn ImageDataset>,
    indices: Vec<usize>,
}

/// Runs the command.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let sources = args
        .data
        .iter()
        .map(|path| args.open(path))
        .collect::<Result<Vec<_>, _>>()?;
    let prompts = args.prompts();
    let model = args.run.model(global)?;
    let reporting = &args.run.reporting;
    let segmenters = args.segmenters(model.as_ref())?;
    let total: usize = sources.iter().map(|source| source.indices.len()).sum();
    let mut findings = Findings::default();
    let mut strips = Vec::new();
    with_progress("image", total * segmenters.len(), global, |watch| {
        for segmenter in &segmenters {
            let mut found: Vec<(&Source, Images<'_>, Vec<ImageScore>)> = Vec::new();
            for source in &sources {
                let images = Images {
                    data: &*source.data,
                    indices: &source.indices,
                    prompts: &prompts,
                    max_segments: args.max_segments.map(|most| most as usize),
                    min_area: args.min_area,
                    cache: reporting.cache(),
                };
                let (scores, failures) = images.evaluate(segmenter, watch)?;
                findings.failures.extend(failures);
                found.push((source, images, scores));
            }
            let rows = rows(segmenter, &prompts, &found);
            for (prompt, row) in rows {
                strips.extend(strips_of(
                    findings.rows.len(),
                    prompt,
                    &row,
                    &found,
                    reporting.strips,
                )?);
                findings.rows.push(row);
            }
        }
        Ok(())
    })?;
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let mut description = DataDescription::new(&args.data[0], sources[0].data.layout(), total);
    description.name = names.join(" + ");
    let report = reporting.report(
        Protocol::Image,
        description,
        &args.rules(),
        model.as_ref(),
        findings,
    )?;
    let all = args.max_images.is_none() && args.max_segments.is_none() && args.min_area == 0.0;
    let quoted = if all {
        quoted_images(&names)
    } else {
        Vec::new()
    };
    finish(reporting, &report, &strips, &quoted, global)
}

/// A fraction from 0 to less than 1.
fn fraction(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| (0.0..1.0).contains(value));
    value.ok_or_else(|| "a fraction from 0 to less than 1 is accepted".to_owned())
}

impl Args {
    /// What counts, in words.
    fn rules(&self) -> String {
        match self.min_area {
            0.0 => RULES.to_owned(),
            least => format!(
                "{RULES}; segments of less than {}% of their image are left out",
                100.0 * least
            ),
        }
    }

    fn open(&self, path: &std::path::Path) -> Result<Source, Failure> {
        let options = ReadOptions {
            split: self.split.clone(),
            ..ReadOptions::default()
        };
        let data = match masklet_data::open(path, &options)? {
            Dataset::Images(images) => images,
            Dataset::Videos(videos) => {
                return Err(Failure::usage(anyhow!(
                    "{} holds videos ({}); use masklet eval vos or pvs",
                    path.display(),
                    videos.layout()
                )));
            }
        };
        let most = self
            .max_images
            .map_or(usize::MAX, |most| most as usize)
            .min(data.len());
        let indices = (0..most).map(|at| at * data.len() / most).collect();
        let name = DataDescription::new(path, data.layout(), most).name;
        Ok(Source {
            name,
            data,
            indices,
        })
    }

    fn prompts(&self) -> Vec<Prompt> {
        let mut clicks = self.clicks.clone();
        clicks.sort_unstable();
        clicks.dedup();
        let boxes = (!self.no_box).then_some(Prompt::Box);
        clicks
            .into_iter()
            .map(Prompt::Clicks)
            .chain(boxes)
            .collect()
    }

    fn segmenters(&self, model: Option<&ModelOfReport>) -> Result<Vec<Segmenter>, Failure> {
        let wrapped = |model: &ModelOfReport| Segmenter::Model {
            model: Box::new(model.model.clone()),
            identity: model.identity.clone(),
        };
        self.run.methods(model, wrapped, [Segmenter::Shapes])
    }
}

type Found<'a> = (&'a Source, Images<'a>, Vec<ImageScore>);

/// A row for each prompt; the last one with clicks has the curve.
fn rows(segmenter: &Segmenter, prompts: &[Prompt], found: &[Found<'_>]) -> Vec<(Prompt, Row)> {
    let taken = prompts.iter().filter(|prompt| segmenter.takes(**prompt));
    let mut rows: Vec<(Prompt, Row)> = taken
        .map(|&prompt| (prompt, row(segmenter, prompt, found)))
        .collect();
    let point = |(prompt, row): &(Prompt, Row)| match prompt {
        Prompt::Clicks(count) => Some(CurvePoint {
            annotated: usize::from(*count),
            score: row.metrics[0].value,
            clicks: f64::from(*count),
            seconds: mean_seconds(found),
            annotation_seconds: None,
        }),
        _ => None,
    };
    let curve: Vec<CurvePoint> = rows.iter().filter_map(point).collect();
    if let Some((_, row)) = rows
        .iter_mut()
        .rev()
        .find(|(prompt, _)| matches!(prompt, Prompt::Clicks(_)))
    {
        row.curve = curve;
    }
    rows
}

fn mean_seconds(found: &[Found<'_>]) -> f64 {
    let images = found.iter().flat_map(|(.., scores)| scores);
    mean(images.map(|image| {
        (image.found.encode_seconds + image.found.prompt_seconds) / image.found.masks.len() as f64
    }))
}

fn row(segmenter: &Segmenter, prompt: Prompt, found: &[Found<'_>]) -> Row {
    let key = prompt.to_string();
    let by_source: Vec<(String, f64)> = found
        .iter()
        .map(|(source, _, scores)| {
            let ious = scores
                .iter()
                .filter_map(|score| score.ious.get(&key))
                .flatten();
            (source.name.clone(), mean(ious.copied()))
        })
        .collect();
    let mut metrics = vec![Metric::percent(
        "mIoU",
        mean(by_source.iter().map(|(_, miou)| *miou)),
    )];
    if by_source.len() > 1 {
        metrics.extend(
            by_source
                .iter()
                .map(|(name, miou)| Metric::percent(&format!("mIoU {name}"), *miou)),
        );
    }
    metrics.extend(speed(found));
    let several = found.len() > 1;
    let unit = |source: &Source, score: &ImageScore| {
        let ious = score.ious.get(&key)?;
        Some(Unit {
            name: if several {
                format!("{}/{}", source.name, score.name)
            } else {
                score.name.clone()
            },
            score: mean(ious.iter().copied()) * 100.0,
            metrics: vec![Metric::new("segments", ious.len() as f64)],
            objects: Vec::new(),
            notes: Vec::new(),
        })
    };
    let units = found
        .iter()
        .flat_map(|(source, _, scores)| scores.iter().filter_map(|score| unit(source, score)));
    Row {
        method: segmenter.name(),
        baseline: segmenter.is_baseline(),
        prompt: prompt.words(),
        metrics,
        units: units.collect(),
        curve: Vec::new(),
    }
}

/// Pictures encoded, and prompts answered, in a second.
fn speed(found: &[Found<'_>]) -> Vec<Metric> {
    let images: Vec<&ImageScore> = found.iter().flat_map(|(.., scores)| scores).collect();
    let encode: f64 = images.iter().map(|image| image.found.encode_seconds).sum();
    let prompts: f64 = images.iter().map(|image| image.found.prompt_seconds).sum();
    let predictions: usize = images.iter().map(|image| image.found.predictions).sum();
    if predictions == 0 {
        return Vec::new();
    }
    vec![
        Metric::new("images/s", images.len() as f64 / encode),
        Metric::new("prompts/s", predictions as f64 / prompts),
    ]
}

/// The worst segments of the worst images.
fn strips_of(
    number: usize,
    prompt: Prompt,
    row: &Row,
    found: &[Found<'_>],
    most: usize,
) -> Result<Vec<Strip>, Failure> {
    let key = prompt.to_string();
    let mut names: BTreeMap<String, (&Images<'_>, &ImageScore)> = BTreeMap::new();
    for (source, images, scores) in found {
        for score in scores {
            let name = if found.len() > 1 {
                format!("{}/{}", source.name, score.name)
            } else {
                score.name.clone()
            };
            names.insert(name, (images, score));
        }
    }
    let mut strips = Vec::new();
    for unit in row.worst_first().into_iter().take(most) {
        let Some((images, score)) = names.get(&unit.name) else {
            continue;
        };
        let image = images.data.open(score.index)?;
        let picture = image.picture()?;
        let segments = images.segments(&image);
        let mut worst: Vec<(usize, f64)> = score.ious[&key].iter().copied().enumerate().collect();
        worst.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut frames = Vec::new();
        for &(at, iou) in worst.iter().take(SHOWN_SEGMENTS) {
            let Some(found) = score.found.masks[at].get(&key) else {
                continue;
            };
            let caption = format!("IoU {:.1}", iou * 100.0);
            frames.push(StripFrame::segment(
                caption,
                &picture,
                &segments[at].mask.decode(),
                &found.decode(),
            )?);
        }
        strips.push(Strip {
            row: number,
            unit: unit.name.clone(),
            frames,
        });
    }
    Ok(strips)
}
