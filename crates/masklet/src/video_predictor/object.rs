//! What a session knows of one object.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{FloatDType, Tensor, TensorData};
use masklet_media::components;
use masklet_model::memory_bank::{Direction, MemoryBank, MemoryEntry, Selection};
use masklet_model::{ImageFeatures, MaskEncoding, ObjectOutput, Point, Prompts};
use rangemap::RangeMap;
use serde::{Deserialize, Serialize};

use super::memory_policy::{Confidence, DistractorWatch};
use super::{ClickHistory, MemoryPolicy, MemoryRetention, ObjectId, VideoOptions};
use crate::upscale::values;
use crate::{Model, Result};

/// Logits of an earlier mask are clamped to this range when they are fed back.
const LOGIT_RANGE: f32 = 32.0;
/// The logit of a pixel in a filled hole.
const FILLED_LOGIT: f32 = 0.1;

/// A frame's result and its memory.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    pub(super) output: FrameOutput,
    pub(super) memory: MemoryEntry,
}

/// A frame's result.
#[derive(Debug, Clone)]
pub(super) struct FrameOutput {
    /// `[1, 1, side, side]`, holes filled if wanted.
    pub(super) low_res_logits: Tensor<4>,
    /// `[1, 1]`.
    pub(super) object_score: Tensor<2>,
    /// `[1, hidden_dim]`.
    pub(super) pointer: Tensor<2>,
    pub(super) confidence: Confidence,
}

/// Whether a frame conditions the others, or is corrected without doing so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    Conditioning,
    Correction,
}

/// A prompted frame's result, waiting to be remembered when tracking starts.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) role: Role,
    pub(super) output: FrameOutput,
}

/// The time line around one object.
#[derive(Debug)]
pub(super) struct TrackedObject {
    pub(super) id: ObjectId,
    /// Clicks and box corners by frame, in pixels of the network's input.
    pub(super) points: BTreeMap<usize, Vec<Point>>,
    /// Frames with a mask as prompt.
    pub(super) masks: BTreeSet<usize>,
    pub(super) bank: MemoryBank<Remembered>,
    pub(super) pending: BTreeMap<usize, Pending>,
    /// Frames that tracking has visited, and in which direction. As ranges it stays small however
    /// long the video is.
    pub(super) visited: RangeMap<usize, Direction>,
    pub(super) distractors: DistractorWatch,
}

/// Where an object is being looked at: everything a step needs besides the object itself.
pub(super) struct Scene<'a> {
    pub(super) model: &'a Model,
    pub(super) options: &'a VideoOptions,
    pub(super) features: &'a ImageFeatures,
    pub(super) frame: usize,
    pub(super) video_length: Option<usize>,
}

impl Scene<'_> {
    fn condition(&self, memories: Option<&Selection<'_, MemoryEntry>>) -> Tensor<4> {
        self.model
            .compute(|network| network.condition(self.features, memories))
    }

    fn segment(&self, embedding: Tensor<4>, prompts: Prompts) -> ObjectOutput {
        self.model
            .compute(|network| network.segment_object(embedding, self.features, prompts))
    }

    fn adopt(&self, mask: Tensor<4>) -> ObjectOutput {
        self.model
            .compute(|network| network.adopt_mask(self.features, mask))
    }
}

impl TrackedObject {
    pub(super) fn new(id: ObjectId) -> Self {
        Self {
            id,
            points: BTreeMap::new(),
            masks: BTreeSet::new(),
            bank: MemoryBank::default(),
            pending: BTreeMap::new(),
            visited: RangeMap::new(),
            distractors: DistractorWatch::default(),
        }
    }

    /// The object's latest result on `frame`.
    pub(super) fn output(&self, frame: usize) -> Option<&FrameOutput> {
        let pending = self.pending.get(&frame).map(|pending| &pending.output);
        pending.or_else(|| self.bank.get(frame).map(|remembered| &remembered.output))
    }

    /// Frames that clicks, a box or a mask were given on, in order of time.
    pub(super) fn prompted_frames(&self) -> BTreeSet<usize> {
        self.points.keys().chain(&self.masks).copied().collect()
    }

    /// Frames that the others are conditioned on, once everything pending is remembered.
    pub(super) fn conditioning_frames(&self) -> impl Iterator<Item = usize> {
        self.bank.conditioning_frames()
    }

