//! [`ImagePredictor`]: masks on still pictures.

mod prediction;

use burn::tensor::{Tensor, TensorData};
use masklet_media::{RgbImage, components, preprocess};
use masklet_model::{ImageFeatures, MaskChoice, Prompts};

use crate::prompt::Frame;
use crate::upscale::{upscale, values};
use crate::{BoxPrompt, Error, Model, Result};
pub use prediction::{ImageOptions, ImagePrediction, ImagePrompt};

/// Low-resolution logits are clamped to this range before they are handed back as a prompt.
const LOGIT_RANGE: f32 = 32.0;
/// Filled holes are this far above the threshold, erased specks as far below.
const REPAIRED_LOGIT: f32 = 10.0;

/// A picture that has been encoded.
#[derive(Debug, Clone)]
struct Encoded {
    dimensions: (u32, u32),
    features: ImageFeatures,
    /// The embedding of a picture without memories.
    embedding: Tensor<4>,
}

/// What the decoder says to a batch of prompts.
pub(crate) struct Decoded {
    /// Mask logits `[objects, masks, side, side]`.
    pub(crate) logits: Tensor<4>,
    /// Predicted IoU, `[objects, masks]`.
    pub(crate) iou: Vec<f32>,
    /// Occlusion score of each object.
    object_score: Vec<f32>,
}

impl Decoded {
    /// How many masks each object has.
    pub(crate) fn masks(&self) -> usize {
        self.logits.dims()[1]
    }

    /// The logits of one object's masks, `[masks, side, side]`.
    pub(crate) fn logits_of(&self, object: usize) -> Tensor<3> {
        let [_, masks, side, _] = self.logits.dims();
        let logits = self.logits.clone().narrow(0, object, 1);
        logits.reshape([masks, side, side])
    }
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
        let (features, embedding) = self.model.compute(|network| {
            let features = network.encode_image(pixels);
            let embedding = network.condition(&features, None);
            (features, embedding)
        });
        Encoded {
            dimensions: image.dimensions(),
            embedding,
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
        let mut predictions = self.predict_all(index, std::slice::from_ref(prompt), choice)?;
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
        let prompts: Vec<_> = boxes.iter().copied().map(ImagePrompt::bounds).collect();
        self.predict_batch(&prompts, choice)
    }

    /// Masks for several prompts at once, each its own object, on the picture that was set. The
    /// prompts must be alike: the same number of clicks, all or none with a box, all or none with
    /// mask logits.
    ///
    /// # Errors
    /// As [`Self::predict`], and if the prompts are not alike.
    pub fn predict_batch(
        &self,
        prompts: &[ImagePrompt],
        choice: MaskChoice,
    ) -> Result<Vec<ImagePrediction>> {
        self.predict_all(0, prompts, choice)
    }

    fn predict_all(
        &self,
        index: usize,
        prompts: &[ImagePrompt],
        choice: MaskChoice,
    ) -> Result<Vec<ImagePrediction>> {
        let decoded = self.decode(index, prompts, choice)?;
        let masks = decoded.masks();
        (0..prompts.len())
            .map(|object| {
                let logits = decoded.logits_of(object);
                Ok(ImagePrediction {
                    iou: decoded.iou[object * masks..][..masks].to_vec(),
                    object_score: decoded.object_score[object],
                    logits: self.full_size(index, logits.clone())?,
                    low_res_logits: as_prompts(logits),
                    dimensions: self.image(index)?.dimensions,
                    threshold: self.options.mask_threshold,
                })
            })
            .collect()
    }

    /// Decodes masks for several prompts at once, at the model's resolution. See
    /// [`Self::predict_batch`].
    pub(crate) fn decode(
        &self,
        index: usize,
        prompts: &[ImagePrompt],
        choice: MaskChoice,
    ) -> Result<Decoded> {
        let image = self.image(index)?;
        let prompts = self.prompts(image, prompts)?;
        let embedding = image.embedding.clone();
        let decoded = self
            .model
            .compute(|network| network.segment(embedding, &image.features, prompts, choice));
        Ok(Decoded {
            logits: decoded.logits,
            iou: values(decoded.iou),
            object_score: values(decoded.object_score),
        })
    }

    /// Brings decoded logits `[masks, side, side]` to the size of the picture, each mask's as
    /// `[height, width]`, repaired as the options say.
    pub(crate) fn full_size(&self, index: usize, logits: Tensor<3>) -> Result<Vec<Vec<f32>>> {
        let repaired = self.repair(logits)?;
        Ok(rows(upscale(repaired, self.image(index)?.dimensions)))
    }

    fn image(&self, index: usize) -> Result<&Encoded> {
        let count = self.images.len();
        match self.images.get(index) {
            Some(image) => Ok(image),
            None if count == 0 => Err(Error::NoImage),
            None => Err(Error::NoSuchImage { index, count }),
        }
    }

    /// The network's prompts for a batch of objects.
    fn prompts(&self, image: &Encoded, prompts: &[ImagePrompt]) -> Result<Prompts> {
        let frame = Frame::new(image.dimensions, self.model.config().image_size);
        let points = prompts
            .iter()
            .map(|prompt| frame.points(prompt.bounds, &prompt.clicks))
            .collect::<Result<Vec<_>>>()?;
        let masks: Vec<_> = prompts
            .iter()
            .filter_map(|prompt| prompt.mask_logits.as_deref())
            .collect();
        let pointless = points.iter().all(Vec::is_empty);
        if prompts.is_empty() || (pointless && masks.is_empty()) {
            return Err(Error::EmptyPrompt);
        }
        let alike = points.windows(2).all(|pair| pair[0].len() == pair[1].len());
        if !alike || (!masks.is_empty() && masks.len() < prompts.len()) {
            return Err(Error::UnevenPrompts {
                points: points.iter().map(Vec::len).collect(),
                masks: masks.len(),
            });
        }
        Ok(Prompts {
            points: if pointless { vec![] } else { points },
            masks: (!masks.is_empty())
                .then(|| self.mask_logits(&masks))
                .transpose()?,
        })
    }

    /// Mask prompts as the network takes them, `[masks, side, side, 1]`.
    fn mask_logits(&self, masks: &[&[f32]]) -> Result<Tensor<4>> {
        let side = self.model.config().low_res();
        if let Some(wrong) = masks.iter().find(|logits| logits.len() != side * side) {
            return Err(Error::MaskLogitsSize {
                found: wrong.len(),
                side,
            });
        }
        let data = TensorData::new(masks.concat(), [masks.len(), side, side, 1]);
        Ok(Tensor::from_data(data, self.model.device()))
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

/// Each mask's logits, as a prompt for a next prediction takes them.
pub(crate) fn as_prompts(logits: Tensor<3>) -> Vec<Vec<f32>> {
    rows(logits.clamp(-LOGIT_RANGE, LOGIT_RANGE))
}

/// The maps of `[maps, height, width]`, each as its values.
fn rows(maps: Tensor<3>) -> Vec<Vec<f32>> {
    let [_, height, width] = maps.dims();
    values(maps)
        .chunks_exact(height * width)
        .map(<[f32]>::to_vec)
        .collect()
}
