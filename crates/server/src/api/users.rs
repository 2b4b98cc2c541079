//! Who works on the project, and their tokens.

use axum::Json;
use masklet_engine::{EventId, Project, Role, Scope, User, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{At, Body};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::routes::Routes;
use crate::state::State;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/users", list)
        .post("/api/users", add)
        .patch("/api/users/{user}", change)
        .post("/api/users/{user}/token", make_token)
}

type Shared = axum::extract::State<State>;

#[derive(Serialize)]
struct UserAt {
    #[serde(flatten)]
    user: User,
    revision: EventId,
}

async fn list(state: Shared, _: Caller) -> Result<Json<Vec<UserAt>>> {
    let users = state.blocking(|state| {
        let users = state.project.users()?.into_iter().map(|user| {
            let revision = state.project.revision(Scope::User(user.id))?;
            Ok(UserAt { user, revision })
        });
        users.collect()
    });
    Ok(Json(users.await?))
}

fn read(project: &Project, id: UserId) -> Result<User> {
    let found = project.users()?.into_iter().find(|user| user.id == id);
    found.ok_or_else(|| {
        ApiError::not_found(format!("there is no user {id}: GET /api/users lists them"))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    name: String,
    role: Role,
}

async fn add(state: Shared, caller: Caller, Body(add): Body<Add>) -> Result<Json<User>> {
    let added = state.blocking(move |state| {
        let done = state.project.add_user(caller.id(), &add.name, add.role)?;
        read(&state.project, done.value)
    });
    Ok(Json(added.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    seen: EventId,
    role: Option<Role>,
    active: Option<bool>,
}

async fn change(
    state: Shared,
    caller: Caller,
    At(user): At<UserId>,
    Body(change): Body<Change>,
) -> Result<Json<User>> {
    let changed = state.blocking(move |state| {
        let project = &state.project;
        caller.must_own("change users")?;
        let known = read(project, user)?;
        let role = change.role.unwrap_or(known.role);
        let active = change.active.unwrap_or(known.active);
        project.change_user(caller.id(), user, role, active, Some(change.seen))?;
        read(project, user)
    });
    Ok(Json(changed.await?))
}

async fn make_token(state: Shared, caller: Caller, At(user): At<UserId>) -> Result<Json<Value>> {
    let token = state.blocking(move |state| Ok(state.project.new_token(caller.id(), user)?));
    Ok(Json(json!({ "token": token.await?.secret() })))
}