    /// Segments the scene by clicks and box corners, refining what was there before.
    ///
    /// A box is given with its corners first; `Append` adds to the frame's earlier points.
    pub(super) fn prompt_with_points(
        &mut self,
        scene: &Scene<'_>,
        points: Vec<Point>,
        history: ClickHistory,
    ) -> Result<()> {
        let all = match (history, self.points.remove(&scene.frame)) {
            (ClickHistory::Append, Some(earlier)) => [earlier, points].concat(),
            _ => points,
        };
        self.masks.remove(&scene.frame);
        let earlier_mask = self.output(scene.frame).map(|output| {
            let [batch, _, height, width] = output.low_res_logits.dims();
            output
                .low_res_logits
                .clone()
                .clamp(-LOGIT_RANGE, LOGIT_RANGE)
                .reshape([batch, height, width, 1])
        });
        let embedding = self.embedding(scene, self.revisited(scene.frame));
        let prompts = Prompts {
            points: vec![all.clone()],
            masks: earlier_mask,
        };
        let output = scene.segment(embedding, prompts);
        self.points.insert(scene.frame, all);
        self.put_pending(scene, output)
    }

    /// Takes a mask as the object's output on the scene's frame. `mask` is `[1, size, size, 1]`.
    pub(super) fn prompt_with_mask(&mut self, scene: &Scene<'_>, mask: Tensor<4>) -> Result<()> {
        let output = scene.adopt(mask);
        self.points.remove(&scene.frame);
        self.masks.insert(scene.frame);
        self.put_pending(scene, output)
    }

    /// Takes a mask as what tracking in `direction` had found on the scene's frame, unless the frame
    /// is prompted. `mask` is `[1, size, size, 1]`.
    pub(super) fn recall(
        &mut self,
        scene: &Scene<'_>,
        mask: Tensor<4>,
        direction: Direction,
    ) -> Result<()> {
        let prompted = self.pending.contains_key(&scene.frame);
        if prompted || self.bank.conditioning(scene.frame).is_some() {
            return Ok(());
        }
        let output = FrameOutput::new(scene.adopt(mask), scene.options)?;
        let logits = output.low_res_logits.clone();
        let encoding = scene.model.network().mask_encoding(false);
        let remembered = remember(scene, logits, output, encoding);
        self.bank.insert_recent(scene.frame, remembered);
        self.visited.insert(scene.frame..scene.frame + 1, direction);
        Ok(())
    }

    /// Removes all prompts on `frame`. What was remembered of it stays as an ordinary memory.
    pub(super) fn clear_prompts(&mut self, frame: usize) {
        self.points.remove(&frame);
        self.masks.remove(&frame);
        self.pending.remove(&frame);
        if self.bank.demote(frame) {
            self.visited.remove(frame..frame + 1);
        }
    }

    /// Forgets what tracking found more than `reach` frames from `frame`.
    pub(super) fn forget_beyond(&mut self, frame: usize, reach: usize) {
        self.bank.forget_beyond(frame, reach);
    }

    /// Frames whose results wait to be remembered; corrections first, as in the reference.
    pub(super) fn pending_frames(&self) -> Vec<usize> {
        let mut frames: Vec<_> = self.pending.iter().collect();
        frames.sort_by_key(|(_, pending)| pending.role == Role::Conditioning);
        frames.into_iter().map(|(&frame, _)| frame).collect()
    }

    /// Remembers the pending result on the scene's frame, if there is one.
    pub(super) fn settle(&mut self, scene: &Scene<'_>) {
        let Some(Pending { role, output }) = self.pending.remove(&scene.frame) else {
            return;
        };
        let encoding = scene.model.network().mask_encoding(true);
        let remembered = remember(scene, output.low_res_logits.clone(), output, encoding);
        match role {
            Role::Conditioning => self.condition_on(scene, remembered),
            Role::Correction => self.bank.insert_recent(scene.frame, remembered),
        }
        self.clear_around_prompt(scene);
    }

