//! A transformer block with windowed attention in one kernel.

use burn::tensor::Tensor;
use masklet_kernels::{Projection, WindowBlock, window_block};

use super::cpu::{CpuView, written};
use super::linear::FastLinear;
use super::{
    FeedForward, LayerNorm, Linear, WindowSpec, drop_path, drops, max_pool_2x2, window_attention,
};

/// The parts of a block, `y = shortcut(x) + out(attention(qkv(norm(x))))` and `y + mlp(y)`.
#[derive(Clone, Copy)]
pub(crate) struct BlockParts<'a> {
    pub(crate) norm: &'a LayerNorm,
    /// `inputs` to `3·outputs`.
    pub(crate) qkv: &'a Linear,
    pub(crate) out: &'a Linear,
    /// Of the normalised input; `None` if the shortcut is the input.
    pub(crate) shortcut: Option<&'a Linear>,
    pub(crate) spec: WindowSpec,
    pub(crate) mlp: FeedForward<'a>,
    /// How often each of the two branches is left out in training.
    pub(crate) drop_path: f64,
}

impl BlockParts<'_> {
    /// `[batch, height, width, inputs]` → `[batch, height', width', outputs]`, the primed sizes
    /// halved (rounded down) if queries are pooled.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let fused = self.forward_fused(&x);
        fused.unwrap_or_else(|| self.forward_by_parts(x))
    }

    fn forward_by_parts(&self, x: Tensor<4>) -> Tensor<4> {
        let qkv = self.qkv.forward_normed(self.norm, x.clone());
        let shortcut = match self.shortcut {
            Some(linear) => {
                let projected = linear.forward_normed(self.norm, x);
                if self.spec.pools {
                    max_pool_2x2(projected)
                } else {
                    projected
                }
            }
            None => x,
        };
        let attended = window_attention(qkv, self.qkv.bias(), self.spec);
        if drops(&shortcut, self.drop_path) {
            let x = shortcut + drop_path(self.out.forward(attended), self.drop_path);
            let branch = self.mlp.forward_add(x.clone(), x.zeros_like());
            return x + drop_path(branch, self.drop_path);
        }
        self.mlp
            .forward_residual(self.out.forward_add(attended, shortcut))
    }

    /// The whole block in one kernel; `None` where that cannot be, or would not gain: on other
    /// devices, with gradients, with global attention, and where windows are so few that threads
    /// would wait for each other.
    fn forward_fused(&self, x: &Tensor<4>) -> Option<Tensor<4>> {
        let window = self.spec.window?;
        let (norm, mlp) = (self.norm.fast()?, self.mlp.fast()?);
        let (qkv, out) = (self.qkv.fast()?, self.out.fast()?);
        let shortcut = match self.shortcut {
            Some(linear) => Some(linear.fast()?),
            None => None,
        };
        let view = CpuView::of(x)?;
        let block = WindowBlock {
            norm: norm.kernel(),
            qkv: projection(&qkv),
            out: projection(&out),
            shortcut: shortcut.as_ref().map(projection),
            mlp: mlp.kernel(),
            heads: self.spec.heads,
            window,
            pools: self.spec.pools,
        };
        let [batch, height, width, _] = x.dims();
        let grid = [batch, height, width];
        if !block.is_worthwhile(grid) {
            return None;
        }
        let shrink = if self.spec.pools { 2 } else { 1 };
        let outputs = out.weight.outputs();
        let shape = [batch, height / shrink, width / shrink, outputs];
        Some(written(shape, &x.device(), |out| {
            window_block(view.values(), grid, &block, out)
        }))
    }
}

fn projection<'a>(linear: &'a FastLinear<'_>) -> Projection<'a> {
    Projection {
        weight: linear.weight,
        bias: linear.bias(),
    }
}
