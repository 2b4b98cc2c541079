//! [`Rules`]: which frames and objects a benchmark scores.

use masklet_data::{LabelRule, Layout, ObjectInfo, Sequence};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Which frames and objects are scored. Frames without annotation never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// DAVIS 2016 and 2017, semi-supervised: objects 1 to the highest label of the first frame,
    /// all frames but the first and the last. A frame on which an object is neither annotated nor
    /// predicted counts as 1.
    Davis,
    /// `vos-benchmark`: all labels that occur in the scored truth (255 too); all frames but the
    /// first and the last, for each object from the first one on which it is annotated or predicted.
    VosBenchmark,
    /// SA-V: as `vos-benchmark`, each object by itself, on the frames that are annotated for it,
    /// without the first and the last of those.
    Sav,
    /// YouTube-VOS: each object on the frames that the data set lists for it (or else on all that
    /// are annotated), from the one after its first appearance to the last.
    YoutubeVos,
    /// LVOS: each object on the frames of its listed range, the first included, the end not.
    Lvos,
}

/// What happens to pixels that are annotated as neither object nor background (255).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Void {
    /// They are background, as in the DAVIS 2017 code.
    #[default]
    Background,
    /// They are left out of both masks, as by `void_pixels` in the DAVIS 2017 code.
    Ignored,
}

/// What a scored frame without prediction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// An error, as in the official evaluators.
    #[default]
    Error,
    /// A frame on which nothing was found.
    Empty,
}

impl Rules {
    /// The rules by which the benchmark of a layout is scored.
    pub fn of(layout: Layout) -> Self {
        match layout {
            Layout::Davis => Self::Davis,
            Layout::YoutubeVos => Self::YoutubeVos,
            Layout::Lvos => Self::Lvos,
            Layout::SavEval | Layout::SavTrain => Self::Sav,
            _ => Self::VosBenchmark,
        }
    }

    /// How these rules read a palette's labels; `None` if as the data set's layout says.
    pub fn labels(self) -> Option<LabelRule> {
        (self == Self::VosBenchmark).then_some(LabelRule::AllLabels)
    }

    /// The data set's own list of a sequence's objects and frames, if these rules need it.
    ///
    /// # Errors
    /// If an annotation of the sequence cannot be read.
    pub fn list_of(self, sequence: &dyn Sequence) -> Result<Option<&[ObjectInfo]>> {
        Ok(match self {
            Self::YoutubeVos | Self::Lvos => Some(sequence.objects()?),
            Self::Davis | Self::VosBenchmark | Self::Sav => None,
        })
    }

    /// The rules' name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Davis => "davis",
            Self::VosBenchmark => "vos-benchmark",
            Self::Sav => "sa-v",
            Self::YoutubeVos => "youtube-vos",
            Self::Lvos => "lvos",
        }
    }

    /// One sentence for reports.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Davis => {
                "DAVIS: objects of the first frame; first and last frame left out; a frame without the object in truth and prediction counts as 1"
            }
            Self::VosBenchmark => {
                "vos-benchmark: objects that occur in the scored truth, from their first appearance in truth or prediction; first and last frame left out"
            }
            Self::Sav => {
                "SA-V: each object on the frames annotated for it, without the first and the last, from its first appearance in truth or prediction"
            }
            Self::YoutubeVos => {
                "YouTube-VOS: each object on its listed frames after its first appearance; seen and unseen categories apart where they are known"
            }
            Self::Lvos => "LVOS: each object on the frames of its listed range",
        }
    }
}
