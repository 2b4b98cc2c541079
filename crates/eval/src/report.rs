//! [`Report`]: what an evaluation found, and the ways to show it.

mod html;
mod machine;
mod markdown;
mod quoted;
mod strips;
mod svg;
mod table;

pub mod compare;

use masklet_data::Layout;
use serde::{Deserialize, Serialize};

use crate::protocols::SequenceFailure;
use crate::scoring::{ObjectScore, SequenceScore, Summary};
use crate::{Error, Result};

pub use machine::Machine;
pub use quoted::{Quoted, quoted, quoted_images};
pub use strips::{Strip, StripFrame, frames_to_show};
pub use table::Table;

/// The version of the report's JSON form.
pub const FORMAT: u32 = 1;

/// Everything an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of masklet that wrote it.
    pub version: String,
    /// What was evaluated.
    pub protocol: Protocol,
    /// On what.
    pub data: DataDescription,
    /// Which frames and objects count, in words.
    pub rules: String,
    /// Where it ran.
    pub machine: Machine,
    /// The model, if one ran.
    pub model: Option<ModelDescription>,
    /// Results of `masklet bench --json`, on this machine or another.
    pub speed: Vec<serde_json::Value>,
    /// One for each method and prompt.
    pub rows: Vec<Row>,
    /// What could not be evaluated.
    pub failures: Vec<SequenceFailure>,
}

impl Report {
    /// The name of the measure by which methods are ranked.
    pub fn main_measure(&self) -> &str {
        let first = self.rows.first().and_then(|row| row.metrics.first());
        first.map_or("score", |metric| &metric.name)
    }

    /// Reads a report that an evaluation wrote.
    ///
    /// # Errors
    /// If the file cannot be read or is no report.
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::read(path))?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Json {
            path: path.to_owned(),
            expected: "a report.json of masklet eval",
            source,
        })
    }
}

/// The kinds of evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Semi-supervised video object segmentation.
    Vos,
    /// Promptable video segmentation, interactive.
    Pvs,
    /// Clicks and boxes on images.
    Image,
    /// Predictions of any tool.
    Score,
}

impl Protocol {
    /// A title for reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Vos => "Semi-supervised video object segmentation",
            Self::Pvs => "Promptable video segmentation, interactive",
            Self::Image => "Promptable image segmentation",
            Self::Score => "Scores of given predictions",
        }
    }
}

/// The data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataDescription {
    /// The folder's name.
    pub name: String,
    /// Its layout.
    pub layout: String,
    /// How many sequences or images were to be evaluated.
    pub units: usize,
}

impl DataDescription {
    /// Of `units` sequences or images of a data set.
    pub fn new(root: &std::path::Path, layout: Layout, units: usize) -> Self {
        let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let name = absolute.file_name().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            layout: layout.name().to_owned(),
            units,
        }
    }
}

/// The model that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelDescription {
    /// Its official name, or `custom`.
    pub name: String,
    /// The checkpoint's file name.
    pub weights: String,
    /// SHA-256 of the checkpoint, hexadecimal.
    pub sha256: String,
    /// What its products are computed in.
    pub precision: String,
}

/// A method with one kind of prompt: a row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The method's name.
    pub method: String,
    /// Whether it is the simple method that scores are to be seen against.
    pub baseline: bool,
    /// The prompt, or the mode of interaction.
    pub prompt: String,
    /// The measures, the main one first.
    pub metrics: Vec<Metric>,
    /// Each sequence or image.
    pub units: Vec<Unit>,
    /// The main measure as interaction goes on, if it does.
    pub curve: Vec<CurvePoint>,
}

/// A number of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its usual name.
    pub name: String,
    /// Its value: per cent for scores, else as the name says.
    pub value: f64,
}

/// A sequence or an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// The main measure, per cent.
    pub score: f64,
    /// Other measures.
    pub metrics: Vec<Metric>,
    /// Its objects frame by frame, if it is a sequence.
    pub objects: Vec<ObjectScore>,
    /// What a reader of the score should know.
    pub notes: Vec<String>,
}

/// A point on a curve of interaction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// How many frames (or clicks, on images) were annotated at most.
    pub annotated: usize,
    /// The main measure, per cent.
    pub score: f64,
    /// Mean clicks an object.
    pub clicks: f64,
    /// Mean seconds of computing an object.
    pub seconds: f64,
    /// Mean seconds that an annotator would need for an object, in interactions on videos.
    #[serde(default)]
    pub annotation_seconds: Option<f64>,
}

impl Metric {
    /// A measure with a value as it is.
    pub fn new(name: &str, value: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
        }
    }

    /// A share, to be shown in per cent.
    pub fn percent(name: &str, share: f64) -> Self {
        Self::new(name, share * 100.0)
    }
}

impl Row {
    /// The row of a method over video sequences.
    pub fn of_sequences(
        method: &str,
        baseline: bool,
        prompt: &str,
        summary: &Summary,
        sequences: Vec<SequenceScore>,
    ) -> Self {
        Self {
            method: method.to_owned(),
            baseline,
            prompt: prompt.to_owned(),
            metrics: metrics_of(summary),
            units: sequences.into_iter().map(Unit::of_sequence).collect(),
            curve: Vec::new(),
        }
    }

    /// The same without numbers that do not exist, such as the mean of nothing.
    pub fn finite(mut self) -> Self {
        self.metrics.retain(|metric| metric.value.is_finite());
        self.units.retain(|unit| unit.score.is_finite());
        self.curve.retain(|point| point.score.is_finite());
        self
    }

    /// A measure by name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics
            .iter()
            .find(|metric| metric.name == name)
            .map(|metric| metric.value)
    }

    /// Units with the lowest score first.
    pub fn worst_first(&self) -> Vec<&Unit> {
        let mut units: Vec<&Unit> = self.units.iter().collect();
        units.sort_by(|a, b| {
            a.score
                .total_cmp(&b.score)
                .then_with(|| a.name.cmp(&b.name))
        });
        units
    }
}

fn metrics_of(summary: &Summary) -> Vec<Metric> {
    let mut metrics = vec![Metric::percent("J&F", summary.jf)];
    if let Some(split) = &summary.seen_unseen {
        metrics.extend([
            Metric::percent("G", split.overall),
            Metric::percent("J seen", split.j_seen),
            Metric::percent("J unseen", split.j_unseen),
            Metric::percent("F seen", split.f_seen),
            Metric::percent("F unseen", split.f_unseen),
        ]);
    }
    metrics.extend([
        Metric::percent("J", summary.j.mean),
        Metric::percent("J recall", summary.j.recall),
        Metric::percent("J decay", summary.j.decay),
        Metric::percent("F", summary.f.mean),
        Metric::percent("F recall", summary.f.recall),
        Metric::percent("F decay", summary.f.decay),
        Metric::percent("occlusion acc.", summary.occlusion_accuracy),
    ]);
    metrics
}

impl Unit {
    fn of_sequence(sequence: SequenceScore) -> Self {
        Self {
            score: sequence.jf() * 100.0,
            metrics: vec![
                Metric::percent("J", sequence.j()),
                Metric::percent("F", sequence.f()),
            ],
            name: sequence.name,
            objects: sequence.objects,
            notes: sequence.notes,
        }
    }
}
