//! `masklet eval`: the paper's evaluations.

mod common;
mod score;

use clap::Subcommand;

use crate::Global;
use crate::failure::Failure;

/// Evaluate models and predictions with the benchmarks' own metrics.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Score predictions of any tool.
    Score(score::Args),
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    match &args.command {
        Command::Score(args) => score::run(args, global),
    }
}
