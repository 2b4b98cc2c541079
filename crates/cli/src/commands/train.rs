//! `masklet train`: training and fine-tuning.

mod view;

use std::io::stderr;
use std::path::PathBuf;

use anyhow::anyhow;
use masklet::{Official, Precision};
use masklet_train::config::{SourceOptions, TrainConfig};
use masklet_train::monitor::{
    Curves, History, METRICS, MetricsFile, Observer, PlainLog, SAMPLES, Samples, TENSORBOARD,
    TensorBoard,
};
use masklet_train::{Run, TrainError};

use crate::failure::Failure;
use crate::{Global, fetching, interrupt};
use view::View;

/// Train or fine-tune a model on videos or pictures with masks.
///
/// A run is a configuration (TOML; the repository's configs/ has one for each stage of the paper) and
/// a folder, which afterwards holds the weights to use, checkpoints, numbers, curves and samples.
/// Ctrl-C stops after the step it is at; `--resume` goes on with the same numbers as if nothing had
/// happened.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Configuration file.
    #[arg(value_name = "CONFIG", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// Folder to train on, in any layout that `masklet data inspect` knows; may be given several
    /// times. Replaces the configuration's data sets.
    #[arg(long, value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Checkpoint to start from: official `.pt`, or `.safetensors` with the same names.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Official model to start from, such as sam2.1-tiny, taken from the Hugging Face cache or
    /// fetched into it.
    #[arg(long, value_name = "NAME", conflicts_with = "weights")]
    model: Option<Official>,
    /// Never fetch a model: it must be in the cache.
    #[arg(long)]
    offline: bool,
    /// Steps of the optimizer, instead of the configuration's.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Seed of everything random, instead of the configuration's.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Folder of the run.
    #[arg(short, long, value_name = "DIR", required_unless_present = "resume")]
    output: Option<PathBuf>,
    /// Go on with the run in a folder, by its own configuration.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["config", "data", "weights", "model", "steps", "seed", "output"]
    )]
    resume: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let compute = global.device.compute(Precision::F32);
    let mut run = match (&args.resume, &args.output) {
        (Some(folder), _) => Run::resume(folder, compute)?,
        (None, Some(folder)) => Run::begin(args.configuration()?, folder, compute)?,
        (None, None) => return Err(Failure::usage(anyhow!("--output is missing"))),
    };
    interrupt::listen("step").map_err(Failure::failed)?;
    if !global.quiet {
        for remark in run.remarks() {
            eprintln!("note: {remark}");
        }
    }
    let summary = {
        let mut observers = observers(&run, global)?;
        run.train(&mut observers, &interrupt::requested)?
    };
    if !global.quiet {
        for line in run.skipped().to_string().lines() {
            eprintln!("skipped {line}");
        }
    }
    if global.json {
        let weights = summary
            .weights
            .as_ref()
            .map(|path| path.display().to_string());
        println!(
            "{}",
            serde_json::json!({
                "step": summary.step,
                "complete": summary.complete,
                "weights": weights,
                "best": summary.best,
                "seconds": summary.seconds,
            })
        );
    }
    Ok(())
}

impl Args {
    /// The configuration of a new run.
    fn configuration(&self) -> Result<TrainConfig, Failure> {
        let path = self
            .config
            .as_ref()
            .ok_or_else(|| Failure::usage(anyhow!("no configuration is given")))?;
        let mut config = TrainConfig::read(path).map_err(Failure::usage)?;
        if !self.data.is_empty() {
            config.data.sources = self.data.iter().map(SourceOptions::new).collect();
        }
        if let Some(official) = self.model {
            config.model.weights = Some(fetching::fetch(official, self.offline)?);
        }
        if let Some(weights) = &self.weights {
            config.model.weights = Some(weights.clone());
        }
        if config.model.weights.is_some() {
            // What the file holds is told from its contents, and it holds all.
            config.model.init = None;
            config.model.preset = self.model.map(Into::into);
            config.model.config = None;
        }
        config.steps = self.steps.unwrap_or(config.steps);
        config.seed = self.seed.unwrap_or(config.seed);
        config.check().map_err(Failure::usage)?;
        Ok(config)
    }
}

/// Those who are told how the run goes.
pub(crate) fn observers(run: &Run, global: &Global) -> Result<Vec<Box<dyn Observer>>, Failure> {
    let folder = run.folder();
    let progress = run.progress();
    let metrics = folder.file(METRICS);
    let file = MetricsFile::resume(&metrics, progress.step, progress.validated)?;
    let history = History::read(&metrics)?;
    let monitor = &run.config().monitor;
    let mut observers: Vec<Box<dyn Observer>> = vec![
        Box::new(file),
        Box::new(TensorBoard::create(&folder.file(TENSORBOARD))?),
        Box::new(Samples::new(folder.file(SAMPLES))),
    ];
    if monitor.curves_every > 0 {
        let (path, every) = (folder.file(Curves::NAME), monitor.curves_every as u64);
        observers.push(Box::new(Curves::new(path, history.clone(), every)));
    }
    if !global.quiet {
        observers.push(shown(history, monitor.log_every as u64));
    }
    Ok(observers)
}

/// The live view where there is a terminal for it, else lines of text.
fn shown(history: History, log_every: u64) -> Box<dyn Observer> {
    let view = view::is_possible().then(|| View::open(history));
    match view {
        Some(Ok(view)) => Box::new(view),
        _ => Box::new(PlainLog::new(stderr(), log_every)),
    }
}

/// Asking for what cannot be is wrong use; what goes wrong on the way is a failure.
impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Config(_)
            | TrainError::NoData
            | TrainError::NoModel
            | TrainError::OtherModel { .. }
            | TrainError::FolderTaken { .. }
            | TrainError::NoRun { .. } => Self::usage(error),
            TrainError::Data(error) => error.into(),
            _ => Self::failed(error),
        }
    }
}
