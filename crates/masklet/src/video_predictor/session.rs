//! [`VideoSession`]: objects, prompts and memory over one video.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use masklet_media::{FrameRate, FrameSource, Mask, RgbImage, preprocess};

use super::features::FrameFeatures;
use super::object::{FrameOutput, Scene, TrackedObject};
use super::propagate::{Propagate, Propagation};
use super::{ClickHistory, FrameResult, ObjectId, ObjectMask, VideoOptions};
use crate::prompt::Frame;
use crate::upscale::{upscale, values};
use crate::{BoxPrompt, Click, Error, Model, Result};

/// Soft values of a resized mask prompt from here on count as the object.
const MASK_PROMPT_THRESHOLD: f32 = 0.5;
/// Pixels that another object has won are pushed below this logit.
const LOST_LOGIT: f32 = -10.0;

/// A video being annotated: prompt any object on any frame at any time, also after tracking.
///
/// Each prompt answers at once with the masks on its frame; [`propagate`](Self::propagate) then
/// carries all objects through the video. Objects do not influence each other (unless
/// [`non_overlapping`](VideoOptions::non_overlapping) masks are wanted), and share the work of
/// encoding each frame.
#[derive(Debug)]
pub struct VideoSession<S> {
    model: Model,
    options: VideoOptions,
    frames: FrameFeatures<S>,
    objects: Vec<TrackedObject>,
}

impl<S: FrameSource> VideoSession<S> {
    pub(super) fn new(model: Model, options: VideoOptions, source: S) -> Self {
        let frames = FrameFeatures::new(source, options.cached_frames);
        Self {
            model,
            options,
            frames,
            objects: Vec::new(),
        }
    }

    /// The same session with other objects.
    pub(super) fn with_objects(self, objects: Vec<TrackedObject>) -> Self {
        Self { objects, ..self }
    }

    /// The network that tracks.
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// All that is known of the objects.
    pub(super) fn tracked(&self) -> &[TrackedObject] {
        &self.objects
    }

    /// Whether there are no objects.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Where the frames come from.
    pub(super) fn source(&self) -> &S {
        self.frames.source()
    }

    /// Where the frames come from, to be changed.
    pub(super) fn source_mut(&mut self) -> &mut S {
        self.frames.source_mut()
    }

    /// Width and height of the video.
    pub fn dimensions(&self) -> (u32, u32) {
        self.frames.dimensions()
    }

    /// How many frames the video has, if that is known.
    pub fn frame_count(&self) -> Option<usize> {
        self.frames.count()
    }

