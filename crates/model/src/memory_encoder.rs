//! The memory encoder: a frame's features and its mask become a spatial memory (paper, section 4).

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::config::{MemoryEncoderConfig, Sam2Config};
use crate::ops::{
    Activation, Conv2d, DepthwiseConv, FeedForward, LayerNorm, Linear, sigmoid_scaled,
};
use crate::params::{Init, Params};

const EPSILON: f64 = 1e-6;
/// Stride-2 convolutions from the mask at full resolution to stride 16.
const DOWNSAMPLING_LAYERS: usize = 4;

/// How the mask of a frame enters its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskEncoding {
    /// As probabilities.
    Soft,
    /// As object or background.
    Hard,
}

/// Mask downsampler, feature projection, fuser, and projection to the memory's width.
#[derive(Module, Debug)]
pub(crate) struct MemoryEncoder {
    downsampler: MaskDownsampler,
    feature_projection: Linear,
    fuser: Vec<ConvNextBlock>,
    out: Linear,
    #[module(skip)]
    sigmoid_scale: f32,
    #[module(skip)]
    sigmoid_bias: f32,
}

impl MemoryEncoder {
    pub(crate) fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        let dim = config.hidden_dim;
        let MemoryEncoderConfig {
            memory_dim,
            fuser_layers,
            fuser_kernel,
            sigmoid_scale,
            sigmoid_bias,
            ..
        } = config.memory_encoder;
        let fuser = p.at("fuser").at("layers");
        Self {
            downsampler: MaskDownsampler::new(&p.at("mask_downsampler").at("encoder"), dim),
            feature_projection: Linear::conv1x1(&p.at("pix_feat_proj"), dim, dim),
            fuser: (0..fuser_layers)
                .map(|i| ConvNextBlock::new(&fuser.at(i), dim, fuser_kernel))
                .collect(),
            out: Linear::conv1x1(&p.at("out_proj"), dim, memory_dim),
            sigmoid_scale,
            sigmoid_bias,
        }
    }

    /// `features` `[batch or 1, grid, grid, hidden_dim]` and mask logits at full resolution
    /// `[batch, size, size, 1]` → `[batch, grid, grid, memory_dim]`.
    pub(crate) fn forward(
        &self,
        features: Tensor<4>,
        mask_logits: Tensor<4>,
        encoding: MaskEncoding,
    ) -> Tensor<4> {
        let mask = self.embed_mask(mask_logits, encoding);
        let fused = self.fuse(features, mask);
        self.out.forward(fused)
    }

    /// `[batch, size, size, 1]` → `[batch, grid, grid, hidden_dim]`.
    pub(crate) fn embed_mask(&self, logits: Tensor<4>, encoding: MaskEncoding) -> Tensor<4> {
        let (scale, bias) = (self.sigmoid_scale, self.sigmoid_bias);
        let mask = match encoding {
            MaskEncoding::Soft => sigmoid_scaled(logits, scale, bias),
            MaskEncoding::Hard => {
                let hard = logits.greater_elem(0.0).float();
                hard.mul_scalar(scale).add_scalar(bias)
            }
        };
        self.downsampler.forward(mask)
    }

    /// Features and mask together, `[batch, grid, grid, hidden_dim]`.
    pub(crate) fn fuse(&self, features: Tensor<4>, mask: Tensor<4>) -> Tensor<4> {
        let x = mask + self.feature_projection.forward(features);
        self.fuser.iter().fold(x, |x, block| block.forward(x))
    }
}

/// Convolutions that halve the mask's sides and quadruple its channels, then a projection.
#[derive(Module, Debug)]
struct MaskDownsampler {
    convs: Vec<Conv2d>,
    norms: Vec<LayerNorm>,
    projection: Linear,
}

impl MaskDownsampler {
    fn new(p: &Params<'_>, dim: usize) -> Self {
        // In checkpoints: convolution, norm, activation for each layer, counted in one row.
        let channels = |layer: usize| 4usize.pow(layer as u32);
        let layers = 0..DOWNSAMPLING_LAYERS;
        Self {
            convs: layers
                .clone()
                .map(|i| Conv2d::new(&p.at(3 * i), [channels(i), channels(i + 1)], 3, 2, [1; 2]))
                .collect(),
            norms: layers
                .map(|i| LayerNorm::new(&p.at(3 * i + 1), channels(i + 1), EPSILON))
                .collect(),
            projection: Linear::conv1x1(
                &p.at(3 * DOWNSAMPLING_LAYERS),
                channels(DOWNSAMPLING_LAYERS),
                dim,
            ),
        }
    }

    /// `[batch, size, size, 1]` → `[batch, size/16, size/16, hidden_dim]`.
    fn forward(&self, mask: Tensor<4>) -> Tensor<4> {
        let x = self
            .convs
            .iter()
            .zip(&self.norms)
            .fold(mask, |x, (conv, norm)| {
                norm.forward_then(conv.forward(x), Activation::Gelu)
            });
        self.projection.forward(x)
    }
}

/// A ConvNeXt block (arXiv 2201.03545): depthwise convolution, norm, MLP, learned scale, residual.
#[derive(Module, Debug)]
struct ConvNextBlock {
    depthwise: DepthwiseConv,
    norm: LayerNorm,
    expand: Linear,
    contract: Linear,
    /// Learned scale of each channel.
    gamma: Param<Tensor<1>>,
}

impl ConvNextBlock {
    fn new(p: &Params<'_>, dim: usize, kernel: usize) -> Self {
        Self {
            depthwise: DepthwiseConv::new(&p.at("dwconv"), dim, kernel, 1),
            norm: LayerNorm::new(&p.at("norm"), dim, EPSILON),
            expand: Linear::new(&p.at("pwconv1"), dim, 4 * dim),
            contract: Linear::new(&p.at("pwconv2"), 4 * dim, dim),
            gamma: p.tensor("gamma", [dim], Init::Constant(1e-6)),
        }
    }

    /// `[batch, height, width, dim]` → the same shape.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mixed = self.depthwise.forward_then(x.clone(), Activation::None);
        FeedForward {
            norm: Some(&self.norm),
            first: &self.expand,
            activation: Activation::Gelu,
            second: &self.contract,
            scale: Some(&self.gamma),
        }
        .forward_add(mixed, x)
    }
}
