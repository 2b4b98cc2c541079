//! Who is logged in, and the API's description.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use masklet_engine::User;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Body;
use crate::auth::Caller;
use crate::error::Result;
use crate::routes::Routes;
use crate::state::State;

/// The API's description.
pub(crate) const OPENAPI: &str = include_str!("../../openapi.json");

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/openapi.json", describe)
        .post("/api/session", log_in)
        .get("/api/session", show)
        .delete("/api/session", log_out)
}

async fn describe() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    token: String,
}

async fn log_in(state: axum::extract::State<State>, Body(log_in): Body<LogIn>) -> Result<Response> {
    let cookie = state.gate.set_cookie(&log_in.token);
    let session = state.blocking(move |state| {
        let user = state.gate.user(&state.project, &log_in.token)?;
        session(state, &user)
    });
    Ok(([(SET_COOKIE, cookie)], Json(session.await?)).into_response())
}

async fn show(state: axum::extract::State<State>, caller: Caller) -> Result<Json<Value>> {
    let session = state.blocking(move |state| session(state, &caller.0));
    Ok(Json(session.await?))
}

async fn log_out(state: axum::extract::State<State>) -> Response {
    let cookie = state.gate.clear_cookie();
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
}

fn session(state: &State, user: &User) -> Result<Value> {
    Ok(json!({
        "user": user,
        "project": state.project.settings()?.name,
        "version": env!("CARGO_PKG_VERSION"),
        "model": state.model(),
        "limits": state.limits,
    }))
}
