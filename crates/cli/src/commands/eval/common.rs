//! What the evaluations have in common on the command line.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use masklet::{Model, Precision};
use masklet_data::{Dataset, FrameAnnotation, Layout, ReadOptions, Sequence, VideoDataset};
use masklet_eval::Error;
use masklet_eval::cache::{Cache, file_digest};
use masklet_eval::methods::{ModelIdentity, Watch};
use masklet_eval::protocols::SequenceFailure;
use masklet_eval::report::{
    DataDescription, FORMAT, Machine, ModelDescription, Protocol, Quoted, Report, Row, Strip,
    StripFrame, Table, Unit, frames_to_show, quoted,
};
use masklet_eval::scoring::Rules;
use masklet_media::atomic;

use crate::Global;
use crate::failure::Failure;
use crate::interrupt;
use crate::model_args::ModelArgs;
use crate::output::{print_json, print_line};
use crate::progress::Progress;

/// Benchmarks' rules by name.
#[derive(clap::ValueEnum, Clone, Copy)]
pub(super) enum RulesName {
    /// Those of the data set's benchmark.
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

/// Which videos are evaluated.
#[derive(clap::Args)]
pub(super) struct VideoArgs {
    /// A data set of videos: DAVIS, MOSE, YouTube-VOS, LVOS, SA-V, or frames and masks.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// The split, such as val. By default everything in the folder.
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Sequences, by name. By default all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    sequences: Vec<String>,
    /// Use only so many frames of each sequence, from its first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(3..))]
    max_frames: Option<u32>,
    /// Which frames and objects count. By default those of the data set's benchmark.
    #[arg(long, value_enum, default_value = "auto")]
    rules: RulesName,
}

impl VideoArgs {
    /// Opens the data set.
    pub(super) fn open(&self) -> Result<Box<dyn VideoDataset>, Failure> {
        let options = ReadOptions {
            split: self.split.clone(),
            labels: self.rules.rules().and_then(Rules::labels),
            ..ReadOptions::default()
        };
        match masklet_data::open(&self.data, &options)? {
            Dataset::Videos(videos) => Ok(videos),
            Dataset::Images(images) => Err(Failure::usage(anyhow!(
                "{} holds images ({}); use masklet eval image",
                self.data.display(),
                images.layout()
            ))),
        }
    }

    /// The sequences to evaluate.
    pub(super) fn names(&self, data: &dyn VideoDataset) -> Result<Vec<String>, Failure> {
        select(data.names(), &self.sequences)
    }

    /// The rules, those of the layout unless others are asked for.
    pub(super) fn rules(&self, layout: Layout) -> Rules {
        self.rules.rules().unwrap_or_else(|| Rules::of(layout))
    }

    /// How many frames of a sequence to use at most.
    pub(super) fn max_frames(&self) -> Option<usize> {
        self.max_frames.map(|frames| frames as usize)
    }

    /// The data set, for reports.
    pub(super) fn describe(&self, data: &dyn VideoDataset, units: usize) -> DataDescription {
        let mut description = DataDescription::new(&self.data, data.layout(), units);
        if let Some(split) = &self.split {
            description.name = format!("{} {split}", description.name);
        }
        description
    }

    /// Published numbers, if the whole set is evaluated.
    pub(super) fn quoted(&self, layout: Layout) -> Vec<Quoted> {
        if !self.sequences.is_empty() || self.max_frames.is_some() {
            return Vec::new();
        }
        let path = self.data.join(self.split.as_deref().unwrap_or_default());
        quoted(layout, &path.display().to_string())
    }
}

/// Whether to run baselines.
#[derive(clap::Args, Clone, Copy)]
pub(super) struct Baselines {
    /// Leave the simple methods out that scores are to be seen against.
    #[arg(long)]
    no_baselines: bool,
}

impl Baselines {
    /// Whether they are to run.
    pub(super) fn wanted(self) -> bool {
        !self.no_baselines
    }
}

/// A model with all that a report says of it.
pub(super) struct ModelOfReport {
    /// The model.
    pub(super) model: Model,
    /// What predictions depend on.
    pub(super) identity: ModelIdentity,
    /// The checkpoint's file name.
    weights: String,
}

/// Loads the model, if a checkpoint is given.
pub(super) fn model_of(
    args: &ModelArgs,
    global: &Global,
) -> Result<Option<ModelOfReport>, Failure> {
    let Some(path) = args.weights() else {
        return Ok(None);
    };
    let model = args.load(global)?;
    let config = serde_json::to_value(model.config()).context("cannot encode the configuration")?;
    let identity = ModelIdentity {
        name: model.name().to_owned(),
        sha256: file_digest(path)?,
        precision: match model.precision() {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
        .to_owned(),
        config,
    };
    let weights = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
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
        if let Some(first) = quoted.first() {
            print_line(&format!("quoted, not measured here: {}", first.source))?;
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
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let mut json = serde_json::to_vec_pretty(report).context("cannot encode the report")?;
    json.push(b'\n');
    atomic::write(&folder.join("report.json"), &json)?;
    atomic::write(
        &folder.join("report.md"),
        report.to_markdown(quoted).as_bytes(),
    )?;
    atomic::write(
        &folder.join("report.html"),
        report.to_html(strips, quoted).as_bytes(),
    )?;
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
