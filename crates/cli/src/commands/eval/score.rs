//! `masklet eval score`: predictions of any tool against annotations.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use masklet_data::{Dataset, Layout, ReadOptions, VideoDataset, open, open_masks};
use masklet_eval::protocols::{Outcome, open_predicted, score_predictions};
use masklet_eval::report::{DataDescription, Protocol, Row, Strip};
use masklet_eval::scoring::{Missing, Rules, Summary, Void};

use super::common::{Findings, Reporting, finish, select, strip, with_progress};
use super::video_args::RulesName;
use crate::Global;
use crate::failure::Failure;

/// Score predictions of any tool.
///
/// Both folders hold a folder for each sequence, with label maps `<frame>.png` or, as in SA-V,
/// `<object>/<frame>.png`; the truth may also be a whole data set. Frames without annotation are
/// not scored.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet eval score --pred results/ --truth DAVIS/Annotations/480p
  masklet eval score --pred results/ --truth sav_val/Annotations_6fps --rules sa-v -o reports/mine")]
pub(super) struct Args {
    /// Folder of predictions.
    #[arg(long, value_name = "FOLDER")]
    pred: PathBuf,
    /// Folder of annotations.
    #[arg(long, value_name = "FOLDER")]
    truth: PathBuf,
    /// Which frames and objects count.
    #[arg(long, value_enum, default_value = "auto")]
    rules: RulesName,
    /// Leave pixels annotated as void (255) out of both masks; otherwise they are background.
    #[arg(long)]
    ignore_void: bool,
    /// A scored frame without prediction counts as one on which nothing was found.
    #[arg(long)]
    missing_as_empty: bool,
    /// Score only sequences that have predictions.
    #[arg(long)]
    only_predicted: bool,
    /// Sequences to score, by name. By default all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    sequences: Vec<String>,
    /// What the predictions are called in the report. By default their folder's name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    reporting: Reporting,
}

/// Runs the command.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let rules = args.rules.rules();
    let options = ReadOptions {
        labels: rules.and_then(Rules::labels),
        ..ReadOptions::default()
    };
    let truth = open_truth(&args.truth, &options)?;
    let predictions = open_masks(&args.pred, &options)?;
    let rules = rules.unwrap_or_else(|| default_rules(truth.layout()));
    let names = args.names(&*truth, &*predictions)?;
    let void = if args.ignore_void {
        Void::Ignored
    } else {
        Void::Background
    };
    let missing = if args.missing_as_empty {
        Missing::Empty
    } else {
        Missing::Error
    };

    let mut outcome = Outcome::default();
    with_progress("sequence", names.len(), global, |watch| {
        outcome = score_predictions(
            &*truth,
            &*predictions,
            &names,
            (rules, void, missing),
            watch.step,
        );
        Ok(())
    })?;
    let Outcome { scores, failures } = outcome;
    let data = DataDescription::new(&args.truth, truth.layout(), names.len());
    let summary = Summary::over(&scores, None);
    let row = Row::of_sequences(&args.method(), false, "given", &summary, scores);
    let strips = if args.reporting.writes() {
        args.strips(&row, &*truth, &*predictions)?
    } else {
        Vec::new()
    };
    let findings = Findings {
        rows: vec![row],
        failures,
    };
    let report = args
        .reporting
        .report(Protocol::Score, data, rules.sentence(), None, findings)?;
    finish(&args.reporting, &report, &strips, &[], global)
}

/// A data set with its own rules, or else a folder of masks.
fn open_truth(path: &Path, options: &ReadOptions) -> Result<Box<dyn VideoDataset>, Failure> {
    match open(path, options) {
        Ok(Dataset::Videos(videos)) => Ok(videos),
        _ => Ok(open_masks(path, options)?),
    }
}

/// Label maps of no data set in particular are scored as DAVIS does.
fn default_rules(layout: Layout) -> Rules {
    match layout {
        Layout::Frames => Rules::Davis,
        layout => Rules::of(layout),
    }
}

impl Args {
    fn method(&self) -> String {
        let folder = std::path::absolute(&self.pred).unwrap_or_else(|_| self.pred.clone());
        let folder = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        self.name.clone().unwrap_or(folder)
    }

    fn strips(
        &self,
        row: &Row,
        truth: &dyn VideoDataset,
        predictions: &dyn VideoDataset,
    ) -> Result<Vec<Strip>, Failure> {
        let mut strips = Vec::new();
        for unit in row.worst_first().into_iter().take(self.reporting.strips) {
            let truth_of = truth.open_named(&unit.name)?;
            let found = open_predicted(truth, predictions, &unit.name)?;
            let by_name: HashMap<String, usize> = (0..found.frame_count())
                .map(|frame| (found.frame_name(frame), frame))
                .collect();
            let predicted = |frame: usize| match by_name.get(&truth_of.frame_name(frame)) {
                Some(&frame) => Ok(found.annotation(frame)?),
                None => Ok(None),
            };
            strips.push(strip(0, unit, &*truth_of, predicted)?);
        }
        Ok(strips)
    }

    fn names(
        &self,
        truth: &dyn VideoDataset,
        predictions: &dyn VideoDataset,
    ) -> Result<Vec<String>, Failure> {
        let mut names = select(truth.names(), &self.sequences)?;
        if self.only_predicted {
            let predicted: BTreeSet<&String> = predictions.names().iter().collect();
            names.retain(|name| predicted.contains(name));
        }
        if names.is_empty() {
            return Err(Failure::usage(anyhow!(
                "{} and {} have no sequence in common",
                self.truth.display(),
                self.pred.display()
            )));
        }
        Ok(names)
    }
}
