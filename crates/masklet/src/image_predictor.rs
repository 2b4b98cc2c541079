//! [`ImagePredictor`]: masks on still pictures.

use burn::tensor::{Tensor, TensorData};
use masklet_media::{Mask, RgbImage, components, preprocess};
use masklet_model::{DecodedMasks, ImageFeatures, MaskChoice, Prompts};

use crate::prompt::Frame;
use crate::upscale::{upscale, values};
use crate::{BoxPrompt, Click, Error, Model, Result};

/// Low-resolution logits are clamped to this range before they are handed back as a prompt.
const LOGIT_RANGE: f32 = 32.0;
/// Filled holes are this far above the threshold, erased specks as far below.
const REPAIRED_LOGIT: f32 = 10.0;

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
    dimensions: (u32, u32),
    threshold: f32,
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

/// A picture that has been encoded.
#[derive(Debug, Clone)]
struct Encoded {
    dimensions: (u32, u32),
    features: ImageFeatures,
    /// The embedding of a picture without memories.
    embedding: Tensor<4>,
}

/// Predicts masks on pictures: encode once with [`set_image`](Self::set_image), then prompt any
/// number of times.
#[derive(Debug)]
pub struct ImagePredictor {
    model: Model,
    options: ImageOptions,
    images: Vec<Encoded>,
}

impl ImagePredictor {
    /// A predictor with the reference's options.
    pub fn new(model: &Model) -> Self {
        Self::with_options(model, ImageOptions::default())
    }

    /// A predictor with other options.
    pub fn with_options(model: &Model, options: ImageOptions) -> Self {
        Self {
            model: model.clone(),
            options,
            images: Vec::new(),
        }
    }

    /// Encodes a picture, in place of any that was set before.
    pub fn set_image(&mut self, image: &RgbImage) {
        self.set_images(std::slice::from_ref(image));
    }

    /// Encodes several pictures, of any sizes, in place of any that were set before.
    pub fn set_images(&mut self, images: &[RgbImage]) {
        // One at a time: a batch is no faster on a CPU and costs memory.
        self.images = images.iter().map(|image| self.encode(image)).collect();
    }

    /// Forgets the pictures.
    pub fn reset(&mut self) {
        self.images.clear();
    }

    fn encode(&self, image: &RgbImage) -> Encoded {
        let size = self.model.config().image_size;
        let pixels = preprocess::for_image_predictor(image, size);
        let pixels = Tensor::from_data(
            TensorData::new(pixels, [1, size, size, 3]),
            self.model.device(),
        );
        let network = self.model.network();
        let features = network.encode_image(pixels);
        Encoded {
            dimensions: image.dimensions(),
            embedding: network.condition(&features, None),
            features,
        }
    }

    /// The embedding of the picture that was set, `[1, grid, grid, hidden_dim]`.
    ///
    /// # Errors
    /// If no picture was set.
    pub fn embedding(&self) -> Result<Tensor<4>> {
        Ok(self.image(0)?.embedding.clone())
    }

    /// Masks for a prompt on the picture that was set.
    ///
    /// # Errors
    /// If no picture was set or the prompt is empty, outside the picture or malformed.
    pub fn predict(&self, prompt: &ImagePrompt, choice: MaskChoice) -> Result<ImagePrediction> {
        self.predict_on(0, prompt, choice)
    }

    /// Masks for a prompt on picture `index` of those that were set.
    ///
    /// # Errors
    /// As [`Self::predict`], and if there is no such picture.
    pub fn predict_on(
        &self,
        index: usize,
        prompt: &ImagePrompt,
        choice: MaskChoice,
    ) -> Result<ImagePrediction> {
        let image = self.image(index)?;
        let frame = self.frame(image);
        let points = frame.points(prompt.bounds, &prompt.clicks)?;
        let masks = match &prompt.mask_logits {
            None if points.is_empty() => return Err(Error::EmptyPrompt),
            None => None,
            Some(logits) => Some(self.mask_logits(logits)?),
        };
        let prompts = Prompts {
            points: if points.is_empty() {
                vec![]
            } else {
                vec![points]
            },
            masks,
        };
        let mut predictions = self.decode(image, prompts, choice)?;
        Ok(predictions.remove(0))
    }

