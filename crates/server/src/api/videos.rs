//! Videos: taken in, shown frame by frame and as contact sheets, removed.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Body as Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use masklet_engine::{
    Masklet, MaskletId, MaskletState, Pixels, Project, TaskQuery, Temporary, Video, VideoId,
    VideoImport,
};
use masklet_media::{Mask, open_video};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{At, Params};
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::media::{PictureFormat, contact_sheet};
use crate::routes::Routes;
use crate::state::State;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/api/videos", list)
        .post("/api/videos", upload)
        .get("/api/videos/{video}", show)
        .delete("/api/videos/{video}", remove)
        .get("/api/videos/{video}/frames/{frame}", frame)
        .get("/api/videos/{video}/sheet", sheet)
}

/// A video, with what the page would have to compute.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    video: Video,
    fps: f64,
    seconds: f64,
    held_out: bool,
}

impl Shown {
    fn of(video: Video, held_out_percent: u8) -> Self {
        Self {
            fps: video.frames_per_second(),
            seconds: video.seconds(),
            held_out: Project::is_held_out(&video, held_out_percent),
            video,
        }
    }

    fn read(project: &Project, video: VideoId) -> Result<Self> {
        let percent = project.settings()?.held_out_percent;
        Ok(Self::of(project.video(video)?, percent))
    }
}

async fn list(state: axum::extract::State<State>, _: Caller) -> Result<Json<Vec<Shown>>> {
    let videos = state.blocking(|state| {
        let percent = state.project.settings()?.held_out_percent;
        let videos = state.project.videos()?.into_iter();
        Ok(videos.map(|video| Shown::of(video, percent)).collect())
    });
    Ok(Json(videos.await?))
}

