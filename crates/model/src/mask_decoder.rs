//! The mask decoder: from an image embedding and prompts to masks, their quality, and whether the
//! object is there (paper, section 4 and appendix C).

mod two_way_transformer;

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, activation::sigmoid};

use crate::config::{Sam2Config, StabilityFallback};
use crate::ops::{Activation, ConvTranspose2x2, LayerNorm, Linear, Mlp, products};
use crate::params::{Init, Params};
use crate::prompt_encoder::PromptEmbedding;
use two_way_transformer::TwoWayTransformer;

const EPSILON: f64 = 1e-6;

/// Which of the decoder's masks are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaskChoice {
    /// The one mask for an unambiguous prompt, or the best candidate if that one is unstable.
    Single,
    /// The candidates for an ambiguous prompt.
    Multi,
}

/// The decoder's answer. `masks` is 1 or the number of candidates.
#[derive(Debug, Clone)]
pub struct DecodedMasks {
    /// Mask logits `[batch, masks, 4·grid, 4·grid]`.
    pub logits: Tensor<4>,
    /// Predicted IoU of each mask with the object, `[batch, masks]`.
    pub iou: Tensor<2>,
    /// Occlusion score `[batch, 1]`: positive where the object is in the picture.
    pub object_score: Tensor<2>,
    /// The output tokens that object pointers are made of: one for each mask, or the single
    /// mask's, `[batch, masks, hidden_dim]`.
    pub tokens: Tensor<3>,
}

/// Everything the decoder computes before a choice is made; index 0 is the single mask.
pub(crate) struct AllMasks {
    pub(crate) logits: Tensor<4>,
    pub(crate) iou: Tensor<2>,
    pub(crate) object_score: Tensor<2>,
    pub(crate) tokens: Tensor<3>,
}

/// Two-way attention between tokens and image, then masks as products of token embeddings with
/// the upscaled image.
#[derive(Module, Debug)]
pub(crate) struct MaskDecoder {
    pub(crate) transformer: TwoWayTransformer,
    object_score_token: Param<Tensor<2>>,
    iou_token: Param<Tensor<2>>,
    mask_tokens: Param<Tensor<2>>,
    upscale1: ConvTranspose2x2,
    upscale_norm: LayerNorm,
    upscale2: ConvTranspose2x2,
    project_stride4: Linear,
    project_stride8: Linear,
    hypernetworks: Vec<Mlp>,
    iou_head: Mlp,
    pub(crate) object_score_head: Mlp,
    #[module(skip)]
    iou_sigmoid: bool,
    #[module(skip)]
    pub(crate) fallback: Option<StabilityFallback>,
}

