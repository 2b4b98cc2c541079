//! `masklet eval`: the paper's evaluations.

mod clips;
mod common;
mod compare;
mod image;
mod pvs;
mod score;
mod video_args;
mod vos;

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
    /// Show each object once and track it (semi-supervised video object segmentation).
    Vos(vos::Args),
    /// Correct a model where it is wrong (promptable video segmentation, interactive).
    Pvs(pvs::Args),
    /// Segment images by clicks and boxes.
    Image(image::Args),
    /// Track clips made of pictures, with objects that disappear.
    Clips(clips::Args),
    /// Score predictions of any tool.
    Score(score::Args),
    /// Compare two reports: what got better, what got worse.
    Compare(compare::Args),
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    match &args.command {
        Command::Vos(args) => vos::run(args, global),
        Command::Pvs(args) => pvs::run(args, global),
        Command::Image(args) => image::run(args, global),
        Command::Clips(args) => clips::run(args, global),
        Command::Score(args) => score::run(args, global),
        Command::Compare(args) => compare::run(args, global),
    }
}
