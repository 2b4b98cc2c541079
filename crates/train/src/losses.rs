//! The losses of a prediction (paper, appendix "Training"; reference behaviour:
//! `MultiStepMultiMasksAndIous`).

use std::ops::Add;

use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::{Int, Tensor};
use masklet_model::{Interpolation, resize};

use crate::config::LossOptions;

/// What the network said in one step on one frame, for a batch of objects.
#[derive(Debug, Clone)]
pub struct StepPrediction {
    /// Logits of the masks it offers, `[objects, masks, h, w]`.
    pub logits: Tensor<4>,
    /// Their predicted IoUs, `[objects, masks]`.
    pub ious: Tensor<2>,
    /// Occlusion scores, `[objects, 1]`.
    pub object_score: Tensor<2>,
}

/// The parts of a loss, each a sum over objects, unweighted; tensors of one value.
#[derive(Debug, Clone)]
pub struct LossParts<T = Tensor<1>> {
    /// Focal loss of the best mask.
    pub focal: T,
    /// Dice loss of the best mask.
    pub dice: T,
    /// Absolute error of the predicted IoUs, mean over the masks.
    pub iou: T,
    /// Cross-entropy of the occlusion score.
    pub occlusion: T,
}

impl<T: Add<Output = T>> Add for LossParts<T> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            focal: self.focal + other.focal,
            dice: self.dice + other.dice,
            iou: self.iou + other.iou,
            occlusion: self.occlusion + other.occlusion,
        }
    }
}

impl LossParts {
    /// The weighted sum, divided by the number of objects in the step.
    pub fn total(&self, options: &LossOptions, objects: usize) -> Tensor<1> {
        let parts = [
            (&self.focal, options.focal),
            (&self.dice, options.dice),
            (&self.iou, options.iou),
            (&self.occlusion, options.occlusion),
        ];
        parts
            .into_iter()
            .map(|(part, weight)| part.clone().mul_scalar(weight / objects.max(1) as f64))
            .reduce(|sum, part| sum + part)
            .expect("there are four parts")
    }

    /// The values, divided by the number of objects in the step.
    pub fn values(&self, objects: usize) -> LossParts<f64> {
        let value = |part: &Tensor<1>| f64::from(scalar(part)) / objects.max(1) as f64;
        LossParts {
            focal: value(&self.focal),
            dice: value(&self.dice),
            iou: value(&self.iou),
            occlusion: value(&self.occlusion),
        }
    }
}

/// The losses of one step against the true masks `[objects, 1, size, size]`, each 0 or 1.
///
/// Masks are compared at the size of the truth. Of several masks, the one with the smallest
/// weighted sum of focal and dice loss counts; the IoU predictions of all of them do. Objects that
/// are not in the frame supervise the occlusion score alone.
pub fn step_losses(
    prediction: &StepPrediction,
    truth: &Tensor<4>,
    options: &LossOptions,
) -> LossParts {
    let [objects, masks, height, width] = prediction.logits.dims();
    let [_, _, to_height, to_width] = truth.dims();
    let pixels = to_height * to_width;
    let logits = resize(
        prediction
            .logits
            .clone()
            .reshape([objects * masks, height, width, 1]),
        [to_height, to_width],
        Interpolation::Bilinear,
    )
    .reshape([objects, masks, pixels]);
    let truth = truth.clone().reshape([objects, 1, pixels]);
    let present = truth.clone().max_dim(2).reshape([objects, 1]);

    let focal = focal_loss(logits.clone(), truth.clone(), options);
    let dice = dice_loss(logits.clone(), truth.clone());
    let iou = (prediction.ious.clone() - true_ious(logits, truth))
        .abs()
        .mean_dim(1);
    let (focal, dice) = if masks > 1 {
        let both = focal.clone().detach().mul_scalar(options.focal)
            + dice.clone().detach().mul_scalar(options.dice);
        let best: Tensor<2, Int> = both.argmin(1);
        (focal.gather(1, best.clone()), dice.gather(1, best))
    } else {
        (focal, dice)
    };
    let if_present = |loss: Tensor<2>| (loss * present.clone()).sum();
    LossParts {
        focal: if_present(focal),
        dice: if_present(dice),
        iou: if_present(iou),
        occlusion: cross_entropy(prediction.object_score.clone(), present.clone()).sum(),
    }
}

/// How much less right than sure each logit is: positive where it is on the wrong side. Truth is 0
/// or 1.
fn wrongness<const D: usize>(logits: Tensor<D>, truth: Tensor<D>) -> Tensor<D> {
    logits * (truth.mul_scalar(-2.0).add_scalar(1.0))
}

/// Binary cross-entropy of logits, value by value.
fn cross_entropy<const D: usize>(logits: Tensor<D>, truth: Tensor<D>) -> Tensor<D> {
    log_sigmoid(wrongness(logits, truth).neg()).neg()
}

/// Mean over pixels: `[objects, masks, pixels]` and `[objects, 1, pixels]` give `[objects, masks]`
/// (arXiv 1708.02002).
fn focal_loss(logits: Tensor<3>, truth: Tensor<3>, options: &LossOptions) -> Tensor<2> {
    let [objects, masks, _] = logits.dims();
    let (alpha, gamma) = (options.focal_alpha, options.focal_gamma);
    let weight = truth
        .clone()
        .mul_scalar(2.0 * alpha - 1.0)
        .add_scalar(1.0 - alpha);
    let wrong = wrongness(logits, truth);
    let entropy = log_sigmoid(wrong.clone().neg()).neg();
    let focus = sigmoid(wrong);
    let focus = if gamma == 2.0 {
        focus.clone() * focus
    } else {
        focus.powf_scalar(gamma)
    };
    (entropy * focus * weight)
        .mean_dim(2)
        .reshape([objects, masks])
}

/// One minus the overlap of probabilities and truth, smoothed by one pixel; shapes as of
/// [`focal_loss`].
fn dice_loss(logits: Tensor<3>, truth: Tensor<3>) -> Tensor<2> {
    let [objects, masks, _] = logits.dims();
    let probability = sigmoid(logits);
    let overlap = (probability.clone() * truth.clone()).sum_dim(2);
    let areas = probability.sum_dim(2) + truth.sum_dim(2);
    let similarity = overlap.mul_scalar(2.0).add_scalar(1.0) / areas.add_scalar(1.0);
    similarity.neg().add_scalar(1.0).reshape([objects, masks])
}

/// Intersection over union of the thresholded masks with the truth; shapes as of [`focal_loss`].
/// No gradients flow.
fn true_ious(logits: Tensor<3>, truth: Tensor<3>) -> Tensor<2> {
    let [objects, masks, _] = logits.dims();
    let inside = logits.detach().greater_elem(0.0).float();
    let overlap = (inside.clone() * truth.clone()).sum_dim(2);
    let union = inside.sum_dim(2) + truth.sum_dim(2) - overlap.clone();
    (overlap / union.clamp_min(1.0)).reshape([objects, masks])
}

/// The value of a tensor of one value.
pub(crate) fn scalar(x: &Tensor<1>) -> f32 {
    x.clone()
        .into_data()
        .iter::<f32>()
        .next()
        .unwrap_or(f32::NAN)
}
