//! The history, and the ways back.

use axum::Json;
use masklet_engine::{EngineError, Event, EventId, HistoryQuery, Project, Scope, Task};
use serde::{Deserialize, Serialize};

use super::{At, Body, Params, Seen};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
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
        let (done, task) = state.take_back(scope, || make(&state.project, back))?;
        Ok(TakenBack {
            revision: done.revision,
            event: done.value,
            task,
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
        let revert = || project.revert(caller.id(), event, Some(seen));
        let (done, task) = state.take_back(scope, revert)?;
        Ok(Reverted {
            revision: done.revision,
            task,
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
