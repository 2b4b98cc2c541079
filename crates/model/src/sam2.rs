//! [`Sam2`]: the network, and the four steps of the way of the data.
//!
//! [`encode_image`](Sam2::encode_image) → [`condition`](Sam2::condition) on memories (or on
//! none) → [`segment`](Sam2::segment) → [`remember`](Sam2::remember). Predictors, trainer and
//! evaluation all go this way; an image is a video of one frame with an empty memory bank.

use std::sync::OnceLock;

use burn::module::{Module, Param};
use burn::tensor::{DType, FloatDType, Tensor};

use crate::config::{PointerPosition, Sam2Config};
use crate::image_encoder::ImageEncoder;
use crate::mask_decoder::{DecodedMasks, MaskChoice, MaskDecoder, pick};
use crate::memory_attention::{MemoryAttention, MemoryTokens};
use crate::memory_bank::{MemoryEntry, Selection};
use crate::memory_encoder::{MaskEncoding, MemoryEncoder};
use crate::ops::{Activation, Conv2d, Interpolation, Linear, Mlp, PackForGood, resize};
use crate::params::{Init, Params};
use crate::position_encoding::{sine_1d, sine_2d};
use crate::prompt_encoder::{Point, PromptEncoder};

/// Mask logits where the object is not in the picture.
pub const NO_OBJECT_LOGIT: f32 = -1024.0;
/// Logits of a mask that was given, not predicted: probabilities of 0.99995 and 0.00005.
const GIVEN_MASK_LOGIT: f32 = 10.0;
/// A prompt of more points than this is unambiguous; a box counts as two.
const MAX_AMBIGUOUS_POINTS: usize = 1;

/// What the image encoder knows of a picture.
#[derive(Debug, Clone)]
pub struct ImageFeatures {
    /// Stride 16, `[batch, grid, grid, hidden_dim]`.
    pub embedding: Tensor<4>,
    /// Stride 4, projected for the mask decoder, `[batch, 4·grid, 4·grid, hidden_dim/8]`.
    pub stride4: Tensor<4>,
    /// Stride 8, projected for the mask decoder, `[batch, 2·grid, 2·grid, hidden_dim/4]`.
    pub stride8: Tensor<4>,
    /// The embedding's tokens after the self-attention that memory attention begins with, which is
    /// the same for every object.
    pub(crate) attended: OnceLock<Tensor<3>>,
}

impl ImageFeatures {
    /// Features of the shapes that the fields have.
    pub fn new(embedding: Tensor<4>, stride4: Tensor<4>, stride8: Tensor<4>) -> Self {
        Self {
            embedding,
            stride4,
            stride8,
            attended: OnceLock::new(),
        }
    }

    /// The features of one picture of a batch, with a batch dimension of 1.
    pub fn of(&self, index: usize) -> Self {
        let one = |x: &Tensor<4>| x.clone().narrow(0, index, 1);
        Self::new(one(&self.embedding), one(&self.stride4), one(&self.stride8))
    }
}

/// Prompts for a batch of objects, in pixels of the network's input.
#[derive(Debug, Clone, Default)]
pub struct Prompts {
    /// The same number of points for each object, the corners of a box first; empty for none.
    pub points: Vec<Vec<Point>>,
    /// Mask logits `[batch, 4·grid, 4·grid, 1]`, usually of an earlier prediction.
    pub masks: Option<Tensor<4>>,
}

impl Prompts {
    /// Closes each object's points with the padding point, which stands where a box might.
    fn padded(mut self) -> Self {
        for points in &mut self.points {
            points.push(Point::PADDING);
        }
        self
    }

    fn points_per_object(&self) -> usize {
        self.points.first().map_or(0, Vec::len)
    }
}

