//! The WebSocket: propagations, and what happens meanwhile. `docs/annotate-api.md` describes its
//! messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use masklet_engine::TaskId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::annotate::PropagateBody;
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::routes::Routes;
use crate::state::State;
use crate::work::{Control, Happened, Propagation};

/// Bytes of a message to the server: none is long.
const MOST_BYTES: usize = 1 << 16;
/// How often it is looked whether somebody is still there, and still welcome.
const CHECK: Duration = Duration::from_secs(10);
/// How long nothing comes from somebody who has left without a word.
const SILENCE: Duration = Duration::from_secs(45);
/// Propagations of one client at a time.
const MOST_PROPAGATIONS: usize = 16;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes.get("/api/live", connect)
}

async fn connect(
    state: axum::extract::State<State>,
    caller: Caller,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let token = state.gate.token(&headers).unwrap_or_default().to_owned();
    let upgrade = upgrade
        .max_message_size(MOST_BYTES)
        .max_frame_size(MOST_BYTES);
    upgrade.on_upgrade(|socket| Client::new(state.0, caller, token).serve(socket))
}

/// What a client may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Propagate {
        id: String,
        task: TaskId,
        #[serde(flatten)]
        what: PropagateBody,
    },
    Pause {
        id: String,
    },
    Resume {
        id: String,
    },
    Cancel {
        id: String,
    },
    Ping,
}

/// Somebody at the other end.
struct Client {
    state: State,
    caller: Caller,
    /// What they came with. It may be void by now.
    token: String,
    /// When something came from there.
    heard: Instant,
    /// Propagations that have not ended, by the client's names.
    running: HashMap<String, Arc<Control>>,
    /// What their propagations tell, as messages; the name of one that has ended, if one has.
    told: UnboundedReceiver<(Value, Option<String>)>,
    tell: UnboundedSender<(Value, Option<String>)>,
}

impl Drop for Client {
    fn drop(&mut self) {
        for control in self.running.values() {
            control.cancel();
        }
        self.state.worker.nudge();
    }
}

impl Client {
    fn new(state: State, caller: Caller, token: String) -> Self {
        let (tell, told) = unbounded_channel();
        Self {
            state,
            caller,
            token,
            heard: Instant::now(),
            running: HashMap::new(),
            told,
            tell,
        }
    }

    async fn serve(mut self, mut socket: WebSocket) {
        let mut notices = self.state.live.listen();
        let mut check = tokio::time::interval(CHECK);
        let hello = json!({
            "type": "hello",
            "user": self.caller.0,
            "model": self.state.model(),
        });
        let mut sent = send(&mut socket, &hello).await;
        while sent.is_ok() {
            sent = tokio::select! {
                message = socket.recv() => {
                    self.heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => match self.hear(&text) {
                            Some(answer) => send(&mut socket, &answer).await,
                            None => Ok(()),
                        },
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                        Some(Ok(_)) => Ok(()),
                    }
                }
                _ = check.tick() => {
                    if self.heard.elapsed() > SILENCE || !self.is_welcome().await {
                        return;
                    }
                    // Answered by every browser and library by itself.
                    socket.send(Message::Ping(Vec::new().into())).await
                }
                Some((message, ended)) = self.told.recv() => {
                    if let Some(id) = ended {
                        self.running.remove(&id);
                    }
                    send(&mut socket, &message).await
                }
                notice = notices.recv() => match notice {
                    Ok(notice) if notice.to.is_none_or(|user| user == self.caller.id()) => {
                        send(&mut socket, &notice.message).await
                    }
                    Ok(_) => Ok(()),
                    Err(RecvError::Lagged(_)) => {
                        send(&mut socket, &json!({ "type": "lagging" })).await
                    }
                    Err(RecvError::Closed) => return,
                },
            };
        }
    }

    /// Whether they would be let in now: a token may be replaced, a user be disabled.
    async fn is_welcome(&self) -> bool {
        let token = self.token.clone();
        let found = self
            .state
            .blocking(move |state| state.gate.user(&state.project, &token));
        match found.await {
            Ok(user) => user.id == self.caller.id(),
            // A disk that fails for a moment throws nobody out.
            Err(error) => error.code() != "unauthorized",
        }
    }

    /// Does what the client says; what there is to answer at once.
    fn hear(&mut self, text: &str) -> Option<Value> {
        let error = |id: Option<&str>, error: &ApiError| {
            let error = error.to_json();
            Some(match id {
                Some(id) => json!({ "type": "error", "id": id, "error": error }),
                None => json!({ "type": "error", "error": error }),
            })
        };
        let said = match serde_json::from_str(text) {
            Ok(said) => said,
            Err(why) => {
                let why = format!("the message is not as docs/annotate-api.md describes it: {why}");
                return error(None, &ApiError::bad_request(why));
            }
        };
        let (id, steer): (String, fn(&Control)) = match said {
            Said::Ping => return Some(json!({ "type": "pong" })),
            Said::Propagate { id, task, what } => {
                return match self.propagate(&id, task, what) {
                    Ok(ahead) => Some(json!({ "type": "queued", "id": id, "ahead": ahead })),
                    Err(why) => error(Some(&id), &why),
                };
            }
            Said::Pause { id } => (id, Control::pause),
            Said::Resume { id } => (id, Control::resume),
            Said::Cancel { id } => (id, Control::cancel),
        };
        match self.running.get(&id) {
            Some(control) => {
                steer(control);
                self.state.worker.nudge();
                None
            }
            // It may have ended a moment ago; that was told.
            None => None,
        }
    }

    fn propagate(&mut self, id: &str, task: TaskId, what: PropagateBody) -> Result<usize> {
        if self.running.contains_key(id) {
            return Err(ApiError::bad_request(format!(
                "a propagation {id:?} is on its way: give each its own id"
            )));
        }
        if self.running.len() >= MOST_PROPAGATIONS {
            return Err(ApiError::busy(
                "too many propagations are on their way: wait for one's end",
            ));
        }
        let order = what.order(self.caller.id(), task)?;
        let control = Arc::new(Control::default());
        let (sender, happened) = unbounded_channel();
        let propagation = Propagation::new(order, Arc::clone(&control), sender);
        let ahead = self.state.worker.propagate(propagation)?;
        self.running.insert(id.to_owned(), control);
        tokio::spawn(pass_on(id.to_owned(), task, happened, self.tell.clone()));
        Ok(ahead)
    }
}

/// Passes on what a propagation tells, under the client's name for it.
async fn pass_on(
    id: String,
    task: TaskId,
    mut happened: UnboundedReceiver<Happened>,
    tell: UnboundedSender<(Value, Option<String>)>,
) {
    let mut ended = false;
    while let Some(happened) = happened.recv().await {
        ended = matches!(happened, Happened::Done(_) | Happened::Error(_));
        let mut message = match happened {
            Happened::Error(error) => json!({ "type": "error", "error": error.to_json() }),
            happened => json!(happened),
        };
        message["id"] = id.as_str().into();
        message["task"] = json!(task);
        if tell.send((message, ended.then(|| id.clone()))).is_err() {
            return;
        }
    }
    if !ended {
        // The server ends, and with it the worker.
        let error = ApiError::busy("the server is ending").to_json();
        let message = json!({ "type": "error", "id": id, "task": task, "error": error });
        let _ = tell.send((message, Some(id)));
    }
}

async fn send(socket: &mut WebSocket, message: &Value) -> Result<(), axum::Error> {
    socket.send(Message::Text(message.to_string().into())).await
}
