//! The handlers, a file for each kind of resource.

pub(crate) mod annotate;
pub(crate) mod auto;
pub(crate) mod exports;
pub(crate) mod frames;
pub(crate) mod history;
pub(crate) mod live;
pub(crate) mod masklets;
pub(crate) mod reports;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod tasks;
pub(crate) mod users;
pub(crate) mod videos;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use masklet_engine::EventId;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Result};
use crate::state::State;

/// A request's JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self> {
        let most = state.limits.body_bytes;
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            ApiError::too_large(format!(
                "the request did not arrive, or has more than the {most} bytes that are accepted"
            ))
        })?;
        let parsed = serde_json::from_slice(&bytes);
        let parsed = parsed.map_err(|why| {
            ApiError::bad_request(format!(
                "the request is not as /api/openapi.json describes it: {why}"
            ))
        })?;
        Ok(Self(parsed))
    }
}

/// What stands after `?`.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<State> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self> {
        let query = Query::try_from_uri(&parts.uri);
        let Query(params) = query.map_err(|why| ApiError::bad_request(why.body_text()))?;
        Ok(Self(params))
    }
}

/// The numbers in a path.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<State> for At<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self> {
        let path = Path::from_request_parts(parts, state).await;
        let Path(at) = path.map_err(|why| ApiError::bad_request(why.body_text()))?;
        Ok(Self(at))
    }
}

/// A change of which nothing but its basis is to be said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pub(crate) seen: EventId,
}
