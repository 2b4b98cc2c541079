//! What is known of a task's masklets on frames.

use std::ops::RangeInclusive;

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use masklet_engine::{EventId, FrameEntry, MaskPlace, MaskletId, Project, Scope, TaskId};
use masklet_media::Rle;
use serde::{Deserialize, Serialize};

use super::{At, Params};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::routes::Routes;
use crate::state::State;

/// Frames whose masks are asked for at once, at most.
const MOST_FRAMES: u32 = 512;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/tasks/{task}/frames", entries)
        .get("/api/tasks/{task}/masks", masks)
        .get(
            "/api/tasks/{task}/masklets/{masklet}/frames/{frame}/mask.png",
            picture,
        )
}

/// A masklet's frames.
#[derive(Serialize)]
pub(crate) struct MaskletFrames {
    pub(crate) masklet: MaskletId,
    pub(crate) frames: Vec<FrameEntry>,
}

#[derive(Serialize)]
struct Entries {
    revision: EventId,
    masklets: Vec<MaskletFrames>,
}

#[derive(Deserialize)]
struct Range {
    from: Option<u32>,
    to: Option<u32>,
}

async fn entries(
    state: axum::extract::State<State>,
    _: Caller,
    At(task): At<TaskId>,
    Params(Range { from, to }): Params<Range>,
) -> Result<Json<Entries>> {
    let range = from.unwrap_or(0)..=to.unwrap_or(u32::MAX);
    let entries = state.blocking(move |state| {
        let project = &state.project;
        // First the revision: what is read after it is that or newer, never older.
        let revision = project.revision(Scope::Task(task))?;
        let masklets = project.task(task)?.masklets.into_iter().map(|masklet| {
            Ok(MaskletFrames {
                masklet: masklet.id,
                frames: frames_of(project, masklet.id, range.clone())?,
            })
        });
        Ok(Entries {
            revision,
            masklets: masklets.collect::<Result<_>>()?,
        })
    });
    Ok(Json(entries.await?))
}

/// A masklet's frames within a range; none if it was removed a moment ago.
fn frames_of(
    project: &Project,
    masklet: MaskletId,
    range: RangeInclusive<u32>,
) -> Result<Vec<FrameEntry>> {
    match project.frames_within(masklet, range) {
        Err(masklet_engine::EngineError::Unknown { .. }) => Ok(Vec::new()),
        frames => Ok(frames?),
    }
}

#[derive(Deserialize)]
struct Wanted {
    from: u32,
    to: u32,
    masklet: Option<MaskletId>,
}

#[derive(Serialize)]
struct MaskOn {
    masklet: MaskletId,
    frame: u32,
    mask: Rle,
}

#[derive(Serialize)]
struct Masks {
    revision: EventId,
    masks: Vec<MaskOn>,
}

async fn masks(
    state: axum::extract::State<State>,
    _: Caller,
    At(task): At<TaskId>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Masks>> {
    if wanted.to < wanted.from || wanted.to - wanted.from >= MOST_FRAMES {
        return Err(ApiError::bad_request(format!(
            "frames {} to {} are asked for; 1 to {MOST_FRAMES} at once, in ascending order, are \
             accepted",
            wanted.from, wanted.to
        )));
    }
    let masks = state.blocking(move |state| {
        let project = &state.project;
        let revision = project.revision(Scope::Task(task))?;
        let (mut owners, mut places) = (Vec::new(), Vec::<MaskPlace>::new());
        for masklet in project.task(task)?.masklets {
            if wanted.masklet.is_some_and(|one| one != masklet.id) {
                continue;
            }
            for entry in frames_of(project, masklet.id, wanted.from..=wanted.to)? {
                owners.push((masklet.id, entry.frame));
                places.push(entry.mask);
            }
        }
        let masks = project.read_masks(&places)?;
        let masks = owners.into_iter().zip(masks);
        Ok(Masks {
            revision,
            masks: masks
                .map(|((masklet, frame), mask)| MaskOn {
                    masklet,
                    frame,
                    mask,
                })
                .collect(),
        })
    });
    Ok(Json(masks.await?))
}

async fn picture(
    state: axum::extract::State<State>,
    _: Caller,
    At((task, masklet, frame)): At<(TaskId, MaskletId, u32)>,
) -> Result<Response> {
    let png = state.blocking(move |state| {
        let project = &state.project;
        project.task(task)?.masklet(masklet)?;
        let entry = project.frame(masklet, frame)?.ok_or_else(|| {
            ApiError::not_found(format!("masklet {masklet} has no mask on frame {frame}"))
        })?;
        let mask = project.read_masks(&[entry.mask])?.remove(0);
        Ok(mask.decode().to_png()?)
    });
    let headers = [
        (CONTENT_TYPE, "image/png"),
        (CACHE_CONTROL, "private, no-cache"),
    ];
    Ok((headers, png.await?).into_response())
}