impl MaskDecoder {
    pub(crate) fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        let dim = config.hidden_dim;
        let decoder = &config.mask_decoder;
        let masks = 1 + decoder.num_multimask_outputs;
        let embedding =
            |name: &str, rows: usize| p.at(name).tensor("weight", [rows, dim], Init::Normal(1.0));
        let upscaling = p.at("output_upscaling");
        let mut iou_dims = vec![dim];
        iou_dims.resize(decoder.iou_head_depth, decoder.iou_head_hidden_dim);
        iou_dims.push(masks);
        Self {
            transformer: TwoWayTransformer::new(&p.at("transformer"), dim, decoder),
            object_score_token: embedding("obj_score_token", 1),
            iou_token: embedding("iou_token", 1),
            mask_tokens: embedding("mask_tokens", masks),
            upscale1: ConvTranspose2x2::new(&upscaling.at(0), dim, dim / 4),
            upscale_norm: LayerNorm::new(&upscaling.at(1), dim / 4, EPSILON),
            upscale2: ConvTranspose2x2::new(&upscaling.at(3), dim / 4, dim / 8),
            project_stride4: Linear::conv1x1(&p.at("conv_s0"), dim, dim / 8),
            project_stride8: Linear::conv1x1(&p.at("conv_s1"), dim, dim / 4),
            hypernetworks: (0..masks)
                .map(|i| {
                    Mlp::new(
                        &p.at("output_hypernetworks_mlps").at(i),
                        &[dim, dim, dim, dim / 8],
                        Activation::Relu,
                    )
                })
                .collect(),
            iou_head: Mlp::new(&p.at("iou_prediction_head"), &iou_dims, Activation::Relu),
            object_score_head: Mlp::new(
                &p.at("pred_obj_score_head"),
                &[dim, dim, dim, 1],
                Activation::Relu,
            ),
            iou_sigmoid: decoder.iou_sigmoid,
            fallback: decoder.stability_fallback,
        }
    }

    /// Projects the finer feature maps `[batch, side, side, hidden_dim]` for the skip
    /// connections: stride 4 to `hidden_dim/8` channels, stride 8 to `hidden_dim/4`.
    pub(crate) fn project_skips(&self, stride4: Tensor<4>, stride8: Tensor<4>) -> [Tensor<4>; 2] {
        [
            self.project_stride4.forward(stride4),
            self.project_stride8.forward(stride8),
        ]
    }

    /// Decodes masks.
    ///
    /// `embedding` is `[batch, grid, grid, hidden_dim]`, `positions` `[1, grid·grid, hidden_dim]`,
    /// and `skips` the projected stride-4 and stride-8 maps. A batch of 1 in `embedding` or
    /// `skips` serves all prompts.
    pub(crate) fn forward(
        &self,
        embedding: Tensor<4>,
        positions: Tensor<3>,
        skips: [Tensor<4>; 2],
        prompts: PromptEmbedding,
        choice: MaskChoice,
    ) -> DecodedMasks {
        let all = self.decode_all(embedding, positions, skips, prompts);
        match choice {
            MaskChoice::Multi => {
                let candidates = self.hypernetworks.len() - 1;
                DecodedMasks {
                    logits: all.logits.narrow(1, 1, candidates),
                    iou: all.iou.narrow(1, 1, candidates),
                    object_score: all.object_score,
                    tokens: all.tokens.narrow(1, 1, candidates),
                }
            }
            MaskChoice::Single => {
                let (logits, iou) = match self.fallback {
                    Some(fallback) => stable_or_best(all.logits, all.iou, fallback),
                    None => (all.logits.narrow(1, 0, 1), all.iou.narrow(1, 0, 1)),
                };
                DecodedMasks {
                    logits,
                    iou,
                    object_score: all.object_score,
                    tokens: all.tokens.narrow(1, 0, 1),
                }
            }
        }
    }

    pub(crate) fn decode_all(
        &self,
        embedding: Tensor<4>,
        positions: Tensor<3>,
        skips: [Tensor<4>; 2],
        prompts: PromptEmbedding,
    ) -> AllMasks {
        let tokens = self.tokens(prompts.sparse, prompts.dense.dims()[0]);
        let batch = tokens.dims()[0];
        let [_, grid, _, dim] = embedding.dims();
        let image = (embedding + prompts.dense)
            .expand([batch, grid, grid, dim])
            .reshape([batch, grid * grid, dim]);
        let (tokens, image) = self.transformer.forward(tokens, image, positions);

        let object_token = tokens.clone().narrow(1, 0, 1).reshape([batch, dim]);
        let iou_token = tokens.clone().narrow(1, 1, 1).reshape([batch, dim]);
        let mask_tokens = tokens.narrow(1, 2, self.hypernetworks.len());
        let image = self.upscale(image.reshape([batch, grid, grid, dim]), skips);
        let iou = self.iou_head.forward(iou_token);
        AllMasks {
            logits: self.masks(&mask_tokens, image),
            iou: if self.iou_sigmoid { sigmoid(iou) } else { iou },
            object_score: self.object_score_head.forward(object_token),
            tokens: mask_tokens,
        }
    }

    /// Output tokens, then prompt tokens: `[batch, 2 + masks + points, hidden_dim]`.
    pub(crate) fn tokens(&self, sparse: Option<Tensor<3>>, batch: usize) -> Tensor<3> {
        let output = Tensor::cat(
            vec![
                self.object_score_token.val(),
                self.iou_token.val(),
                self.mask_tokens.val(),
            ],
            0,
        );
        let [count, dim] = output.dims();
        let batch = sparse.as_ref().map_or(batch, |sparse| sparse.dims()[0]);
        let output = output.unsqueeze::<3>().expand([batch, count, dim]);
        match sparse {
            Some(sparse) => Tensor::cat(vec![output, sparse], 1),
            None => output,
        }
    }

    /// To stride 4 with the skip connections: `[batch, 4·grid, 4·grid, hidden_dim/8]`.
    pub(crate) fn upscale(
        &self,
        image: Tensor<4>,
        [stride4, stride8]: [Tensor<4>; 2],
    ) -> Tensor<4> {
        let x = self.upscale1.forward_add(image, stride8);
        let x = self.upscale_norm.forward_then(x, Activation::Gelu);
        Activation::Gelu.apply(self.upscale2.forward_add(x, stride4))
    }

    /// Each mask is the product of its token's embedding with the upscaled image.
    fn masks(&self, mask_tokens: &Tensor<3>, image: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, channels] = image.dims();
        let embeddings = self
            .hypernetworks
            .iter()
            .enumerate()
            .map(|(i, mlp)| mlp.forward(mask_tokens.clone().narrow(1, i, 1)));
        let embeddings = Tensor::cat(embeddings.collect(), 1);
        let image = image.reshape([batch, height * width, channels]);
        products(embeddings, image).reshape([batch, self.hypernetworks.len(), height, width])
    }
}

