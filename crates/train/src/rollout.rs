//! A clip through the network, as in training: prompted, corrected and tracked frame by frame,
//! with gradients through the memory (paper, section 4 "Training"; reference behaviour:
//! `SAM2Train.forward_tracking`).

use burn::tensor::{Device, Tensor, TensorData};
use masklet_data::clip::Clip;
use masklet_media::{Mask, preprocess};
use masklet_model::memory_bank::{Direction, MemoryBank, MemoryEntry, RecentChoice};
use masklet_model::{
    ImageFeatures, Interpolation, MaskEncoding, ObjectOutput, Point, Prompts, Sam2, given_logits,
    resize, silence_absent,
};

use crate::config::LossOptions;
use crate::losses::{LossParts, StepPrediction, step_losses};
use crate::{Result, TrainError};

/// A clip as the network takes it.
#[derive(Debug, Clone)]
pub struct ClipTensors {
    /// Normalised pixels, `[frames, size, size, 3]`.
    pub pixels: Tensor<4>,
    /// For each frame, the objects' true masks, `[objects, 1, size, size]`, 0 or 1.
    pub masks: Vec<Tensor<4>>,
    /// The same, for those who prompt: for each frame, a mask of each object.
    pub truth: Vec<Vec<Mask>>,
}

impl ClipTensors {
    /// From a clip whose frames are squares of `size` pixels.
    ///
    /// # Errors
    /// [`TrainError::ClipSize`] if they are not.
    pub fn new(clip: &Clip, size: usize, device: &Device) -> Result<Self> {
        let square = (size as u32, size as u32);
        if clip.dimensions() != square {
            return Err(TrainError::ClipSize {
                clip: clip.name.clone(),
                found: clip.dimensions(),
                size,
            });
        }
        let pixels: Vec<f32> = clip
            .frames
            .iter()
            .flat_map(|frame| preprocess::for_video_predictor(&frame.picture, size))
            .collect();
        let truth: Vec<Vec<Mask>> = clip.frames.iter().map(|f| f.masks.clone()).collect();
        Ok(Self {
            pixels: Tensor::from_data(
                TensorData::new(pixels, [clip.frames.len(), size, size, 3]),
                device,
            ),
            masks: truth
                .iter()
                .map(|masks| mask_tensor(masks, size, device))
                .collect(),
            truth,
        })
    }

    /// How many objects there are.
    pub fn objects(&self) -> usize {
        self.truth.first().map_or(0, Vec::len)
    }
}

/// Masks of `size`×`size` pixels as a tensor `[masks, 1, size, size]` of zeros and ones.
fn mask_tensor(masks: &[Mask], size: usize, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = masks
        .iter()
        .flat_map(|mask| {
            mask.bits()
                .iter()
                .map(|&inside| f32::from(u8::from(inside)))
        })
        .collect();
    Tensor::from_data(
        TensorData::new(values, [masks.len(), 1, size, size]),
        device,
    )
}

/// When a frame is looked at, and what happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Which frame.
    pub frame: usize,
    /// Whether it gets a prompt before anything is tracked.
    pub initial: bool,
    /// How many clicks correct it.
    pub corrections: usize,
}

impl Visit {
    /// Whether other frames are conditioned on it.
    fn conditions(&self) -> bool {
        self.initial || self.corrections > 0
    }
}

/// The first prompt on a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptInput {
    /// The true masks.
    Mask,
    /// Points or the corners of a box, as many for each object.
    Points(Vec<Vec<Point>>),
}

/// Who prompts: a simulation, or a script in tests.
pub trait Annotator {
    /// Every frame once, in the order of visiting; initial ones first.
    fn visits(&self) -> Vec<Visit>;

    /// The prompt on an initial frame, given the objects' true masks.
    fn first_prompt(&mut self, frame: usize, truth: &[Mask]) -> PromptInput;

    /// One more click on each object, given its true and predicted masks.
    fn correction(&mut self, frame: usize, truth: &[Mask], predicted: &[Mask]) -> Vec<Point>;
}

/// What came of a clip.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Losses, summed over objects, frames and steps.
    pub losses: LossParts,
    /// The final masks' logits of each frame by number, `[objects, 1, 4·grid, 4·grid]`.
    pub logits: Vec<Tensor<4>>,
}

/// Goes through a clip, given the features of each frame (batch 1).
pub fn rollout(
    network: &Sam2,
    features: &[ImageFeatures],
    clip: &ClipTensors,
    annotator: &mut dyn Annotator,
    options: &LossOptions,
) -> Rollout {
    let mut walk = Walk {
        network,
        clip,
        options,
        bank: MemoryBank::default(),
        losses: None,
    };
    let mut finals = vec![None; features.len()];
    for visit in annotator.visits() {
        let output = walk.visit(visit, &features[visit.frame], annotator);
        finals[visit.frame] = Some(output.low_res_logits);
    }
    Rollout {
        losses: walk.losses.expect("an annotator visits at least one frame"),
        logits: finals.into_iter().flatten().collect(),
    }
}

