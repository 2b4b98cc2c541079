//! What the readers can be asked for.

use serde::{Deserialize, Serialize};

use crate::LabelRule;

/// What of a data set is read, and how.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The split. DAVIS: a list of `ImageSets`, with or without its folder (`val`,
    /// `2017/val`); COCO: what follows `instances_` in the file's name; else a folder
    /// (`train`, `valid`). By default everything in the folder given, if that is unambiguous.
    pub split: Option<String>,
    /// DAVIS: the folder below `JPEGImages` (`480p`, `Full-Resolution`). By default `480p`,
    /// or the only one.
    pub resolution: Option<String>,
    /// How the values of label maps are read. By default as the layout prescribes; where both
    /// kinds occur (DAVIS, frames and masks, label maps), maps that hold only 0 and 255 are binary.
    pub labels: Option<LabelRule>,
    /// SA-V training: which masklets.
    pub masklets: Masklets,
}

/// Which masklets of SA-V training are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Masklets {
    /// Both kinds; the numbers of the automatic ones follow those of the manual ones.
    #[default]
    All,
    /// Those that people drew or corrected (`_manual.json`).
    Manual,
    /// Those that a model made (`_auto.json`).
    Auto,
}
