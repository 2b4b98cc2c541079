//! Tasks and their masklets: from annotation to verification and, if need be, back.
//!
//! ```text
//!               submit                 all satisfactory or rejected
//! annotate ───────────────► verify ───────────────────────────────► done
//!     ▲                        │                                      │
//!     └────────────────────────┘◄─────────────────────────────────────┘
//!       one unsatisfactory, with a remark              reopen
//! ```
//!
//! A task is a piece of work on one video, with one masklet or several. Who works on it holds it by
//! a [lease](crate::Lease).

mod annotation;
mod rows;
mod verification;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::words;
use crate::{
    EngineError, EventId, Kind, Lease, MaskletId, ModelId, Phase, Project, Result, Role, TaskId,
    VideoId,
};

pub(crate) use annotation::{must_be_open, to_annotate};
pub(crate) use rows::{
    MaskletRow, insert_masklet, insert_task, masklets_where, read, read_masklet,
};
pub(crate) use verification::must_be_somebody_elses;
pub use verification::{Judgement, Verdict};

words! {
    /// What is to be done in a task.
    TaskState {
        /// Masks are to be made or repaired.
        Annotate = "annotate",
        /// Somebody is to look at them.
        Verify = "verify",
        /// Nothing.
        Done = "done",
    }
}

impl TaskState {
    /// Who works on a task in this state.
    pub(crate) fn role(self) -> Role {
        match self {
            Self::Annotate => Role::Annotator,
            Self::Verify => Role::Verifier,
            Self::Done => Role::Owner,
        }
    }
}

words! {
    /// How far a masklet is.
    MaskletState {
        /// It is being annotated for the first time.
        Open = "open",
        /// It waits to be verified.
        Submitted = "submitted",
        /// It is correct and consistent on all frames.
        Satisfactory = "satisfactory",
        /// The object is well defined, and the masklet is not correct: it is to be repaired.
        Unsatisfactory = "unsatisfactory",
        /// There is no well-defined object.
        Rejected = "rejected",
    }
}

impl MaskletState {
    /// Whether its masks may be changed.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Unsatisfactory)
    }
}

/// A piece of work on a video.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// The video.
    pub video: VideoId,
    /// Its name.
    pub video_name: String,
    /// How it is annotated.
    pub phase: Phase,
    /// Every how many frames it is annotated.
    pub step: u32,
    /// What is to be done.
    pub state: TaskState,
    /// The newest event that changed it or its masklets: what a change of it is to be based on.
    pub revision: EventId,
    /// Who holds it, unless the lease has ended.
    pub lease: Option<Lease>,
    /// Its masklets, in the order they were added.
    pub masklets: Vec<Masklet>,
}

/// An object through a video.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Masklet {
    /// Its number in the project.
    pub id: MaskletId,
    /// The task it belongs to.
    pub task: TaskId,
    /// The video.
    pub video: VideoId,
    /// Its number in its video and kind, as data sets count objects.
    pub number: u32,
    /// Who made its first masks.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// Red, green, blue.
    pub colour: [u8; 3],
    /// How far it is.
    pub state: MaskletState,
    /// What a verifier said about it.
    pub remark: Option<String>,
    /// The model that made its masks, or last helped to.
    pub model: Option<ModelId>,
    /// The same object as annotated in phase 1, which this one is compared with.
    pub reference: Option<MaskletId>,
    /// Frames that somebody had edited before it was imported.
    pub edited_before: u64,
}

/// An object that is about to be annotated.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NewMasklet {
    /// What to call it; `object N` if left out.
    pub name: Option<String>,
    /// Red, green, blue; one of a palette if left out.
    pub colour: Option<[u8; 3]>,
    /// The same object as annotated in phase 1, to compare with.
    pub reference: Option<MaskletId>,
}

/// A new task.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// The video.
    pub video: VideoId,
    /// How it is annotated; as the settings say if left out.
    pub phase: Option<Phase>,
    /// Every how many frames it is annotated; as the settings say if left out.
    pub step: Option<u32>,
    /// Its first objects. More can be added while it is annotated.
    pub masklets: Vec<NewMasklet>,
}

impl NewTask {
    /// A task without objects yet.
    pub fn on(video: VideoId) -> Self {
        Self {
            video,
            phase: None,
            step: None,
            masklets: Vec::new(),
        }
    }
}

/// Which tasks are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TaskQuery {
    /// Only those in a state.
    pub state: Option<TaskState>,
    /// Only those on a video.
    pub video: Option<VideoId>,
}

impl fmt::Display for Masklet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "masklet {} ({})", self.id, self.name)
    }
}

impl Task {
    /// The masklet, if it belongs to the task.
    pub fn masklet(&self, id: MaskletId) -> Result<&Masklet> {
        let numbers: Vec<String> = self.masklets.iter().map(|own| own.id.to_string()).collect();
        self.masklets
            .iter()
            .find(|own| own.id == id)
            .ok_or_else(|| {
                let available = match numbers.is_empty() {
                    true => format!("task {} has none", self.id),
                    false => format!("task {} has {}", self.id, numbers.join(", ")),
                };
                EngineError::unknown("masklet", id, available)
            })
    }
}

impl Project {
    /// A task with its masklets.
    ///
    /// # Errors
    /// [`EngineError::Unknown`].
    pub fn task(&self, id: TaskId) -> Result<Task> {
        self.read(|now| read(now, id, self.now()))
    }

    /// A masklet.
    ///
    /// # Errors
    /// [`EngineError::Unknown`].
    pub fn masklet(&self, id: MaskletId) -> Result<Masklet> {
        self.read(|now| read_masklet(now, id))
    }

    /// Tasks, in the order they were made.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn tasks(&self, query: TaskQuery) -> Result<Vec<Task>> {
        self.read(|now| {
            let mut statement = now.prepare(
                "SELECT id FROM tasks WHERE (?1 IS NULL OR state = ?1)
                     AND (?2 IS NULL OR video = ?2) ORDER BY id",
            )?;
            let ids = statement.query_map((query.state, query.video), |row| row.get(0))?;
            ids.map(|id| read(now, id?, self.now())).collect()
        })
    }
}