struct Walk<'a> {
    network: &'a Sam2,
    clip: &'a ClipTensors,
    options: &'a LossOptions,
    bank: MemoryBank,
    losses: Option<LossParts>,
}

impl Walk<'_> {
    fn visit(
        &mut self,
        visit: Visit,
        features: &ImageFeatures,
        annotator: &mut dyn Annotator,
    ) -> ObjectOutput {
        let network = self.network;
        let objects = self.clip.objects();
        let truth = &self.clip.truth[visit.frame];
        let embedding = self.embedding(visit, features);
        let mut points: Vec<Vec<Point>> = Vec::new();
        let mut output = None;
        if visit.initial {
            match annotator.first_prompt(visit.frame, truth) {
                PromptInput::Mask => {
                    let [_, _, height, width] = self.clip.masks[visit.frame].dims();
                    let mask = self.clip.masks[visit.frame].clone();
                    let given = given_logits(mask.clone());
                    let mask = mask.reshape([objects, height, width, 1]);
                    // In training what was given is remembered, and compared, as it was given.
                    output = Some(ObjectOutput {
                        candidates: given,
                        ..network.adopt_mask(features, mask)
                    });
                }
                PromptInput::Points(first) => points = first,
            }
        }
        let was_given = output.is_some() && visit.corrections == 0;
        let mut output = output.unwrap_or_else(|| {
            let prompts = Prompts {
                points: points.clone(),
                masks: None,
            };
            network.segment_object(embedding.clone(), features, prompts)
        });
        self.account(visit.frame, &output);
        for _ in 0..visit.corrections {
            let predicted = self.masks(&output.low_res_logits);
            let clicks = annotator.correction(visit.frame, truth, &predicted);
            points.resize(objects, Vec::new());
            for (points, click) in points.iter_mut().zip(clicks) {
                points.push(click);
            }
            let [_, _, height, width] = output.low_res_logits.dims();
            let earlier = output.low_res_logits.reshape([objects, height, width, 1]);
            let prompts = Prompts {
                points: points.clone(),
                masks: Some(earlier),
            };
            output = network.segment_object(embedding.clone(), features, prompts);
            self.account(visit.frame, &output);
        }
        let remembered = match was_given {
            true => output.candidates.clone(),
            false => output.low_res_logits.clone(),
        };
        self.remember(visit, features, &output, remembered);
        output
    }

    /// The frame's embedding for each object, conditioned on memories unless it is prompted first.
    fn embedding(&self, visit: Visit, features: &ImageFeatures) -> Tensor<4> {
        let embedding = if visit.initial {
            self.network.condition(features, None)
        } else {
            let config = &self.network.config().memory;
            let frames = Some(self.clip.truth.len());
            let memories = self.bank.select(
                visit.frame,
                Direction::Forward,
                frames,
                config,
                RecentChoice::ByAge,
            );
            self.network.condition(features, Some(&memories))
        };
        let [_, grid, _, dim] = embedding.dims();
        embedding.expand([self.clip.objects(), grid, grid, dim])
    }

    fn remember(
        &mut self,
        visit: Visit,
        features: &ImageFeatures,
        output: &ObjectOutput,
        logits: Tensor<4>,
    ) {
        let spatial = self.network.remember(
            features,
            logits,
            output.object_score.clone(),
            MaskEncoding::Soft,
        );
        let entry = MemoryEntry {
            spatial,
            pointer: output.pointer.clone(),
        };
        if visit.conditions() {
            self.bank.insert_conditioning(visit.frame, entry);
        } else {
            self.bank.insert_recent(visit.frame, entry);
        }
    }

    /// Adds the losses of a step.
    fn account(&mut self, frame: usize, output: &ObjectOutput) {
        let prediction = StepPrediction {
            logits: silence_absent(output.candidates.clone(), output.object_score.clone()),
            ious: output.candidate_ious.clone(),
            object_score: output.object_score.clone(),
        };
        let losses = step_losses(&prediction, &self.clip.masks[frame], self.options);
        self.losses = Some(match self.losses.take() {
            Some(sum) => sum + losses,
            None => losses,
        });
    }

    /// The objects' masks at the network's input size.
    fn masks(&self, logits: &Tensor<4>) -> Vec<Mask> {
        predicted_masks(logits.clone(), self.network.config().image_size)
    }
}

/// Mask logits `[objects, 1, h, w]` as masks of `size`×`size` pixels.
pub fn predicted_masks(logits: Tensor<4>, size: usize) -> Vec<Mask> {
    let [objects, _, height, width] = logits.dims();
    let logits = resize(
        logits.inner().reshape([objects, height, width, 1]),
        [size, size],
        Interpolation::Bilinear,
    );
    let values: Vec<f32> = logits.into_data().iter::<f32>().collect();
    values
        .chunks_exact(size * size)
        .map(|logits| {
            let bits = logits.iter().map(|&logit| logit > 0.0).collect();
            Mask::from_bits(size as u32, size as u32, bits).expect("a bit for each pixel")
        })
        .collect()
}
