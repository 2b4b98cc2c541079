//! Attention both ways between a few tokens and the image (SAM, arXiv 2304.02643, appendix A).

use burn::module::Module;
use burn::tensor::Tensor;

use crate::config::MaskDecoderConfig;
use crate::ops::{Activation, LayerNorm, Linear, Mlp, attention};
use crate::params::Params;

const EPSILON: f64 = 1e-5;

/// Layers of two-way attention and a last attention from the tokens to the image.
#[derive(Module, Debug)]
pub(crate) struct TwoWayTransformer {
    layers: Vec<TwoWayLayer>,
    final_attention: ProjectedAttention,
    final_norm: LayerNorm,
}

impl TwoWayTransformer {
    pub(crate) fn new(p: &Params<'_>, dim: usize, config: &MaskDecoderConfig) -> Self {
        Self {
            layers: (0..config.depth)
                .map(|i| TwoWayLayer::new(&p.at("layers").at(i), dim, config))
                .collect(),
            final_attention: ProjectedAttention::new(
                &p.at("final_attn_token_to_image"),
                dim,
                dim / config.attention_downsample,
                config.num_heads,
            ),
            final_norm: LayerNorm::new(&p.at("norm_final_attn"), dim, EPSILON),
        }
    }

    /// `tokens` `[batch, n, dim]`, `image` `[batch, m, dim]` and its positions `[1, m, dim]`;
    /// returns tokens and image after attending to each other.
    pub(crate) fn forward(
        &self,
        tokens: Tensor<3>,
        image: Tensor<3>,
        positions: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        // The prompt tokens themselves serve as the queries' positions in every layer.
        let token_positions = tokens.clone();
        let (mut tokens, mut image) = (tokens, image);
        for (i, layer) in self.layers.iter().enumerate() {
            let self_positions = (i > 0).then(|| token_positions.clone());
            (tokens, image) =
                layer.forward(tokens, image, &token_positions, &positions, self_positions);
        }
        let q = tokens.clone() + token_positions;
        let k = image.clone() + positions;
        let attended = self
            .final_attention
            .forward_add(q, k, image.clone(), tokens);
        (self.final_norm.forward(attended), image)
    }
}

/// Self-attention of the tokens, tokens to image, an MLP on the tokens, image to tokens.
#[derive(Module, Debug)]
struct TwoWayLayer {
    self_attention: ProjectedAttention,
    norm1: LayerNorm,
    token_to_image: ProjectedAttention,
    norm2: LayerNorm,
    mlp: Mlp,
    norm3: LayerNorm,
    image_to_token: ProjectedAttention,
    norm4: LayerNorm,
}

impl TwoWayLayer {
    fn new(p: &Params<'_>, dim: usize, config: &MaskDecoderConfig) -> Self {
        let inner = dim / config.attention_downsample;
        let norm = |name: &str| LayerNorm::new(&p.at(name), dim, EPSILON);
        let attention = |name: &str, inner: usize| {
            ProjectedAttention::new(&p.at(name), dim, inner, config.num_heads)
        };
        Self {
            self_attention: attention("self_attn", dim),
            norm1: norm("norm1"),
            token_to_image: attention("cross_attn_token_to_image", inner),
            norm2: norm("norm2"),
            mlp: Mlp::new(&p.at("mlp"), &[dim, config.mlp_dim, dim], Activation::Relu),
            norm3: norm("norm3"),
            image_to_token: attention("cross_attn_image_to_token", inner),
            norm4: norm("norm4"),
        }
    }

    /// Without `self_positions` (the first layer) self-attention replaces the tokens instead of
    /// adding to them, and sees no positions.
    fn forward(
        &self,
        tokens: Tensor<3>,
        image: Tensor<3>,
        token_positions: &Tensor<3>,
        image_positions: &Tensor<3>,
        self_positions: Option<Tensor<3>>,
    ) -> (Tensor<3>, Tensor<3>) {
        let attended = match self_positions {
            None => self
                .self_attention
                .forward(tokens.clone(), tokens.clone(), tokens),
            Some(positions) => {
                let q = tokens.clone() + positions;
                self.self_attention
                    .forward_add(q.clone(), q, tokens.clone(), tokens)
            }
        };
        let tokens = self.norm1.forward(attended);

        let keys = image.clone() + image_positions.clone();
        let q = tokens.clone() + token_positions.clone();
        let attended = self
            .token_to_image
            .forward_add(q, keys.clone(), image.clone(), tokens);
        let tokens = self.norm2.forward(attended);

        let tokens = self
            .norm3
            .forward(self.mlp.as_feed_forward(None).forward_residual(tokens));

        let q = tokens.clone() + token_positions.clone();
        let attended = self
            .image_to_token
            .forward_add(keys, q, tokens.clone(), image);
        (tokens, self.norm4.forward(attended))
    }
}

/// Attention with projections to `inner` channels and back.
#[derive(Module, Debug)]
struct ProjectedAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    #[module(skip)]
    heads: usize,
}

impl ProjectedAttention {
    fn new(p: &Params<'_>, dim: usize, inner: usize, heads: usize) -> Self {
        let into = |name: &str| Linear::new(&p.at(name), dim, inner);
        Self {
            q: into("q_proj"),
            k: into("k_proj"),
            v: into("v_proj"),
            out: Linear::new(&p.at("out_proj"), inner, dim),
            heads,
        }
    }

    fn attend(&self, q: Tensor<3>, k: Tensor<3>, v: Tensor<3>) -> Tensor<3> {
        attention(
            self.q.forward(q),
            self.k.forward(k),
            self.v.forward(v),
            self.heads,
            self.q.precision(),
        )
    }

    /// `q` `[batch, n, dim]`, `k` and `v` `[batch, m, dim]` → `[batch, n, dim]`.
    fn forward(&self, q: Tensor<3>, k: Tensor<3>, v: Tensor<3>) -> Tensor<3> {
        self.out.forward(self.attend(q, k, v))
    }

    /// `residual + self.forward(q, k, v)`.
    fn forward_add(
        &self,
        q: Tensor<3>,
        k: Tensor<3>,
        v: Tensor<3>,
        residual: Tensor<3>,
    ) -> Tensor<3> {
        self.out.forward_add(self.attend(q, k, v), residual)
    }
}
