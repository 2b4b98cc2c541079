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

use std::fmt;

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::{Deserialize, Serialize};

use crate::history::{self, Action};
use crate::ids::words;
use crate::leases;
use crate::project::Change;
use crate::settings::{self, check_name};
use crate::users::User;
use crate::{
    Done, EngineError, EventId, Kind, Lease, MaskletId, ModelId, Phase, Project, Result, Role,
    Scope, TaskId, UserId, VideoId, videos,
};

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

words! {
    /// What a verifier says of a masklet.
    Verdict {
        /// It is correct and consistent on all frames.
        Satisfactory = "satisfactory",
        /// The object is well defined, and the masklet is not correct.
        Unsatisfactory = "unsatisfactory",
        /// There is no well-defined object.
        Reject = "reject",
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

const MASKLETS: &str = "SELECT id, task, video, number, kind, name, colour, state, remark, model,
    reference, edited_before FROM masklets";

impl Masklet {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let [_, colour @ ..] = row.get::<_, u32>(6)?.to_be_bytes();
        Ok(Self {
            id: row.get(0)?,
            task: row.get(1)?,
            video: row.get(2)?,
            number: row.get(3)?,
            kind: row.get(4)?,
            name: row.get(5)?,
            colour,
            state: row.get(7)?,
            remark: row.get(8)?,
            model: row.get(9)?,
            reference: row.get(10)?,
            edited_before: row.get::<_, i64>(11)? as u64,
        })
    }
}

impl fmt::Display for Masklet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "masklet {} ({})", self.id, self.name)
    }
}

pub(crate) fn read_masklet(connection: &Connection, id: MaskletId) -> Result<Masklet> {
    let query = format!("{MASKLETS} WHERE id = ?1");
    let found = connection.query_row(&query, [id], Masklet::of).optional()?;
    found.ok_or_else(|| EngineError::unknown("masklet", id, "`masklet engine tasks` lists them"))
}

/// Masklets for which `condition` (SQL, of one value) holds, in the order they were added.
pub(crate) fn masklets_where(
    connection: &Connection,
    condition: &str,
    value: i64,
) -> Result<Vec<Masklet>> {
    let mut statement = connection.prepare(&format!("{MASKLETS} WHERE {condition} ORDER BY id"))?;
    let masklets = statement.query_map([value], Masklet::of)?;
    Ok(masklets.collect::<rusqlite::Result<_>>()?)
}

/// A task with its masklets at a moment, which decides whether its lease has ended.
pub(crate) fn read(connection: &Connection, id: TaskId, now: i64) -> Result<Task> {
    let query = "SELECT t.video, v.name, t.phase, t.step, t.state
        FROM tasks t JOIN videos v ON v.id = t.video WHERE t.id = ?1";
    let task = connection.query_row(query, [id], |row| {
        Ok(Task {
            id,
            video: row.get(0)?,
            video_name: row.get(1)?,
            phase: row.get(2)?,
            step: row.get(3)?,
            state: row.get(4)?,
            revision: EventId(0),
            lease: None,
            masklets: Vec::new(),
        })
    });
    let Some(task) = task.optional()? else {
        return Err(EngineError::unknown(
            "task",
            id,
            "`masklet engine tasks` lists them",
        ));
    };
    Ok(Task {
        revision: history::revision(connection, Scope::Task(id))?,
        lease: leases::current(connection, id, now)?,
        masklets: masklets_where(connection, "task = ?1", id.0)?,
        ..task
    })
}

