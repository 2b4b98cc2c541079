//! Data sets as masklets of the project, so that they can be repaired and added to.

mod sources;

use std::path::Path;

use masklet_media::Rle;
use serde::Serialize;

use crate::frames::{self, MaskUpdate};
use crate::history::Action;
use crate::masks::MaskPlace;
use crate::project::Change;
use crate::settings;
use crate::tasks::{self, MaskletRow, MaskletState, NewMasklet, TaskState};
use crate::{
    Done, EngineError, Kind, MaskletId, Project, Result, Scope, UserId, Video, VideoId,
    VideoImport, videos,
};

pub use sources::DatasetVideos;

/// A video of a data set with its masklets.
#[derive(Clone, Debug)]
pub struct DatasetVideo {
    /// The video.
    pub video: VideoImport,
    /// Its masklets, in the data set's order.
    pub masklets: Vec<DatasetMasklet>,
}

/// A masklet of a data set.
#[derive(Clone, Debug)]
pub struct DatasetMasklet {
    /// The object's number in the data set.
    pub number: u32,
    /// Who made it.
    pub kind: Kind,
    /// On how many frames somebody edited it, if the data set tells.
    pub edited_frames: u64,
    /// Its annotated frames.
    pub frames: Vec<DatasetFrame>,
}

/// A masklet of a data set on an annotated frame.
#[derive(Clone, Debug)]
pub struct DatasetFrame {
    /// The frame's place in the video, from 0.
    pub frame: u32,
    /// The mask; empty where the object is not visible.
    pub mask: Rle,
    /// The logit of the object's being in the picture, if the data set tells.
    pub occlusion_score: Option<f32>,
    /// How little the mask depends on the threshold, if the data set tells.
    pub stability_score: Option<f32>,
}

/// What becomes of masklets that are imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// They are as they should be.
    #[default]
    Satisfactory,
    /// They are to be verified.
    Verify,
    /// They are to be repaired.
    Annotate,
}

/// What was taken in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ImportReport {
    /// The videos that were taken in.
    pub videos: Vec<ImportedVideo>,
    /// What was not, and why.
    pub refused: Vec<(String, String)>,
}

/// What was taken in of a video.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportedVideo {
    /// Its number.
    pub id: VideoId,
    /// Its name.
    pub name: String,
    /// Its frames.
    pub frames: u32,
    /// Masklets that came with it.
    pub masklets: usize,
}

impl Project {
    /// Takes in what is at a path: a video file, a folder of pictures, a data set in a layout that
    /// `masklet_data` recognises, or a COCO or YouTube-VIS file of one video's tracks, with its
    /// pictures beside it. `imported` is called after each video.
    ///
    /// A video that is refused is reported and the others are taken in.
    ///
    /// # Errors
    /// If the path is none of these; [`EngineError::Forbidden`].
    pub fn import(
        &self,
        user: UserId,
        path: &Path,
        arrival: Arrival,
        imported: &mut dyn FnMut(&str),
    ) -> Result<ImportReport> {
        let mut report = ImportReport::default();
        match DatasetVideos::open(path)? {
            None => {
                let video = VideoImport::of(path)?;
                let taken = self.import_with_masklets(user, &video, &[], arrival, &mut |_| ());
                report.note(path.display().to_string(), taken, 0)?;
                imported(&video.name);
            }
            Some(videos) => {
                for name in videos.names().to_vec() {
                    let mut count = 0;
                    let taken = videos
                        .read(&name)
                        .and_then(|DatasetVideo { video, masklets }| {
                            count = masklets.len();
                            let decoded = &mut |_| ();
                            self.import_with_masklets(user, &video, &masklets, arrival, decoded)
                        });
                    report.note(name.clone(), taken, count)?;
                    imported(&name);
                }
            }
        }
        Ok(report)
    }

    /// Takes in a video with its masklets as one event: whatever happens, it is not there without
    /// them.
    pub(crate) fn import_with_masklets(
        &self,
        user: UserId,
        video: &VideoImport,
        masklets: &[DatasetMasklet],
        arrival: Arrival,
        decoded: &mut dyn FnMut(u32),
    ) -> Result<Done<Video>> {
        let copied = self.copy_video(user, video, decoded)?;
        let places = self.write_masks(masklets)?;
        self.change(user, |change| {
            let known = videos::insert(change, video, &copied)?;
            if !masklets.is_empty() {
                insert(change, &known, masklets, &places, arrival)?;
            }
            let scope = Scope::Video(known.id);
            let action = Action::ImportVideo {
                name: known.name.clone(),
                frames: known.frames,
                masklets: masklets.len(),
            };
            Ok((known, scope, action))
        })
    }

