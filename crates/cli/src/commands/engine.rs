//! `masklet engine`: the data engine from scripts.

mod auto;
mod chosen_model;
mod export;
mod history;
pub(crate) mod import;
mod stats;
mod tasks;
mod team;
mod train;

use std::path::PathBuf;

use clap::Subcommand;
use masklet_engine::{Project, UserId};

use crate::Global;
use crate::failure::Failure;

pub(crate) use chosen_model::ChosenModel;

/// The data engine: annotate, verify, count and export the masklets of a project.
///
/// A project is a folder with videos, masklets, and the history of all that was done. See
/// docs/data-engine.md for a walk through it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet engine import my_project/ clips/*.mp4
  masklet engine auto my_project/ --model sam2.1-tiny
  masklet engine tasks my_project/ --state verify
  masklet engine verify my_project/ 12 satisfactory
  masklet engine stats my_project/
  masklet engine export my_project/ --format sav -o my_dataset/")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Take videos and data sets into a project, which is made if there is none.
    Import(import::Args),
    /// Find everything in the videos, track it, and send it to verification.
    Auto(Box<auto::Args>),
    /// List tasks and their masklets.
    Tasks(tasks::ListArgs),
    /// Say whether a masklet is as it should be.
    Verify(tasks::VerifyArgs),
    /// Send masklets that were verified back to annotation.
    Reopen(tasks::ReopenArgs),
    /// Count what is in a project and what making it took, in the paper's tables.
    Stats(stats::Args),
    /// Train a model further on satisfactory masklets, and use it if it is better.
    Train(Box<train::Args>),
    /// Write masklets as a data set.
    Export(export::Args),
    /// List what was done, newest first.
    History(history::Args),
    /// Take the latest action back.
    Undo(history::UndoArgs),
    /// Take the latest undo back.
    Redo(history::UndoArgs),
    /// Take an event of the history back.
    Revert(history::RevertArgs),
    /// List users, add and change them, and make their tokens.
    Users(team::UsersArgs),
    /// Show settings and change them.
    Settings(team::SettingsArgs),
}

/// Which project, and who acts.
#[derive(clap::Args)]
struct ProjectArgs {
    /// The project's folder.
    project: PathBuf,
    /// Act as this user [default: the project's owner].
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
}

impl ProjectArgs {
    /// Opens the project and finds who acts.
    fn open(&self) -> Result<(Project, UserId), Failure> {
        let project = Project::open(&self.project)?;
        let user = self.user_of(&project)?;
        Ok((project, user))
    }

    fn user_of(&self, project: &Project) -> Result<UserId, Failure> {
        Ok(match &self.user {
            Some(name) => project.user_named(name)?.id,
            None => project.owner()?.id,
        })
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    match &args.action {
        Action::Import(args) => import::run(args, global),
        Action::Auto(args) => auto::run(args, global),
        Action::Tasks(args) => tasks::list(args, global),
        Action::Verify(args) => tasks::verify(args, global),
        Action::Reopen(args) => tasks::reopen(args, global),
        Action::Stats(args) => stats::run(args, global),
        Action::Train(args) => train::run(args, global),
        Action::Export(args) => export::run(args, global),
        Action::History(args) => history::list(args, global),
        Action::Undo(args) => history::undo(args, global),
        Action::Redo(args) => history::redo(args, global),
        Action::Revert(args) => history::revert(args, global),
        Action::Users(args) => team::users(args, global),
        Action::Settings(args) => team::settings(args, global),
    }
}
