//! What can go wrong, and what to do about it.

use std::path::{Path, PathBuf};

use masklet_data::DataError;
use masklet_media::MediaError;
use masklet_train::TrainError;

use crate::history::Event;
use crate::{EventId, Role, Scope, TaskId};

/// The crate's result type.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// What can go wrong between a project on disk and those who work on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A folder holds no project.
    #[error("{} is not a project: {why}", path.display())]
    NotAProject {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong, and what to do.
        why: String,
    },
    /// A folder holds a project already.
    #[error("{} holds a project already: open it, or choose another folder", path.display())]
    ProjectExists {
        /// The folder.
        path: PathBuf,
    },
    /// A project was written by a newer program.
    #[error(
        "{} was written by a newer version of masklet (format {found}; this one knows up to \
         {known}): update masklet, or go back to a copy in {}/backups", path.display(), path.display()
    )]
    NewerProject {
        /// The project's folder.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// The database refused something that it should not.
    #[error("the project's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A file of the project cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was attempted: `read`, `copy`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A picture, video or mask cannot be read or written.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A data set cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model cannot be run.
    #[error(transparent)]
    Model(#[from] masklet::Error),
    /// The model cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A file of masks is not what was written.
    #[error("{} is damaged: {why}; restore it from a copy of the project", path.display())]
    DamagedMasks {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A video that the project does not take in.
    #[error("{name} is not taken in: {why}")]
    RefusedVideo {
        /// The file as it was given.
        name: String,
        /// Why, and what is accepted.
        why: String,
    },
    /// Something that is not in the project.
    #[error("there is no {what} {name}; {available}")]
    Unknown {
        /// What was asked for: `task`, `user`.
        what: &'static str,
        /// Its name or number.
        name: String,
        /// What there is, or how to find it.
        available: String,
    },
    /// A name that is taken.
    #[error("there is a {what} {name:?} already: choose another name")]
    Taken {
        /// What has the name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A value that is not accepted.
    #[error("{what} is {found}; {accepted}")]
    BadValue {
        /// Which value.
        what: &'static str,
        /// What was given.
        found: String,
        /// What is accepted.
        accepted: String,
    },
    /// A token that belongs to nobody.
    #[error("the token is not known: ask the project's owner for a new one")]
    UnknownToken,
    /// Somebody's role does not cover an action.
    #[error("{user} ({role}) cannot {action}: {needed}")]
    Forbidden {
        /// Who.
        user: String,
        /// In which role.
        role: Role,
        /// What was attempted.
        action: &'static str,
        /// Who can.
        needed: String,
    },
    /// A task that somebody else holds.
    #[error(
        "task {task} is held by {holder} for {seconds} s more: take another one, or wait until it \
         is given back"
    )]
    Held {
        /// The task.
        task: TaskId,
        /// Who holds it.
        holder: String,
        /// For how long, unless it is renewed.
        seconds: i64,
    },
    /// A task that is not held by who works on it.
    #[error(
        "task {task} is not held by {user}: claim it before working on it (a claim ends when it \
         is not renewed)"
    )]
    NotHeld {
        /// The task.
        task: TaskId,
        /// Who.
        user: String,
    },
    /// A change that was made to something that has changed since.
    #[error(
        "{scope} has changed: it was at revision {seen} when it was looked at and is at {current} \
         now; load it again"
    )]
    Stale {
        /// What was changed.
        scope: Scope,
        /// The revision that the change was meant for.
        seen: EventId,
        /// The newest revision.
        current: EventId,
        /// What happened in between, the oldest first: the newest 1,000 events.
        since: Vec<Event>,
        /// How many events there are in between.
        since_count: u64,
    },
    /// An action that does not fit the state of what it is applied to.
    #[error("{what} is {state}, and {needed}")]
    WrongState {
        /// A task or masklet.
        what: String,
        /// Its state.
        state: &'static str,
        /// Which state is needed, and how to get there.
        needed: &'static str,
    },
    /// There is nothing to undo or redo.
    #[error("there is nothing to {what} in {scope}")]
    NothingLeft {
        /// `undo` or `redo`.
        what: &'static str,
        /// Where.
        scope: Scope,
    },
    /// An event that cannot be reverted, because later ones build on it.
    #[error("event {event} cannot be reverted: {why}")]
    CannotRevert {
        /// The event.
        event: EventId,
        /// What depends on it, and what to do.
        why: String,
    },
    /// An export, import, removal or training round that cannot be made as asked, and why.
    #[error("{0}")]
    Refused(String),
}

impl EngineError {
    /// An error of the file system.
    pub(crate) fn file(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }

    /// Something was asked for that is not there.
    pub(crate) fn unknown(
        what: &'static str,
        name: impl ToString,
        available: impl Into<String>,
    ) -> Self {
        Self::Unknown {
            what,
            name: name.to_string(),
            available: available.into(),
        }
    }

    /// A value out of its range.
    pub(crate) fn bad_value(
        what: &'static str,
        found: impl ToString,
        accepted: impl Into<String>,
    ) -> Self {
        Self::BadValue {
            what,
            found: found.to_string(),
            accepted: accepted.into(),
        }
    }
}
