//! Losses and gradients of one clip.

use burn::tensor::{Gradients, Tensor};
use masklet_model::{ImageFeatures, Sam2, seed_dropout};

use crate::config::LossOptions;
use crate::losses::LossParts;
use crate::rollout::{Annotator, ClipTensors, predicted_masks, rollout};

/// What a clip came to.
#[derive(Debug)]
pub(super) struct ClipOutcome {
    /// Losses, divided by the number of objects in the step; unweighted.
    pub(super) losses: LossParts<f64>,
    /// IoUs of the final masks of visible objects.
    pub(super) ious: Vec<f64>,
}

/// How gradients are computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClipStep<'a> {
    pub(super) network: &'a Sam2,
    pub(super) loss: &'a LossOptions,
    /// Objects of all clips in the step.
    pub(super) objects: usize,
    /// Whether what is inside the image encoder is computed again instead of kept.
    pub(super) checkpoint_encoder: bool,
    /// Seed of what is left out at random.
    pub(super) seed: u64,
}

impl ClipStep<'_> {
    /// Tracks a clip, and hands the gradients of its losses to `add`, possibly in parts.
    pub(super) fn run(
        &self,
        clip: &ClipTensors,
        annotator: &mut dyn Annotator,
        add: &mut dyn FnMut(Gradients),
    ) -> ClipOutcome {
        let frames = clip.truth.len();
        let features: Vec<ImageFeatures> = (0..frames)
            .map(|frame| {
                let features = self.encode(clip, frame);
                match self.checkpoint_encoder {
                    true => detached(&features),
                    false => features,
                }
            })
            .collect();
        self.seed(frames);
        let result = rollout(self.network, &features, clip, annotator, self.loss);
        let gradients = result.losses.total(self.loss, self.objects).backward();
        let outcome = ClipOutcome {
            losses: result.losses.values(self.objects),
            ious: ious(clip, &result.logits),
        };
        let of_features = match self.checkpoint_encoder {
            true => features
                .iter()
                .map(|features| maps(features).map(|map| map.grad(&gradients)))
                .collect(),
            false => Vec::new(),
        };
        add(gradients);
        for (frame, of_maps) in of_features.into_iter().enumerate() {
            if let Some(through) = self.through_encoder(clip, frame, of_maps) {
                add(through);
            }
        }
        outcome
    }

    /// The gradients of the encoder's parameters from those of a frame's features.
    fn through_encoder(
        &self,
        clip: &ClipTensors,
        frame: usize,
        of_maps: [Option<Tensor<4>>; 3],
    ) -> Option<Gradients> {
        let again = self.encode(clip, frame);
        // The derivative of this sum with respect to the features is their gradient.
        let sum = maps(&again)
            .into_iter()
            .zip(of_maps)
            .filter_map(|(map, gradient)| Some((map * Tensor::from_inner(gradient?)).sum()))
            .reduce(|sum, part| sum + part)?;
        sum.is_tracked().then(|| sum.backward())
    }

    fn encode(&self, clip: &ClipTensors, frame: usize) -> ImageFeatures {
        self.seed(frame);
        self.network
            .encode_image(clip.pixels.clone().narrow(0, frame, 1))
    }

    /// Seeds one part of the clip, so that it leaves out the same when computed again.
    fn seed(&self, part: usize) {
        seed_dropout(self.seed ^ (part as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }
}

fn maps(features: &ImageFeatures) -> [Tensor<4>; 3] {
    let ImageFeatures {
        embedding,
        stride4,
        stride8,
    } = features.clone();
    [embedding, stride4, stride8]
}

/// The same values as leaves whose gradients are kept.
fn detached(features: &ImageFeatures) -> ImageFeatures {
    let [embedding, stride4, stride8] = maps(features).map(|map| map.detach().require_grad());
    ImageFeatures {
        embedding,
        stride4,
        stride8,
    }
}

/// IoUs of the masks with the truth, for every visible object of every frame.
fn ious(clip: &ClipTensors, logits: &[Tensor<4>]) -> Vec<f64> {
    let mut ious = Vec::new();
    for (truth, logits) in clip.truth.iter().zip(logits) {
        let size = truth.first().map_or(0, |mask| mask.width() as usize);
        let found = predicted_masks(logits.clone(), size);
        let visible = truth
            .iter()
            .zip(&found)
            .filter(|(truth, _)| !truth.is_empty());
        ious.extend(visible.map(|(truth, found)| truth.iou(found).expect("the same size")));
    }
    ious
}