    /// How many frames are shown in a second, if the source says.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        self.frames.source().frame_rate()
    }

    /// The objects, in the order they were added.
    pub fn objects(&self) -> Vec<ObjectId> {
        self.objects.iter().map(|object| object.id).collect()
    }

    /// The frames on which an object was prompted, in order of time.
    ///
    /// # Errors
    /// If there is no such object.
    pub fn prompted_frames(&self, id: ObjectId) -> Result<BTreeSet<usize>> {
        Ok(self.objects[self.find(id)?].prompted_frames())
    }

    /// Prompts an object with clicks; a new id adds an object. Returns the masks on the frame.
    ///
    /// # Errors
    /// If the frame does not exist or cannot be read, there are no clicks, or one is outside the
    /// picture. The session is then as before.
    pub fn add_clicks(
        &mut self,
        frame: usize,
        id: ObjectId,
        clicks: &[Click],
        history: ClickHistory,
    ) -> Result<FrameResult> {
        if clicks.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        self.prompt_with_points(frame, id, None, clicks, history)
    }

    /// Prompts an object with a box, and clicks if there are any, in place of the frame's earlier
    /// clicks. Returns the masks on the frame.
    ///
    /// # Errors
    /// As [`Self::add_clicks`], and if the box's corners are reversed.
    pub fn add_box(
        &mut self,
        frame: usize,
        id: ObjectId,
        bounds: BoxPrompt,
        clicks: &[Click],
    ) -> Result<FrameResult> {
        self.prompt_with_points(frame, id, Some(bounds), clicks, ClickHistory::Replace)
    }

    /// Gives an object's mask on a frame, at the video's size; it becomes the object's output
    /// there. Returns the masks on the frame.
    ///
    /// # Errors
    /// If the frame does not exist or cannot be read, or the mask has another size.
    pub fn add_mask(&mut self, frame: usize, id: ObjectId, mask: &Mask) -> Result<FrameResult> {
        self.add_masks(frame, &[(id, mask)])
    }

    /// Gives the masks of several objects on a frame, as [`Self::add_mask`] one by one, without
    /// working out the masks on the frame in between.
    ///
    /// # Errors
    /// As [`Self::add_mask`]; if a mask has another size, none is added.
    pub fn add_masks(&mut self, frame: usize, masks: &[(ObjectId, &Mask)]) -> Result<FrameResult> {
        for (_, mask) in masks {
            self.check_mask(mask)?;
        }
        self.frames.check(frame)?;
        for (id, mask) in masks {
            let hard = self.hard_mask(mask);
            self.look_at(frame, *id, |object, scene| {
                object.prompt_with_mask(scene, hard)
            })?;
        }
        Ok(self.result_on(frame))
    }

    /// Removes an object's prompts on a frame. Returns the masks that remain on the frame.
    ///
    /// # Errors
    /// If there is no such object or frame.
    pub fn clear_prompts(&mut self, frame: usize, id: ObjectId) -> Result<FrameResult> {
        self.frames.check(frame)?;
        let index = self.find(id)?;
        self.objects[index].clear_prompts(frame);
        Ok(self.result_on(frame))
    }

    /// Removes an object's prompts on all frames.
    ///
    /// # Errors
    /// If there is no such object.
    pub fn clear_all_prompts(&mut self, id: ObjectId) -> Result<()> {
        let index = self.find(id)?;
        let object = &mut self.objects[index];
        for frame in object.prompted_frames() {
            object.clear_prompts(frame);
        }
        Ok(())
    }

    /// Removes an object and all that is known of it.
    ///
    /// # Errors
    /// If there is no such object.
    pub fn remove_object(&mut self, id: ObjectId) -> Result<()> {
        let index = self.find(id)?;
        self.objects.remove(index);
        Ok(())
    }

    /// Forgets what tracking found more than `reach` frames from `frame`. Prompted frames stay. So an
    /// endless session with random access is bounded, which [`MemoryRetention::Reachable`] is for
    /// tracking in one direction. At least the model's number of object pointers (16) leaves
    /// tracking from `frame` on as it is.
    ///
    /// [`MemoryRetention::Reachable`]: crate::MemoryRetention::Reachable
    pub fn forget_beyond(&mut self, frame: usize, reach: usize) {
        for object in &mut self.objects {
            object.forget_beyond(frame, reach);
        }
    }

    /// Removes all objects. Encoded frames stay cached.
    pub fn reset(&mut self) {
        self.objects.clear();
    }

    /// The masks that are known on a frame, prompted or tracked.
    ///
    /// # Errors
    /// If the frame does not exist.
    pub fn masks_on(&self, frame: usize) -> Result<FrameResult> {
        self.frames.check(frame)?;
        Ok(self.result_on(frame))
    }

    /// The picture of a frame, read again from the source unless the frame was just used.
    ///
    /// # Errors
    /// If the frame does not exist or cannot be read.
    pub fn picture(&mut self, frame: usize) -> Result<Arc<RgbImage>> {
        self.frames.picture(frame)?.ok_or(Error::NoSuchFrame {
            frame,
            count: frame,
        })
    }

    /// Carries all objects through the video, frame by frame as the iterator is advanced. It can
    /// be dropped at any time; what was tracked so far is remembered.
    ///
    /// On the CPU, with more than one thread, the frame that comes next is read before a frame's masks
    /// are there, and encoded meanwhile. For frames that are still being made, such as a camera's,
    /// there is [`StreamTracker`](crate::StreamTracker).
    ///
    /// # Errors
    /// If there is nothing to track, an object has no prompted frame left, or a prompted frame
    /// cannot be read again.
    pub fn propagate(&mut self, propagation: Propagation) -> Result<Propagate<'_, S>> {
        self.settle(|_| true)?;
        Propagate::new(self, propagation)
    }

    /// The first and the last frame that objects are conditioned on.
    pub(super) fn conditioning_range(&self) -> Option<(usize, usize)> {
        let frames = || {
            self.objects
                .iter()
                .flat_map(TrackedObject::conditioning_frames)
        };
        Some((frames().min()?, frames().max()?))
    }

    /// Tracks the objects that are wanted on a frame; `None` past the end of the video. Meanwhile
    /// `next` is encoded, if it is known which frame that is.
    pub(super) fn track_frame(
        &mut self,
        frame: usize,
        next: Option<usize>,
        direction: crate::Direction,
        wanted: impl Fn(ObjectId) -> bool,
    ) -> Result<Option<FrameResult>> {
        let features = match next {
            Some(next) => self.frames.get_and_go_on(&self.model, frame, next)?,
            None => self.frames.get(&self.model, frame)?,
        };
        let Some(features) = features else {
            return Ok(None);
        };
        let scene = Scene {
            model: &self.model,
            options: &self.options,
            features: &features,
            frame,
            video_length: self.frames.count(),
        };
        let outputs = self
            .objects
            .iter_mut()
            .filter(|object| wanted(object.id))
            .map(|object| Ok((object.id, object.track(&scene, direction)?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Some(self.result(frame, outputs)))
    }

    pub(super) fn check_frame(&self, frame: usize) -> Result<()> {
        self.frames.check(frame)
    }

    /// Refuses a mask that is not of the video's size.
    pub(super) fn check_mask(&self, mask: &Mask) -> Result<()> {
        let (found, expected) = (mask.dimensions(), self.dimensions());
        match found == expected {
            true => Ok(()),
            false => Err(Error::MaskSize { found, expected }),
        }
    }

    fn prompt_with_points(
        &mut self,
        frame: usize,
        id: ObjectId,
        bounds: Option<BoxPrompt>,
        clicks: &[Click],
        history: ClickHistory,
    ) -> Result<FrameResult> {
        let geometry = Frame::new(self.dimensions(), self.model.config().image_size);
        let points = geometry.points(bounds, clicks)?;
        self.look_at(frame, id, |object, scene| {
            object.prompt_with_points(scene, points, history)
        })?;
        Ok(self.result_on(frame))
    }

    /// A mask as the network takes it, `[1, size, size, 1]`, 0 or 1.
    pub(super) fn hard_mask(&self, mask: &Mask) -> Tensor<4> {
        let size = self.model.config().image_size;
        let hard: Vec<f32> = preprocess::resize_mask(mask, size, size)
            .into_iter()
            .map(|soft| f32::from(u8::from(soft >= MASK_PROMPT_THRESHOLD)))
            .collect();
        let data = TensorData::new(hard, [1, size, size, 1]);
        Tensor::from_data(data, self.model.device())
    }

    /// Lets an object, new or known, look at a frame.
    pub(super) fn look_at(
        &mut self,
        frame: usize,
        id: ObjectId,
        look: impl FnOnce(&mut TrackedObject, &Scene<'_>) -> Result<()>,
    ) -> Result<()> {
        self.frames.check(frame)?;
        let features = self.features(frame)?;
        let scene = Scene {
            model: &self.model,
            options: &self.options,
            features: &features,
            frame,
            video_length: self.frames.count(),
        };
        match self.objects.iter_mut().find(|object| object.id == id) {
            Some(object) => look(object, &scene),
            None => {
                let mut object = TrackedObject::new(id);
                look(&mut object, &scene)?;
                self.objects.push(object);
                Ok(())
            }
        }
    }

    /// Remembers all prompted frames of the objects that are wanted.
    pub(super) fn settle(&mut self, wanted: impl Fn(ObjectId) -> bool) -> Result<()> {
        if self.objects.is_empty() {
            return Err(Error::NoPrompts);
        }
        for index in 0..self.objects.len() {
            if !wanted(self.objects[index].id) {
                continue;
            }
            for frame in self.objects[index].pending_frames() {
                let features = self.features(frame)?;
                let scene = Scene {
                    model: &self.model,
                    options: &self.options,
                    features: &features,
                    frame,
                    video_length: self.frames.count(),
                };
                self.objects[index].settle(&scene);
            }
            let object = &self.objects[index];
            if object.conditioning_frames().next().is_none() {
                return Err(Error::ObjectWithoutPrompts { id: object.id });
            }
        }
        Ok(())
    }

    /// The features of a frame that must exist.
    pub(super) fn features(&mut self, frame: usize) -> Result<masklet_model::ImageFeatures> {
        self.frames
            .get(&self.model, frame)?
            .ok_or(Error::NoSuchFrame {
                frame,
                count: frame,
            })
    }

    pub(super) fn find(&self, id: ObjectId) -> Result<usize> {
        self.objects
            .iter()
            .position(|object| object.id == id)
            .ok_or_else(|| Error::UnknownObject {
                id,
                known: self.objects(),
            })
    }

    fn result_on(&self, frame: usize) -> FrameResult {
        let outputs = self
            .objects
            .iter()
            .filter_map(|object| Some((object.id, object.output(frame)?.clone())))
            .collect();
        self.result(frame, outputs)
    }

    /// Brings outputs to the video's size.
    fn result(&self, frame: usize, outputs: Vec<(ObjectId, FrameOutput)>) -> FrameResult {
        let dimensions = self.dimensions();
        let mut objects: Vec<ObjectMask> = outputs
            .into_iter()
            .map(|(id, output)| {
                let [_, _, height, width] = output.low_res_logits.dims();
                let low_res = output.low_res_logits.reshape([1, height, width]);
                ObjectMask {
                    id,
                    object_score: output.confidence.object_score,
                    predicted_iou: output.confidence.iou,
                    logits: values(upscale(low_res.clone(), dimensions)),
                    low_res_logits: values(low_res),
                    dimensions,
                }
            })
            .collect();
        if self.options.non_overlapping {
            keep_highest(&mut objects);
        }
        FrameResult { frame, objects }
    }
}

/// Leaves each pixel to the object with the highest logit; the first one wins a tie.
fn keep_highest(objects: &mut [ObjectMask]) {
    let pixels = objects.first().map_or(0, |object| object.logits.len());
    for pixel in 0..pixels {
        let mut winner = 0;
        for (index, object) in objects.iter().enumerate() {
            if object.logits[pixel] > objects[winner].logits[pixel] {
                winner = index;
            }
        }
        for (index, object) in objects.iter_mut().enumerate() {
            if index != winner {
                let logit = &mut object.logits[pixel];
                *logit = logit.min(LOST_LOGIT);
            }
        }
    }
}