    /// Masks for several boxes at once, each its own object, on the picture that was set.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn predict_boxes(
        &self,
        boxes: &[BoxPrompt],
        choice: MaskChoice,
    ) -> Result<Vec<ImagePrediction>> {
        let image = self.image(0)?;
        let frame = self.frame(image);
        if boxes.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let points = boxes
            .iter()
            .map(|&bounds| frame.points(Some(bounds), &[]))
            .collect::<Result<_>>()?;
        let prompts = Prompts {
            points,
            masks: None,
        };
        self.decode(image, prompts, choice)
    }

    fn image(&self, index: usize) -> Result<&Encoded> {
        let count = self.images.len();
        match self.images.get(index) {
            Some(image) => Ok(image),
            None if count == 0 => Err(Error::NoImage),
            None => Err(Error::NoSuchImage { index, count }),
        }
    }

    fn frame(&self, image: &Encoded) -> Frame {
        Frame::new(image.dimensions, self.model.config().image_size)
    }

    fn mask_logits(&self, logits: &[f32]) -> Result<Tensor<4>> {
        let side = self.model.config().low_res();
        if logits.len() != side * side {
            return Err(Error::MaskLogitsSize {
                found: logits.len(),
                side,
            });
        }
        let data = TensorData::new(logits.to_vec(), [1, side, side, 1]);
        Ok(Tensor::from_data(data, self.model.device()))
    }

    fn decode(
        &self,
        image: &Encoded,
        prompts: Prompts,
        choice: MaskChoice,
    ) -> Result<Vec<ImagePrediction>> {
        let decoded =
            self.model
                .network()
                .segment(image.embedding.clone(), &image.features, prompts, choice);
        let DecodedMasks {
            logits,
            iou,
            object_score,
            ..
        } = decoded;
        let [objects, masks, side, _] = logits.dims();
        let iou = values(iou);
        let object_score = values(object_score);
        (0..objects)
            .map(|object| {
                let logits = logits
                    .clone()
                    .narrow(0, object, 1)
                    .reshape([masks, side, side]);
                let repaired = self.repair(logits.clone())?;
                Ok(ImagePrediction {
                    iou: iou[object * masks..][..masks].to_vec(),
                    object_score: object_score[object],
                    low_res_logits: rows(logits.clamp(-LOGIT_RANGE, LOGIT_RANGE)),
                    logits: rows(upscale(repaired, image.dimensions)),
                    dimensions: image.dimensions,
                    threshold: self.options.mask_threshold,
                })
            })
            .collect()
    }

    /// Fills holes and erases specks in logits `[masks, side, side]`, if wanted.
    fn repair(&self, logits: Tensor<3>) -> Result<Tensor<3>> {
        let ImageOptions {
            mask_threshold: threshold,
            max_hole_area,
            max_speck_area,
        } = self.options;
        if max_hole_area == 0 && max_speck_area == 0 {
            return Ok(logits);
        }
        let [masks, side, _] = logits.dims();
        let size = (side as u32, side as u32);
        let mut all = values(logits);
        for logits in all.chunks_exact_mut(side * side) {
            // Both repairs look at the prediction, not at each other's work, as in the reference.
            let (above, below) = (threshold + REPAIRED_LOGIT, threshold - REPAIRED_LOGIT);
            let mut erased = logits.to_vec();
            components::erase_small_islands(&mut erased, size, threshold, max_speck_area, below)?;
            let specks: Vec<usize> = (0..logits.len())
                .filter(|&i| erased[i] != logits[i])
                .collect();
            components::fill_small_holes(logits, size, threshold, max_hole_area, above)?;
            for speck in specks {
                logits[speck] = below;
            }
        }
        let data = TensorData::new(all, [masks, side, side]);
        Ok(Tensor::from_data(data, self.model.device()))
    }
}

/// The maps of `[maps, height, width]`, each as its values.
fn rows(maps: Tensor<3>) -> Vec<Vec<f32>> {
    let [_, height, width] = maps.dims();
    values(maps)
        .chunks_exact(height * width)
        .map(<[f32]>::to_vec)
        .collect()
}
