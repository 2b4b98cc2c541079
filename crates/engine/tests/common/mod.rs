//! What the tests share: a project with a small clip, and people who work on it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use masklet_engine::{
    Clock, Done, EngineError, EventId, MaskUpdate, MaskletId, NewMasklet, NewTask, Project, Prompt,
    Role, Scope, TaskId, TaskQuery, TaskState, UserId, VideoId, VideoImport,
};
use masklet_media::{Mask, RgbImage, Rle};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;

/// Width and height of the clip.
pub const SIZE: (u32, u32) = (32, 24);
/// Frames of the clip.
pub const FRAMES: u32 = 12;

/// Writes a clip as a folder of PNGs; `seed` makes it another one.
pub fn clip(folder: &Path, frames: u32, seed: u8) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    for frame in 0..frames {
        let picture = RgbImage::filled(SIZE.0, SIZE.1, [seed, frame as u8, 90]).unwrap();
        picture
            .save_png(folder.join(format!("{frame:05}.png")))
            .unwrap();
    }
    folder.to_owned()
}

/// A square of `side` pixels at (`x`, `y`).
pub fn square(x: u32, y: u32, side: u32) -> Rle {
    Rle::encode(&Mask::from_fn(SIZE.0, SIZE.1, |px, py| {
        (x..x + side).contains(&px) && (y..y + side).contains(&py)
    }))
}

/// A mask with a click.
pub fn clicked(masklet: MaskletId, frame: u32, mask: Rle) -> MaskUpdate {
    MaskUpdate {
        prompts: Some(vec![Prompt::Click {
            x: 1.0,
            y: 2.0,
            positive: true,
        }]),
        clicks: 1,
        milliseconds: 1500,
        ..MaskUpdate::new(masklet, frame, mask)
    }
}

/// A project with one clip, an owner, an annotator and a verifier.
pub struct Lab {
    pub folder: TempDir,
    pub time: Arc<AtomicI64>,
    pub project: Project,
    pub owner: UserId,
    pub ann: UserId,
    pub vera: UserId,
    pub video: VideoId,
}

