//! What the evaluations have in common on the command line.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use masklet_eval::Error;
use masklet_eval::protocols::SequenceFailure;
use masklet_eval::report::{DataDescription, FORMAT, Machine, Protocol, Report, Row, Table};
use masklet_eval::scoring::Rules;
use masklet_media::atomic;

use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};

/// Benchmarks' rules by name.
#[derive(clap::ValueEnum, Clone, Copy)]
pub(super) enum RulesName {
    /// Those of the data set's benchmark: DAVIS's for plain folders of label maps, SA-V's for
    /// folders of objects.
    Auto,
    /// Objects of the first frame; all frames but the first and the last.
    Davis,
    /// As the package vos-benchmark: labels are objects from their first appearance, 255 too.
    VosBenchmark,
    /// As SA-V's evaluator: each object on its own annotated frames.
    #[value(name = "sa-v")]
    Sav,
    /// Each object after its first appearance.
    YoutubeVos,
    /// Each object on the frames that LVOS lists.
    Lvos,
}

impl RulesName {
    /// The rules; `None` for automatic.
    pub(super) fn rules(self) -> Option<Rules> {
        match self {
            Self::Auto => None,
            Self::Davis => Some(Rules::Davis),
            Self::VosBenchmark => Some(Rules::VosBenchmark),
            Self::Sav => Some(Rules::Sav),
            Self::YoutubeVos => Some(Rules::YoutubeVos),
            Self::Lvos => Some(Rules::Lvos),
        }
    }
}

/// Where reports go.
#[derive(clap::Args)]
pub(super) struct Reporting {
    /// Folder for report.json, report.md and report.html.
    #[arg(short, long, value_name = "FOLDER")]
    pub(super) output: Option<PathBuf>,
    /// Results of `masklet bench --json` to be shown in the report; may be given several times.
    #[arg(long, value_name = "FILE")]
    bench: Vec<PathBuf>,
}

impl Reporting {
    /// A report of what was found.
    pub(super) fn report(
        &self,
        protocol: Protocol,
        data: DataDescription,
        rules: &str,
        rows: Vec<Row>,
        failures: Vec<SequenceFailure>,
    ) -> Result<Report, Failure> {
        Ok(Report {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol,
            data,
            rules: rules.to_owned(),
            machine: Machine::this(),
            model: None,
            speed: self.speed()?,
            rows,
            failures,
        })
    }

    fn speed(&self) -> Result<Vec<serde_json::Value>, Failure> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&text)
                .with_context(|| format!("{} is no result of masklet bench --json", path.display()))
        };
        Ok(self
            .bench
            .iter()
            .map(read)
            .collect::<Result<_, anyhow::Error>>()?)
    }
}

/// Prints the report and writes it; fails if something could not be evaluated.
pub(super) fn finish(
    reporting: &Reporting,
    report: &Report,
    global: &Global,
) -> Result<(), Failure> {
    if let Some(folder) = &reporting.output {
        write(folder, report)?;
    }
    if global.json {
        print_json(report)?;
    } else if !global.quiet {
        print_line(Table::of_methods(report).to_text().trim_end())?;
    }
    for SequenceFailure { name, message } in &report.failures {
        eprintln!("{name}: {message}");
    }
    match report.failures.len() {
        0 => Ok(()),
        failed => Err(Failure::failed(anyhow!(
            "{failed} of {} could not be evaluated; the report leaves them out",
            report.data.units
        ))),
    }
}

fn write(folder: &std::path::Path, report: &Report) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let json = serde_json::to_vec_pretty(report).context("cannot encode the report")?;
    atomic::write(&folder.join("report.json"), &json)?;
    Ok(())
}

/// The names to evaluate: all, or those that were asked for, in the data set's order.
pub(super) fn select(all: &[String], asked: &[String]) -> Result<Vec<String>, Failure> {
    if asked.is_empty() {
        return Ok(all.to_vec());
    }
    for name in asked {
        if !all.contains(name) {
            let known = all.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
            let more = if all.len() > 8 { ", …" } else { "" };
            return Err(Failure::usage(anyhow!(
                "there is no sequence {name:?}; there are {}: {known}{more}",
                all.len()
            )));
        }
    }
    Ok(all
        .iter()
        .filter(|name| asked.contains(name))
        .cloned()
        .collect())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::failed(error)
    }
}
