//! Which videos are evaluated, on the command line.

use std::path::PathBuf;

use anyhow::anyhow;
use masklet_data::{Dataset, Layout, ReadOptions, VideoDataset};
use masklet_eval::cache::Cache;
use masklet_eval::protocols::Videos;
use masklet_eval::report::{DataDescription, Quoted, quoted};
use masklet_eval::scoring::{Rules, Void};

use super::common::select;
use crate::failure::Failure;

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

    /// What is evaluated.
    pub(super) fn videos<'a>(
        &self,
        data: &'a dyn VideoDataset,
        names: &'a [String],
        void: Void,
        cache: Cache,
    ) -> Videos<'a> {
        Videos {
            data,
            names,
            rules: self.rules(data.layout()),
            void,
            max_frames: self.max_frames.map(|frames| frames as usize),
            cache,
        }
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
    pub(super) fn quoted(&self, data: &dyn VideoDataset) -> Vec<Quoted> {
        if !self.sequences.is_empty() || self.max_frames.is_some() {
            return Vec::new();
        }
        let path = self.data.join(self.split.as_deref().unwrap_or_default());
        quoted(data.layout(), &path.display().to_string(), data.names())
    }
}