impl Lab {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(AtomicI64::new(1_000_000));
        let clock = Clock::Manual(Arc::clone(&time));
        let at = folder.path().join("project");
        let project = Project::create_with_clock(&at, "Lab", "Olga", clock).unwrap();
        let owner = project.owner().unwrap().id;
        let ann = project
            .add_user(owner, "Ann", Role::Annotator)
            .unwrap()
            .value;
        let vera = project
            .add_user(owner, "Vera", Role::Verifier)
            .unwrap()
            .value;
        let import = VideoImport::of(&clip(&folder.path().join("clip"), FRAMES, 1)).unwrap();
        let video = project
            .import_video(owner, &import, &mut |_| ())
            .unwrap()
            .value;
        Self {
            folder,
            time,
            project,
            owner,
            ann,
            vera,
            video,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets time pass.
    pub fn wait(&self, seconds: i64) {
        self.time.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    /// A task with so many objects, held by the annotator.
    pub fn task(&self, objects: usize) -> (TaskId, Vec<MaskletId>) {
        let masklets = vec![NewMasklet::default(); objects];
        let new = NewTask {
            masklets,
            ..NewTask::on(self.video)
        };
        let task = self.project.create_task(self.ann, &new).unwrap().value;
        self.project.claim(self.ann, task).unwrap();
        (task, self.masklets(task))
    }

    pub fn masklets(&self, task: TaskId) -> Vec<MaskletId> {
        let task = self.project.task(task).unwrap();
        task.masklets.iter().map(|masklet| masklet.id).collect()
    }

    /// The masks of a masklet, by frame.
    pub fn masks(&self, masklet: MaskletId) -> Vec<(u32, Rle)> {
        let frames = self.project.frames(masklet).unwrap();
        let places: Vec<_> = frames.iter().map(|entry| entry.mask.clone()).collect();
        let masks = self.project.read_masks(&places).unwrap();
        frames.iter().map(|entry| entry.frame).zip(masks).collect()
    }

    /// Annotates every frame of a masklet.
    pub fn annotate_all(&self, task: TaskId, masklet: MaskletId) {
        let updates: Vec<MaskUpdate> = (0..FRAMES)
            .map(|frame| clicked(masklet, frame, square(frame, 3, 6)))
            .collect();
        self.project
            .annotate(self.ann, task, None, &updates, None)
            .unwrap();
    }
}

/// Somebody who does all kinds of things, many of which are refused.
pub struct Monkey {
    random: StdRng,
}

impl Monkey {
    pub fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
        }
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.random.random_range(0..all.len())])
    }

    /// Does something; the event, if it was not refused.
    pub fn act(&mut self, project: &Project, user: UserId) -> Result<Option<EventId>, EngineError> {
        match self.attempt(project, user) {
            Ok(revision) => Ok(revision),
            Err(
                EngineError::WrongState { .. }
                | EngineError::NothingLeft { .. }
                | EngineError::CannotRevert { .. }
                | EngineError::BadValue { .. }
                | EngineError::Unknown { .. }
                | EngineError::NotHeld { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn attempt(&mut self, project: &Project, user: UserId) -> Result<Option<EventId>, EngineError> {
        fn of<T>(done: Done<T>) -> Option<EventId> {
            Some(done.revision)
        }
        let tasks = project.tasks(TaskQuery::default())?;
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        let Some(task) = self.one_of(&ids).filter(|_| self.random.random_bool(0.95)) else {
            let videos: Vec<VideoId> = project.videos()?.iter().map(|video| video.id).collect();
            let Some(video) = self.one_of(&videos) else {
                return Ok(None);
            };
            let masklets = vec![NewMasklet::default(); self.random.random_range(0..3)];
            let new = NewTask {
                masklets,
                ..NewTask::on(video)
            };
            return Ok(of(project.create_task(user, &new)?));
        };
        let known = project.task(task)?;
        if known.state != TaskState::Done {
            project.claim(user, task)?;
        }
        let masklets: Vec<MaskletId> = known.masklets.iter().map(|of| of.id).collect();
        let masklet = self.one_of(&masklets).unwrap_or(MaskletId(0));
        let seen = Some(known.revision);
        let scope = Scope::Task(task);
        Ok(match self.random.random_range(0..16) {
            0 => of(project.add_masklet(user, task, seen, &NewMasklet::default())?),
            1 => {
                let name = format!("name {}", self.random.random_range(0..100));
                of(project.rename_masklet(user, task, seen, masklet, (&name, [1, 2, 3]))?)
            }
            2 => of(project.remove_masklet(user, task, seen, masklet)?),
            3 => of(project.erase(user, task, seen, masklet, &[0, 3, 5])?),
            4 => of(project.submit(user, task, seen)?),
            5 | 6 => {
                let verdicts = ["satisfactory", "unsatisfactory", "reject"];
                let verdict = self.one_of(&verdicts).unwrap().parse().unwrap();
                let judgement = masklet_engine::Judgement {
                    masklet,
                    verdict,
                    remark: Some("the left ear".into()),
                    milliseconds: 10,
                };
                of(project.judge(user, task, seen, &judgement)?)
            }
            7 | 8 => of(project.undo(user, scope, seen)?),
            9 => of(project.redo(user, scope, seen)?),
            _ => {
                let count = self.random.random_range(1..5);
                let updates: Vec<MaskUpdate> = (0..count)
                    .map(|_| {
                        let frame = self.random.random_range(0..FRAMES);
                        let x = self.random.random_range(0..20);
                        clicked(masklet, frame, square(x, 2, self.random.random_range(0..9)))
                    })
                    .collect();
                of(project.annotate(user, task, seen, &updates, None)?)
            }
        })
    }
}