/// Keeps the single mask where it is stable, and takes the candidate with the highest predicted
/// IoU where it is not. Returns logits `[batch, 1, h, w]` and IoU `[batch, 1]`.
pub(crate) fn stable_or_best(
    logits: Tensor<4>,
    iou: Tensor<2>,
    fallback: StabilityFallback,
) -> (Tensor<4>, Tensor<2>) {
    let [batch, masks, height, width] = logits.dims();
    let single = logits.clone().narrow(1, 0, 1);
    let stable = stability(single.clone(), fallback.delta).greater_equal_elem(fallback.threshold);

    let candidates = iou.clone().narrow(1, 1, masks - 1);
    let best = candidates.argmax(1).add_scalar(1);
    let (best_logits, best_iou) = pick(logits, iou.clone(), best);
    let keep = stable
        .clone()
        .reshape([batch, 1, 1, 1])
        .expand([batch, 1, height, width]);
    (
        best_logits.mask_where(keep, single),
        best_iou.mask_where(stable, iou.narrow(1, 0, 1)),
    )
}

/// How little the area of each mask `[batch, masks, h, w]` depends on the threshold: the area above
/// `delta` divided by the area above `-delta`, `[batch, masks]`.
pub(crate) fn stability(logits: Tensor<4>, delta: f32) -> Tensor<2> {
    let [batch, masks, height, width] = logits.dims();
    let logits = logits.reshape([batch, masks, height * width]);
    let area = |above: f32| logits.clone().greater_elem(above).float().sum_dim(2);
    let (inner, outer) = (area(delta), area(-delta));
    // An empty mask is stable; `inner` is 0 there too.
    let stability = (inner + outer.clone().equal_elem(0.0).float()) / outer.clamp_min(1.0);
    stability.reshape([batch, masks])
}

/// The mask with index `which` `[batch, 1]` of each object.
pub(crate) fn pick(
    logits: Tensor<4>,
    iou: Tensor<2>,
    which: Tensor<2, Int>,
) -> (Tensor<4>, Tensor<2>) {
    let [batch, _, height, width] = logits.dims();
    let index = which
        .clone()
        .reshape([batch, 1, 1, 1])
        .expand([batch, 1, height, width]);
    (logits.gather(1, index), iou.gather(1, which))
}
