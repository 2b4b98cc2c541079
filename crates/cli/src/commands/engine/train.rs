//! `masklet engine train`.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use masklet_engine::train::{Comparison, Round, compare};
use masklet_engine::{Project, UserId};
use masklet_train::Run;
use masklet_train::config::TrainConfig;
use masklet_train::run::LAST;
use serde::Serialize;

use super::{ChosenModel, ProjectArgs};
use crate::commands::train::observers;
use crate::failure::Failure;
use crate::model_args::{ModelArgs, Source};
use crate::output::{print_json, print_line};
use crate::progress::Progress;
use crate::{Global, interrupt};

/// Train a model further on satisfactory masklets, and use it if it is better.
///
/// Satisfactory masklets of the videos that are not held out become a data set; the model is trained
/// on it as `masklet train` does, and old and new are compared on the held-out videos' satisfactory
/// masklets. The better one is the project's model afterwards: `masklet engine auto` uses it when it
/// is given none. What is written is in my_project/training/N.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// How to train: a configuration of `masklet train` [default: that of fine-tuning]. Its data and
    /// weights do not count.
    #[arg(long, value_name = "FILE.toml")]
    recipe: Option<PathBuf>,
    /// Steps of the optimizer [default: the recipe's].
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Go on with round N, which was stopped.
    #[arg(long, value_name = "N", conflicts_with_all = ["recipe", "steps"])]
    resume: Option<u32>,
    #[command(flatten)]
    model: ModelArgs,
}

/// The recipe without a flag.
const FINETUNE: &str = include_str!("../../../../../configs/finetune.toml");

#[derive(Serialize)]
struct Report {
    round: u32,
    #[serde(flatten)]
    comparison: Comparison,
    promoted: Option<String>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let (project, user) = args.project.open()?;
    let (mut run, number) = match args.resume {
        Some(number) => resume(args, &project, number, global)?,
        None => begin(args, &project, global)?,
    };
    interrupt::listen("step").map_err(Failure::failed)?;
    let summary = {
        let mut observers = observers(&run, global)?;
        run.train(&mut observers, &interrupt::requested)?
    };
    if !summary.complete {
        return Err(Failure::failed(anyhow!(
            "interrupted at step {}: `--resume {number}` goes on",
            summary.step
        )));
    }
    let report = finish(&project, user, &run, number, args, global)?;
    if global.json {
        print_json(&report)
    } else {
        print_line(&report.text())
    }
}

fn begin(args: &Args, project: &Project, global: &Global) -> Result<(Run, u32), Failure> {
    let mut config = match &args.recipe {
        Some(path) => TrainConfig::read(path).map_err(Failure::usage)?,
        None => TrainConfig::parse(FINETUNE).map_err(Failure::failed)?,
    };
    config.steps = args.steps.unwrap_or(config.steps);
    if args.model.config().is_some() {
        return Err(Failure::usage(anyhow!(
            "--config is for checkpoints that do not bring their configuration, and only those that \
             do can be trained further here; weights that `masklet train` wrote do"
        )));
    }
    // What the file holds is told from its contents.
    config.model.config = None;
    config.model.preset = args.model.named();
    let weights = ChosenModel::of(&args.model, project)?.file;
    let mut progress = Progress::new("video", None, global.quiet);
    let round = project.begin_round(config, &weights, &mut |_| progress.step());
    progress.finish();
    let Round {
        number,
        run,
        config,
    } = round?;
    let compute = args.model.compute(global);
    Ok((Run::begin(config, run, compute)?, number))
}

fn resume(
    args: &Args,
    project: &Project,
    number: u32,
    global: &Global,
) -> Result<(Run, u32), Failure> {
    let run = Run::resume(project.round_folder(number), args.model.compute(global))?;
    Ok((run, number))
}

/// Compares the old and the new model, and takes the new one if it is better. Its last weights
/// count and not its best: those were chosen by the clips that are compared on.
fn finish(
    project: &Project,
    user: UserId,
    run: &Run,
    number: u32,
    args: &Args,
    global: &Global,
) -> Result<Report, Failure> {
    let config = run.config();
    let old = config
        .model
        .weights
        .as_ref()
        .ok_or_else(|| anyhow!("the run has no old model"))?;
    let new = run.folder().file(LAST);
    let load = |file: &Path| {
        let source = Source::File(file.to_owned());
        args.model.load_source(&source, None, global)
    };
    let (old, trained) = (load(old)?, load(&new)?);
    let comparison = compare(config, &old, &trained)?;
    let promoted = match comparison.improved() {
        true => {
            let name = format!("{}, round {number}", project.settings()?.name);
            project.promote(user, &name, &new)?;
            Some(name)
        }
        false => None,
    };
    Ok(Report {
        round: number,
        comparison,
        promoted,
    })
}

impl Report {
    fn text(&self) -> String {
        let Comparison { old, new } = &self.comparison;
        let outcome = match &self.promoted {
            Some(name) => format!("the project uses the new model now, {name:?}"),
            None => "the new model is not better: the project keeps the old one".to_owned(),
        };
        format!(
            "round {}: J&F on {} held-out clips was {:.1}, is {:.1}; {outcome}",
            self.round, old.clips, old.j_and_f, new.j_and_f
        )
    }
}
