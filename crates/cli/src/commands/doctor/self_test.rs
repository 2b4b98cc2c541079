//! The self-test: a small network computed in several ways, and a file written and read.
//!
//! Each computation is a run of this program by itself, so that one that ends in a crash (an
//! instruction that the processor does not have) becomes a line of the report.

use std::process::{Command, Stdio};

use masklet_media::Mask;
use serde_json::json;

use super::check::Check;
use super::network::Computed;
use crate::Global;
use crate::failure::Failure;

/// Largest difference of f32 kernels to plain code, relative to the part's largest value. They add
/// the same numbers in another order.
const F32_BOUND: f32 = 1e-4;

/// The same for bf16, which keeps eight bits of each factor.
const BF16_BOUND: f32 = 5e-2;

/// What to do when the kernels are wrong.
const REPORT: &str = "please report this with the output of `masklet doctor --json`; until then, \
     MASKLET_CPU=portable (or avx2) in the environment computes without the instructions at fault";

/// Runs everything; each line goes to `note`.
pub(super) fn run(
    global: &Global,
    note: &mut impl FnMut(Check) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let plain = computed("f32", Some("portable"), global);
    let f32 = computed("f32", None, global);
    let bf16 = computed("bf16", None, global);
    note(agreement("kernels f32", &f32, &plain, F32_BOUND, |c| {
        &c.f32_path
    }))?;
    note(agreement("kernels bf16", &bf16, &plain, BF16_BOUND, |c| {
        &c.bf16_path
    }))?;
    note(repeatability([&f32, &bf16], global))?;
    note(written_and_read())
}

/// Runs this program to compute the network, limited to some instructions.
fn computed(precision: &str, limit: Option<&str>, global: &Global) -> Result<Computed, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["doctor", "--compute-network", precision]);
    if let Some(threads) = global.threads {
        command.arg("--threads").arg(threads.to_string());
    }
    if let Some(limit) = limit {
        command.env("MASKLET_CPU", limit);
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("this program cannot be run again: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("ended with {}: {}", output.status, message.trim()));
    }
    let computed: Computed =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    match limit {
        Some(limit) if computed.f32_path != limit => Err(format!(
            "{} was used in place of {limit}",
            computed.f32_path
        )),
        _ => Ok(computed),
    }
}

type Outcome = Result<Computed, String>;

fn agreement(
    name: &'static str,
    fast: &Outcome,
    plain: &Outcome,
    bound: f32,
    path: impl Fn(&Computed) -> &String,
) -> Check {
    let (fast, plain) = match (fast, plain) {
        (Ok(fast), Ok(plain)) => (fast, plain),
        (Err(what), _) | (_, Err(what)) => return Check::fail(name, what.clone(), REPORT),
    };
    let differences: Vec<(&str, f32)> = fast
        .parts
        .iter()
        .zip(&plain.parts)
        .map(|(a, b)| (a.name.as_str(), difference(&a.values, &b.values)))
        .collect();
    let values = json!({
        "instructions": path(fast),
        "bound": bound,
        "differences": differences.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let worst = differences
        .iter()
        .copied()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or(("nothing", f32::NAN));
    let found = format!(
        "{} against plain code: at most {:.1e} of the largest value apart ({}), allowed is {bound:.0e}",
        path(fast),
        worst.1,
        worst.0,
    );
    let check = if worst.1 <= bound {
        Check::ok(name, found)
    } else {
        Check::fail(name, found, REPORT)
    };
    check.with_values(values)
}

/// The largest difference, relative to the largest value of `plain`. Not a number if any value is
/// not, or if there is nothing to compare.
fn difference(fast: &[f32], plain: &[f32]) -> f32 {
    if fast.len() != plain.len() || plain.iter().all(|&value| value == 0.0) {
        return f32::NAN;
    }
    // In this order what is not a number comes last, so that it is not passed over.
    let largest = |values: &mut dyn Iterator<Item = f32>| values.max_by(f32::total_cmp);
    let apart = largest(&mut fast.iter().zip(plain).map(|(a, b)| (a - b).abs()));
    let scale = largest(&mut plain.iter().map(|value| value.abs()));
    apart
        .zip(scale)
        .map_or(f32::NAN, |(apart, scale)| apart / scale)
}

/// Whether second runs give the same bytes.
fn repeatability(first: [&Outcome; 2], global: &Global) -> Check {
    let name = "same again";
    for (outcome, precision) in first.into_iter().zip(["f32", "bf16"]) {
        // What ended in an error has its line already.
        let Ok(outcome) = outcome else { continue };
        match computed(precision, None, global) {
            Ok(again) if again == *outcome => {}
            Ok(_) => {
                let found = format!("two runs in {precision} gave different numbers");
                return Check::fail(name, found, REPORT);
            }
            Err(what) => return Check::fail(name, what, REPORT),
        }
    }
    Check::ok(name, "two runs in each precision gave the same bytes")
}

/// Writes a mask into the folder for temporary files and reads it.
fn written_and_read() -> Check {
    let name = "files";
    let folder = std::env::temp_dir();
    let outcome = || -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("mask.png");
        let written = Mask::from_fn(61, 47, |x, y| (x * y) % 7 < 3);
        written.save_png(&path).map_err(|error| error.to_string())?;
        let read = Mask::open(&path).map_err(|error| error.to_string())?;
        if read == written {
            Ok(())
        } else {
            Err("what was read differs from what was written".to_owned())
        }
    };
    match outcome() {
        Ok(()) => Check::ok(name, format!("written and read in {}", folder.display())),
        Err(what) => Check::fail(
            name,
            format!("{what} (in {})", folder.display()),
            "free space there or correct its permissions, or set TMPDIR to another folder",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::super::network::Part;
    use super::*;

    fn outcome(values: &[f32]) -> Outcome {
        Ok(Computed {
            f32_path: "avx2".to_owned(),
            bf16_path: "widen".to_owned(),
            parts: vec![Part {
                name: "part".to_owned(),
                values: values.to_vec(),
            }],
        })
    }

    fn status(fast: &Outcome, plain: &Outcome) -> Status {
        agreement("kernels", fast, plain, 1e-3, |c| &c.f32_path).status
    }

    #[test]
    fn what_is_near_agrees_and_what_is_far_does_not() {
        let plain = outcome(&[100.0, -1.0]);
        assert_eq!(status(&outcome(&[100.0, -1.05]), &plain), Status::Ok);
        assert_eq!(status(&outcome(&[100.0, -1.5]), &plain), Status::Fail);
    }

    #[test]
    fn nothing_agrees_with_what_is_no_number_or_missing() {
        let plain = outcome(&[100.0, -1.0]);
        assert_eq!(status(&outcome(&[f32::NAN, -1.0]), &plain), Status::Fail);
        assert_eq!(status(&outcome(&[100.0]), &plain), Status::Fail);
        assert_eq!(status(&outcome(&[]), &outcome(&[])), Status::Fail);
        assert_eq!(status(&outcome(&[0.0]), &outcome(&[0.0])), Status::Fail);
    }

    #[test]
    fn a_run_that_crashed_is_a_failing_line() {
        let crashed = Err("ended with signal: 4 (SIGILL)".to_owned());
        assert_eq!(status(&crashed, &outcome(&[1.0])), Status::Fail);
    }
}
