//! What the evaluations have in common on the command line.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use masklet::{Model, Precision};
use masklet_data::{FrameAnnotation, Sequence};
use masklet_eval::Error;
use masklet_eval::cache::{Cache, stream_digest};
use masklet_eval::methods::{ModelIdentity, Watch};
use masklet_eval::protocols::SequenceFailure;
use masklet_eval::report::{
    DataDescription, FORMAT, Machine, ModelDescription, Protocol, Quoted, Report, Row, Strip,
    StripFrame, Table, Unit, frames_to_show,
};
use masklet_media::atomic;

use crate::Global;
use crate::failure::Failure;
use crate::interrupt;
use crate::model_args::ModelArgs;
use crate::output::{print_json, print_line};
use crate::progress::Progress;

/// What is evaluated, and what becomes of it.
#[derive(clap::Args)]
pub(super) struct RunArgs {
    /// Leave the simple methods out that scores are to be seen against.
    #[arg(long)]
    no_baselines: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pub(super) reporting: Reporting,
}

impl RunArgs {
    /// The methods to evaluate: what `wrapped` makes of the model, if a checkpoint is given, and
    /// the baselines unless they are not wanted.
    pub(super) fn methods<M>(
        &self,
        model: Option<&ModelOfReport>,
        wrapped: impl FnOnce(&ModelOfReport) -> M,
        baselines: impl IntoIterator<Item = M>,
    ) -> Result<Vec<M>, Failure> {
        let mut methods: Vec<M> = model.map(wrapped).into_iter().collect();
        if !self.no_baselines {
            methods.extend(baselines);
        }
        if methods.is_empty() {
            return Err(Failure::usage(anyhow!(
                "there is nothing to evaluate: pass --weights FILE or --model NAME (lite is inside \
                 this program)"
            )));
        }
        Ok(methods)
    }

    /// Loads the model, if a checkpoint is given.
    pub(super) fn model(&self, global: &Global) -> Result<Option<ModelOfReport>, Failure> {
        model_of(&self.model, global)
    }
}

/// A model with all that a report says of it.
pub(super) struct ModelOfReport {
    /// The model.
    pub(super) model: Model,
    /// What predictions depend on.
    pub(super) identity: ModelIdentity,
    /// What the checkpoint is called.
    weights: String,
}

