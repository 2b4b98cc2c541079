//! What goes into an [`ImagePredictor`](super::ImagePredictor) and what comes out.

use masklet_media::Mask;

use crate::{BoxPrompt, Click};

/// What marks the object on a picture. Coordinates are pixels of the picture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImagePrompt {
    /// Clicks on the object and on what is not the object.
    pub clicks: Vec<Click>,
    /// A box around the object.
    pub bounds: Option<BoxPrompt>,
    /// Low-resolution logits of an earlier prediction, `[side, side]`, to be refined.
    pub mask_logits: Option<Vec<f32>>,
}

impl ImagePrompt {
    /// Clicks alone.
    pub fn clicks(clicks: impl IntoIterator<Item = Click>) -> Self {
        Self {
            clicks: clicks.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A box alone.
    pub fn bounds(bounds: BoxPrompt) -> Self {
        Self {
            bounds: Some(bounds),
            ..Self::default()
        }
    }

    /// The same prompt, refining an earlier mask.
    pub fn with_mask_logits(self, logits: Vec<f32>) -> Self {
        Self {
            mask_logits: Some(logits),
            ..self
        }
    }
}

/// How masks are made from logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageOptions {
    /// Logits above this are the object. 0 is an even chance.
    pub mask_threshold: f32,
    /// Holes of at most this many low-resolution pixels are filled; 0 fills none.
    pub max_hole_area: u64,
    /// Specks of at most this many low-resolution pixels are erased; 0 erases none.
    pub max_speck_area: u64,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self {
            mask_threshold: 0.0,
            max_hole_area: 0,
            max_speck_area: 0,
        }
    }
}

/// The masks for one prompt, in the model's own order.
#[derive(Debug, Clone)]
pub struct ImagePrediction {
    /// Predicted IoU of each mask with the object.
    pub iou: Vec<f32>,
    /// Occlusion score: positive if the object is in the picture.
    pub object_score: f32,
    /// Logits of each mask `[side, side]`, clamped to ±32: a prompt for a next prediction.
    pub low_res_logits: Vec<Vec<f32>>,
    /// Logits of each mask at the picture's size, `[height, width]`.
    pub logits: Vec<Vec<f32>>,
    pub(super) dimensions: (u32, u32),
    pub(super) threshold: f32,
}

impl ImagePrediction {
    /// The number of masks.
    pub fn len(&self) -> usize {
        self.iou.len()
    }

    /// Whether there is no mask. There always is one.
    pub fn is_empty(&self) -> bool {
        self.iou.is_empty()
    }

    /// Indices of the masks, best predicted IoU first.
    pub fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| self.iou[b].total_cmp(&self.iou[a]));
        order
    }

    /// Index of the mask with the best predicted IoU.
    pub fn best(&self) -> usize {
        self.ranking()[0]
    }

    /// Mask `index` at the picture's size.
    ///
    /// # Panics
    /// If there is no such mask.
    pub fn mask(&self, index: usize) -> Mask {
        let (width, height) = self.dimensions;
        Mask::from_logits(width, height, &self.logits[index], self.threshold)
            .expect("logits have the picture's size")
    }
}
