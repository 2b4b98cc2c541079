//! The history: every change as an event, and the way back.
//!
//! An event says who did what and when, and the database notes each row before and after it
//! (`project/schema.rs`). Taking an event back is an event of its own that puts the rows back, and
//! can itself be taken back; nothing is ever removed from the history.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::ids::words;
use crate::project::{Change, columns, row_as_json};
use crate::tasks::Verdict;
use crate::{
    Done, EngineError, EventId, MaskletId, Phase, Project, Result, Role, Scope, UserId, leases,
    users,
};

words! {
    /// Whether an event goes forward or back.
    Way {
        /// An action.
        Do = "do",
        /// One that takes an event back.
        Undo = "undo",
        /// One that takes an undo back.
        Redo = "redo",
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// The project was made.
    CreateProject {
        /// Its name.
        name: String,
    },
    /// Settings were changed.
    ChangeSettings {
        /// Those that were changed, by name.
        changed: Vec<String>,
    },
    /// A user was added.
    AddUser {
        /// Their name.
        name: String,
        /// What they may do.
        role: Role,
    },
    /// A user's role was changed.
    ChangeUser {
        /// Their name.
        name: String,
        /// What they may do.
        role: Role,
        /// Whether they may do anything.
        active: bool,
    },
    /// A model was made known, or became the current one.
    UseModel {
        /// Its name.
        name: String,
    },
    /// A video was taken in.
    ImportVideo {
        /// Its name.
        name: String,
        /// How many frames it has.
        frames: u32,
        /// How many masklets of a data set came with it.
        #[serde(default)]
        masklets: usize,
    },
    /// Masklets of a data set were taken in, of a video that was there.
    ImportMasklets {
        /// The video's name.
        video: String,
        /// How many.
        masklets: usize,
    },
    /// A video was removed. Its pixels stay, so that this can be undone.
    RemoveVideo {
        /// Its name.
        name: String,
    },
    /// A model found masklets without being prompted.
    AutoMasklets {
        /// The video's name.
        video: String,
        /// How many.
        masklets: usize,
        /// The model's name.
        model: String,
    },
    /// A task was made.
    CreateTask {
        /// The video's name.
        video: String,
        /// How it is annotated.
        phase: Phase,
    },
    /// A task is to be annotated in another phase.
    ChangePhase {
        /// Which.
        phase: Phase,
    },
    /// An object was added to a task.
    AddMasklet {
        /// Which.
        masklet: MaskletId,
        /// What it is called.
        name: String,
    },
    /// An object got another name or colour.
    RenameMasklet {
        /// Which.
        masklet: MaskletId,
        /// What it is called.
        name: String,
    },
    /// An object was removed from a task.
    RemoveMasklet {
        /// Which.
        masklet: MaskletId,
    },
    /// Masks were made or changed.
    Annotate {
        /// Of which objects.
        masklets: Vec<MaskletId>,
        /// How many frames have new masks.
        frames: usize,
        /// How many of them somebody prompted or edited.
        edited: usize,
        /// Clicks that it took.
        clicks: u64,
        /// Time that it took.
        milliseconds: u64,
        /// In which phase.
        phase: Phase,
        /// The propagation that it is a part of, if it is: the task's revision that it began at,
        /// which no other one begins at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        propagation: Option<EventId>,
    },
    /// The masks of some frames were removed.
    Erase {
        /// Of which object.
        masklet: MaskletId,
        /// How many frames had one.
        frames: usize,
    },
    /// A task was sent to verification.
    Submit {
        /// How many masklets are to be verified.
        masklets: usize,
    },
    /// A masklet was verified.
    Judge {
        /// Which.
        masklet: MaskletId,
        /// With what result.
        verdict: Verdict,
        /// What is to be done about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remark: Option<String>,
        /// Time that it took.
        milliseconds: u64,
    },
    /// Masklets that were verified are to be annotated again.
    Reopen {
        /// How many.
        masklets: usize,
    },
    /// An event was taken back.
    Revert {
        /// Which.
        event: EventId,
    },
}

impl Action {
    /// The event that it takes back.
    pub fn reverted(&self) -> Option<EventId> {
        match self {
            Self::Revert { event } => Some(*event),
            _ => None,
        }
    }
}

/// An event of the history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its number; they rise.
    pub id: EventId,
    /// When: milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub user: UserId,
    /// Their name.
    pub user_name: String,
    /// What it changed.
    pub scope: Scope,
    /// Forward or back.
    pub way: Way,
    /// The event that this one takes back.
    pub reverts: Option<EventId>,
    /// Whether its changes stand: no other event takes it back.
    pub stands: bool,
    /// What was done.
    pub action: Action,
}