fn model_of(args: &ModelArgs, global: &Global) -> Result<Option<ModelOfReport>, Failure> {
    if !args.is_given() {
        return Ok(None);
    }
    let source = args.source()?;
    let model = args.load(global)?;
    let config = serde_json::to_value(model.config()).context("cannot encode the configuration")?;
    let identity = ModelIdentity {
        name: model.name().to_owned(),
        sha256: source
            .read()
            .and_then(stream_digest)
            .with_context(|| format!("cannot read the checkpoint {source}"))?,
        precision: match model.precision() {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
        .to_owned(),
        config,
    };
    let weights = source.name().into_owned();
    Ok(Some(ModelOfReport {
        model,
        identity,
        weights,
    }))
}

/// Where reports go, and what they show.
#[derive(clap::Args)]
pub(super) struct Reporting {
    /// Folder for report.json, report.md and report.html, and for results that are kept.
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Results of `masklet bench --json` to be shown in the report; may be given several times.
    #[arg(long, value_name = "FILE")]
    bench: Vec<PathBuf>,
    /// For how many of the worst sequences of each row the page shows frames.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) strips: usize,
}

/// What was found.
#[derive(Default)]
pub(super) struct Findings {
    /// Rows of the table.
    pub(super) rows: Vec<Row>,
    /// What could not be evaluated.
    pub(super) failures: Vec<SequenceFailure>,
}

impl Reporting {
    /// Where results are kept: nowhere without an output folder.
    pub(super) fn cache(&self) -> Cache {
        match &self.output {
            Some(folder) => Cache::in_folder(folder.join("results")),
            None => Cache::none(),
        }
    }

    /// Whether there is a page to draw for.
    pub(super) fn writes(&self) -> bool {
        self.output.is_some()
    }

    /// A report of what was found.
    pub(super) fn report(
        &self,
        protocol: Protocol,
        data: DataDescription,
        rules: &str,
        model: Option<&ModelOfReport>,
        findings: Findings,
    ) -> Result<Report, Failure> {
        Ok(Report {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol,
            data,
            rules: rules.to_owned(),
            machine: Machine::this(),
            model: model.map(|model| ModelDescription {
                name: model.identity.name.clone(),
                weights: model.weights.clone(),
                sha256: model.identity.sha256.clone(),
                precision: model.identity.precision.clone(),
            }),
            speed: self.speed()?,
            rows: findings.rows.into_iter().map(Row::finite).collect(),
            failures: findings.failures,
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

/// Runs an evaluation that can be interrupted, with progress over `total` steps.
pub(super) fn with_progress(
    what: &'static str,
    total: usize,
    global: &Global,
    run: impl FnOnce(&Watch<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    interrupt::listen(what).map_err(Failure::failed)?;
    let progress = Mutex::new(Progress::new(what, Some(total), global.quiet));
    let lock = || progress.lock().unwrap_or_else(PoisonError::into_inner);
    let watch = Watch {
        step: &|| lock().step(),
        skip: &|steps| lock().skip(steps),
        interrupted: &interrupt::requested,
    };
    let result = run(&watch);
    progress
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .finish();
    result
}

/// Draws frames of a sequence.
pub(super) fn strip(
    row: usize,
    unit: &Unit,
    sequence: &dyn Sequence,
    predicted: impl Fn(usize) -> Result<Option<FrameAnnotation>, Failure>,
) -> Result<Strip, Failure> {
    // A folder of masks has no pictures.
    let mut pictures = sequence.frames().ok();
    let mut frames = Vec::new();
    for (frame, score) in frames_to_show(unit) {
        let Some(truth) = sequence.annotation(frame)? else {
            continue;
        };
        let picture = match &mut pictures {
            Some(source) => source.frame(frame)?,
            None => None,
        };
        let caption = format!("frame {} · {score:.1}", sequence.frame_name(frame));
        frames.push(StripFrame::draw(
            caption,
            picture,
            &truth,
            predicted(frame)?.as_ref(),
        )?);
    }
    Ok(Strip {
        row,
        unit: unit.name.clone(),
        frames,
    })
}

/// Prints the report and writes it; fails if something could not be evaluated.
pub(super) fn finish(
    reporting: &Reporting,
    report: &Report,
    strips: &[Strip],
    quoted: &[Quoted],
    global: &Global,
) -> Result<(), Failure> {
    if let Some(folder) = &reporting.output {
        write(folder, report, strips, quoted)?;
    }
    if global.json {
        print_json(report)?;
    } else if !global.quiet {
        print_line(Table::of_methods(report, quoted).to_text().trim_end())?;
        if !quoted.is_empty() {
            let sources = Quoted::sources(quoted);
            print_line(&format!("quoted, not measured here: {sources}"))?;
        }
        if let Some(folder) = &reporting.output {
            print_line(&folder.join("report.html").display().to_string())?;
        }
    }
    for SequenceFailure { name, message } in &report.failures {
        eprintln!("{name}: {message}");
    }
    match report.failures.len() {
        0 => Ok(()),
        failed => Err(Failure::failed(anyhow!(
            "{failed} could not be evaluated; the scores leave them out"
        ))),
    }
}

fn write(
    folder: &Path,
    report: &Report,
    strips: &[Strip],
    quoted: &[Quoted],
) -> Result<(), Failure> {
    let mut json = serde_json::to_vec_pretty(report).context("cannot encode the report")?;
    json.push(b'\n');
    let (markdown, html) = (report.to_markdown(quoted), report.to_html(strips, quoted));
    write_files(
        folder,
        [
            ("report.json", json.as_slice()),
            ("report.md", markdown.as_bytes()),
            ("report.html", html.as_bytes()),
        ],
    )
}

/// Writes files into a folder, which is made if it is not there.
pub(super) fn write_files<const N: usize>(
    folder: &Path,
    files: [(&str, &[u8]); N],
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    for (name, bytes) in files {
        atomic::write(&folder.join(name), bytes)?;
    }
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
