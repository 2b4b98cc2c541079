//! Masks: made by the model, drawn, erased, propagated.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use masklet::Direction;
use masklet_engine::{EventId, MaskUpdate, MaskletId, Prompt, TaskId, UserId};
use masklet_media::Rle;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use super::frames::MaskletFrames;
use super::{At, Body};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::routes::Routes;
use crate::state::{Changed, State};
use crate::work::{
    Control, Happened, Lane, Order, Outcome, Predicted, PromptOrder, Propagation, Turn,
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .post("/api/tasks/{task}/prepare", prepare)
        .post("/api/tasks/{task}/prompt", prompt)
        .post("/api/tasks/{task}/masks", store)
        .post("/api/tasks/{task}/erase", erase)
        .post("/api/tasks/{task}/propagate", propagate)
}

type Shared = axum::extract::State<State>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prepare {
    frame: u32,
}

async fn prepare(
    state: Shared,
    caller: Caller,
    At(task): At<TaskId>,
    Body(Prepare { frame }): Body<Prepare>,
) -> Result<Json<Value>> {
    let user = caller.id();
    let ready = state.worker.ask(user, Lane::Ahead, move |sessions| {
        let begun = std::time::Instant::now();
        let task = sessions.project.task(task)?;
        sessions.get(user, &task)?.prepare(frame)?;
        let milliseconds = begun.elapsed().as_millis() as u64;
        let ready = json!({ "frame": frame, "milliseconds": milliseconds });
        Ok(Turn::Done(ready))
    });
    Ok(Json(ready.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptBody {
    seen: EventId,
    masklet: MaskletId,
    frame: u32,
    prompts: Vec<Prompt>,
    #[serde(default)]
    milliseconds: u32,
}

async fn prompt(
    state: Shared,
    caller: Caller,
    At(task): At<TaskId>,
    Body(body): Body<PromptBody>,
) -> Result<Json<Predicted>> {
    let mut order = PromptOrder {
        user: caller.id(),
        task,
        seen: body.seen,
        masklet: body.masklet,
        frame: body.frame,
        prompts: body.prompts,
        milliseconds: body.milliseconds,
        spent: Duration::ZERO,
        asking: Arc::default(),
    };
    order.check()?;
    let predicted = state
        .worker
        .ask(caller.id(), Lane::Urgent, move |sessions| {
            let predicted = sessions.prompt(&mut order);
            let predicted = predicted.map_err(|error| error.with_task(&sessions.project, task));
            Ok(predicted?.map_or(Turn::Again, Turn::Done))
        });
    Ok(Json(predicted.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drawn {
    masklet: MaskletId,
    frame: u32,
    mask: Rle,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    seen: EventId,
    masks: Vec<Drawn>,
    #[serde(default)]
    milliseconds: u32,
}

#[derive(Serialize)]
struct Stored {
    #[serde(flatten)]
    changed: Changed,
    entries: Vec<MaskletFrames>,
}

async fn store(
    state: Shared,
    caller: Caller,
    At(task): At<TaskId>,
    Body(store): Body<Store>,
) -> Result<Json<Stored>> {
    let written: Vec<_> = store
        .masks
        .iter()
        .map(|drawn| (drawn.masklet, drawn.frame))
        .collect();
    let changed = state.change(task, move |project| {
        let mut milliseconds = store.milliseconds;
        let updates = store.masks.into_iter().map(|drawn| MaskUpdate {
            prompts: Some(vec![Prompt::Mask]),
            edited: true,
            // The time of the action is counted once.
            milliseconds: std::mem::take(&mut milliseconds),
            ..MaskUpdate::new(drawn.masklet, drawn.frame, drawn.mask)
        });
        let updates: Vec<MaskUpdate> = updates.collect();
        project.annotate(caller.id(), task, Some(store.seen), &updates, None)
    });
    let changed = changed.await?.1;
    let entries = state.blocking(move |state| {
        let mut entries: Vec<MaskletFrames> = Vec::new();
        for (masklet, frame) in written {
            let Some(entry) = state.project.frame(masklet, frame)? else {
                continue;
            };
            match entries.iter_mut().find(|own| own.masklet == masklet) {
                Some(own) => own.frames.push(entry),
                None => entries.push(MaskletFrames {
                    masklet,
                    frames: vec![entry],
                }),
            }
        }
        Ok(entries)
    });
    let entries = entries.await?;
    Ok(Json(Stored { changed, entries }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    seen: EventId,
    masklet: MaskletId,
    frames: Vec<u32>,
}

async fn erase(
    state: Shared,
    caller: Caller,
    At(task): At<TaskId>,
    Body(erase): Body<Erase>,
) -> Result<Json<Changed>> {
    let erased = state.change(task, move |project| {
        let seen = Some(erase.seen);
        project.erase(caller.id(), task, seen, erase.masklet, &erase.frames)
    });
    Ok(Json(erased.await?.1))
}

/// What is to be propagated, and from where to where.
#[derive(Deserialize)]
pub(crate) struct PropagateBody {
    seen: EventId,
    masklets: Vec<MaskletId>,
    from: u32,
    direction: Way,
    until: Option<u32>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Forward,
    Backward,
}

impl PropagateBody {
    pub(crate) fn order(self, user: UserId, task: TaskId) -> Result<Order> {
        let order = Order {
            user,
            task,
            seen: self.seen,
            masklets: self.masklets,
            from: self.from,
            direction: match self.direction {
                Way::Forward => Direction::Forward,
                Way::Backward => Direction::Backward,
            },
            until: self.until,
        };
        order.check()?;
        Ok(order)
    }
}

/// Cancels a propagation when nobody waits for it any more.
struct Watch<'a>(&'a State, Arc<Control>);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.1.cancel();
        self.0.worker.nudge();
    }
}

async fn propagate(
    state: Shared,
    caller: Caller,
    At(task): At<TaskId>,
    Body(body): Body<PropagateBody>,
) -> Result<Json<Outcome>> {
    let order = body.order(caller.id(), task)?;
    let control = Arc::new(Control::default());
    let _watch = Watch(&state.0, Arc::clone(&control));
    let (sender, mut happened) = unbounded_channel();
    state
        .worker
        .propagate(Propagation::new(order, control, sender))?;
    while let Some(happened) = happened.recv().await {
        match happened {
            Happened::Done(outcome) => return Ok(Json(outcome)),
            Happened::Error(error) => return Err(error),
            Happened::Frame { .. } | Happened::Saved { .. } | Happened::Paused { .. } => {}
        }
    }
    Err(ApiError::busy("the server is ending"))
}
