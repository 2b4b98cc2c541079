//! Hiera: a plain hierarchical vision transformer (arXiv 2306.00989) with windowed absolute
//! positions (arXiv 2311.05613). Feature maps stay channels-last from start to end.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::config::HieraConfig;
use crate::ops::{
    Activation, BlockParts, Conv2d, Interpolation, LayerNorm, Linear, Mlp, WindowSpec, resize,
};
use crate::params::{Init, Params};

const EPSILON: f64 = 1e-6;

/// The trunk: patch embedding, positions, and four stages of blocks.
#[derive(Module, Debug)]
pub(crate) struct Hiera {
    patch_embed: Conv2d,
    /// Background position, `[1, channels, height, width]`, resized to the token grid.
    pos_embed: Param<Tensor<4>>,
    /// Position inside a window, `[1, channels, window, window]`, tiled over the token grid.
    pos_embed_window: Param<Tensor<4>>,
    blocks: Vec<Block>,
    /// Index of the last block of each stage.
    #[module(skip)]
    stage_ends: Vec<usize>,
}

impl Hiera {
    pub(crate) fn new(p: &Params<'_>, config: &HieraConfig) -> Self {
        let width = config.embed_dim;
        let [background_height, background_width] = config.background_size;
        let window = config.window_sizes[0];
        let init = Init::TruncatedNormal(0.02);
        // All other stages and the skip connection at stride 4 are made of what the patches and the
        // first stage compute. Rounding there (and in the neck) makes about half of the masks' error
        // in bf16, and it is less than a tenth of the encoder's products: f32.
        let exact = p.in_f32();
        let mut blocks = Vec::new();
        let mut stage_ends = Vec::new();
        let depth: usize = config.stages.iter().sum();
        for (stage, &count) in config.stages.iter().enumerate() {
            for in_stage in 0..count {
                let index = blocks.len();
                let enters = stage > 0 && in_stage == 0;
                // The first block of a stage still works in the windows of the stage before: its
                // keys are at the old resolution, and pooling its queries makes the windows of
                // its output half as large.
                let window_stage = if enters { stage - 1 } else { stage };
                let spec = BlockSpec {
                    inputs: if enters {
                        width << (stage - 1)
                    } else {
                        width << stage
                    },
                    outputs: width << stage,
                    heads: config.num_heads << stage,
                    mlp_ratio: config.mlp_ratio,
                    window: (!config.global_attention_blocks.contains(&index))
                        .then(|| config.window_sizes[window_stage]),
                    pools: enters,
                    // From none in the first block to the full rate in the last.
                    drop_path: config.drop_path_rate * index as f64 / (depth - 1).max(1) as f64,
                };
                let p = if stage == 0 { &exact } else { p };
                blocks.push(Block::new(&p.at("blocks").at(index), spec));
            }
            stage_ends.push(blocks.len() - 1);
        }
        Self {
            patch_embed: Conv2d::new(
                &exact.at("patch_embed").at("proj"),
                [3, width],
                7,
                4,
                [3; 2],
            ),
            pos_embed: p.tensor(
                "pos_embed",
                [1, width, background_height, background_width],
                init,
            ),
            pos_embed_window: p.tensor("pos_embed_window", [1, width, window, window], init),
            blocks,
            stage_ends,
        }
    }

    /// Pixels `[batch, size, size, 3]` to the four stages' maps, finest first:
    /// `[batch, size/s, size/s, embed_dim·s/4]` for s = 4, 8, 16, 32.
    pub(crate) fn forward(&self, pixels: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = self.embed(pixels);
        let mut stages = Vec::with_capacity(self.stage_ends.len());
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x);
            if self.stage_ends.contains(&index) {
                stages.push(x.clone());
            }
        }
        stages
    }

    /// Patches with their positions, `[batch, size/4, size/4, embed_dim]`.
    pub(crate) fn embed(&self, pixels: Tensor<4>) -> Tensor<4> {
        let [_, height, width, _] = pixels.dims();
        let positions = self.positions(height / 4, width / 4);
        self.patch_embed.forward_plus(pixels, &positions)
    }

    /// `[1, height, width, embed_dim]`.
    fn positions(&self, height: usize, width: usize) -> Tensor<4> {
        let channels_last = |p: &Param<Tensor<4>>| p.val().permute([0, 2, 3, 1]);
        let window = channels_last(&self.pos_embed_window);
        let [_, side, _, _] = window.dims();
        let background = resize(
            channels_last(&self.pos_embed),
            [height, width],
            Interpolation::Bicubic,
        );
        background + window.repeat(&[1, height / side, width / side, 1])
    }
}

/// What one block does.
#[derive(Debug, Clone, Copy)]
struct BlockSpec {
    inputs: usize,
    outputs: usize,
    heads: usize,
    mlp_ratio: f64,
    /// Side of the attention windows in tokens of the block's input; `None` attends globally.
    window: Option<usize>,
    /// Whether the queries are pooled 2×2, which halves the resolution.
    pools: bool,
    /// How often each branch is left out in training.
    drop_path: f64,
}

/// A transformer block: attention in windows (or global), then an MLP.
#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    mlp: Mlp,
    /// Projects the shortcut where the width changes.
    proj: Option<Linear>,
    #[module(skip)]
    drop_path: f64,
}

impl Block {
    fn new(p: &Params<'_>, spec: BlockSpec) -> Self {
        let BlockSpec {
            inputs, outputs, ..
        } = spec;
        let hidden = (outputs as f64 * spec.mlp_ratio) as usize;
        Self {
            norm1: LayerNorm::new(&p.at("norm1"), inputs, EPSILON),
            attn: Attention::new(&p.at("attn"), spec),
            norm2: LayerNorm::new(&p.at("norm2"), outputs, EPSILON),
            mlp: Mlp::new(&p.at("mlp"), &[outputs, hidden, outputs], Activation::Gelu),
            proj: (inputs != outputs).then(|| Linear::new(&p.at("proj"), inputs, outputs)),
            drop_path: spec.drop_path,
        }
    }

    /// `[batch, height, width, inputs]` → `[batch, height', width', outputs]`, where the primed
    /// sizes are halved if the block pools.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        BlockParts {
            norm: &self.norm1,
            qkv: &self.attn.qkv,
            out: &self.attn.proj,
            shortcut: self.proj.as_ref(),
            spec: self.attn.spec,
            mlp: self.mlp.as_feed_forward(Some(&self.norm2)),
            drop_path: self.drop_path,
        }
        .forward(x)
    }
}

/// Multi-head self-attention inside windows, optionally with pooled queries.
#[derive(Module, Debug)]
struct Attention {
    qkv: Linear,
    proj: Linear,
    #[module(skip)]
    spec: WindowSpec,
}

impl Attention {
    fn new(p: &Params<'_>, spec: BlockSpec) -> Self {
        Self {
            qkv: Linear::new(&p.at("qkv"), spec.inputs, 3 * spec.outputs),
            proj: Linear::new(&p.at("proj"), spec.outputs, spec.outputs),
            spec: WindowSpec {
                heads: spec.heads,
                window: spec.window,
                pools: spec.pools,
                precision: p.precision(),
            },
        }
    }
}
