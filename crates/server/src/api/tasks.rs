//! Tasks: listed, held, and sent from state to state.

use axum::Json;
use axum::http::StatusCode;
use masklet_engine::{
    EventId, Judgement, MaskletId, NewMasklet, NewTask, Phase, Project, Task, TaskId, TaskQuery,
    TaskState, Verdict, VideoId,
};
use serde::Deserialize;

use super::{At, Body, Params, Seen};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::routes::Routes;
use crate::state::{Changed, State};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/tasks", list)
        .post("/api/tasks", create)
        .post("/api/tasks/next", next)
        .get("/api/tasks/{task}", show)
        .post("/api/tasks/{task}/claim", claim)
        .post("/api/tasks/{task}/renew", renew)
        .post("/api/tasks/{task}/release", release)
        .post("/api/tasks/{task}/submit", submit)
        .post("/api/tasks/{task}/judge", judge)
        .post("/api/tasks/{task}/reopen", reopen)
        .post("/api/tasks/{task}/phase", change_phase)
}

type At1 = At<TaskId>;
type Shared = axum::extract::State<State>;

#[derive(Deserialize)]
struct Query {
    state: Option<TaskState>,
    video: Option<VideoId>,
}

async fn list(
    state: Shared,
    _: Caller,
    Params(Query { state: of, video }): Params<Query>,
) -> Result<Json<Vec<Task>>> {
    let query = TaskQuery { state: of, video };
    let tasks = state.blocking(move |state| Ok(state.project.tasks(query)?));
    Ok(Json(tasks.await?))
}

async fn show(state: Shared, _: Caller, At(task): At1) -> Result<Json<Task>> {
    let task = state.blocking(move |state| Ok(state.project.task(task)?));
    Ok(Json(task.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    video: VideoId,
    phase: Option<Phase>,
    step: Option<u32>,
    #[serde(default)]
    masklets: Vec<NewMasklet>,
}

async fn create(
    state: Shared,
    caller: Caller,
    Body(create): Body<Create>,
) -> Result<Json<Changed>> {
    let new = NewTask {
        video: create.video,
        phase: create.phase,
        step: create.step,
        masklets: create.masklets,
    };
    let created = state.blocking(move |state| {
        let done = state.project.create_task(caller.id(), &new)?;
        Ok(Changed {
            revision: done.revision,
            task: state.tell_task(done.value)?,
        })
    });
    Ok(Json(created.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    state: TaskState,
}

async fn next(state: Shared, caller: Caller, Body(next): Body<Next>) -> Result<Json<Option<Task>>> {
    let taken = state.blocking(move |state| {
        let lease = state.project.claim_next(caller.id(), next.state)?;
        lease.map(|lease| state.tell_task(lease.task)).transpose()
    });
    Ok(Json(taken.await?))
}

async fn claim(state: Shared, caller: Caller, At(task): At1) -> Result<Json<Task>> {
    let claimed = leased(&state, task, move |project| {
        project.claim(caller.id(), task)
    });
    Ok(Json(claimed.await?))
}

async fn renew(state: Shared, caller: Caller, At(task): At1) -> Result<Json<Task>> {
    let renewed = leased(&state, task, move |project| {
        project.renew(caller.id(), task)
    });
    Ok(Json(renewed.await?))
}

async fn release(state: Shared, caller: Caller, At(task): At1) -> Result<StatusCode> {
    leased(&state, task, move |project| {
        project.release(caller.id(), task)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes who holds a task, and tells everybody.
async fn leased<T>(
    state: &State,
    task: TaskId,
    change: impl FnOnce(&Project) -> masklet_engine::Result<T> + Send + 'static,
) -> Result<Task> {
    state
        .blocking(move |state| {
            change(&state.project)
                .map_err(|error| ApiError::from(error).with_task(&state.project, task))?;
            state.tell_task(task)
        })
        .await
}

async fn submit(
    state: Shared,
    caller: Caller,
    At(task): At1,
    Body(Seen { seen }): Body<Seen>,
) -> Result<Json<Changed>> {
    let submitted = state.change(task, move |project| {
        project.submit(caller.id(), task, Some(seen))
    });
    Ok(Json(submitted.await?.1))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judge {
    seen: EventId,
    masklet: MaskletId,
    verdict: Verdict,
    remark: Option<String>,
    #[serde(default)]
    milliseconds: u64,
}

async fn judge(
    state: Shared,
    caller: Caller,
    At(task): At1,
    Body(judge): Body<Judge>,
) -> Result<Json<Changed>> {
    let judged = state.change(task, move |project| {
        let judgement = Judgement {
            masklet: judge.masklet,
            verdict: judge.verdict,
            remark: judge.remark,
            milliseconds: judge.milliseconds,
        };
        project.judge(caller.id(), task, Some(judge.seen), &judgement)
    });
    Ok(Json(judged.await?.1))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reopen {
    seen: EventId,
    masklets: Vec<MaskletId>,
    remark: Option<String>,
}

async fn reopen(
    state: Shared,
    caller: Caller,
    At(task): At1,
    Body(reopen): Body<Reopen>,
) -> Result<Json<Changed>> {
    let reopened = state.change(task, move |project| {
        let remark = reopen.remark.as_deref();
        let seen = Some(reopen.seen);
        project.reopen(caller.id(), task, seen, &reopen.masklets, remark)
    });
    Ok(Json(reopened.await?.1))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangePhase {
    seen: EventId,
    phase: Phase,
}

async fn change_phase(
    state: Shared,
    caller: Caller,
    At(task): At1,
    Body(ChangePhase { seen, phase }): Body<ChangePhase>,
) -> Result<Json<Changed>> {
    let changed = state.change(task, move |project| {
        project.change_phase(caller.id(), task, Some(seen), phase)
    });
    Ok(Json(changed.await?.1))
}
