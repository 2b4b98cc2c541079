//! The data engine of SAM 2 (arXiv 2408.00714, section 5): videos are annotated, verified and made
//! into data sets, and nothing that was done is lost.
//!
//! A [`Project`] is a folder. Its database holds everything but pixels: videos, tasks, masklets and
//! what is known of them on every frame, users, settings, and the history in which every change is
//! an [`Event`] that can be taken back. Masks are files that never change, named by their contents.
//!
//! Two decisions shape the code. **The database itself writes the history**: triggers note each row
//! before and after a change and refuse changes outside an event, so that undo works for every
//! action, those to come included, without code of its own. **A revision is the number of the last
//! event** of what is changed (a [`Scope`]): a change that was meant for an older one is refused
//! with what happened since.
//!
//! All methods take `&self` and may be called from many threads. None runs a model while the
//! database is locked: [`auto`] computes first and writes what came of it in one action.
//!
//! ```
//! use masklet_engine::{MaskUpdate, NewMasklet, NewTask, Project, Prompt, Scope, VideoImport};
//! use masklet_media::{Mask, RgbImage, Rle};
//!
//! # let folder = tempfile::tempdir()?;
//! # let clip = folder.path().join("clip");
//! # std::fs::create_dir(&clip)?;
//! # for frame in 0..3 {
//! #     RgbImage::filled(32, 24, [80, 90, 100])?.save_png(clip.join(format!("{frame}.png")))?;
//! # }
//! let project = Project::create(folder.path().join("project"), "Cats", "Ada")?;
//! let ada = project.owner()?.id;
//! let video = project.import_video(ada, &VideoImport::of(&clip)?, &mut |_| ())?.value;
//! let cat = NewMasklet { name: Some("cat".into()), ..NewMasklet::default() };
//! let task = project.create_task(ada, &NewTask { masklets: vec![cat], ..NewTask::on(video) })?;
//! project.claim(ada, task.value)?;
//!
//! let masklet = project.task(task.value)?.masklets[0].id;
//! let mask = Mask::from_fn(32, 24, |x, y| x < 10 && y < 10);
//! let update = MaskUpdate {
//!     prompts: Some(vec![Prompt::Click { x: 5.0, y: 5.0, positive: true }]),
//!     clicks: 1,
//!     ..MaskUpdate::new(masklet, 0, Rle::encode(&mask))
//! };
//! let done = project.annotate(ada, task.value, Some(task.revision), &[update], None)?;
//! assert_eq!(project.frames(masklet)?[0].area, 100);
//!
//! project.undo(ada, Scope::Task(task.value), Some(done.revision))?;
//! assert!(project.frames(masklet)?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod auto;
mod clock;
mod error;
pub mod export;
mod frames;
mod history;
mod ids;
pub mod import;
mod leases;
mod leftovers;
mod masks;
mod models;
mod project;
mod settings;
pub mod stats;
mod tasks;
pub mod train;
mod users;
mod videos;

pub use clock::Clock;
pub use error::{EngineError, Result};
pub use frames::{FrameEntry, MaskUpdate, Prompt};
pub use history::{Action, Event, HistoryQuery, Way};
pub use ids::{EventId, MaskletId, ModelId, NoScope, Scope, TaskId, UserId, VideoId};
pub use leases::Lease;
pub use leftovers::Temporary;
pub use masks::MaskPlace;
pub use models::{ModelFacts, ModelVersion};
pub use project::{Done, Project};
pub use settings::{Kind, Phase, Settings};
pub use tasks::{
    Judgement, Masklet, MaskletState, NewMasklet, NewTask, Task, TaskQuery, TaskState, Verdict,
};
pub use users::{Role, Token, User};
pub use videos::{Pixels, Video, VideoImport};
