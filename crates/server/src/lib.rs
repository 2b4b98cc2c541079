//! The data engine's server: what the annotation page and scripts talk to.
//!
//! [`Server::bind`] takes a project and a model, [`Server::run`] answers until it is told to stop.
//! The API is described by `openapi.json`, which the server has at `/api/openapi.json`, and by
//! `docs/annotate-api.md`.
//!
//! Three decisions shape the code. **The project is the truth**: a session with the model is compared
//! with what is stored before each use (`work/session.rs`), so that undo, other people's changes, a
//! session that was dropped and a server that was killed need no code of their own. **The model has
//! one thread and one queue** (`work/queue.rs`): clicks before tracked frames, everybody in turn; a
//! propagation computes one frame each time. **Nobody is trusted for being near**: every request
//! needs a token, also on this machine, and those of other sites' pages are refused (`guard.rs`).

mod api;
mod auth;
mod error;
mod exports;
mod guard;
mod live;
mod media;
mod options;
mod page;
mod routes;
mod searches;
mod server;
mod state;
mod work;

pub use options::{Limits, ServerOptions, StartError};
pub use server::Server;