/// The result for a batch of objects on one frame.
#[derive(Debug, Clone)]
pub struct ObjectOutput {
    /// Mask logits `[batch, 1, 4·grid, 4·grid]`; [`NO_OBJECT_LOGIT`] where the object is absent.
    pub low_res_logits: Tensor<4>,
    /// Predicted IoU of the mask, `[batch, 1]`.
    pub iou: Tensor<2>,
    /// Occlusion score `[batch, 1]`: positive where the object is in the picture.
    pub object_score: Tensor<2>,
    /// Object pointer `[batch, hidden_dim]`.
    pub pointer: Tensor<2>,
    /// What the mask was chosen from, `[batch, candidates, 4·grid, 4·grid]`.
    pub candidates: Tensor<4>,
    /// Predicted IoU of each candidate, `[batch, candidates]`.
    pub candidate_ious: Tensor<2>,
}

/// The whole network.
#[derive(Module, Debug)]
pub struct Sam2 {
    pub(crate) image_encoder: ImageEncoder,
    pub(crate) prompt_encoder: PromptEncoder,
    pub(crate) mask_decoder: MaskDecoder,
    pub(crate) memory_attention: MemoryAttention,
    pub(crate) memory_encoder: MemoryEncoder,
    /// Turns the mask decoder's output token into an object pointer.
    pointer_projection: Mlp,
    /// Projects the temporal position of pointers to the memory's width (2.1).
    pointer_position: Option<Linear>,
    /// Brings a mask prompt to stride 4 and to the scale of logits.
    pub(crate) mask_downsample: Conv2d,
    /// Age of a spatial memory, `[num_maskmem, 1, 1, memory_dim]`; the last row marks
    /// conditioning frames.
    temporal_positions: Param<Tensor<4>>,
    /// Added to the image embedding of a frame without memories, `[1, 1, hidden_dim]`.
    no_memory: Param<Tensor<3>>,
    /// Part of official checkpoints; no published model uses it. `[1, 1, hidden_dim]`.
    no_memory_position: Param<Tensor<3>>,
    /// The pointer of an object that is absent, `[1, hidden_dim]`.
    no_object_pointer: Param<Tensor<2>>,
    /// Marks the spatial memory of a frame without the object (2.1), `[1, memory_dim]`.
    no_object_spatial: Option<Param<Tensor<2>>>,
    #[module(skip)]
    config: Sam2Config,
    #[module(skip)]
    pub(crate) positions: Positions,
}

/// What does not depend on parameters.
#[derive(Debug, Clone)]
pub(crate) struct Positions {
    /// Places on the grid for memories, `[1, grid·grid, memory_dim]`.
    pub(crate) memory: Tensor<3>,
}