    /// Takes in the masklets of a video that is there as one task.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] if a mask does not fit the video; [`EngineError::Refused`] if two
    /// objects of one kind have the same number; [`EngineError::Forbidden`].
    pub fn import_masklets(
        &self,
        user: UserId,
        video: VideoId,
        masklets: &[DatasetMasklet],
        arrival: Arrival,
    ) -> Result<Done<Vec<MaskletId>>> {
        const ACTION: &str = "import masklets";
        self.rehearse(user, |change| change.author()?.must_own(ACTION))?;
        let places = self.write_masks(masklets)?;
        self.change(user, |change| {
            change.author()?.must_own(ACTION)?;
            let known = videos::read(change, video)?;
            let ids = insert(change, &known, masklets, &places, arrival)?;
            let action = Action::ImportMasklets {
                video: known.name,
                masklets: ids.len(),
            };
            Ok((ids, Scope::Video(video), action))
        })
    }

    /// Each masklet has files of its own: its player reads no others.
    fn write_masks(&self, masklets: &[DatasetMasklet]) -> Result<Vec<Vec<MaskPlace>>> {
        let of = |masklet: &DatasetMasklet| {
            self.masks()
                .write(masklet.frames.iter().map(|frame| &frame.mask))
        };
        masklets.iter().map(of).collect()
    }
}

/// Writes masklets whose masks are in the project's files already, at `places`, as one task.
fn insert(
    change: &Change<'_>,
    video: &Video,
    masklets: &[DatasetMasklet],
    places: &[Vec<MaskPlace>],
    arrival: Arrival,
) -> Result<Vec<MaskletId>> {
    let settings = settings::read(change)?;
    let (task_state, state) = match arrival {
        Arrival::Satisfactory => (TaskState::Done, MaskletState::Satisfactory),
        Arrival::Verify => (TaskState::Verify, MaskletState::Submitted),
        Arrival::Annotate => (TaskState::Annotate, MaskletState::Open),
    };
    let step = video.annotation_step(settings.annotation_rate);
    let task = tasks::insert_task(change, video.id, settings.phase, step, task_state)?;
    let new = NewMasklet::default();
    let mut ids = Vec::new();
    for (masklet, places) in masklets.iter().zip(places) {
        let id = tasks::insert_masklet(
            change,
            &MaskletRow {
                task,
                video: video.id,
                number: Some(masklet.number),
                kind: masklet.kind,
                new: &new,
                state,
                model: None,
                edited_before: masklet.edited_frames,
            },
        );
        let id = id.map_err(|error| same_number(error, masklet))?;
        let updates: Vec<MaskUpdate> = masklet
            .frames
            .iter()
            .map(|frame| frame.update(id))
            .collect();
        for update in &updates {
            update.check_fits(video)?;
        }
        frames::write(change, &updates, places)?;
        ids.push(id);
    }
    Ok(ids)
}

impl DatasetFrame {
    fn update(&self, masklet: MaskletId) -> MaskUpdate {
        MaskUpdate {
            occlusion_score: self.occlusion_score,
            stability_score: self.stability_score,
            ..MaskUpdate::new(masklet, self.frame, self.mask.clone())
        }
    }
}

impl ImportReport {
    /// Notes a video; what is wrong with the project and not with the video ends the import.
    fn note(&mut self, name: String, taken: Result<Done<Video>>, masklets: usize) -> Result<()> {
        match taken.map(|done| done.value) {
            Ok(video) => self.videos.push(ImportedVideo {
                id: video.id,
                name: video.name,
                frames: video.frames,
                masklets,
            }),
            Err(
                error @ (EngineError::RefusedVideo { .. }
                | EngineError::Media(_)
                | EngineError::Data(_)
                | EngineError::BadValue { .. }
                | EngineError::Refused(_)),
            ) => self.refused.push((name, error.to_string())),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn same_number(error: EngineError, masklet: &DatasetMasklet) -> EngineError {
    match error {
        EngineError::Database(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == rusqlite::ErrorCode::ConstraintViolation =>
        {
            EngineError::Refused(format!(
                "two {} masklets of the video have the number {}: give each its own",
                masklet.kind, masklet.number
            ))
        }
        error => error,
    }
}
