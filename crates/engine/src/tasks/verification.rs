//! What verifiers say of masklets, and the way back to annotation.

use rusqlite::Connection;
use serde::Deserialize;

use super::rows::in_state;
use super::{MaskletState, TaskState};
use crate::history::Action;
use crate::ids::words;
use crate::project::Change;
use crate::users::User;
use crate::{
    Done, EngineError, EventId, MaskletId, Project, Result, Role, Scope, TaskId, UserId, leases,
    settings,
};

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

impl Project {
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

/// What is to be done in a task in verification, from what was said of its masklets so far.
pub(super) fn after_verdicts(change: &Change<'_>, task: TaskId) -> Result<TaskState> {
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
