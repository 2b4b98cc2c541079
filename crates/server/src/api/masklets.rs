//! The objects of a task.

use axum::Json;
use masklet_engine::{Done, EngineError, EventId, MaskletId, NewMasklet, TaskId};
use serde::{Deserialize, Serialize};

use super::{At, Body, Params, Seen};
use crate::auth::Caller;
use crate::error::Result;
use crate::routes::Routes;
use crate::state::{Changed, State};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .post("/api/tasks/{task}/masklets", add)
        .patch("/api/tasks/{task}/masklets/{masklet}", rename)
        .delete("/api/tasks/{task}/masklets/{masklet}", remove)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    seen: EventId,
    name: Option<String>,
    colour: Option<[u8; 3]>,
    reference: Option<MaskletId>,
}

#[derive(Serialize)]
struct Added {
    #[serde(flatten)]
    changed: Changed,
    masklet: MaskletId,
}

async fn add(
    state: axum::extract::State<State>,
    caller: Caller,
    At(task): At<TaskId>,
    Body(add): Body<Add>,
) -> Result<Json<Added>> {
    let added = state.change(task, move |project| {
        let new = NewMasklet {
            name: add.name,
            colour: add.colour,
            reference: add.reference,
        };
        project.add_masklet(caller.id(), task, Some(add.seen), &new)
    });
    let (masklet, changed) = added.await?;
    Ok(Json(Added { changed, masklet }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    seen: EventId,
    name: Option<String>,
    colour: Option<[u8; 3]>,
}

async fn rename(
    state: axum::extract::State<State>,
    caller: Caller,
    At((task, masklet)): At<(TaskId, MaskletId)>,
    Body(rename): Body<Rename>,
) -> Result<Json<Changed>> {
    let renamed = state.change(task, move |project| -> Result<Done<()>, EngineError> {
        // What is left out stays; `seen` sees to it that it is what the caller knows.
        let known = project.masklet(masklet)?;
        let name = rename.name.unwrap_or(known.name);
        let colour = rename.colour.unwrap_or(known.colour);
        let seen = Some(rename.seen);
        project.rename_masklet(caller.id(), task, seen, masklet, (&name, colour))
    });
    Ok(Json(renamed.await?.1))
}

async fn remove(
    state: axum::extract::State<State>,
    caller: Caller,
    At((task, masklet)): At<(TaskId, MaskletId)>,
    Params(Seen { seen }): Params<Seen>,
) -> Result<Json<Changed>> {
    let removed = state.change(task, move |project| {
        project.remove_masklet(caller.id(), task, Some(seen), masklet)
    });
    Ok(Json(removed.await?.1))
}
