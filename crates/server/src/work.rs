//! The model's work: one thread, one queue that is fair to everybody, sessions that are rebuilt from
//! what is stored.

mod prompt;
mod propagation;
mod queue;
mod session;
mod sessions;
mod wanted;
mod worker;

pub(crate) use prompt::{Predicted, PromptOrder};
pub(crate) use propagation::{Control, Happened, Order, Outcome, Propagation};
pub(crate) use sessions::Sessions;
pub(crate) use worker::{Lane, Turn, Worker};
