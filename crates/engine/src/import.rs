//! Data sets as masklets of the project, so that they can be repaired and added to.

mod sources;

use std::path::Path;

use masklet_media::Rle;
use serde::Serialize;

use crate::frames::{self, MaskUpdate};
use crate::history::Action;
use crate::settings;
use crate::tasks::{self, MaskletRow, MaskletState, NewMasklet, TaskState};
use crate::{
    Done, EngineError, Kind, MaskletId, Project, Result, Scope, UserId, VideoId, VideoImport,
    videos,
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
                let taken = self.import_with_masklets(user, &video, &[], arrival);
                report.note(path.display().to_string(), taken)?;
                imported(&video.name);
            }
            Some(videos) => {
                for name in videos.names().to_vec() {
                    let taken = videos
                        .read(&name)
                        .and_then(|DatasetVideo { video, masklets }| {
                            self.import_with_masklets(user, &video, &masklets, arrival)
                        });
                    report.note(name.clone(), taken)?;
                    imported(&name);
                }
            }
        }
        Ok(report)
    }

    fn import_with_masklets(
        &self,
        user: UserId,
        video: &VideoImport,
        masklets: &[DatasetMasklet],
        arrival: Arrival,
    ) -> Result<ImportedVideo> {
        let id = self.import_video(user, video, &mut |_| ())?.value;
        if !masklets.is_empty() {
            // A video whose masklets do not fit it is no use without them.
            if let Err(error) = self.import_masklets(user, id, masklets, arrival) {
                self.remove_video(user, id)?;
                return Err(error);
            }
        }
        let video = self.video(id)?;
        Ok(ImportedVideo {
            id,
            name: video.name,
            frames: video.frames,
            masklets: masklets.len(),
        })
    }

    /// Takes in the masklets of a video as one task.
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
        let all = || masklets.iter().flat_map(|masklet| &masklet.frames);
        let places = self.masks().write(all().map(|frame| &frame.mask))?;
        self.change(user, |change| {
            change.author()?.must_own("import masklets")?;
            let known = videos::read(change, video)?;
            let settings = settings::read(change)?;
            let (task_state, state) = match arrival {
                Arrival::Satisfactory => (TaskState::Done, MaskletState::Satisfactory),
                Arrival::Verify => (TaskState::Verify, MaskletState::Submitted),
                Arrival::Annotate => (TaskState::Annotate, MaskletState::Open),
            };
            let step = known.annotation_step(settings.annotation_rate);
            let task = tasks::insert_task(change, video, settings.phase, step, task_state)?;
            let mut ids = Vec::new();
            let mut places = places.as_slice();
            for masklet in masklets {
                let new = NewMasklet::default();
                let id = tasks::insert_masklet(
                    change,
                    &MaskletRow {
                        task,
                        video,
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
                    update.check_fits(&known)?;
                }
                let (own, others) = places.split_at(updates.len());
                frames::write(change, &updates, own)?;
                places = others;
                ids.push(id);
            }
            let action = Action::ImportMasklets {
                video: known.name,
                masklets: ids.len(),
            };
            Ok((ids, Scope::Video(video), action))
        })
    }
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
    fn note(&mut self, name: String, taken: Result<ImportedVideo>) -> Result<()> {
        match taken {
            Ok(video) => self.videos.push(video),
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