    /// The object on the scene's frame: what was prompted there, or what tracking finds.
    pub(super) fn track(&mut self, scene: &Scene<'_>, direction: Direction) -> Result<FrameOutput> {
        self.visited.insert(scene.frame..scene.frame + 1, direction);
        if let Some(prompted) = self.bank.conditioning(scene.frame) {
            let output = prompted.output.clone();
            self.clear_around_prompt(scene);
            return Ok(output);
        }
        let embedding = self.embedding(scene, Some(direction));
        let found = scene.segment(embedding, Prompts::default());
        // Memories are made of the mask as predicted, holes and all.
        let predicted = found.low_res_logits.clone();
        let candidates = found.candidates.clone();
        let output = FrameOutput::new(found, scene.options)?;
        let encoding = scene.model.network().mask_encoding(false);
        let remembered = remember(scene, predicted.clone(), output.clone(), encoding);
        self.bank.insert_recent(scene.frame, remembered);
        if let MemoryPolicy::DistractorAware(policy) = &scene.options.memory_policy
            && self.distractors.found(
                policy,
                scene.frame,
                output.confidence,
                predicted,
                candidates,
            )
        {
            self.bank.anchor(scene.frame, policy.anchors);
        }
        if scene.options.retention == MemoryRetention::Reachable {
            let config = &scene.model.config().memory;
            let policy = &scene.options.memory_policy;
            policy.with_choice(|choice| {
                self.bank
                    .forget_unreachable(scene.frame, direction, config, choice);
            });
        }
        Ok(output)
    }

    /// Remembers a conditioning frame, within the limit on how many there may be.
    fn condition_on(&mut self, scene: &Scene<'_>, remembered: Remembered) {
        self.bank.insert_conditioning(scene.frame, remembered);
        if let Some(limit) = scene.options.conditioning_limit {
            for frame in self.bank.limit_conditioning(limit.get()) {
                self.points.remove(&frame);
                self.masks.remove(&frame);
            }
        }
    }

    /// The direction in which tracking came to `frame`, if it did and still has something to
    /// condition on. A frame that was never tracked is segmented by itself, like an image.
    fn revisited(&self, frame: usize) -> Option<Direction> {
        let conditioned = self.bank.conditioning_frames().next().is_some();
        self.visited.get(&frame).copied().filter(|_| conditioned)
    }

    /// The scene's embedding, conditioned on memories when tracking in some direction.
    fn embedding(&self, scene: &Scene<'_>, direction: Option<Direction>) -> Tensor<4> {
        let Some(direction) = direction else {
            return scene.condition(None);
        };
        let config = &scene.model.config().memory;
        scene.options.memory_policy.with_choice(|choice| {
            let memories = self
                .bank
                .select(scene.frame, direction, scene.video_length, config, choice)
                .map(|remembered| &remembered.memory);
            scene.condition(Some(&memories))
        })
    }

    fn put_pending(&mut self, scene: &Scene<'_>, output: ObjectOutput) -> Result<()> {
        let initial = self.revisited(scene.frame).is_none();
        let role = if initial || scene.options.corrections_condition {
            Role::Conditioning
        } else {
            Role::Correction
        };
        let output = FrameOutput::new(output, scene.options)?;
        self.pending.insert(scene.frame, Pending { role, output });
        Ok(())
    }

    fn clear_around_prompt(&mut self, scene: &Scene<'_>) {
        if scene.options.clear_memory_around_prompts {
            self.bank
                .forget_around(scene.frame, &scene.model.config().memory);
        }
    }
}

impl FrameOutput {
    fn new(found: ObjectOutput, options: &VideoOptions) -> Result<Self> {
        let low_res_logits = match options.fill_hole_area {
            0 => found.low_res_logits,
            area => fill_holes(found.low_res_logits, area)?,
        };
        Ok(Self {
            low_res_logits,
            confidence: Confidence {
                iou: values(found.iou)[0],
                object_score: values(found.object_score.clone())[0],
            },
            object_score: found.object_score,
            pointer: found.pointer,
        })
    }
}

/// Encodes `logits` on the scene's frame into a memory. It is kept in bf16, as the reference does.
fn remember(
    scene: &Scene<'_>,
    logits: Tensor<4>,
    output: FrameOutput,
    encoding: MaskEncoding,
) -> Remembered {
    let object_score = output.object_score.clone();
    let spatial = scene
        .model
        .compute(|network| network.remember(scene.features, logits, object_score, encoding));
    Remembered {
        memory: MemoryEntry {
            spatial: spatial.cast(FloatDType::BF16),
            pointer: output.pointer.clone(),
        },
        output,
    }
}

/// Fills the small holes of a mask `[1, 1, side, side]`.
fn fill_holes(logits: Tensor<4>, max_area: u64) -> Result<Tensor<4>> {
    let shape = logits.dims();
    let device = logits.device();
    let mut all = values(logits);
    let size = (shape[3] as u32, shape[2] as u32);
    components::fill_small_holes(&mut all, size, 0.0, max_area, FILLED_LOGIT)?;
    Ok(Tensor::from_data(TensorData::new(all, shape), &device))
}
