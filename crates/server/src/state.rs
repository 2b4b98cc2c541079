//! What all requests share.

use std::ops::Deref;
use std::sync::Arc;

use masklet_engine::{Done, EventId, ModelFacts, Project, Scope, Task, TaskId, TaskQuery};
use serde::Serialize;
use serde_json::{Value, json};

use crate::auth::Gate;
use crate::error::{ApiError, Result, task_of};
use crate::exports::Exports;
use crate::live::Live;
use crate::media::Media;
use crate::options::Limits;
use crate::searches::Searches;
use crate::work::Worker;

/// A handle of what all requests share.
#[derive(Clone)]
pub(crate) struct State(pub(crate) Arc<Shared>);

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) project: Arc<Project>,
    pub(crate) gate: Gate,
    pub(crate) limits: Limits,
    /// The model that the worker runs.
    pub(crate) model: ModelFacts,
    pub(crate) worker: Worker,
    pub(crate) live: Arc<Live>,
    pub(crate) media: Media,
    pub(crate) exports: Exports,
    pub(crate) searches: Searches,
    /// One video is taken in at a time: each takes a decoder and a copy.
    pub(crate) importing: Arc<tokio::sync::Semaphore>,
}

impl Deref for State {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// A task after a change.
#[derive(Serialize)]
pub(crate) struct Changed {
    pub(crate) revision: EventId,
    pub(crate) task: Task,
}

impl State {
    /// Runs what waits for the disk where it keeps no other request waiting.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let state = self.clone();
        let ran = tokio::task::spawn_blocking(move || run(&state)).await;
        ran.unwrap_or_else(|_| Err(ApiError::failed("the server failed; its log says why")))
    }

    /// Runs a change of a task, and tells everybody about the task after it.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        task: TaskId,
        make: impl FnOnce(&Project) -> masklet_engine::Result<Done<T>> + Send + 'static,
    ) -> Result<(T, Changed)> {
        self.blocking(move |state| {
            let done = make(&state.project);
            let done =
                done.map_err(|error| ApiError::from(error).with_task(&state.project, task))?;
            let changed = Changed {
                revision: done.revision,
                task: state.tell_task(task)?,
            };
            Ok((done.value, changed))
        })
        .await
    }
}

impl Shared {
    /// The model that the worker runs, for people and programs.
    pub(crate) fn model(&self) -> Value {
        json!({ "name": self.model.name, "sha256": self.model.sha256 })
    }

    /// Tells everybody about a task as it is now.
    pub(crate) fn tell_task(&self, task: TaskId) -> Result<Task> {
        let task = self.project.task(task)?;
        self.live.task(&task);
        // Whoever holds it now need not wait for what somebody else left behind.
        self.worker
            .leave_to(task.id, task.lease.as_ref().map(|lease| lease.user));
        Ok(task)
    }

    /// Takes something back in a scope, and tells everybody; the scope's task, if it is one.
    pub(crate) fn take_back<T>(
        &self,
        scope: Scope,
        make: impl FnOnce() -> masklet_engine::Result<Done<T>>,
    ) -> Result<(Done<T>, Option<Task>)> {
        let before = self.tasks_within(scope)?;
        let done = make().map_err(|error| {
            let error = ApiError::from(error);
            match task_of(scope) {
                Some(task) => error.with_task(&self.project, task),
                None => error,
            }
        })?;
        let task = self.tell_scope(scope)?;
        // Masklets that were found or imported bring tasks with them, and take them away.
        let after = self.tasks_within(scope)?;
        let there = |tasks: &[Task], id: TaskId| tasks.iter().any(|task| task.id == id);
        for gone in before.iter().filter(|task| !there(&after, task.id)) {
            self.live.gone(gone.id);
        }
        for new in after.iter().filter(|task| !there(&before, task.id)) {
            self.live.task(new);
        }
        Ok((done, task))
    }

    /// The tasks of a video that come and go with its actions.
    fn tasks_within(&self, scope: Scope) -> Result<Vec<Task>> {
        let Scope::Video(video) = scope else {
            return Ok(Vec::new());
        };
        Ok(self.project.tasks(TaskQuery {
            video: Some(video),
            ..TaskQuery::default()
        })?)
    }

    /// Tells everybody what may have changed with a scope; the task, if it is one.
    fn tell_scope(&self, scope: Scope) -> Result<Option<Task>> {
        match (scope, task_of(scope)) {
            (_, Some(task)) => match self.project.task(task) {
                Ok(task) => {
                    self.live.task(&task);
                    Ok(Some(task))
                }
                // Making it was undone.
                Err(masklet_engine::EngineError::Unknown { .. }) => {
                    self.live.gone(task);
                    Ok(None)
                }
                Err(error) => Err(error.into()),
            },
            (Scope::Video(_), None) => {
                self.live.videos();
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}
