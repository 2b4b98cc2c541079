//! `[loss]` and `[optimizer]`: what is minimised, and how.

use serde::{Deserialize, Serialize};

use super::FieldError;

/// Weights of the loss's parts. The defaults are those of SAM 2's training (reference
/// configuration).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossOptions {
    /// Weight of the masks' focal loss; at least 0.
    pub focal: f64,
    /// Weight of the masks' dice loss; at least 0.
    pub dice: f64,
    /// Weight of the predicted IoU's absolute error; at least 0.
    pub iou: f64,
    /// Weight of the occlusion score's cross-entropy; at least 0.
    pub occlusion: f64,
    /// The focal loss's weight of the object against the background, 0 to 1.
    pub focal_alpha: f64,
    /// The focal loss's exponent: the higher, the less pixels count that are right already; at
    /// least 0.
    pub focal_gamma: f64,
}

impl Default for LossOptions {
    fn default() -> Self {
        Self {
            focal: 20.0,
            dice: 1.0,
            iou: 1.0,
            occlusion: 1.0,
            focal_alpha: 0.25,
            focal_gamma: 2.0,
        }
    }
}

impl LossOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`FieldError`], naming the field.
    pub fn check(&self) -> Result<(), FieldError> {
        let weights = [
            ("focal", self.focal),
            ("dice", self.dice),
            ("iou", self.iou),
            ("occlusion", self.occlusion),
        ];
        for (field, weight) in weights {
            FieldError::not_negative(field, weight)?;
        }
        let any = weights.iter().any(|&(_, weight)| weight > 0.0);
        let accepted = "at least one of the four weights must be positive";
        FieldError::unless(any, "focal", "0, as all others", accepted)?;
        FieldError::probability("focal_alpha", self.focal_alpha)?;
        FieldError::not_negative("focal_gamma", self.focal_gamma)
    }
}

/// AdamW, its learning rates and their schedule. The defaults are those of the reference
/// configuration for fine-tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerOptions {
    /// Highest learning rate, of everything but the image encoder; at least 0.
    pub learning_rate: f64,
    /// Highest learning rate of the image encoder (`image_encoder.*`), before layer decay; at
    /// least 0.
    pub trunk_learning_rate: f64,
    /// Factor of the trunk's learning rate from each block to the one before it; above 0, at
    /// most 1.
    pub layer_decay: f64,
    /// Weight decay, but of biases and norms, which have none; at least 0.
    pub weight_decay: f64,
    /// How much of the past AdamW's averages of the gradient and of its square keep each step;
    /// 0 to less than 1.
    pub betas: (f64, f64),
    /// Most L2 norm of all gradients together: longer ones are shortened to it. 0 for no limit.
    pub gradient_clip: f64,
    /// Steps in which the learning rates rise linearly, before their cosine begins; fewer than
    /// `steps`.
    pub warmup_steps: usize,
    /// What is left of the learning rates at the end of their cosine, as a fraction; 0 to 1.
    pub final_fraction: f64,
    /// How much of the past an exponential moving average of the parameters keeps each step,
    /// above 0 and less than 1; it is what is validated and exported. `None` for no average.
    pub ema: Option<f64>,
}

impl Default for OptimizerOptions {
    fn default() -> Self {
        Self {
            learning_rate: 5e-6,
            trunk_learning_rate: 3e-6,
            layer_decay: 0.9,
            weight_decay: 0.1,
            betas: (0.9, 0.999),
            gradient_clip: 0.1,
            warmup_steps: 0,
            final_fraction: 0.1,
            ema: None,
        }
    }
}

impl OptimizerOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`FieldError`], naming the field.
    pub fn check(&self) -> Result<(), FieldError> {
        FieldError::not_negative("learning_rate", self.learning_rate)?;
        FieldError::not_negative("trunk_learning_rate", self.trunk_learning_rate)?;
        let decay = self.layer_decay;
        let accepted = "above 0 and at most 1 is accepted";
        FieldError::unless(decay > 0.0 && decay <= 1.0, "layer_decay", decay, accepted)?;
        FieldError::not_negative("weight_decay", self.weight_decay)?;
        for beta in [self.betas.0, self.betas.1] {
            let accepted = "two numbers from 0 to less than 1 are accepted";
            let shown = format_args!("{:?}", self.betas).to_string();
            FieldError::unless((0.0..1.0).contains(&beta), "betas", shown, accepted)?;
        }
        FieldError::not_negative("gradient_clip", self.gradient_clip)?;
        FieldError::probability("final_fraction", self.final_fraction)?;
        let ema = self.ema.unwrap_or(0.5);
        let accepted = "above 0 and less than 1 is accepted";
        FieldError::unless(ema > 0.0 && ema < 1.0, "ema", ema, accepted)
    }
}
