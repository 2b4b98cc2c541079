//! What holds for the whole project.

use axum::Json;
use masklet_engine::{EventId, Phase, Project, Scope, Settings};
use serde::{Deserialize, Serialize};

use super::Body;
use crate::auth::Caller;
use crate::error::Result;
use crate::routes::Routes;
use crate::state::State;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/settings", show)
        .patch("/api/settings", change)
}

#[derive(Serialize)]
struct SettingsAt {
    settings: Settings,
    revision: EventId,
}

/// Read first the revision, then the settings: whoever changes settings in between makes the
/// caller's next change stale, and not the other way round.
fn read(project: &Project) -> Result<SettingsAt> {
    let revision = project.revision(Scope::Project)?;
    Ok(SettingsAt {
        settings: project.settings()?,
        revision,
    })
}

async fn show(state: axum::extract::State<State>, _: Caller) -> Result<Json<SettingsAt>> {
    let settings = state.blocking(|state| read(&state.project));
    Ok(Json(settings.await?))
}

/// The settings to change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    seen: EventId,
    name: Option<String>,
    phase: Option<Phase>,
    annotation_rate: Option<u32>,
    lease_seconds: Option<u32>,
    verify_own_work: Option<bool>,
    held_out_percent: Option<u8>,
    max_video_frames: Option<u32>,
    max_video_bytes: Option<u64>,
}

impl Change {
    fn apply(self, settings: &mut Settings) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut settings.name, self.name);
        set(&mut settings.phase, self.phase);
        set(&mut settings.annotation_rate, self.annotation_rate);
        set(&mut settings.lease_seconds, self.lease_seconds);
        set(&mut settings.verify_own_work, self.verify_own_work);
        set(&mut settings.held_out_percent, self.held_out_percent);
        set(&mut settings.max_video_frames, self.max_video_frames);
        set(&mut settings.max_video_bytes, self.max_video_bytes);
    }
}

async fn change(
    state: axum::extract::State<State>,
    caller: Caller,
    Body(change): Body<Change>,
) -> Result<Json<SettingsAt>> {
    let changed = state.blocking(move |state| {
        let seen = Some(change.seen);
        let edit = |settings: &mut Settings| change.apply(settings);
        let done = state.project.change_settings(caller.id(), seen, edit)?;
        Ok(SettingsAt {
            settings: done.value,
            revision: done.revision,
        })
    });
    Ok(Json(changed.await?))
}
