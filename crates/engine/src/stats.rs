//! The paper's tables of a project: what is in it, and what making it took.
//!
//! *Annotated frames* are those at the task's annotation rate that have a mask, and all that
//! somebody prompted or edited: in phases 2 and 3 every frame has a mask, and time per frame is
//! compared with phase 1, where only those at the rate do. Time is what was reported with actions,
//! those undone included: it was spent. In the table of phases, that of removed masklets does not
//! count, nor do their frames.

mod alignment;
mod phases;
mod table;
mod workers;

use std::collections::BTreeMap;

use masklet_data::inspect::{Buckets, Visibility, VisibilityCounts};
use rusqlite::Connection;
use serde::Serialize;

use crate::frames::{self, FrameEntry};
use crate::tasks::{self, MaskletState};
use crate::{Kind, Masklet, Project, Result, Task, TaskState, Video, videos};

pub use alignment::{Aligned, Alignment};
pub use phases::PhaseStats;
pub use workers::WorkerStats;

/// The paper's tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// What is in the project.
    pub contents: Contents,
    /// What annotation took, by phase (the paper's table 1).
    pub phases: Vec<PhaseStats>,
    /// What each person did.
    pub workers: Vec<WorkerStats>,
}

/// What is in the project (the paper's table 3). Rejected masklets do not count.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Contents {
    /// Videos.
    pub videos: usize,
    /// Their duration in hours.
    pub hours: f64,
    /// Frames of all videos.
    pub frames: u64,
    /// Masklets.
    pub masklets: usize,
    /// Those that people made.
    pub manual_masklets: usize,
    /// Those that a model found.
    pub auto_masklets: usize,
    /// Masks that are not empty.
    pub masks: u64,
    /// The share of masklets that disappear on at least one annotated frame and come back.
    pub disappearance_rate: f64,
    /// Masklets by their mean area on the frames where they are visible.
    pub sizes: Buckets,
    /// The share of masklets whose mean area is below a tenth of the picture.
    pub below_a_tenth: f64,
    /// Masklets by state, rejected ones too.
    pub states: BTreeMap<&'static str, usize>,
    /// Tasks by state.
    pub tasks: BTreeMap<&'static str, usize>,
    /// Masklets by the model that made them.
    pub models: BTreeMap<String, usize>,
}

/// A masklet with what is needed to count it.
struct Counted<'a> {
    masklet: &'a Masklet,
    task: &'a Task,
    video: &'a Video,
    frames: Vec<FrameEntry>,
}

impl Counted<'_> {
    /// Its annotated frames.
    fn annotated(&self) -> impl Iterator<Item = &FrameEntry> {
        let step = self.task.step;
        self.frames
            .iter()
            .filter(move |entry| entry.frame.is_multiple_of(step) || entry.touched())
    }

    /// Whether somebody annotated it here.
    fn worked_on(&self) -> bool {
        self.frames.iter().any(FrameEntry::touched)
    }
}

impl Project {
    /// Counts everything. Masks are read for the alignment with phase 1 only.
    ///
    /// # Errors
    /// If the database or masks cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let (contents, mut phases, pairs, workers) = self.read(|now| {
            let videos = videos::all(now)?;
            let tasks = all_tasks(now)?;
            let counted = all_masklets(now, &tasks, &videos)?;
            let contents = contents(now, &videos, &tasks, &counted)?;
            let phases = phases::count(now, &counted)?;
            let pairs = alignment::pairs(&counted);
            Ok((contents, phases, pairs, workers::count(now)?))
        })?;
        // The masks never change: they are read without holding the database.
        for phase in &mut phases {
            if let Some(pairs) = pairs.get(&phase.phase) {
                phase.alignment = alignment::measure(self, pairs)?;
            }
        }
        Ok(Stats {
            contents,
            phases,
            workers,
        })
    }
}

fn all_tasks(now: &Connection) -> Result<Vec<Task>> {
    let mut statement = now.prepare("SELECT id FROM tasks ORDER BY id")?;
    let ids = statement.query_map([], |row| row.get(0))?;
    // Leases do not count here.
    ids.map(|id| tasks::read(now, id?, i64::MAX)).collect()
}

fn all_masklets<'a>(
    now: &Connection,
    tasks: &'a [Task],
    videos: &'a [Video],
) -> Result<Vec<Counted<'a>>> {
    let videos: BTreeMap<_, &Video> = videos.iter().map(|video| (video.id, video)).collect();
    let mut counted = Vec::new();
    for task in tasks {
        let Some(&video) = videos.get(&task.video) else {
            continue;
        };
        for masklet in &task.masklets {
            let frames = frames::of_masklet(now, masklet.id)?;
            counted.push(Counted {
                masklet,
                task,
                video,
                frames,
            });
        }
    }
    Ok(counted)
}

fn contents(
    now: &Connection,
    videos: &[Video],
    tasks: &[Task],
    counted: &[Counted<'_>],
) -> Result<Contents> {
    const SECONDS_PER_HOUR: f64 = 3600.0;
    const TENTH: f64 = 0.1;
    let mut contents = Contents {
        videos: videos.len(),
        hours: videos.iter().map(Video::seconds).sum::<f64>() / SECONDS_PER_HOUR,
        frames: videos.iter().map(|video| u64::from(video.frames)).sum(),
        states: MaskletState::ALL
            .iter()
            .map(|state| (state.name(), 0))
            .collect(),
        tasks: TaskState::ALL
            .iter()
            .map(|state| (state.name(), 0))
            .collect(),
        ..Contents::default()
    };
    for task in tasks {
        *contents.tasks.entry(task.state.name()).or_default() += 1;
    }
    let mut visibility = VisibilityCounts::default();
    let mut small = 0;
    let mut models: BTreeMap<_, usize> = BTreeMap::new();
    for of in counted {
        *contents.states.entry(of.masklet.state.name()).or_default() += 1;
        if of.masklet.state == MaskletState::Rejected {
            continue;
        }
        contents.masklets += 1;
        match of.masklet.kind {
            Kind::Manual => contents.manual_masklets += 1,
            Kind::Auto => contents.auto_masklets += 1,
        }
        *models.entry(of.masklet.model).or_default() += 1;
        let visible: Vec<&FrameEntry> = of.frames.iter().filter(|entry| entry.visible()).collect();
        contents.masks += visible.len() as u64;
        visibility.add(Visibility::of(of.annotated().map(FrameEntry::visible)));
        if !visible.is_empty() {
            let area: u64 = visible.iter().map(|entry| entry.area).sum();
            let mean = area as f64 / visible.len() as f64;
            let picture = f64::from(of.video.width) * f64::from(of.video.height);
            contents.sizes.add(mean);
            small += usize::from(mean < TENTH * picture);
        }
    }
    contents.disappearance_rate = visibility.disappearance_rate;
    let Buckets {
        small: s,
        medium,
        large,
    } = contents.sizes;
    contents.below_a_tenth = share(small, s + medium + large);
    for (model, count) in models {
        let name = match model {
            Some(model) => crate::models::read(now, model)?.name,
            None => "none".to_owned(),
        };
        contents.models.insert(name, count);
    }
    Ok(contents)
}

/// A share; 0 of nothing.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
