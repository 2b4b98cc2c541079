//! `masklet engine train`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use masklet_engine::train::{Comparison, Outcome, Rival, score};
use masklet_engine::{Project, UserId};
use masklet_train::Run;
use masklet_train::config::TrainConfig;
use masklet_train::run::LAST;

use super::ProjectArgs;
use super::chosen_model::{ChosenModel, current, newest_trained};
use crate::commands::train::observers;
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::output::{print_json, print_line};
use crate::progress::Progress;
use crate::{Global, interrupt};

/// Train a model further on satisfactory masklets, and use it if it is better.
///
/// Satisfactory masklets of the videos that are not held out become a data set; the model is trained
/// on it as `masklet train` does, and compared on the held-out videos' satisfactory masklets with what
/// it was before, with the project's model, and with the newest that was trained there. If it is better
/// than all of them it is the project's model afterwards, which `masklet annotate` and `masklet engine
/// auto` use when they are given none. What is written is in my_project/training/N.
///
/// Without --model and --weights, the project's model is trained further.
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
    /// The file of the project's model, to compare with, where the project and the model cache do not
    /// have it.
    #[arg(long, value_name = "FILE")]
    current: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

/// The recipe without a flag.
const FINETUNE: &str = include_str!("../../../../../configs/finetune.toml");

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
    let outcome = finish(&project, user, &run, number, args, global)?;
    if global.json {
        print_json(&outcome)
    } else {
        print_line(&text(&outcome))
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
    let old = ChosenModel::of(&args.model, project, global)?;
    // Before anything is written.
    rivals(args, project, &old)?;
    let mut progress = Progress::new("video", None, global.quiet);
    let round = project.begin_round(config, &old.file, &mut |_| progress.step());
    progress.finish();
    let round = round?;
    let compute = args.model.compute(global);
    Ok((Run::begin(round.config, round.run, compute)?, round.number))
}

fn resume(
    args: &Args,
    project: &Project,
    number: u32,
    global: &Global,
) -> Result<(Run, u32), Failure> {
    let run = Run::resume(project.stopped_round(number)?, args.model.compute(global))?;
    // Before a long training, not after it.
    rivals(args, project, &old_model(&run)?)?;
    Ok((run, number))
}

/// The model that a run trains further.
fn old_model(run: &Run) -> Result<ChosenModel, Failure> {
    let weights = run.config().model.weights.as_ref();
    let file = weights.ok_or_else(|| anyhow!("the run has no old model"))?;
    ChosenModel::of_file(file.clone(), "the old model".to_owned())
}

/// What the new model must be better than, beside the old one: the project's model, and the newest that
/// was trained there, which a model that somebody chose since may have put aside.
fn rivals(args: &Args, project: &Project, old: &ChosenModel) -> Result<Vec<ChosenModel>, Failure> {
    let mut rivals: Vec<ChosenModel> = Vec::new();
    for model in [current(project)?, newest_trained(project)?]
        .into_iter()
        .flatten()
    {
        let is_it = |known: &ChosenModel| known.facts.sha256 == model.sha256;
        if is_it(old) || rivals.iter().any(is_it) {
            continue;
        }
        let rival = match &args.current {
            Some(file) if project.model_file(&model).is_none() => {
                ChosenModel::of_file(file.clone(), model.name.clone())?.checked(&model)?
            }
            _ => ChosenModel::known(project, &model, args.model.offline()).map_err(|failure| {
                failure.advised("pass its file with --current FILE, to compare with")
            })?,
        };
        rivals.push(rival);
    }
    Ok(rivals)
}

/// Compares the models, and takes the new one if it is better. Its last weights count and not its
/// best: those were chosen by the clips that are compared on.
fn finish(
    project: &Project,
    user: UserId,
    run: &Run,
    number: u32,
    args: &Args,
    global: &Global,
) -> Result<Outcome, Failure> {
    let old = old_model(run)?;
    let new = run.folder().file(LAST);
    // One at a time is in memory.
    let score = |file: &Path| -> Result<_, Failure> {
        let model = args.model.load_other(file, global)?;
        Ok(score(run.config(), &model)?)
    };
    let mut scores = Vec::new();
    for rival in rivals(args, project, &old)? {
        scores.push(Rival {
            score: score(&rival.file)?,
            model: rival.facts.name,
        });
    }
    let comparison = Comparison {
        old: score(&old.file)?,
        new: score(&new)?,
        rivals: scores,
    };
    Ok(project.end_round(user, number, comparison, &new)?)
}

fn text(outcome: &Outcome) -> String {
    let Comparison { old, new, rivals } = &outcome.comparison;
    let mut text = format!(
        "round {}: J&F on {} held-out clips was {:.1}, is {:.1}",
        outcome.round, old.clips, old.j_and_f, new.j_and_f
    );
    for Rival { model, score } in rivals {
        let _ = write!(text, "; {model:?} has {:.1}", score.j_and_f);
    }
    text + &match &outcome.promoted {
        Some(name) => format!("; the project uses the new model now, {name:?}"),
        None => "; the new model is not better: the project keeps the one it has".to_owned(),
    }
}
