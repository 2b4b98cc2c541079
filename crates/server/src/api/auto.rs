//! Automatic masklets: everything on the first frame, tracked, and sent to verification.

use std::num::NonZeroUsize;

use axum::Json;
use axum::http::StatusCode;
use masklet::{MaskGeneratorOptions, PointGrid};
use masklet_engine::VideoId;
use masklet_engine::auto::AutoOptions;
use serde::Deserialize;

use super::{At, Body};
use crate::auth::Caller;
use crate::error::Result;
use crate::routes::Routes;
use crate::searches::{Search, Searches};
use crate::state::State;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/auto", list)
        .post("/api/auto", begin)
        .delete("/api/auto/{video}", cancel)
}

type Shared = axum::extract::State<State>;

/// How to search; what is left out is as `masklet engine auto` has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    video: VideoId,
    points_per_side: Option<u32>,
    crop_n_layers: Option<u32>,
    pred_iou_thresh: Option<f32>,
    stability_score_thresh: Option<f32>,
    max_objects: Option<NonZeroUsize>,
    min_area: Option<f64>,
    min_stability: Option<f32>,
    min_visible: Option<f64>,
    max_overlap: Option<f64>,
}

impl Wanted {
    fn options(&self) -> AutoOptions {
        let usual = AutoOptions::default();
        let generator = usual.generator;
        AutoOptions {
            max_objects: self.max_objects.unwrap_or(usual.max_objects),
            min_area: self.min_area.unwrap_or(usual.min_area),
            min_stability: self.min_stability.unwrap_or(usual.min_stability),
            min_visible: self.min_visible.unwrap_or(usual.min_visible),
            max_overlap: self.max_overlap.unwrap_or(usual.max_overlap),
            generator: MaskGeneratorOptions {
                points: self
                    .points_per_side
                    .map_or(generator.points, PointGrid::PerSide),
                crop_n_layers: self.crop_n_layers.unwrap_or(generator.crop_n_layers),
                pred_iou_thresh: self.pred_iou_thresh.unwrap_or(generator.pred_iou_thresh),
                stability_score_thresh: self
                    .stability_score_thresh
                    .unwrap_or(generator.stability_score_thresh),
                ..generator
            },
        }
    }
}

async fn list(state: Shared, _: Caller) -> Json<Vec<Search>> {
    Json(state.searches.list())
}

async fn begin(
    state: Shared,
    caller: Caller,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Search>)> {
    caller.must_own("search for automatic masklets")?;
    let begun = state
        .blocking(move |state| Searches::begin(state, caller.id(), wanted.video, wanted.options()));
    Ok((StatusCode::ACCEPTED, Json(begun.await?)))
}

async fn cancel(state: Shared, caller: Caller, At(video): At<VideoId>) -> Result<StatusCode> {
    caller.must_own("stop a search")?;
    state.searches.cancel(video);
    Ok(StatusCode::NO_CONTENT)
}
