//! Making a task, working on its objects, and sending it to verification.

use super::rows::{
    MaskletRow, colour_number, in_state, insert_masklet, insert_task, masklets_where, read_masklet,
};
use super::verification::after_verdicts;
use super::{Masklet, MaskletState, NewMasklet, NewTask, Task, TaskState};
use crate::history::Action;
use crate::project::Change;
use crate::settings::{self, check_name};
use crate::{
    Done, EngineError, EventId, Kind, MaskletId, Phase, Project, Result, Role, Scope, TaskId,
    UserId, VideoId, leases, videos,
};

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
