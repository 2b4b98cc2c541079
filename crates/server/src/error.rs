//! What a request is answered with when it fails.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use masklet_engine::{EngineError, Project, Scope, TaskId};
use serde_json::{Map, Value, json};

/// The crate's result type.
pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

/// A failure as it is sent: a status, a word for programs, a sentence for people, and what helps to
/// go on.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    more: Map<String, Value>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            more: Map::new(),
        }
    }

    /// A request that cannot be understood.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    /// Something that is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    /// A request without a token, or with one that belongs to nobody.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// Something that is larger than is accepted.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
    }

    /// Work that is not done now; it may be asked for again.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    /// An action that does not fit the state of things.
    pub(crate) fn wrong_state(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "wrong-state", message)
    }

    /// A failure of the server itself.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", message)
    }

    fn with(mut self, name: &str, value: impl serde::Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.more.insert(name.to_owned(), value);
        self
    }

    /// Adds the task as it is now, where the task is what stands in the way.
    pub(crate) fn with_task(self, project: &Project, task: TaskId) -> Self {
        match self.code {
            "stale" | "held" | "not-held" | "wrong-state" => match project.task(task) {
                Ok(task) => self.with("task", task),
                Err(_) => self,
            },
            _ => self,
        }
    }

    /// The word for programs.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// As it is sent on the WebSocket.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = self.more.clone();
        error.insert("code".to_owned(), self.code.into());
        error.insert("message".to_owned(), self.message.as_str().into());
        Value::Object(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.to_json() }))).into_response()
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        let of = |status, code| Self::new(status, code, message.clone());
        match error {
            EngineError::Unknown { .. } => Self::not_found(message),
            EngineError::UnknownToken => Self::unauthorized(message),
            EngineError::Forbidden { .. } => of(StatusCode::FORBIDDEN, "forbidden"),
            EngineError::Held {
                holder, seconds, ..
            } => of(StatusCode::CONFLICT, "held")
                .with("holder", holder)
                .with("seconds", seconds),
            EngineError::NotHeld { .. } => of(StatusCode::CONFLICT, "not-held"),
            EngineError::Stale {
                scope,
                seen,
                current,
                since,
                since_count,
            } => of(StatusCode::CONFLICT, "stale")
                .with("scope", scope)
                .with("seen", seen)
                .with("current", current)
                .with("since", since)
                .with("since_count", since_count),
            EngineError::WrongState { .. } => Self::wrong_state(message),
            EngineError::NothingLeft { .. } => of(StatusCode::CONFLICT, "nothing-left"),
            EngineError::CannotRevert { .. } => of(StatusCode::CONFLICT, "cannot-revert"),
            EngineError::BadValue { .. } | EngineError::Taken { .. } => Self::bad_request(message),
            EngineError::RefusedVideo { .. } | EngineError::Refused(_) => {
                of(StatusCode::UNPROCESSABLE_ENTITY, "refused")
            }
            EngineError::Model(error) => error.into(),
            // A path on the server is nobody's business: the log has it.
            error => {
                eprintln!("error: {error}");
                Self::failed("the project cannot be read or written; the server's log says why")
            }
        }
    }
}

/// Misuse of the model is the request's fault; what is wrong with files is not.
impl From<masklet::Error> for ApiError {
    fn from(error: masklet::Error) -> Self {
        match error {
            masklet::Error::Model(_) | masklet::Error::Media(_) => {
                eprintln!("error: {error}");
                Self::failed("a frame cannot be read; the server's log says why")
            }
            error => Self::bad_request(error.to_string()),
        }
    }
}

impl From<masklet_media::MediaError> for ApiError {
    fn from(error: masklet_media::MediaError) -> Self {
        masklet::Error::from(error).into()
    }
}

/// The task that a scope is about.
pub(crate) fn task_of(scope: Scope) -> Option<TaskId> {
    match scope {
        Scope::Task(task) => Some(task),
        _ => None,
    }
}
