//! Who works on which task. Two people never hold the same one.

use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

use crate::project::Change;
use crate::tasks::{self, TaskState};
use crate::users::{self, User};
use crate::{EngineError, Project, Result, TaskId, UserId, settings};

/// That somebody holds a task until a moment. It ends by itself when it is not renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// The task.
    pub task: TaskId,
    /// Who holds it.
    pub user: UserId,
    /// Their name.
    pub user_name: String,
    /// When it ends: milliseconds since 1970.
    pub expires: i64,
}

/// Who holds a task now.
pub(crate) fn current(connection: &Connection, task: TaskId, now: i64) -> Result<Option<Lease>> {
    let query = "SELECT l.user, u.name, l.expires FROM leases l JOIN users u ON u.id = l.user
        WHERE l.task = ?1 AND l.expires > ?2";
    let lease = connection.query_row(query, (task, now), |row| {
        Ok(Lease {
            task,
            user: row.get(0)?,
            user_name: row.get(1)?,
            expires: row.get(2)?,
        })
    });
    Ok(lease.optional()?)
}

/// Refuses work on a task that the author does not hold.
pub(crate) fn require(change: &Change<'_>, task: TaskId) -> Result<()> {
    match current(change, task, change.now)? {
        Some(lease) if lease.user == change.user => Ok(()),
        Some(lease) => Err(held(lease, change.now)),
        None => Err(EngineError::NotHeld {
            task,
            user: change.author()?.name,
        }),
    }
}

/// Refuses changes to a task that somebody else holds.
pub(crate) fn refuse_if_held_by_others(change: &Change<'_>, task: TaskId) -> Result<()> {
    match current(change, task, change.now)? {
        Some(lease) if lease.user != change.user => Err(held(lease, change.now)),
        _ => Ok(()),
    }
}

/// Gives a task back.
pub(crate) fn remove(connection: &Connection, task: TaskId) -> Result<()> {
    connection.execute("DELETE FROM leases WHERE task = ?1", [task])?;
    Ok(())
}

fn held(lease: Lease, now: i64) -> EngineError {
    const SECOND: i64 = 1000;
    EngineError::Held {
        task: lease.task,
        holder: lease.user_name,
        seconds: (lease.expires - now).div_euclid(SECOND) + 1,
    }
}

/// Writes a lease that begins now, over any that has ended or is the user's own.
fn take(connection: &Connection, task: TaskId, user: &User, now: i64) -> Result<Lease> {
    let seconds = settings::read(connection)?.lease_seconds;
    let expires = now + i64::from(seconds) * 1000;
    connection.execute(
        "INSERT INTO leases (task, user, expires) VALUES (?1, ?2, ?3)
         ON CONFLICT (task) DO UPDATE SET user = excluded.user, expires = excluded.expires",
        (task, user.id, expires),
    )?;
    Ok(Lease {
        task,
        user: user.id,
        user_name: user.name.clone(),
        expires,
    })
}

/// Whether a user may work on a task in its state.
fn may_work_on(connection: &Connection, task: TaskId, state: TaskState, user: &User) -> Result<()> {
    match state {
        TaskState::Annotate => user.must_be(state.role(), "take tasks in annotation"),
        TaskState::Verify => {
            user.must_be(state.role(), "take tasks in verification")?;
            tasks::must_be_somebody_elses(connection, task, user)
        }
        TaskState::Done => Err(EngineError::WrongState {
            what: format!("task {task}"),
            state: "done",
            needed: "there is nothing to work on: an owner can reopen it",
        }),
    }
}

impl Project {
    /// Takes a task, or renews the lease of one that is held already.
    ///
    /// # Errors
    /// [`EngineError::Held`] by somebody else; [`EngineError::WrongState`] if it is done;
    /// [`EngineError::Forbidden`] by role, or for verifying one's own work.
    pub fn claim(&self, user: UserId, task: TaskId) -> Result<Lease> {
        let now = self.now();
        self.change_unrecorded(|change| {
            let user = users::active(change, user)?;
            let known = tasks::read(change, task, now)?;
            match known.lease {
                Some(lease) if lease.user != user.id => return Err(held(lease, now)),
                _ => may_work_on(change, task, known.state, &user)?,
            }
            take(change, task, &user, now)
        })
    }

    /// Takes the first task in a state that nobody holds and the user may work on; `None` if there
    /// is none. One that they hold already comes first.
    ///
    /// # Errors
    /// [`EngineError::Forbidden`] if their role does not cover the state.
    pub fn claim_next(&self, user: UserId, state: TaskState) -> Result<Option<Lease>> {
        let now = self.now();
        self.change_unrecorded(|change| {
            let user = users::active(change, user)?;
            user.must_be(state.role(), "take such tasks")?;
            let mut statement = change.prepare(
                "SELECT t.id FROM tasks t LEFT JOIN leases l ON l.task = t.id AND l.expires > ?2
                 WHERE t.state = ?1 AND (l.user IS NULL OR l.user = ?3)
                 ORDER BY l.user IS NULL, t.id",
            )?;
            let free = statement.query_map((state, now, user.id), |row| row.get(0))?;
            for task in free {
                let task = task?;
                match may_work_on(change, task, state, &user) {
                    Ok(()) => return Ok(Some(take(change, task, &user, now)?)),
                    Err(EngineError::Forbidden { .. } | EngineError::WrongState { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(None)
        })
    }

    /// Holds a task for longer.
    ///
    /// # Errors
    /// [`EngineError::NotHeld`] if the lease has ended and nobody else has the task;
    /// [`EngineError::Held`] if somebody else has it now.
    pub fn renew(&self, user: UserId, task: TaskId) -> Result<Lease> {
        let now = self.now();
        self.change_unrecorded(|change| {
            let user = users::active(change, user)?;
            match current(change, task, now)? {
                Some(lease) if lease.user == user.id => take(change, task, &user, now),
                Some(lease) => Err(held(lease, now)),
                None => Err(EngineError::NotHeld {
                    task,
                    user: user.name,
                }),
            }
        })
    }

    /// Gives a task back; an owner also one that somebody else holds. Nothing happens if nobody
    /// holds it.
    ///
    /// # Errors
    /// [`EngineError::Held`] by somebody else.
    pub fn release(&self, user: UserId, task: TaskId) -> Result<()> {
        let now = self.now();
        self.change_unrecorded(|change| {
            let user = users::active(change, user)?;
            match current(change, task, now)? {
                Some(lease) if lease.user != user.id && !user.owns() => Err(held(lease, now)),
                _ => remove(change, task),
            }
        })
    }
}
