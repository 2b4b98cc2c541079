//! Memory attention: conditions a frame's features on the memory bank (paper, section 4).

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::config::Sam2Config;
use crate::ops::{
    Activation, FeedForward, GridMemories, LayerNorm, Linear, RotaryTable, attention_dropping,
    dropout, drops,
};
use crate::params::Params;
use crate::position_encoding::sine_2d;
use crate::sam2::ImageFeatures;

const EPSILON: f64 = 1e-5;
/// The weight of the frame's own positions at the input.
const POSITION_WEIGHT: f32 = 0.1;

/// The memories that a frame attends to, as tokens.
#[derive(Debug, Clone)]
pub struct MemoryTokens {
    /// Spatial memories, then object pointers: `[batch, tokens, memory_dim]`.
    pub tokens: Tensor<3>,
    /// Their positions in space and time, of the same shape.
    pub positions: Tensor<3>,
    /// How many of the last tokens come from object pointers and have no place on the grid.
    pub pointer_tokens: usize,
}

/// L layers of self-attention, cross-attention to the memories, and an MLP.
#[derive(Module, Debug)]
pub(crate) struct MemoryAttention {
    pub(crate) layers: Vec<MemoryAttentionLayer>,
    norm: LayerNorm,
    #[module(skip)]
    pub(crate) geometry: Geometry,
}

/// What does not depend on parameters: positions and rotations of the grid's tokens.
#[derive(Debug, Clone)]
pub(crate) struct Geometry {
    /// Sine positions, weighted, `[1, grid·grid, hidden_dim]`.
    pub(crate) positions: Tensor<3>,
    rotary: RotaryTable,
    heads: usize,
}

impl Geometry {
    fn new(config: &Sam2Config, device: &Device) -> Self {
        let (grid, dim) = (config.grid(), config.hidden_dim);
        let heads = config.memory_attention.num_heads;
        Self {
            positions: sine_2d(grid, dim, device).mul_scalar(POSITION_WEIGHT),
            rotary: RotaryTable::new(
                grid,
                dim / heads,
                config.memory_attention.rope_theta,
                device,
            ),
            heads,
        }
    }
}

impl MemoryAttention {
    pub(crate) fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        Self {
            layers: (0..config.memory_attention.num_layers)
                .map(|i| MemoryAttentionLayer::new(&p.at("layers").at(i), config))
                .collect(),
            norm: LayerNorm::new(&p.at("norm"), config.hidden_dim, EPSILON),
            geometry: Geometry::new(config, p.device()),
        }
    }

    /// The embedding of `features`, conditioned on the `memory` of each object:
    /// `[objects, grid, grid, hidden_dim]`.
    pub(crate) fn forward(&self, features: &ImageFeatures, memory: &MemoryTokens) -> Tensor<4> {
        let [pictures, grid, _, dim] = features.embedding.dims();
        let objects = memory.tokens.dims()[0];
        let tokens = features.embedding.clone();
        let tokens = tokens.reshape([pictures, grid * grid, dim]) + self.geometry.positions.clone();
        // Keys carry positions, values do not.
        let keys = memory.tokens.clone() + memory.positions.clone();
        let shape = [objects, grid * grid, dim];
        let x = match self.layers.split_first() {
            Some((first, others)) => {
                let x = self.attended(first, tokens, features, shape);
                let x = first.after_self_attention(x, &keys, memory, &self.geometry);
                others.iter().fold(x, |x, layer| {
                    layer.forward(x, &keys, memory, &self.geometry)
                })
            }
            None => tokens.expand(shape),
        };
        self.norm.forward(x).reshape([objects, grid, grid, dim])
    }

    /// The tokens after the first layer's self-attention, `shape` being that for all objects. Nothing
    /// is known of the objects yet, so it is computed once for a picture.
    fn attended(
        &self,
        first: &MemoryAttentionLayer,
        tokens: Tensor<3>,
        features: &ImageFeatures,
        shape: [usize; 3],
    ) -> Tensor<3> {
        if tokens.is_autodiff() {
            // Each object leaves out weights of its own.
            return first.attend_self(tokens.expand(shape), &self.geometry);
        }
        // Not `get_or_init`: waiting for another thread of the pool, which may be waiting for this
        // one, would never end.
        let attended = features.attended.get().cloned().unwrap_or_else(|| {
            let attended = first.attend_self(tokens, &self.geometry);
            let _ = features.attended.set(attended.clone());
            attended
        });
        attended.expand(shape)
    }
}

#[derive(Module, Debug)]
pub(crate) struct MemoryAttentionLayer {
    norm1: LayerNorm,
    self_attention: Projections,
    norm2: LayerNorm,
    cross_attention: Projections,
    norm3: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    /// Rate of dropout in training: of attention weights, of each branch, and inside the MLP.
    #[module(skip)]
    dropout: f64,
}