const EVENTS: &str =
    "SELECT e.id, e.at, e.user, u.name, e.scope, e.way, e.reverts, e.stands, e.action
    FROM events e JOIN users u ON u.id = e.user";

impl Event {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let action: String = row.get(8)?;
        Ok(Self {
            id: row.get(0)?,
            at: row.get(1)?,
            user: row.get(2)?,
            user_name: row.get(3)?,
            scope: row.get(4)?,
            way: row.get(5)?,
            reverts: row.get(6)?,
            stands: row.get(7)?,
            action: serde_json::from_str(&action).map_err(|error| {
                let text = rusqlite::types::Type::Text;
                rusqlite::Error::FromSqlConversionFailure(8, text, error.into())
            })?,
        })
    }
}

/// Opens the event that the following changes belong to.
pub(crate) fn begin_event(
    connection: &Connection,
    now: i64,
    user: UserId,
    way: Way,
) -> Result<EventId> {
    // Its scope and action are known at its end; until then it belongs to none.
    connection.execute(
        "INSERT INTO events (at, user, scope, way, action) VALUES (?1, ?2, '', ?3, '')",
        (now, user, way),
    )?;
    let event = EventId(connection.last_insert_rowid());
    connection.execute("INSERT INTO current_event VALUES (?1)", [event])?;
    Ok(event)
}

/// Closes it.
pub(crate) fn end_event(
    connection: &Connection,
    event: EventId,
    scope: Scope,
    action: &Action,
) -> Result<()> {
    let reverts = action.reverted();
    let action = serde_json::to_string(action).expect("actions are plain data");
    connection.execute(
        "UPDATE events SET scope = ?2, action = ?3, reverts = ?4 WHERE id = ?1",
        (event, scope, action, reverts),
    )?;
    if let Some(reverted) = reverts {
        topple(connection, reverted)?;
    }
    connection.execute("DELETE FROM current_event", [])?;
    Ok(())
}

/// The newest event of a scope; 0 if there is none.
pub(crate) fn revision(connection: &Connection, scope: Scope) -> Result<EventId> {
    Ok(connection.query_row(
        "SELECT coalesce(max(id), 0) FROM events WHERE scope = ?1",
        [scope],
        |row| row.get(0),
    )?)
}

/// Events that are told to who saw an old revision, at most: one that is very old is followed by any
/// number of them.
const MOST_SINCE: u32 = 1000;

/// Refuses what was seen of a scope at another revision than the newest.
pub(crate) fn expect(connection: &Connection, scope: Scope, seen: EventId) -> Result<()> {
    let current = revision(connection, scope)?;
    if current == seen {
        return Ok(());
    }
    let since_count = connection.query_row(
        "SELECT count(*) FROM events WHERE scope = ?1 AND id > ?2",
        (scope, seen),
        |row| row.get::<_, i64>(0),
    )?;
    let query = format!("{EVENTS} WHERE e.scope = ?1 AND e.id > ?2 ORDER BY e.id DESC LIMIT ?3");
    let mut statement = connection.prepare(&query)?;
    let newest = statement.query_map((scope, seen, MOST_SINCE), Event::of)?;
    let mut since: Vec<Event> = newest.collect::<rusqlite::Result<_>>()?;
    since.reverse();
    Err(EngineError::Stale {
        scope,
        seen,
        current,
        since,
        since_count: since_count as u64,
    })
}

/// Which events are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryQuery {
    /// Only those of a scope.
    pub scope: Option<Scope>,
    /// Only those before one: the next page.
    pub before: Option<EventId>,
    /// At most so many; all without a limit.
    pub limit: Option<u32>,
}

