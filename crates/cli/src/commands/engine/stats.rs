//! `masklet engine stats`.

use anyhow::anyhow;

use super::ProjectArgs;
use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};

/// Count what is in a project and what making it took, in the paper's tables.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Print CSV: table, row, measure, value.
    #[arg(long)]
    csv: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    if global.json && args.csv {
        return Err(Failure::usage(anyhow!(
            "--json and --csv are two forms of the same tables: give one"
        )));
    }
    let (project, _) = args.project.open()?;
    let stats = project.stats()?;
    match (global.json, args.csv) {
        (true, _) => print_json(&stats),
        (false, true) => print_line(stats.to_csv().trim_end()),
        (false, false) => print_line(stats.to_text().trim_end()),
    }
}
