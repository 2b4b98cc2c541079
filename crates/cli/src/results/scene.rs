//! A tracked frame, as those see it who write results.

use std::cell::OnceCell;

use masklet::{FrameResult, ObjectId};
use masklet_data::record::Records;
use masklet_media::overlay::draw_labels;
use masklet_media::{Mask, OverlayObject, PromptMark, RgbImage, draw_overlay};

use super::{FrameMarks, VideoInfo};
use crate::failure::Failure;
use crate::output::OutputFolder;

/// One frame with all that is known of it.
pub(super) struct Scene<'a> {
    /// Where results go.
    pub(super) folder: &'a OutputFolder,
    /// The objects with their logits.
    pub(super) result: &'a FrameResult,
    /// The frame's picture.
    pub(super) picture: &'a RgbImage,
    /// The mask of each object, in the order of the result.
    pub(super) masks: Vec<(ObjectId, Mask)>,
    /// The frame's prompts.
    pub(super) marks: &'a FrameMarks,
    overlay: OnceCell<RgbImage>,
}

/// Who makes something of every frame.
pub(super) trait Sink {
    /// Takes in a frame.
    fn add(&mut self, scene: &Scene<'_>) -> Result<(), Failure>;

    /// Makes everything taken in so far survive the end of the process.
    fn checkpoint(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Writes what is made of the whole video.
    fn finish(&mut self, _whole: &Whole<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The whole video, when it has been tracked.
pub(super) struct Whole<'a> {
    /// Where results go.
    pub(super) folder: &'a OutputFolder,
    /// The video.
    pub(super) video: &'a VideoInfo,
    /// What was recorded.
    pub(super) records: &'a Records,
    /// Whether tracking reached its end.
    pub(super) complete: bool,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        folder: &'a OutputFolder,
        result: &'a FrameResult,
        picture: &'a RgbImage,
        marks: &'a FrameMarks,
    ) -> Self {
        let mask = |object: &masklet::ObjectMask| (object.id, object.mask());
        Self {
            folder,
            result,
            picture,
            masks: result.objects.iter().map(mask).collect(),
            marks,
            overlay: OnceCell::new(),
        }
    }

    /// The frame's number in the video.
    pub(super) fn frame(&self) -> usize {
        self.result.frame
    }

    /// The picture with masks, prompts, numbers and occlusion markers. It is drawn once.
    pub(super) fn overlay(&self) -> Result<&RgbImage, Failure> {
        if let Some(drawn) = self.overlay.get() {
            return Ok(drawn);
        }
        let drawn = draw(self.picture, &self.masks, self.marks)?;
        Ok(self.overlay.get_or_init(|| drawn))
    }
}

/// Draws masks, prompts, numbers and occlusion markers onto a picture.
pub(super) fn draw(
    picture: &RgbImage,
    masks: &[(ObjectId, Mask)],
    marks: &FrameMarks,
) -> Result<RgbImage, Failure> {
    let marks_of = |id: ObjectId| -> &[PromptMark] {
        let found = marks.iter().find(|(prompted, _)| *prompted == id);
        found.map_or(&[], |(_, marks)| marks)
    };
    let objects: Vec<OverlayObject<'_>> = masks
        .iter()
        .map(|(id, mask)| OverlayObject {
            id: *id,
            mask: Some(mask),
            prompts: marks_of(*id),
        })
        .collect();
    let mut canvas = draw_overlay(picture, &objects)?;
    draw_labels(&mut canvas, &objects);
    Ok(canvas)
}
