//! `masklet eval compare`: two reports side by side.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use masklet_eval::report::Report;
use masklet_eval::report::compare::{compare, page};

use super::common::write_files;
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
  masklet eval compare reports/before reports/after -o reports/difference")]
pub(super) struct Args {
    /// The first report: report.json or its folder.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The second.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Folder for compare.json and compare.html.
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    let comparisons = compare(&a, &b)?;
    if let Some(folder) = &args.output {
        let json = serde_json::to_vec_pretty(&comparisons).context("cannot encode the result")?;
        let html = page(&a, &b, &comparisons);
        write_files(
            folder,
            [
                ("compare.json", json.as_slice()),
                ("compare.html", html.as_bytes()),
            ],
        )?;
    }
    if global.json {
        return print_json(&comparisons);
    }
    for comparison in &comparisons {
        print_line(&comparison.to_text(SHOWN))?;
    }
    if let Some(folder) = &args.output {
        print_line(&folder.join("compare.html").display().to_string())?;
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
