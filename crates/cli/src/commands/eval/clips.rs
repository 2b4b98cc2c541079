//! `masklet eval clips`: the clips that a training configuration makes.

use std::path::PathBuf;

use anyhow::anyhow;
use masklet_data::SkipReport;
use masklet_train::config::{SourceOptions, TrainConfig};
use masklet_train::{
    ClipMeans, ClipScore, Shown, Sources, TrainError, score_clip, validation_clips,
};
use serde::Serialize;

use super::common::with_progress;
use crate::Global;
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::output::{print_json, print_line};

/// Track the clips that a training configuration validates on, or others made in the same way.
///
/// Each object is shown on the first frame, by its mask and, in a second run, by one click. Beside
/// region similarity and boundary accuracy this gives the accuracy of the occlusion score, of all
/// objects and of those that disappear for a while.
#[derive(clap::Args)]
#[command(after_help = "Example:
  masklet eval clips configs/lite/occlusion.toml --data bsds500/ --split test")]
pub(super) struct Args {
    /// Configuration of `masklet train`: how clips are made, and of what.
    #[arg(value_name = "CONFIG")]
    recipe: PathBuf,
    /// A data set to make clips of, in place of the configuration's.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Its split, where there are several.
    #[arg(long, value_name = "NAME", requires = "data")]
    split: Option<String>,
    /// How many clips, in place of the configuration's number.
    #[arg(long, value_name = "N")]
    clips: Option<usize>,
    #[command(flatten)]
    model: ModelArgs,
}

/// What was measured.
#[derive(Serialize)]
struct Report {
    model: String,
    clips: usize,
    frames: usize,
    rows: Vec<Row>,
}

/// The objects that were shown in one way.
#[derive(Serialize)]
struct Row {
    prompt: &'static str,
    objects: usize,
    #[serde(flatten)]
    means: ClipMeans,
    disappearing: Option<Disappearing>,
}

/// Of the objects that are out of sight on some frame.
#[derive(Serialize)]
struct Disappearing {
    objects: usize,
    occlusion_accuracy: f64,
}

/// Runs the command.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let config = args.configuration()?;
    let sources = Sources::open(&config)?;
    let held_out = sources
        .validation
        .ok_or_else(|| Failure::usage(TrainError::NoData))?;
    let model = args.model.load(global)?;
    let size = model.config().image_size as u32;
    let mut skipped = SkipReport::new(config.data.fail_on_unusable);
    let clips = validation_clips(&held_out, &config, size, &mut skipped)?;
    if !global.quiet {
        for line in skipped.to_string().lines() {
            eprintln!("skipped {line}");
        }
    }
    let mut by_mask = Vec::new();
    let mut by_click = Vec::new();
    with_progress("clip", clips.len(), global, |watch| {
        for clip in &clips {
            for &shown in Shown::ways(clip) {
                let (scores, _) = score_clip(&model, clip, shown)?;
                match shown {
                    Shown::Mask => by_mask.extend(scores),
                    Shown::Click => by_click.extend(scores),
                }
            }
            watch.frame_done()?;
        }
        Ok(())
    })?;
    let rows = [("mask", by_mask), ("click", by_click)].into_iter();
    let report = Report {
        model: model.name().to_owned(),
        clips: clips.len(),
        frames: clips.iter().map(|clip| clip.frames.len()).sum(),
        rows: rows
            .filter(|(_, scores)| !scores.is_empty())
            .map(|(prompt, scores)| Row::new(prompt, &scores))
            .collect(),
    };
    match global.json {
        true => print_json(&report),
        false => report.print(),
    }
}

impl Args {
    fn configuration(&self) -> Result<TrainConfig, Failure> {
        let mut config = TrainConfig::read(&self.recipe).map_err(Failure::usage)?;
        if let Some(data) = &self.data {
            let source = SourceOptions {
                split: self.split.clone(),
                ..SourceOptions::new(data)
            };
            config.data.sources = vec![source.clone()];
            config.validation.sources = vec![source];
        }
        config.validation.clips = self.clips.unwrap_or(config.validation.clips);
        config.check().map_err(Failure::usage)?;
        if config.validation.every == 0 {
            return Err(Failure::usage(anyhow!(
                "{} validates on nothing: set `validation.every` to 1 or more",
                self.recipe.display()
            )));
        }
        Ok(config)
    }
}

impl Row {
    fn new(prompt: &'static str, scores: &[ClipScore]) -> Self {
        let disappearing: Vec<ClipScore> = scores
            .iter()
            .filter(|score| score.disappears)
            .copied()
            .collect();
        Self {
            prompt,
            objects: scores.len(),
            means: ClipMeans::over(scores),
            disappearing: (!disappearing.is_empty()).then(|| Disappearing {
                objects: disappearing.len(),
                occlusion_accuracy: ClipMeans::over(&disappearing).occlusion_accuracy,
            }),
        }
    }
}

impl Report {
    fn print(&self) -> Result<(), Failure> {
        print_line(&format!(
            "{}: {} clips, {} frames\n",
            self.model, self.clips, self.frames
        ))?;
        print_line(
            "| shown by | objects | J&F | J | F | occlusion acc. | that disappear | occlusion acc. |",
        )?;
        print_line("|---|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let disappearing = match &row.disappearing {
                Some(of) => format!("{} | {:.1}", of.objects, of.occlusion_accuracy),
                None => "0 | –".to_owned(),
            };
            let ClipMeans {
                j_and_f,
                j,
                f,
                occlusion_accuracy,
            } = row.means;
            print_line(&format!(
                "| {} | {} | {j_and_f:.1} | {j:.1} | {f:.1} | {occlusion_accuracy:.1} | {disappearing} |",
                row.prompt, row.objects
            ))?;
        }
        Ok(())
    }
}
