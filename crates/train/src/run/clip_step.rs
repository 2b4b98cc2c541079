//! Losses and gradients of one clip.

use std::ops::Range;

use burn::tensor::Tensor;
use masklet_model::{ImageFeatures, Sam2, seed_dropout};

use super::pools::Pools;
use crate::config::LossOptions;
use crate::losses::LossParts;
use crate::optimizer::{GradientSum, with_own_graph};
use crate::rollout::{Annotator, ClipTensors, predicted_masks, rollout};

/// How many parts of a clip are encoded, each with a graph of its own.
pub(super) const PARTS: usize = 2;

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
    /// Where parts of a clip are encoded.
    pub(super) pools: &'a Pools,
}

/// Frames that are encoded together, on a graph of their own.
struct Part {
    frames: Range<usize>,
    network: Sam2,
    /// With what led to them, unless that is computed again.
    features: Option<ImageFeatures>,
    /// The same as leaves, for everything after the encoder.
    leaves: ImageFeatures,
}

impl ClipStep<'_> {
    /// Tracks a clip: its losses and their gradients.
    pub(super) fn run(
        &self,
        clip: &ClipTensors,
        annotator: &mut dyn Annotator,
    ) -> (ClipOutcome, GradientSum) {
        let frames = clip.truth.len();
        let mut parts = Vec::new();
        self.pools.each(
            self.parts(frames),
            |_, frames| self.encode_part(clip, frames),
            |part| parts.push(part),
        );
        let features: Vec<ImageFeatures> = parts
            .iter()
            .flat_map(|part| (0..part.frames.len()).map(|frame| part.leaves.of(frame)))
            .collect();
        let network = with_own_graph(self.network.clone());
        self.seed(frames..frames + 1);
        let result = rollout(&network, &features, clip, annotator, self.loss);
        let outcome = ClipOutcome {
            losses: result.losses.values(self.objects),
            ious: ious(clip, &result.logits),
        };
        let total = result.losses.total(self.loss, self.objects);
        // Burn keeps what leads to tensors that are alive when the backward pass runs.
        drop((result, features));
        let found = total.backward();
        drop(total);
        let of_leaves: Vec<_> = parts
            .iter()
            .map(|part| maps(part.leaves.clone()).map(|map| map.grad(&found)))
            .collect();
        let mut gradients = GradientSum::default();
        gradients.add(found, &network);
        self.pools.each(
            parts.into_iter().zip(of_leaves),
            |_, (part, of_leaves)| self.through_encoder(clip, part, of_leaves),
            |found| gradients.merge(found, &network),
        );
        (outcome, gradients)
    }

    /// Which frames are encoded together. The threads there are have no influence on it, nor so on
    /// the sums.
    fn parts(&self, frames: usize) -> Vec<Range<usize>> {
        let each = match self.checkpoint_encoder {
            true => 1,
            // A weight's gradient is one product for all frames of a part, and two parts are
            // computed at once without waiting for each other.
            false => frames.div_ceil(PARTS),
        };
        (0..frames)
            .step_by(each.max(1))
            .map(|start| start..(start + each).min(frames))
            .collect()
    }

    fn encode_part(&self, clip: &ClipTensors, frames: Range<usize>) -> Part {
        let network = with_own_graph(self.network.clone());
        let features = self.encode(&network, clip, frames.clone());
        Part {
            leaves: detached(&features),
            features: (!self.checkpoint_encoder).then_some(features),
            frames,
            network,
        }
    }

    /// The gradients of the encoder's parameters from those of a part's features.
    fn through_encoder(
        &self,
        clip: &ClipTensors,
        part: Part,
        of_leaves: [Option<Tensor<4>>; 3],
    ) -> GradientSum {
        let mut gradients = GradientSum::default();
        if of_leaves.iter().all(Option::is_none) {
            return gradients;
        }
        let features = match part.features {
            Some(features) => features,
            None => self.encode(&part.network, clip, part.frames),
        };
        // The derivative of this sum with respect to the features is their gradient. Nothing else
        // holds them when the backward pass runs.
        let sum = maps(features)
            .into_iter()
            .zip(of_leaves)
            .filter_map(|(map, gradient)| Some((map * Tensor::from_inner(gradient?)).sum()))
            .reduce(|sum, part| sum + part);
        if let Some(sum) = sum {
            gradients.add(sum.backward(), &part.network);
        }
        gradients
    }

    fn encode(&self, network: &Sam2, clip: &ClipTensors, frames: Range<usize>) -> ImageFeatures {
        self.seed(frames.clone());
        let pixels = clip.pixels.clone();
        network.encode_image(pixels.narrow(0, frames.start, frames.len()))
    }

    /// Seeds parts of the clip, so that each leaves out the same when computed again, alone or with
    /// others.
    fn seed(&self, parts: Range<usize>) {
        let seed = |part| self.seed ^ (part as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        seed_dropout(&parts.map(seed).collect::<Vec<_>>());
    }
}

fn maps(features: ImageFeatures) -> [Tensor<4>; 3] {
    [features.embedding, features.stride4, features.stride8]
}

/// The same values as leaves, whose gradients are kept if those of the features are wanted.
fn detached(features: &ImageFeatures) -> ImageFeatures {
    let [embedding, stride4, stride8] = maps(features.clone()).map(|map| {
        let wanted = map.is_tracked();
        map.detach().set_require_grad(wanted)
    });
    ImageFeatures::new(embedding, stride4, stride8)
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