impl Project {
    /// Events, the newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn history(&self, query: &HistoryQuery) -> Result<Vec<Event>> {
        self.read(|now| {
            let text = format!(
                "{EVENTS} WHERE (:scope IS NULL OR e.scope = :scope)
                     AND (:before IS NULL OR e.id < :before)
                 ORDER BY e.id DESC LIMIT :limit"
            );
            let mut statement = now.prepare(&text)?;
            let limit = query.limit.map_or(-1, i64::from);
            let events = statement.query_map(
                named_params! {
                    ":scope": query.scope, ":before": query.before, ":limit": limit,
                },
                Event::of,
            )?;
            Ok(events.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The revision of a scope: the number of the newest event that changed it, or 0.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn revision(&self, scope: Scope) -> Result<EventId> {
        self.read(|now| revision(now, scope))
    }

    /// Takes back the latest action in a scope that stands.
    ///
    /// # Errors
    /// [`EngineError::NothingLeft`]; [`EngineError::Stale`] if it is not at the revision `seen`;
    /// [`EngineError::CannotRevert`] if something else builds on it; [`EngineError::Forbidden`]
    /// and [`EngineError::NotHeld`] as for the action itself. What somebody else did, only an owner
    /// takes back.
    pub fn undo(&self, user: UserId, scope: Scope, seen: Option<EventId>) -> Result<Done<EventId>> {
        self.take_back(user, scope, seen, Way::Undo)
    }

    /// Takes back the latest undo in a scope, if nothing was done after it.
    ///
    /// # Errors
    /// As [`undo`](Self::undo).
    pub fn redo(&self, user: UserId, scope: Scope, seen: Option<EventId>) -> Result<Done<EventId>> {
        self.take_back(user, scope, seen, Way::Redo)
    }

    fn take_back(
        &self,
        user: UserId,
        scope: Scope,
        seen: Option<EventId>,
        way: Way,
    ) -> Result<Done<EventId>> {
        self.change_as(user, way, |change| {
            change.expect(scope, seen)?;
            let Some(event) = next_target(change, scope, way)? else {
                let what = if way == Way::Redo { "redo" } else { "undo" };
                return Err(EngineError::NothingLeft { what, scope });
            };
            may_take_back(change, scope, event)?;
            put_back(change, event).map_err(|error| broken_rule(error, Some(event)))?;
            Ok((event, scope, Action::Revert { event }))
        })
    }

    /// Takes back any event that nothing builds on, by an owner. Like every action this can be
    /// undone.
    ///
    /// # Errors
    /// [`EngineError::Unknown`]; [`EngineError::CannotRevert`] if it does not stand or later
    /// events changed what it changed; [`EngineError::Stale`] if its scope is not at the revision
    /// `seen`; [`EngineError::Forbidden`].
    pub fn revert(&self, user: UserId, event: EventId, seen: Option<EventId>) -> Result<Done<()>> {
        self.change(user, |change| {
            change
                .author()?
                .must_own("revert an event of the history")?;
            let query = format!("{EVENTS} WHERE e.id = ?1 AND e.id != ?2");
            let known = change
                .query_row(&query, [event, change.event], Event::of)
                .optional()?;
            let Some(known) = known else {
                let how = "`masklet engine history` lists them";
                return Err(EngineError::unknown("event", event, how));
            };
            change.expect(known.scope, seen)?;
            if !known.stands {
                return Err(EngineError::CannotRevert {
                    event,
                    why: "it is taken back already".to_owned(),
                });
            }
            put_back(change, event).map_err(|error| broken_rule(error, Some(event)))?;
            Ok(((), known.scope, Action::Revert { event }))
        })
    }
}

/// The event that an undo or redo takes back. To undo: the newest that goes forward and stands. To
/// redo: the newest undo that stands, if nothing was done after it.
fn next_target(connection: &Connection, scope: Scope, way: Way) -> Result<Option<EventId>> {
    let newest = |which: &str| -> Result<Option<EventId>> {
        let query = format!("SELECT max(id) FROM events WHERE scope = ?1 AND {which}");
        Ok(connection.query_row(&query, [scope], |row| row.get(0))?)
    };
    match way {
        Way::Do | Way::Undo => newest("stands AND way != 'undo'"),
        Way::Redo => {
            let last_done = newest("way = 'do'")?;
            let undo = newest("stands AND way = 'undo'")?;
            Ok(undo.filter(|undo| last_done.is_none_or(|done| *undo > done)))
        }
    }
}

/// Notes that `event` is taken back: what it had taken back stands again, and so on.
fn topple(connection: &Connection, event: EventId) -> Result<()> {
    let mut stands = false;
    let mut next = Some(event);
    while let Some(event) = next {
        next = connection.query_row(
            "UPDATE events SET stands = ?2 WHERE id = ?1 RETURNING reverts",
            (event, stands),
            |row| row.get(0),
        )?;
        stands = !stands;
    }
    Ok(())
}

/// Checks that the author may take back `event`: an owner any, others their own in a task that
/// nobody else holds. They need not hold it themselves: a submission or last verdict gives the
/// task back, and can be undone as long as nobody has taken it.
fn may_take_back(change: &Change<'_>, scope: Scope, event: EventId) -> Result<()> {
    let author = change.author()?;
    if let (Scope::Task(task), false) = (scope, author.owns()) {
        leases::refuse_if_held_by_others(change, task)?;
        let by: UserId =
            change.query_row("SELECT user FROM events WHERE id = ?1", [event], |row| {
                row.get(0)
            })?;
        return match by == author.id {
            true => Ok(()),
            false => Err(EngineError::Forbidden {
                user: author.name,
                role: author.role,
                action: "undo what somebody else did",
                needed: "an owner can".to_owned(),
            }),
        };
    }
    author.must_own("undo changes outside a task")
}

/// Puts every row that an event changed back to what it was before.
fn put_back(change: &Change<'_>, event: EventId) -> Result<()> {
    struct Changed {
        item: String,
        row: i64,
        before: Option<String>,
        after: Option<String>,
    }
    let mut statement = change.prepare(
        "SELECT item, row, before, after FROM changes WHERE event = ?1 ORDER BY id DESC",
    )?;
    let changed = statement.query_map([event], |row| {
        Ok(Changed {
            item: row.get(0)?,
            row: row.get(1)?,
            before: row.get(2)?,
            after: row.get(3)?,
        })
    })?;
    let changed: Vec<Changed> = changed.collect::<rusqlite::Result<_>>()?;
    for Changed {
        item,
        row,
        before,
        after,
    } in changed
    {
        let json = row_as_json(change, &item, &item)?;
        let query = format!("SELECT {json} FROM {item} WHERE id = ?1");
        let now: Option<String> = change
            .query_row(&query, [row], |found| found.get(0))
            .optional()?;
        if !same_row(now.as_deref(), after.as_deref()) {
            return Err(EngineError::CannotRevert {
                event,
                why: format!(
                    "{item} {row} was changed again since; take the later events back first"
                ),
            });
        }
        match before {
            Some(before) => write_row(change, &item, &before)?,
            None => {
                change.execute(&format!("DELETE FROM {item} WHERE id = ?1"), [row])?;
            }
        }
    }
    users::check_owner_left(change)
}

/// What a change says that breaks the database's rules, where it takes an event back: later events
/// refer to what it made, or took its place.
pub(crate) fn broken_rule(error: EngineError, reverted: Option<EventId>) -> EngineError {
    match (error, reverted) {
        (EngineError::Database(rusqlite::Error::SqliteFailure(failure, _)), Some(event))
            if failure.code == rusqlite::ErrorCode::ConstraintViolation =>
        {
            EngineError::CannotRevert {
                event,
                why: "later events build on it; take those back first".to_owned(),
            }
        }
        (error, _) => error,
    }
}

/// Whether a row is what it was after an event. Columns that later versions added do not count.
fn same_row(now: Option<&str>, after: Option<&str>) -> bool {
    match (now, after) {
        (None, None) => true,
        (Some(now), Some(after)) => {
            let (now, after) = (object(now), object(after));
            after
                .iter()
                .all(|(column, value)| now.get(column) == Some(value))
        }
        _ => false,
    }
}

fn object(json: &str) -> Map<String, serde_json::Value> {
    serde_json::from_str(json).unwrap_or_default()
}

/// Writes a row from its JSON, over the one of the same number if there is one. Columns that it
/// lacks get their defaults.
fn write_row(connection: &Connection, item: &str, json: &str) -> Result<()> {
    let row = object(json);
    let known = columns(connection, item)?;
    let names: Vec<&String> = known
        .iter()
        .filter(|name| row.contains_key(*name))
        .collect();
    let values = names.iter().map(|name| match &row[*name] {
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Real(number.as_f64().unwrap_or_default()),
        },
        _ => Value::Null,
    });
    let list = |each: &dyn Fn(usize, &str) -> String| {
        let parts = names.iter().enumerate().map(|(at, name)| each(at, name));
        parts.collect::<Vec<_>>().join(", ")
    };
    let statement = format!(
        "INSERT INTO {item} ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
        list(&|_, name| format!("\"{name}\"")),
        list(&|at, _| format!("?{}", at + 1)),
        list(&|_, name| format!("\"{name}\" = excluded.\"{name}\"")),
    );
    connection.execute(&statement, params_from_iter(values))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_far_behind_is_told_the_newest_events_and_how_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::create(folder.path(), "Lab", "Olga").unwrap();
        let (owner, scope) = (project.owner().unwrap().id, Scope::Project);
        let seen = project.revision(scope).unwrap();
        let action = Action::UseModel {
            name: "lite".to_owned(),
        };
        // As so many changes would, in one transaction.
        let made = project.change_unrecorded(|now| {
            for at in 0..i64::from(MOST_SINCE) + 5 {
                let event = begin_event(now, at, owner, Way::Do)?;
                end_event(now, event, scope, &action)?;
            }
            Ok(())
        });
        made.unwrap();
        let check = |seen| project.read(|now| expect(now, scope, seen));
        match check(seen).unwrap_err() {
            EngineError::Stale {
                current,
                since,
                since_count,
                ..
            } => {
                assert_eq!((since.len(), since_count), (1000, 1005));
                assert_eq!(since.last().unwrap().id, current);
                assert!(since.is_sorted_by_key(|event| event.id));
            }
            error => panic!("{error}"),
        }
        let current = project.revision(scope).unwrap();
        check(current).unwrap();
    }
}
