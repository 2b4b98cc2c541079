//! Data sets to be fetched.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body as Bytes, Bytes as Part};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use masklet_engine::export::{ExportOptions, Format, Part as Videos};
use masklet_engine::{MaskletState, Temporary};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::{At, Body};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::exports::Written;
use crate::routes::Routes;
use crate::state::State;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .post("/api/exports", write)
        .get("/api/exports/{export}/zip", fetch)
}

type Shared = axum::extract::State<State>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    format: Format,
    states: Option<Vec<MaskletState>>,
    part: Option<Videos>,
    #[serde(default)]
    videos: Vec<String>,
    sav_step: Option<u32>,
}

impl Wanted {
    fn options(self) -> ExportOptions {
        let usual = ExportOptions::new(self.format);
        ExportOptions {
            states: self.states.unwrap_or(usual.states),
            part: self.part.unwrap_or(usual.part),
            videos: self.videos,
            sav_step: self.sav_step.unwrap_or(usual.sav_step),
            ..usual
        }
    }
}

async fn write(state: Shared, caller: Caller, Body(wanted): Body<Wanted>) -> Result<Json<Value>> {
    caller.must_own("export data sets")?;
    let written = state.blocking(move |state| {
        let failed = |why: std::io::Error| {
            eprintln!("error: a data set cannot be written: {why}");
            ApiError::failed("the data set cannot be written; the server's log says why")
        };
        let folder = state.project.temporary_folder(Temporary::Export);
        let folder = folder.map_err(failed)?;
        let dataset = folder.path().join("dataset");
        let report = state
            .project
            .export(&dataset, &wanted.options(), &mut |_| ())?;
        let (id, bytes) = state.exports.keep(folder).map_err(failed)?;
        Ok(json!({ "id": id, "report": report, "bytes": bytes }))
    });
    Ok(Json(written.await?))
}

async fn fetch(state: Shared, caller: Caller, At(id): At<String>) -> Result<Response> {
    caller.must_own("export data sets")?;
    let written = state.exports.get(&id).ok_or_else(|| {
        ApiError::not_found("there is no such data set (any more): write it again")
    })?;
    let failed = |_| ApiError::failed("the data set cannot be read");
    let file = tokio::fs::File::open(written.path())
        .await
        .map_err(failed)?;
    let bytes = file.metadata().await.map_err(failed)?.len();
    let headers = [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (CONTENT_LENGTH, bytes.to_string()),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"dataset.zip\"".to_owned(),
        ),
    ];
    Ok((headers, stream(file, written)).into_response())
}

/// A file, block by block; it stays until it was sent.
fn stream(file: tokio::fs::File, written: Arc<Written>) -> Bytes {
    const BLOCK: usize = 1 << 16;
    let blocks = futures_util::stream::unfold((file, written), |(mut file, written)| async {
        let mut block = vec![0; BLOCK];
        match file.read(&mut block).await {
            Ok(0) => None,
            Ok(length) => {
                block.truncate(length);
                Some((Ok(Part::from(block)), (file, written)))
            }
            Err(why) => Some((Err(why), (file, written))),
        }
    });
    Bytes::from_stream(blocks)
}