async fn show(
    state: axum::extract::State<State>,
    _: Caller,
    At(video): At<VideoId>,
) -> Result<Json<Shown>> {
    let shown = state.blocking(move |state| Shown::read(&state.project, video));
    Ok(Json(shown.await?))
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn upload(
    state: axum::extract::State<State>,
    caller: Caller,
    Params(Named { name }): Params<Named>,
    body: Bytes,
) -> Result<Json<Shown>> {
    caller.must_own("import videos")?;
    let folder = state.project.temporary_folder(Temporary::Upload);
    let folder = folder.map_err(|why| disk(&why))?;
    // What the file is called here says nothing but its format, and that only to people.
    let path = folder.path().join("video");
    receive(body, &path, state.limits.upload_bytes).await?;
    let turn = Arc::clone(&state.importing).acquire_owned().await;
    let shown = state.blocking(move |state| {
        // Kept until the video is taken in, also if whoever sent it has left.
        let (folder, _turn) = (folder, turn);
        let path = folder.path().join("video");
        let video = take_in(state, &caller, &name, &path)?;
        state.live.videos();
        Shown::read(&state.project, video)
    });
    Ok(Json(shown.await?))
}

/// Writes what arrives into a file, as far as it is accepted.
async fn receive(body: Bytes, path: &Path, most: u64) -> Result<()> {
    let mut file = tokio::fs::File::create(path)
        .await
        .map_err(|why| disk(&why))?;
    let mut parts = body.into_data_stream();
    let mut bytes: u64 = 0;
    while let Some(part) = parts.next().await {
        let part =
            part.map_err(|_| ApiError::bad_request("the video did not arrive completely"))?;
        bytes += part.len() as u64;
        if bytes > most {
            return Err(ApiError::too_large(format!(
                "the video has more than the {most} bytes that are accepted: cut it, or import it \
                 with `masklet engine import`"
            )));
        }
        file.write_all(&part).await.map_err(|why| disk(&why))?;
    }
    file.flush().await.map_err(|why| disk(&why))
}

fn disk(why: &std::io::Error) -> ApiError {
    eprintln!("error: an upload cannot be written: {why}");
    ApiError::failed("the upload cannot be written; the server's log says why")
}

/// Takes an uploaded file into the project.
fn take_in(state: &State, caller: &Caller, name: &str, path: &Path) -> Result<VideoId> {
    let refused = |why: String| masklet_engine::EngineError::RefusedVideo {
        name: name.to_owned(),
        why,
    };
    // Its header tells the size before anything is decoded.
    let opened = open_video(path).map_err(|why| refused(without_path(&why.to_string(), path)))?;
    let (width, height) = opened.dimensions();
    let most = state.limits.frame_pixels;
    if u64::from(width) * u64::from(height) > most {
        return Err(refused(format!(
            "its frames have {width}x{height} pixels, and at most {most} in all are accepted; make \
             them smaller"
        ))
        .into());
    }
    drop(opened);
    // The name is shown and nothing else: `a/../b.mp4` is called so.
    let title = name.rsplit_once('.').map_or(name, |(title, _)| title);
    let import = VideoImport {
        name: title.to_owned(),
        pixels: Pixels::File(path.to_owned()),
        environment: None,
        split: None,
    };
    const TOLD_EVERY: u32 = 50;
    let done = state
        .project
        .import_video(caller.id(), &import, &mut |frames| {
            if frames % TOLD_EVERY == 0 {
                state.live.import(title, frames);
            }
        });
    let done = done.map_err(|why| match why {
        masklet_engine::EngineError::RefusedVideo { name, why } => {
            masklet_engine::EngineError::RefusedVideo {
                name,
                why: without_path(&why, path),
            }
        }
        why => why,
    });
    Ok(done?.value)
}

/// A message without the file's place on the server.
fn without_path(message: &str, path: &Path) -> String {
    message.replace(&path.display().to_string(), "the file")
}

async fn remove(
    state: axum::extract::State<State>,
    caller: Caller,
    At(video): At<VideoId>,
) -> Result<Json<Value>> {
    let removed = state.blocking(move |state| {
        let tasks = state.project.tasks(TaskQuery {
            video: Some(video),
            ..TaskQuery::default()
        })?;
        let done = state.project.remove_video(caller.id(), video)?;
        state.media.forget(video);
        for task in tasks {
            state.live.gone(task.id);
        }
        state.live.videos();
        Ok(json!({ "revision": done.revision }))
    });
    Ok(Json(removed.await?))
}

#[derive(Deserialize)]
struct Encoding {
    #[serde(default)]
    format: PictureFormat,
}

async fn frame(
    state: axum::extract::State<State>,
    _: Caller,
    headers: HeaderMap,
    At((video, frame)): At<(VideoId, u32)>,
    Params(Encoding { format }): Params<Encoding>,
) -> Result<Response> {
    let known = headers.get(IF_NONE_MATCH).cloned();
    let found = state.blocking(move |state| {
        let project = &state.project;
        // Named by its content: another project's video has the same number at the same address.
        let file = project.video(video)?.file;
        let tag = format!("\"{file}-{frame}-{}\"", format.extension());
        let fresh = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
        let bytes = match fresh {
            true => None,
            false => Some(state.media.encoded(project, video, frame, format)?),
        };
        Ok((tag, bytes))
    });
    let (tag, bytes) = found.await?;
    let headers = [
        (CONTENT_TYPE, format.content_type().to_owned()),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
        (ETAG, tag),
    ];
    Ok(match bytes {
        Some(bytes) => (headers, bytes.as_ref().clone()).into_response(),
        None => (StatusCode::NOT_MODIFIED, headers).into_response(),
    })
}

#[derive(Deserialize)]
struct Sheet {
    frames: Option<u32>,
    columns: Option<u32>,
    width: Option<u32>,
    masklet: Option<MaskletId>,
}

async fn sheet(
    state: axum::extract::State<State>,
    _: Caller,
    At(video): At<VideoId>,
    Params(wanted): Params<Sheet>,
) -> Result<Response> {
    let bytes = state.blocking(move |state| draw_sheet(state, video, &wanted));
    let headers = [
        (CONTENT_TYPE, "image/jpeg"),
        (CACHE_CONTROL, "private, no-cache"),
    ];
    Ok((headers, bytes.await?).into_response())
}

fn draw_sheet(state: &State, video: VideoId, wanted: &Sheet) -> Result<Vec<u8>> {
    let project = &state.project;
    let video = project.video(video)?;
    let count = wanted.frames.unwrap_or(8).clamp(1, 64).min(video.frames);
    let columns = wanted.columns.unwrap_or(4).clamp(1, 16);
    let width = wanted.width.unwrap_or(240).clamp(16, 640);
    let tasks = project.tasks(TaskQuery {
        video: Some(video.id),
        ..TaskQuery::default()
    })?;
    let masklets = tasks.iter().flat_map(|task| &task.masklets);
    let masklets: Vec<&Masklet> = masklets
        .filter(|masklet| match wanted.masklet {
            Some(one) => masklet.id == one,
            None => masklet.state != MaskletState::Rejected,
        })
        .collect();
    let mut pictures = Vec::new();
    for index in 0..count {
        let frame = (u64::from(index) * u64::from(video.frames) / u64::from(count)) as u32;
        let picture = state.media.picture(project, &video, frame)?;
        let mut masks: Vec<(u32, Mask)> = Vec::new();
        for masklet in &masklets {
            if let Some(entry) = project.frame(masklet.id, frame)? {
                let mask = project.read_masks(&[entry.mask])?.remove(0);
                masks.push((masklet.number, mask.decode()));
            }
        }
        pictures.push((picture, masks));
    }
    contact_sheet(&pictures, columns as usize, width)
}
