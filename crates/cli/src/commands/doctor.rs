//! `masklet doctor`: what this machine has, and whether the program works on it.

mod check;
mod decoders;
mod machine;
mod model_cache;
mod network;
mod self_test;

use anyhow::anyhow;
use serde::Serialize;

use crate::Global;
use crate::failure::Failure;
use crate::model_args::PrecisionName;
use crate::output::{print_json, print_line};
use check::{Check, Status};

/// Check this machine and this program, and say what to do about what is wrong.
///
/// Takes some seconds, most of them for a small network with random parameters that is computed
/// with this processor's instructions and again in plain code. Nothing is sent or fetched.
#[derive(clap::Args)]
#[command(
    after_help = "Each line is `ok`, `note` (works, but with less than there could be) or \
`FAIL`, with what to do.
Exit code 1 if a line fails.

Examples:
  masklet doctor
  masklet doctor --json > report.json   # to be attached to a bug report"
)]
pub(crate) struct Args {
    /// Compute the self-test's network and print its values: what the self-test runs.
    #[arg(long, hide = true, value_name = "PRECISION", value_enum)]
    compute_network: Option<PrecisionName>,
}

/// The report with `--json`.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    operating_system: &'static str,
    architecture: &'static str,
    healthy: bool,
    checks: &'a [Check],
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    if let Some(precision) = args.compute_network {
        return print_json(&network::compute(precision.compute(global.device))?);
    }
    let title = format!(
        "masklet {} on {} {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    let mut checks = Vec::new();
    let mut note = |check: Check| {
        // Lines appear as they are measured.
        let shown = if global.json { Ok(()) } else { check.print() };
        checks.push(check);
        shown
    };
    if !global.json {
        print_line(&title)?;
    }
    for check in machine::checks() {
        note(check)?;
    }
    for check in decoders::checks() {
        note(check)?;
    }
    note(model_cache::check())?;
    self_test::run(global, &mut note)?;

    let failed = checks.iter().filter(|c| c.status == Status::Fail).count();
    if global.json {
        print_json(&Report {
            version: env!("CARGO_PKG_VERSION"),
            operating_system: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            healthy: failed == 0,
            checks: &checks,
        })?;
    }
    match failed {
        0 => Ok(()),
        1 => Err(Failure::failed(anyhow!("a check failed: see above"))),
        several => Err(Failure::failed(anyhow!(
            "{several} checks failed: see above"
        ))),
    }
}
