//! The history, and the ways back.

use axum::Json;
use masklet_engine::{EngineError, Event, EventId, HistoryQuery, Project, Scope, Task};
use serde::{Deserialize, Serialize};

use super::{At, Body, Params, Seen};
use crate::auth::Caller;
use crate::error::{ApiError, Result, task_of};
use crate::routes::Routes;
use crate::state::State;

/// Events that are sent if nobody says how many, and at most.
const USUAL_EVENTS: u32 = 100;
const MOST_EVENTS: u32 = 1000;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .post("/api/undo", undo)
        .post("/api/redo", redo)
        .get("/api/history", list)
        .post("/api/history/{event}/revert", revert)
}

type Shared = axum::extract::State<State>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TakeBack {
    scope: Scope,
    seen: EventId,
}

#[derive(Serialize)]
struct TakenBack {
    revision: EventId,
    event: EventId,
    task: Option<Task>,
}

async fn undo(
    state: Shared,
    caller: Caller,
    Body(back): Body<TakeBack>,
) -> Result<Json<TakenBack>> {
    take_back(&state, back, move |project, TakeBack { scope, seen }| {
        project.undo(caller.id(), scope, Some(seen))
    })
    .await
}

async fn redo(
    state: Shared,
    caller: Caller,
    Body(back): Body<TakeBack>,
) -> Result<Json<TakenBack>> {
    take_back(&state, back, move |project, TakeBack { scope, seen }| {
        project.redo(caller.id(), scope, Some(seen))
    })
    .await
}

async fn take_back(
    state: &State,
    back: TakeBack,
    make: impl FnOnce(&Project, TakeBack) -> Result<masklet_engine::Done<EventId>, EngineError>
    + Send
    + 'static,
) -> Result<Json<TakenBack>> {
    let scope = back.scope;
    let taken = state.blocking(move |state| {
        let done = make(&state.project, back).map_err(|error| {
            let error = ApiError::from(error);
            match task_of(scope) {
                Some(task) => error.with_task(&state.project, task),
                None => error,
            }
        })?;
        Ok(TakenBack {
            revision: done.revision,
            event: done.value,
            task: state.tell_scope(scope)?,
        })
    });
    Ok(Json(taken.await?))
}

#[derive(Deserialize)]
struct Query {
    scope: Option<Scope>,
    before: Option<EventId>,
    limit: Option<u32>,
}

async fn list(state: Shared, _: Caller, Params(query): Params<Query>) -> Result<Json<Vec<Event>>> {
    let query = HistoryQuery {
        scope: query.scope,
        before: query.before,
        limit: Some(query.limit.unwrap_or(USUAL_EVENTS).min(MOST_EVENTS)),
    };
    let events = state.blocking(move |state| Ok(state.project.history(&query)?));
    Ok(Json(events.await?))
}

#[derive(Serialize)]
struct Reverted {
    revision: EventId,
    task: Option<Task>,
}

async fn revert(
    state: Shared,
    caller: Caller,
    At(event): At<EventId>,
    Body(Seen { seen }): Body<Seen>,
) -> Result<Json<Reverted>> {
    let reverted = state.blocking(move |state| {
        let project = &state.project;
        let scope = scope_of(project, event)?;
        // Whoever changes the same between here and there makes the engine refuse.
        expect(project, scope, seen)?;
        let done = project.revert(caller.id(), event)?;
        Ok(Reverted {
            revision: done.revision,
            task: state.tell_scope(scope)?,
        })
    });
    Ok(Json(reverted.await?))
}

fn scope_of(project: &Project, event: EventId) -> Result<Scope> {
    let query = HistoryQuery {
        before: Some(EventId(event.0.saturating_add(1))),
        limit: Some(1),
        ..HistoryQuery::default()
    };
    let found = project
        .history(&query)?
        .into_iter()
        .find(|found| found.id == event);
    let found = found.ok_or_else(|| {
        ApiError::not_found(format!(
            "there is no event {event}: GET /api/history lists them"
        ))
    })?;
    Ok(found.scope)
}

/// Refuses a change of a scope that was seen at another revision than the newest.
pub(super) fn expect(project: &Project, scope: Scope, seen: EventId) -> Result<()> {
    project.check_revision(scope, seen).map_err(|error| {
        let error = ApiError::from(error);
        match task_of(scope) {
            Some(task) => error.with_task(project, task),
            None => error,
        }
    })
}
