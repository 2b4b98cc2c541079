//! Tasks and masklets as rows of the database.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{Masklet, MaskletState, NewMasklet, Task, TaskState};
use crate::project::Change;
use crate::settings::check_name;
use crate::{
    EngineError, EventId, Kind, MaskletId, ModelId, Phase, Result, Scope, TaskId, VideoId, history,
    leases,
};

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
pub(super) fn in_state(
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

pub(super) fn colour_number([red, green, blue]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, red, green, blue])
}
