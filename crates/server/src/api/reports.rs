//! The paper's tables, and the models that were used.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use masklet_engine::stats::Stats;
use serde_json::{Value, json};

use crate::auth::Caller;
use crate::error::Result;
use crate::routes::Routes;
use crate::state::State;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/stats", stats)
        .get("/api/stats.csv", stats_as_csv)
        .get("/api/models", models)
}

async fn stats(state: axum::extract::State<State>, _: Caller) -> Result<Json<Stats>> {
    let stats = state.blocking(|state| Ok(state.project.stats()?));
    Ok(Json(stats.await?))
}

async fn stats_as_csv(state: axum::extract::State<State>, _: Caller) -> Result<Response> {
    let stats = state.blocking(|state| Ok(state.project.stats()?));
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8")];
    Ok((headers, stats.await?.to_csv()).into_response())
}

async fn models(state: axum::extract::State<State>, _: Caller) -> Result<Json<Value>> {
    let models = state.blocking(|state| {
        Ok(json!({
            "models": state.project.models()?,
            "current": state.project.settings()?.model,
            "running": state.model(),
        }))
    });
    Ok(Json(models.await?))
}