/// The task, if it is in the state that is needed.
pub(crate) fn in_state(
    change: &Change<'_>,
    id: TaskId,
    state: TaskState,
    needed: &'static str,
) -> Result<Task> {
    let task = read(change, id, change.now)?;
    if task.state == state {
        return Ok(task);
    }
    Err(EngineError::WrongState {
        what: format!("task {id}"),
        state: match task.state {
            TaskState::Annotate => "to be annotated",
            TaskState::Verify => "to be verified",
            TaskState::Done => "done",
        },
        needed,
    })
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

/// Writes a task that is not known yet.
pub(crate) fn insert_task(
    change: &Change<'_>,
    video: VideoId,
    phase: Phase,
    step: u32,
    state: TaskState,
) -> Result<TaskId> {
    change.execute(
        "INSERT INTO tasks (video, phase, step, state) VALUES (?1, ?2, ?3, ?4)",
        (video, phase, step, state),
    )?;
    Ok(TaskId(change.last_insert_rowid()))
}

/// A masklet to be written.
pub(crate) struct MaskletRow<'a> {
    pub(crate) task: TaskId,
    pub(crate) video: VideoId,
    /// The next free one of the video if left out.
    pub(crate) number: Option<u32>,
    pub(crate) kind: Kind,
    pub(crate) new: &'a NewMasklet,
    pub(crate) state: MaskletState,
    pub(crate) model: Option<ModelId>,
    pub(crate) edited_before: u64,
}

/// Writes a masklet that is not known yet.
pub(crate) fn insert_masklet(change: &Change<'_>, row: &MaskletRow<'_>) -> Result<MaskletId> {
    let number = match row.number {
        Some(number) => number,
        // Free among both kinds, so that files that know no kinds can hold all.
        None => change.query_row(
            "SELECT max(coalesce((SELECT number FROM next_numbers WHERE video = ?1), 1),
                 coalesce((SELECT max(number) + 1 FROM masklets WHERE video = ?1), 1))",
            [row.video],
            |found| found.get::<_, u32>(0),
        )?,
    };
    change.execute(
        "INSERT INTO next_numbers (video, number) VALUES (?1, ?2)
         ON CONFLICT (video) DO UPDATE SET number = max(number, excluded.number)",
        (row.video, number.saturating_add(1)),
    )?;
    let name = row
        .new
        .name
        .clone()
        .unwrap_or_else(|| format!("object {number}"));
    check_name("the object's name", &name)?;
    if let Some(reference) = row.new.reference {
        let other = read_masklet(change, reference)?;
        if other.video != row.video {
            return Err(EngineError::bad_value(
                "the masklet to compare with",
                other,
                "one of the same video is accepted",
            ));
        }
    }
    change.execute(
        "INSERT INTO masklets (task, video, number, kind, name, colour, state, model, reference,
             edited_before) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        rusqlite::params![
            row.task,
            row.video,
            number,
            row.kind,
            name,
            colour_number(row.new.colour.unwrap_or_else(|| colour_of(number))),
            row.state,
            row.model,
            row.new.reference,
            row.edited_before as i64,
        ],
    )?;
    Ok(MaskletId(change.last_insert_rowid()))
}

fn colour_of(number: u32) -> [u8; 3] {
    masklet_media::overlay::colour_of(number)
}

fn colour_number([red, green, blue]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, red, green, blue])
}

/// The task, which has to be in annotation and held by the author, at the revision that was seen.
pub(crate) fn to_annotate(
    change: &Change<'_>,
    id: TaskId,
    seen: Option<EventId>,
    action: &'static str,
) -> Result<Task> {
    change.author()?.must_be(Role::Annotator, action)?;
    let task = in_state(
        change,
        id,
        TaskState::Annotate,
        "only one in annotation can be changed: an owner can reopen it",
    )?;
    leases::require(change, id)?;
    change.expect(Scope::Task(id), seen)?;
    Ok(task)
}