impl Sam2 {
    pub(crate) fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        let dim = config.hidden_dim;
        let memory_dim = config.memory_encoder.memory_dim;
        let init = Init::TruncatedNormal(0.02);
        // Prompts, masks and pointers take little time and decide everything: always f32.
        let projects = config.memory.pointer_position == PointerPosition::SignedProjected;
        Self {
            image_encoder: ImageEncoder::new(&p.at("image_encoder"), config),
            prompt_encoder: PromptEncoder::new(&p.at("sam_prompt_encoder").in_f32(), config),
            mask_decoder: MaskDecoder::new(&p.at("sam_mask_decoder").in_f32(), config),
            memory_attention: MemoryAttention::new(&p.at("memory_attention"), config),
            memory_encoder: MemoryEncoder::new(&p.at("memory_encoder"), config),
            pointer_projection: Mlp::new(
                &p.at("obj_ptr_proj").in_f32(),
                &[dim, dim, dim, dim],
                Activation::Relu,
            ),
            pointer_position: projects
                .then(|| Linear::new(&p.at("obj_ptr_tpos_proj"), dim, memory_dim)),
            mask_downsample: Conv2d::new(&p.at("mask_downsample"), [1, 1], 4, 4, [0; 2]),
            temporal_positions: p.tensor(
                "maskmem_tpos_enc",
                [config.memory.num_maskmem, 1, 1, memory_dim],
                init,
            ),
            no_memory: p.tensor("no_mem_embed", [1, 1, dim], init),
            no_memory_position: p.tensor("no_mem_pos_enc", [1, 1, dim], init),
            no_object_pointer: p.tensor("no_obj_ptr", [1, dim], init),
            no_object_spatial: config
                .memory_encoder
                .no_object_embedding
                .then(|| p.tensor("no_obj_embed_spatial", [1, memory_dim], init)),
            positions: Positions {
                memory: sine_2d(config.grid(), memory_dim, p.device()),
            },
            config: config.clone(),
        }
    }

    /// The network for inference alone. The weights of linear layers are packed now for the CPU's kernels,
    /// instead of when they are first needed, and their parameters, which take as much memory again, are
    /// let go of. Such a network computes the same, but it cannot be trained, saved or moved to another
    /// device. On other devices, and where gradients are recorded, a network stays as it is.
    #[must_use]
    pub fn for_inference(self) -> Self {
        self.map(&mut PackForGood::default())
    }

    /// The configuration this network was built from.
    pub fn config(&self) -> &Sam2Config {
        &self.config
    }

    /// Encodes pictures: `[batch, size, size, 3]`, normalised as by `masklet-media`.
    pub fn encode_image(&self, pixels: Tensor<4>) -> ImageFeatures {
        let mut maps = self.image_encoder.forward(pixels).into_iter();
        let mut next = || maps.next().expect("the neck returns three levels");
        let (stride4, stride8, embedding) = (next(), next(), next());
        let [stride4, stride8] = self.mask_decoder.project_skips(stride4, stride8);
        ImageFeatures::new(embedding, stride4, stride8)
    }

    /// The image embedding `[batch, grid, grid, hidden_dim]`, conditioned on memories, or marked
    /// as having none.
    pub fn condition(
        &self,
        features: &ImageFeatures,
        memories: Option<&Selection<'_, MemoryEntry>>,
    ) -> Tensor<4> {
        match memories {
            None => features.embedding.clone() + self.no_memory.val().unsqueeze::<4>(),
            Some(memories) => {
                let memory = self.memory_tokens(memories);
                self.memory_attention.forward(features, &memory)
            }
        }
    }

    /// Segments by prompts, as SAM does on images: the masks that were asked for, whatever the
    /// occlusion score says.
    ///
    /// `embedding` comes from [`Self::condition`]. Without points and masks the decoder decides
    /// by itself.
    pub fn segment(
        &self,
        embedding: Tensor<4>,
        features: &ImageFeatures,
        prompts: Prompts,
        choice: MaskChoice,
    ) -> DecodedMasks {
        let prompts = prompts.padded();
        let prompts = self.prompt_encoder.forward(&prompts.points, prompts.masks);
        self.mask_decoder.forward(
            embedding,
            self.prompt_encoder.dense_positions(),
            [features.stride4.clone(), features.stride8.clone()],
            prompts,
            choice,
        )
    }

    /// Segments objects of a video on one frame: the best mask, whether the object is there, and
    /// its pointer.
    ///
    /// An ambiguous prompt (at most one point, or none when tracking) is answered with the best
    /// of the candidates.
    pub fn segment_object(
        &self,
        embedding: Tensor<4>,
        features: &ImageFeatures,
        mut prompts: Prompts,
    ) -> ObjectOutput {
        let choice = if prompts.points_per_object() <= MAX_AMBIGUOUS_POINTS {
            MaskChoice::Multi
        } else {
            MaskChoice::Single
        };
        if prompts.points_per_object() == 0 {
            // Unlike an image's, a video's prompt always has a point.
            prompts.points = vec![vec![Point::PADDING]; embedding.dims()[0]];
        }
        let decoded = self.segment(embedding, features, prompts, choice);
        self.best_object(decoded, choice)
    }

    /// Takes a given mask as an object's output on a frame, without predicting anything but the
    /// object pointer. `mask` is `[batch, size, size, 1]`, 0 or 1.
    pub fn adopt_mask(&self, features: &ImageFeatures, mask: Tensor<4>) -> ObjectOutput {
        let [batch, size, _, _] = mask.dims();
        let logits = given_logits(mask.clone());
        let side = self.config.low_res();
        let low_res = resize(logits, [side, side], Interpolation::BilinearAntialias);
        let present = mask
            .clone()
            .reshape([batch, size * size])
            .max_dim(1)
            .greater_elem(0.0)
            .float();

        let embedding = features.embedding.clone();
        let [_, grid, _, dim] = embedding.dims();
        let prompts = Prompts {
            points: vec![vec![Point::PADDING]; batch],
            masks: Some(self.mask_downsample.forward(mask)),
        };
        let decoded = self.segment(
            embedding.expand([batch, grid, grid, dim]),
            features,
            prompts,
            MaskChoice::Single,
        );
        let predicted = self.best_object(decoded, MaskChoice::Single);
        let low_res_logits = low_res.reshape([batch, 1, side, side]);
        ObjectOutput {
            candidates: low_res_logits.clone(),
            candidate_ious: present.ones_like(),
            low_res_logits,
            iou: present.ones_like(),
            // The mask, not the decoder, decides whether the object is there.
            object_score: given_logits(present.clone()),
            pointer: self.with_absence(predicted.pointer, present),
        }
    }

    /// Encodes a frame and its mask into a spatial memory `[batch, grid·grid, memory_dim]`.
    ///
    /// `logits` is `[batch, 1, h, w]` at any resolution (they are resized to the network's input),
    /// `object_score` `[batch, 1]`.
    pub fn remember(
        &self,
        features: &ImageFeatures,
        logits: Tensor<4>,
        object_score: Tensor<2>,
        encoding: MaskEncoding,
    ) -> Tensor<3> {
        let [batch, _, height, width] = logits.dims();
        let size = self.config.image_size;
        let mask = resize(
            logits.reshape([batch, height, width, 1]),
            [size, size],
            Interpolation::Bilinear,
        );
        let memory = self
            .memory_encoder
            .forward(features.embedding.clone(), mask, encoding);
        let [_, grid, _, dim] = memory.dims();
        let memory = memory.reshape([batch, grid * grid, dim]);
        match &self.no_object_spatial {
            None => memory,
            Some(embedding) => {
                let absent = object_score.lower_equal_elem(0.0).float();
                memory + absent.reshape([batch, 1, 1]) * embedding.val().reshape([1, 1, dim])
            }
        }
    }

    /// How the mask of a frame is encoded: hard where somebody clicked, if the model wants so.
    pub fn mask_encoding(&self, prompted: bool) -> MaskEncoding {
        if prompted && self.config.memory_encoder.binarize_clicked_masks {
            MaskEncoding::Hard
        } else {
            MaskEncoding::Soft
        }
    }

    /// The best mask of each object, silenced where the object is absent, and its pointer.
    fn best_object(&self, decoded: DecodedMasks, choice: MaskChoice) -> ObjectOutput {
        let [batch, _, dim] = decoded.tokens.dims();
        let (candidates, candidate_ious) = (decoded.logits.clone(), decoded.iou.clone());
        let (logits, iou, token) = match choice {
            MaskChoice::Single => (decoded.logits, decoded.iou, decoded.tokens),
            MaskChoice::Multi => {
                let best = decoded.iou.clone().argmax(1);
                let index = best.clone().reshape([batch, 1, 1]).expand([batch, 1, dim]);
                let token = decoded.tokens.gather(1, index);
                let (logits, iou) = pick(decoded.logits, decoded.iou, best);
                (logits, iou, token)
            }
        };
        let present = decoded.object_score.clone().greater_elem(0.0);
        let pointer = self.pointer_projection.forward(token.reshape([batch, dim]));
        ObjectOutput {
            low_res_logits: silence_absent(logits, decoded.object_score.clone()),
            iou,
            object_score: decoded.object_score,
            pointer: self.with_absence(pointer, present.float()),
            candidates,
            candidate_ious,
        }
    }

    /// Replaces the pointers `[batch, hidden_dim]` of absent objects (`present` `[batch, 1]`
    /// is 0).
    fn with_absence(&self, pointer: Tensor<2>, present: Tensor<2>) -> Tensor<2> {
        let absent = present.clone().neg().add_scalar(1.0);
        pointer * present + absent * self.no_object_pointer.val()
    }

    /// The tokens of the selected memories with their positions.
    pub(crate) fn memory_tokens(&self, memories: &Selection<'_, MemoryEntry>) -> MemoryTokens {
        let ages = self.temporal_positions.val();
        let [count, _, _, memory_dim] = ages.dims();
        let mut tokens = Vec::new();
        let mut positions = Vec::new();
        for memory in &memories.spatial {
            let spatial = full_precision(memory.entry.spatial.clone());
            let row = if memory.age == 0 { count } else { memory.age } - 1;
            let age = ages.clone().narrow(0, row, 1).reshape([1, 1, memory_dim]);
            positions.push((self.positions.memory.clone() + age).expand(spatial.shape()));
            tokens.push(spatial);
        }
        let mut pointer_tokens = 0;
        if !memories.pointers.is_empty() {
            let (pointers, at) = self.pointer_tokens(memories);
            pointer_tokens = pointers.dims()[1];
            tokens.push(pointers);
            positions.push(at);
        }
        MemoryTokens {
            tokens: Tensor::cat(tokens, 1),
            positions: Tensor::cat(positions, 1),
            pointer_tokens,
        }
    }

    /// Object pointers, each split into tokens of the memory's width, and their positions;
    /// `[batch, pointers · hidden_dim/memory_dim, memory_dim]` both.
    fn pointer_tokens(&self, memories: &Selection<'_, MemoryEntry>) -> (Tensor<3>, Tensor<3>) {
        let pointers = memories.pointers.iter().map(|m| m.entry.pointer.clone());
        let pointers: Tensor<3> = Tensor::stack(pointers.collect(), 1);
        let [batch, count, dim] = pointers.dims();
        let memory_dim = self.config.memory_encoder.memory_dim;
        let split = dim / memory_dim;
        let shape = [batch, count * split, memory_dim];
        let positions = match &self.pointer_position {
            None => Tensor::zeros(shape, &pointers.device()),
            Some(projection) => {
                let distances: Vec<f32> = memories
                    .pointers
                    .iter()
                    .map(|m| m.distance / memories.max_distance)
                    .collect();
                projection
                    .forward(sine_1d(&distances, dim, &pointers.device()))
                    .reshape([1, count, 1, memory_dim])
                    .expand([batch, count, split, memory_dim])
                    .reshape(shape)
            }
        };
        (pointers.reshape(shape), positions)
    }
}

/// The logits of what was given, not predicted: `given` is 0 or 1.
pub fn given_logits<const D: usize>(given: Tensor<D>) -> Tensor<D> {
    given
        .mul_scalar(2.0 * GIVEN_MASK_LOGIT)
        .sub_scalar(GIVEN_MASK_LOGIT)
}

/// [`NO_OBJECT_LOGIT`] instead of the mask logits `[batch, masks, h, w]` of objects that are absent
/// by their occlusion score `[batch, 1]`.
pub fn silence_absent(logits: Tensor<4>, object_score: Tensor<2>) -> Tensor<4> {
    let shape = logits.dims();
    let absent = object_score
        .lower_equal_elem(0.0)
        .reshape([shape[0], 1, 1, 1])
        .expand(shape);
    logits.mask_fill(absent, NO_OBJECT_LOGIT)
}

/// Memories may be kept in half precision; arithmetic is in f32.
fn full_precision(x: Tensor<3>) -> Tensor<3> {
    if x.dtype() == DType::F32 {
        x
    } else {
        x.cast(FloatDType::F32)
    }
}
