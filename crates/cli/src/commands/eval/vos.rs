//! `masklet eval vos`: semi-supervised video object segmentation.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::anyhow;
use masklet_data::{DataError, ReadOptions};
use masklet_eval::methods::{Copying, ModelTracker, Tracker, Warping, Watch};
use masklet_eval::prompts::Prompt;
use masklet_eval::protocols::unwatched;
use masklet_eval::protocols::vos::{Vos, predicted};
use masklet_eval::report::{Metric, Protocol, Row, Strip};
use masklet_eval::scoring::{Summary, Void};

use super::common::{Findings, ModelOfReport, RunArgs, finish, strip, with_progress};
use super::video_args::VideoArgs;
use crate::Global;
use crate::failure::Failure;

/// Show each object on its first frame, track it, and score the masks.
///
/// Predictions are kept in the output folder: an interrupted run continues where it stopped, and
/// scoring by other rules needs no new predictions.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet eval vos --data DAVIS/ --split val --weights sam2.1_hiera_tiny.pt -o reports/davis
  masklet eval vos --data DAVIS/ --prompt mask,click3,box --weights FILE -o reports/davis
  masklet eval vos --data DAVIS/ -o reports/baselines                   # without a model")]
pub(super) struct Args {
    #[command(flatten)]
    video: VideoArgs,
    /// How objects are shown: mask, box, click1, click3, click5.
    #[arg(
        long,
        value_name = "PROMPTS",
        value_delimiter = ',',
        default_value = "mask"
    )]
    prompt: Vec<Prompt>,
    /// Leave pixels annotated as void (255) out of both masks; otherwise they are background.
    #[arg(long)]
    ignore_void: bool,
    /// YouTube-VOS: folder of the training split, whose categories are the seen ones.
    #[arg(long, value_name = "FOLDER")]
    seen: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let data = args.video.open()?;
    let names = args.video.names(&*data)?;
    let model = args.run.model(global)?;
    let trackers = trackers(&args.run, model.as_ref())?;
    let reporting = &args.run.reporting;
    let void = if args.ignore_void {
        Void::Ignored
    } else {
        Void::Background
    };
    let vos = Vos {
        videos: args.video.videos(&*data, &names, void, reporting.cache()),
        seen: args.seen_categories()?,
    };
    let runs: Vec<(&dyn Tracker, Prompt)> = trackers
        .iter()
        .flat_map(|tracker| args.prompt.iter().map(move |&prompt| (&**tracker, prompt)))
        .filter(|(tracker, prompt)| tracker.takes(*prompt))
        .collect();
    if runs.is_empty() {
        return Err(Failure::usage(anyhow!(
            "there is nothing to evaluate: the baselines start from --prompt mask, other prompts need --weights"
        )));
    }
    let mut findings = Findings::default();
    with_progress("frame", vos.videos.frames() * runs.len(), global, |watch| {
        for &(tracker, prompt) in &runs {
            add_run(&vos, tracker, prompt, watch, &mut findings)?;
        }
        Ok(())
    })?;
    let strips = strips(&vos, &runs, &findings, reporting.strips)?;
    let description = args.video.describe(&*data, names.len());
    let report = reporting.report(
        Protocol::Vos,
        description,
        vos.videos.rules.sentence(),
        model.as_ref(),
        findings,
    )?;
    finish(
        reporting,
        &report,
        &strips,
        &args.video.quoted(&*data),
        global,
    )
}

fn add_run(
    vos: &Vos<'_>,
    tracker: &dyn Tracker,
    prompt: Prompt,
    watch: &Watch<'_>,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let (outcome, seconds, frames) = vos.evaluate(tracker, prompt, watch)?;
    let summary = Summary::over(&outcome.scores, vos.seen.as_ref());
    let mut row = Row::of_sequences(
        &tracker.name(),
        tracker.is_baseline(),
        &prompt.words(),
        &summary,
        outcome.scores,
    );
    // How fast a mask is copied is of no interest.
    if !tracker.is_baseline() && frames > 0 && seconds > 0.0 {
        row.metrics
            .push(Metric::new("frames/s", frames as f64 / seconds));
    }
    findings.rows.push(row);
    findings.failures.extend(outcome.failures);
    Ok(())
}

fn trackers(
    run: &RunArgs,
    model: Option<&ModelOfReport>,
) -> Result<Vec<Box<dyn Tracker>>, Failure> {
    let wrapped = |model: &ModelOfReport| -> Box<dyn Tracker> {
        Box::new(ModelTracker::new(&model.model, model.identity.clone()))
    };
    let baselines: [Box<dyn Tracker>; 2] = [Box::new(Copying), Box::new(Warping)];
    run.methods(model, wrapped, baselines)
}

/// Strips of the worst sequences of each row, from predictions that are kept.
fn strips(
    vos: &Vos<'_>,
    runs: &[(&dyn Tracker, Prompt)],
    findings: &Findings,
    most: usize,
) -> Result<Vec<Strip>, Failure> {
    let mut strips = Vec::new();
    if !vos.videos.cache.keeps() {
        return Ok(strips);
    }
    for (number, (row, &(tracker, prompt))) in findings.rows.iter().zip(runs).enumerate() {
        for unit in row.worst_first().into_iter().take(most) {
            let sequence = vos.videos.data.open_named(&unit.name)?;
            let masklets = vos.masklets(&*sequence, tracker, prompt, &unwatched())?;
            strips.push(strip(number, unit, &*sequence, |frame| {
                Ok(predicted(&masklets, frame))
            })?);
        }
    }
    Ok(strips)
}

impl Args {
    fn seen_categories(&self) -> Result<Option<BTreeSet<String>>, Failure> {
        let Some(folder) = &self.seen else {
            return Ok(None);
        };
        let data = match masklet_data::open(folder, &ReadOptions::default())? {
            masklet_data::Dataset::Videos(videos) => videos,
            masklet_data::Dataset::Images(_) => {
                return Err(Failure::usage(anyhow!(
                    "{} holds images, not videos",
                    folder.display()
                )));
            }
        };
        let mut seen = BTreeSet::new();
        for index in 0..data.names().len() {
            let sequence = data.open(index)?;
            seen.extend(
                sequence
                    .objects()?
                    .iter()
                    .filter_map(|object| object.category.clone()),
            );
        }
        if seen.is_empty() {
            let none = DataError::BadValue {
                what: "--seen",
                found: format!("{} without categories", folder.display()),
                accepted: "the training split of YouTube-VOS, whose meta.json names categories,",
            };
            return Err(Failure::usage(none));
        }
        Ok(Some(seen))
    }
}