/// Refuses changes to the masks of a masklet that is not open.
pub(crate) fn must_be_open(masklet: &Masklet) -> Result<()> {
    match masklet.state.is_open() {
        true => Ok(()),
        false => Err(EngineError::WrongState {
            what: masklet.to_string(),
            state: masklet.state.name(),
            needed: "only open and unsatisfactory ones can be changed: an owner can reopen it",
        }),
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

    /// Makes a task, by an annotator or owner.
    ///
    /// # Errors
    /// [`EngineError::Unknown`], [`EngineError::BadValue`], [`EngineError::Forbidden`].
    pub fn create_task(&self, user: UserId, new: &NewTask) -> Result<Done<TaskId>> {
        self.change(user, |change| {
            change.author()?.must_be(Role::Annotator, "make tasks")?;
            let settings = settings::read(change)?;
            let video = videos::read(change, new.video)?;
            let phase = new.phase.unwrap_or(settings.phase);
            let step = new
                .step
                .unwrap_or_else(|| video.annotation_step(settings.annotation_rate));
            if step == 0 {
                return Err(EngineError::bad_value(
                    "the step",
                    step,
                    "1 or more is accepted",
                ));
            }
            let task = insert_task(change, new.video, phase, step, TaskState::Annotate)?;
            for masklet in &new.masklets {
                insert_masklet(change, &open_masklet(task, new.video, masklet))?;
            }
            let video = video.name;
            Ok((task, Scope::Task(task), Action::CreateTask { video, phase }))
        })
    }

    /// Lets a task be annotated in another phase.
    ///
    /// # Errors
    /// [`EngineError::WrongState`], [`EngineError::NotHeld`], [`EngineError::Stale`] and
    /// [`EngineError::Forbidden`].
    pub fn change_phase(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        phase: Phase,
    ) -> Result<Done<()>> {
        self.change(user, |change| {
            to_annotate(change, task, seen, "change a task's phase")?;
            change.execute("UPDATE tasks SET phase = ?2 WHERE id = ?1", (task, phase))?;
            Ok(((), Scope::Task(task), Action::ChangePhase { phase }))
        })
    }

    /// Adds an object to a task.
    ///
    /// # Errors
    /// As [`change_phase`](Self::change_phase), and [`EngineError::BadValue`].
    pub fn add_masklet(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        new: &NewMasklet,
    ) -> Result<Done<MaskletId>> {
        self.change(user, |change| {
            let known = to_annotate(change, task, seen, "add objects")?;
            let masklet = insert_masklet(change, &open_masklet(task, known.video, new))?;
            let name = read_masklet(change, masklet)?.name;
            Ok((
                masklet,
                Scope::Task(task),
                Action::AddMasklet { masklet, name },
            ))
        })
    }

    /// Gives an object another name and colour.
    ///
    /// # Errors
    /// As [`add_masklet`](Self::add_masklet), and [`EngineError::Unknown`].
    pub fn rename_masklet(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        masklet: MaskletId,
        (name, colour): (&str, [u8; 3]),
    ) -> Result<Done<()>> {
        self.change(user, |change| {
            to_annotate(change, task, seen, "rename objects")?.masklet(masklet)?;
            check_name("the object's name", name)?;
            change.execute(
                "UPDATE masklets SET name = ?2, colour = ?3 WHERE id = ?1",
                (masklet, name, colour_number(colour)),
            )?;
            let name = name.to_owned();
            Ok((
                (),
                Scope::Task(task),
                Action::RenameMasklet { masklet, name },
            ))
        })
    }

    /// Removes an object with its masks. Objects of the same task are not compared with it any more.
    ///
    /// # Errors
    /// As [`add_masklet`](Self::add_masklet), and [`EngineError::Unknown`]; [`EngineError::Refused`]
    /// if an object of another task is compared with it.
    pub fn remove_masklet(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        masklet: MaskletId,
    ) -> Result<Done<()>> {
        self.change(user, |change| {
            let known = to_annotate(change, task, seen, "remove objects")?;
            let gone = known.masklet(masklet)?;
            must_be_open(gone)?;
            refuse_if_compared(change, gone)?;
            change.execute("DELETE FROM frames WHERE masklet = ?1", [masklet])?;
            change.execute(
                "UPDATE masklets SET reference = NULL WHERE reference = ?1",
                [masklet],
            )?;
            change.execute("DELETE FROM masklets WHERE id = ?1", [masklet])?;
            Ok(((), Scope::Task(task), Action::RemoveMasklet { masklet }))
        })
    }

    /// Sends a task to verification and gives it back. It is done if nothing in it is left to verify.
    ///
    /// # Errors
    /// As [`change_phase`](Self::change_phase); [`EngineError::WrongState`] if an object has no
    /// mask, or there is none.
    pub fn submit(&self, user: UserId, task: TaskId, seen: Option<EventId>) -> Result<Done<()>> {
        self.change(user, |change| {
            let known = to_annotate(change, task, seen, "submit tasks")?;
            for masklet in known
                .masklets
                .iter()
                .filter(|masklet| masklet.state.is_open())
            {
                let query = "SELECT EXISTS (SELECT 1 FROM frames WHERE masklet = ?1 AND area > 0)";
                if !change.query_row(query, [masklet.id], |row| row.get(0))? {
                    return Err(EngineError::WrongState {
                        what: masklet.to_string(),
                        state: "without a mask",
                        needed: "one is needed to verify: annotate or remove it",
                    });
                }
            }
            if known.masklets.is_empty() {
                return Err(EngineError::WrongState {
                    what: format!("task {task}"),
                    state: "without an object",
                    needed: "one is needed to verify: add and annotate it",
                });
            }
            let submitted = change.execute(
                "UPDATE masklets SET state = 'submitted'
                 WHERE task = ?1 AND state IN ('open', 'unsatisfactory')",
                [task],
            )?;
            // With nothing left to verify, the earlier verdicts decide.
            let state = after_verdicts(change, task)?;
            change.execute("UPDATE tasks SET state = ?2 WHERE id = ?1", (task, state))?;
            leases::remove(change, task)?;
            Ok((
                (),
                Scope::Task(task),
                Action::Submit {
                    masklets: submitted,
                },
            ))
        })
    }

    /// Says whether a masklet is as it should be. After the last verdict of a task it is done, or
    /// goes back to annotation if one is unsatisfactory; it is given back then.
    ///
    /// # Errors
    /// [`EngineError::Forbidden`], also for one's own work; [`EngineError::WrongState`],
    /// [`EngineError::NotHeld`], [`EngineError::Stale`], [`EngineError::Unknown`];
    /// [`EngineError::BadValue`] if a masklet is unsatisfactory and no remark says why.
    pub fn judge(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        judgement: &Judgement,
    ) -> Result<Done<TaskState>> {
        let Judgement {
            masklet,
            verdict,
            remark,
            milliseconds,
        } = judgement.clone();
        self.change(user, |change| {
            let author = change.author()?;
            author.must_be(Role::Verifier, "verify masklets")?;
            let needed = "only one in verification can be verified";
            let known = in_state(change, task, TaskState::Verify, needed)?;
            must_be_somebody_elses(change, task, &author)?;
            leases::require(change, task)?;
            change.expect(Scope::Task(task), seen)?;
            known.masklet(masklet)?;
            let remark = remark.filter(|remark| !remark.trim().is_empty());
            if verdict == Verdict::Unsatisfactory && remark.is_none() {
                return Err(EngineError::bad_value(
                    "the remark",
                    "empty",
                    "an unsatisfactory masklet needs one: say what is to be repaired",
                ));
            }
            let state = match verdict {
                Verdict::Satisfactory => MaskletState::Satisfactory,
                Verdict::Unsatisfactory => MaskletState::Unsatisfactory,
                Verdict::Reject => MaskletState::Rejected,
            };
            change.execute(
                "UPDATE masklets SET state = ?2, remark = ?3 WHERE id = ?1",
                (masklet, state, &remark),
            )?;
            let state = after_verdicts(change, task)?;
            if state != TaskState::Verify {
                change.execute("UPDATE tasks SET state = ?2 WHERE id = ?1", (task, state))?;
                leases::remove(change, task)?;
            }
            let action = Action::Judge {
                masklet,
                verdict,
                remark,
                milliseconds,
            };
            Ok((state, Scope::Task(task), action))
        })
    }

    /// Sends masklets that were verified back to annotation, by an owner.
    ///
    /// # Errors
    /// [`EngineError::WrongState`], [`EngineError::Stale`], [`EngineError::Unknown`],
    /// [`EngineError::Forbidden`].
    pub fn reopen(
        &self,
        user: UserId,
        task: TaskId,
        seen: Option<EventId>,
        masklets: &[MaskletId],
        remark: Option<&str>,
    ) -> Result<Done<()>> {
        self.change(user, |change| {
            change.author()?.must_own("reopen tasks")?;
            let known = in_state(
                change,
                task,
                TaskState::Done,
                "only one that is done is reopened",
            )?;
            change.expect(Scope::Task(task), seen)?;
            if masklets.is_empty() {
                return Err(EngineError::bad_value(
                    "the number of masklets",
                    0,
                    "1 or more is accepted: say what is to be annotated again",
                ));
            }
            for &masklet in masklets {
                known.masklet(masklet)?;
                change.execute(
                    "UPDATE masklets SET state = 'unsatisfactory', remark = ?2 WHERE id = ?1",
                    (masklet, remark),
                )?;
            }
            change.execute("UPDATE tasks SET state = 'annotate' WHERE id = ?1", [task])?;
            let masklets = masklets.len();
            Ok(((), Scope::Task(task), Action::Reopen { masklets }))
        })
    }
}

/// What a verifier says of a masklet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Judgement {
    /// Which.
    pub masklet: MaskletId,
    /// What it is.
    pub verdict: Verdict,
    /// What is to be repaired, for the annotator; needed where it is unsatisfactory.
    #[serde(default)]
    pub remark: Option<String>,
    /// How long looking at it took.
    #[serde(default)]
    pub milliseconds: u64,
}