impl MemoryAttentionLayer {
    fn new(p: &Params<'_>, config: &Sam2Config) -> Self {
        let dim = config.hidden_dim;
        let hidden = config.memory_attention.feedforward_dim;
        let memory_dim = config.memory_encoder.memory_dim;
        let norm = |name: &str| LayerNorm::new(&p.at(name), dim, EPSILON);
        let mut cross_attention = Projections::new(&p.at("cross_attn_image"), dim, memory_dim);
        // Attention to memories may take the projection apart instead of making keys.
        cross_attention.k = cross_attention.k.plain();
        Self {
            norm1: norm("norm1"),
            self_attention: Projections::new(&p.at("self_attn"), dim, dim),
            norm2: norm("norm2"),
            cross_attention,
            norm3: norm("norm3"),
            linear1: Linear::new(&p.at("linear1"), dim, hidden),
            linear2: Linear::new(&p.at("linear2"), hidden, dim),
            dropout: config.memory_attention.dropout,
        }
    }

    /// `x` and the result are `[batch, grid·grid, hidden_dim]`; `keys` are the memory tokens with
    /// their positions.
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        keys: &Tensor<3>,
        memory: &MemoryTokens,
        geometry: &Geometry,
    ) -> Tensor<3> {
        let x = self.attend_self(x, geometry);
        self.after_self_attention(x, keys, memory, geometry)
    }

    fn after_self_attention(
        &self,
        x: Tensor<3>,
        keys: &Tensor<3>,
        memory: &MemoryTokens,
        geometry: &Geometry,
    ) -> Tensor<3> {
        let x = self.attend_memory(x, keys, memory, geometry);
        if drops(&x, self.dropout) {
            let hidden = self.linear1.forward_normed(&self.norm3, x.clone());
            let hidden = dropout(Activation::Relu.apply(hidden), self.dropout);
            return x + dropout(self.linear2.forward(hidden), self.dropout);
        }
        FeedForward {
            norm: Some(&self.norm3),
            first: &self.linear1,
            activation: Activation::Relu,
            second: &self.linear2,
            scale: None,
        }
        .forward_residual(x)
    }

    fn attend_self(&self, x: Tensor<3>, geometry: &Geometry) -> Tensor<3> {
        let Geometry { rotary, heads, .. } = geometry;
        let p = &self.self_attention;
        let normed = self.norm1.forward(x.clone());
        let q = rotary.rotate(p.q.forward(normed.clone()), *heads, 0);
        let k = rotary.rotate(p.k.forward(normed.clone()), *heads, 0);
        let v = p.v.forward(normed);
        let attended = attention_dropping(q, k, v, *heads, p.q.precision(), self.dropout);
        self.add_branch(&p.out, attended, x)
    }

    /// `x + out.forward(attended)`, some of it left out in training.
    fn add_branch(&self, out: &Linear, attended: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        if drops(&x, self.dropout) {
            x + dropout(out.forward(attended), self.dropout)
        } else {
            out.forward_add(attended, x)
        }
    }

    fn attend_memory(
        &self,
        x: Tensor<3>,
        keys: &Tensor<3>,
        memory: &MemoryTokens,
        geometry: &Geometry,
    ) -> Tensor<3> {
        let Geometry { rotary, heads, .. } = geometry;
        let p = &self.cross_attention;
        let q = rotary.rotate(p.q.forward_normed(&self.norm2, x.clone()), *heads, 0);
        let attend = |values| {
            let memories = GridMemories {
                keys,
                values,
                others: memory.pointer_tokens,
                projection: &p.k,
                rotary,
            };
            memories.attend(q, *heads, self.dropout)
        };
        let attended = if *heads == 1 && !drops(&x, self.dropout) {
            // The weights of each query sum to one, so the value projection, bias included, may
            // follow the attention: softmax(QKᵀ)(MWᵀ + b) = (softmax(QKᵀ)M)Wᵀ + b. M has a
            // quarter of the channels.
            p.v.forward(attend(memory.tokens.clone()))
        } else {
            attend(p.v.forward(memory.tokens.clone()))
        };
        self.add_branch(&p.out, attended, x)
    }
}

/// The projections of an attention.
#[derive(Module, Debug)]
struct Projections {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

impl Projections {
    fn new(p: &Params<'_>, dim: usize, memory_dim: usize) -> Self {
        Self {
            q: Linear::new(&p.at("q_proj"), dim, dim),
            k: Linear::new(&p.at("k_proj"), memory_dim, dim),
            v: Linear::new(&p.at("v_proj"), memory_dim, dim),
            out: Linear::new(&p.at("out_proj"), dim, dim),
        }
    }
}
