//! How long an action takes when many people annotate at once: the numbers of docs/data-engine.md.
//!
//! ```sh
//! cargo run --release -p masklet-engine --example actions -- FOLDER [PEOPLE] [SECONDS]
//! ```
//!
//! Makes a project in FOLDER, which has to be new. Each person annotates frames of a task of their
//! own with masks of 640 by 480 pixels, undoing one action in ten, and reads what they made.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use masklet_engine::{
    MaskUpdate, MaskletId, NewMasklet, NewTask, Project, Prompt, Role, Scope, TaskId, UserId,
    VideoImport,
};
use masklet_media::{Mask, RgbImage, Rle};

const SIZE: (u32, u32) = (640, 480);
const FRAMES: u32 = 30;

struct Worker {
    user: UserId,
    task: TaskId,
    masklet: MaskletId,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which new folder? give it first")?);
    let people: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let clip = folder.join("clip");
    std::fs::create_dir_all(&clip)?;
    for frame in 0..FRAMES {
        let picture = RgbImage::filled(SIZE.0, SIZE.1, [frame as u8, 80, 90])?;
        picture.save_png(clip.join(format!("{frame:05}.png")))?;
    }
    let project = Project::create(folder.join("project"), "Actions", "owner")?;
    let workers = workers(&project, &clip, people)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut times = std::thread::scope(|scope| {
        let running: Vec<_> = workers
            .iter()
            .map(|worker| {
                let project = &project;
                scope.spawn(move || worker.work(project, end))
            })
            .collect();
        let times = running
            .into_iter()
            .map(|one| one.join().expect("no worker panics"));
        times.collect::<masklet_engine::Result<Vec<_>>>()
    })?
    .concat();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{people} people: {:.0} actions a second; an action takes {:.1} ms (median), {:.1} ms (99 %)",
        times.len() as f64 / seconds as f64,
        at(0.5),
        at(0.99),
    );
    Ok(())
}

fn workers(
    project: &Project,
    clip: &std::path::Path,
    people: usize,
) -> masklet_engine::Result<Vec<Worker>> {
    let owner = project.owner()?.id;
    let video = project
        .import_video(owner, &VideoImport::of(clip)?, &mut |_| ())?
        .value;
    (0..people)
        .map(|number| {
            let name = format!("person {number}");
            let user = project.add_user(owner, &name, Role::Annotator)?.value;
            let new = NewTask {
                masklets: vec![NewMasklet::default()],
                ..NewTask::on(video)
            };
            let task = project.create_task(user, &new)?.value;
            project.claim(user, task)?;
            let masklet = project.task(task)?.masklets[0].id;
            Ok(Worker {
                user,
                task,
                masklet,
            })
        })
        .collect()
}

impl Worker {
    /// Works until `end`; how long each action took.
    fn work(&self, project: &Project, end: Instant) -> masklet_engine::Result<Vec<Duration>> {
        let mut times = Vec::new();
        for action in 0u32.. {
            if Instant::now() > end {
                break;
            }
            let updates = [self.update(action)];
            let start = Instant::now();
            if action % 10 == 9 {
                project.undo(self.user, Scope::Task(self.task), None)?;
            } else {
                project.annotate(self.user, self.task, None, &updates, None)?;
            }
            times.push(start.elapsed());
            project.frames(self.masklet)?;
        }
        Ok(times)
    }

    /// A disc that is another one each time.
    fn update(&self, action: u32) -> MaskUpdate {
        let (x0, y0) = (
            200 + (action * 7 + self.user.0 as u32) % 200,
            150 + action % 150,
        );
        let mask = Mask::from_fn(SIZE.0, SIZE.1, |x, y| {
            x.abs_diff(x0).pow(2) + y.abs_diff(y0).pow(2) < 60 * 60
        });
        MaskUpdate {
            prompts: Some(vec![Prompt::Click {
                x: x0 as f32,
                y: y0 as f32,
                positive: true,
            }]),
            clicks: 1,
            milliseconds: 800,
            ..MaskUpdate::new(self.masklet, action % FRAMES, Rle::encode(&mask))
        }
    }
}