/// Refuses to remove what objects of other tasks are compared with: those tasks would be changed
/// without a revision of their own.
fn refuse_if_compared(change: &Change<'_>, gone: &Masklet) -> Result<()> {
    let compared = masklets_where(change, "reference = ?1", gone.id.0)?;
    match compared.iter().find(|other| other.task != gone.task) {
        None => Ok(()),
        Some(other) => Err(EngineError::Refused(format!(
            "{gone} is not removed: {other} of task {} is compared with it; remove that one first, \
             or reject this one in verification",
            other.task
        ))),
    }
}

fn open_masklet(task: TaskId, video: VideoId, new: &NewMasklet) -> MaskletRow<'_> {
    MaskletRow {
        task,
        video,
        number: None,
        kind: Kind::Manual,
        new,
        state: MaskletState::Open,
        model: None,
        edited_before: 0,
    }
}

/// What is to be done in a task in verification, from what was said of its masklets so far.
fn after_verdicts(change: &Change<'_>, task: TaskId) -> Result<TaskState> {
    let of = |state: MaskletState| -> Result<bool> {
        let query = "SELECT EXISTS (SELECT 1 FROM masklets WHERE task = ?1 AND state = ?2)";
        Ok(change.query_row(query, (task, state), |row| row.get(0))?)
    };
    Ok(
        match (
            of(MaskletState::Submitted)?,
            of(MaskletState::Unsatisfactory)?,
        ) {
            (true, _) => TaskState::Verify,
            (false, true) => TaskState::Annotate,
            (false, false) => TaskState::Done,
        },
    )
}

/// Refuses verification by somebody who annotated in the task, unless the settings allow it.
pub(crate) fn must_be_somebody_elses(
    connection: &Connection,
    task: TaskId,
    user: &User,
) -> Result<()> {
    if settings::read(connection)?.verify_own_work {
        return Ok(());
    }
    let query = "SELECT EXISTS (SELECT 1 FROM events WHERE scope = ?1 AND user = ?2
        AND json_extract(action, '$.kind') IN ('annotate', 'submit'))";
    match connection.query_row(query, (Scope::Task(task), user.id), |row| row.get(0))? {
        false => Ok(()),
        true => Err(EngineError::Forbidden {
            user: user.name.clone(),
            role: user.role,
            action: "verify their own work",
            needed: "somebody else can, or an owner turns the setting verify_own_work on"
                .to_owned(),
        }),
    }
}
