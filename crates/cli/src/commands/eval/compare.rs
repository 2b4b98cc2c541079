//! `masklet eval compare`: two reports side by side.

use std::path::{Path, PathBuf};

use masklet_eval::report::Report;
use masklet_eval::report::compare::compare;

use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};

/// Sequences shown that lost, and that won.
const SHOWN: usize = 10;

/// Compare two reports: what got better and what got worse, by sequence.
///
/// The interval is that of a paired bootstrap over the sequences that both reports have (10,000
/// resamples, 95 %).
#[derive(clap::Args)]
#[command(after_help = "Example:
  masklet eval compare reports/before reports/after")]
pub(super) struct Args {
    /// The first report: report.json or its folder.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The second.
    #[arg(value_name = "B")]
    b: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let comparisons = compare(&open(&args.a)?, &open(&args.b)?)?;
    if global.json {
        return print_json(&comparisons);
    }
    for comparison in &comparisons {
        print_line(&comparison.to_text(SHOWN))?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<Report, Failure> {
    let file = if path.is_dir() {
        path.join("report.json")
    } else {
        path.to_owned()
    };
    Ok(Report::open(&file)?)
}
