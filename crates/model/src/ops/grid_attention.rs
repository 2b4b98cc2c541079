//! Cross-attention to memories of one grid.

use burn::tensor::Tensor;
use masklet_kernels::GridAttention;

use super::cpu::{CpuView, written};
use super::linear::Linear;
use super::{RotaryTable, attention_dropping};

/// Keys that lie on a grid, and their values.
pub(crate) struct GridMemories<'a> {
    /// What keys are made of, `[batch, tokens, width]`: whole grids, then tokens without a place.
    pub(crate) keys: &'a Tensor<3>,
    /// `[batch, tokens, width]`.
    pub(crate) values: Tensor<3>,
    /// The number of tokens without a place.
    pub(crate) others: usize,
    /// Keys' projection.
    pub(crate) projection: &'a Linear,
    /// Keys are turned by their place; queries have been.
    pub(crate) rotary: &'a RotaryTable,
}

impl GridMemories<'_> {
    /// `softmax(q·kᵀ/√dim)·v` for `q` `[batch, queries, heads·dim]`. In training, weights are left out
    /// at `rate`.
    pub(crate) fn attend(self, q: Tensor<3>, heads: usize, rate: f64) -> Tensor<3> {
        if let (1, Some(result)) = (heads, self.attend_without_keys(&q)) {
            return result;
        }
        let keys = self.projection.forward(self.keys.clone());
        let keys = self.rotary.rotate(keys, heads, self.others);
        let precision = self.projection.precision();
        attention_dropping(q, keys, self.values, heads, precision, rate)
    }

    /// The same for one head by a kernel that never makes keys, where it reaches and pays.
    fn attend_without_keys(&self, q: &Tensor<3>) -> Option<Tensor<3>> {
        let [batch, queries, dim] = q.dims();
        let [_, tokens, width] = self.keys.dims();
        let positions = self.rotary.cos.dims()[0];
        let memories = (tokens - self.others) / positions;
        let side = positions.isqrt();
        let pays = GridAttention::pays(memories, side, dim, width, self.projection.precision());
        if !pays || self.values.dims()[2] != width {
            return None;
        }
        let view = CpuView::of(q)?;
        let (keys, values) = (CpuView::of(self.keys)?, CpuView::of(&self.values)?);
        let (cos, sin) = (
            CpuView::of(&self.rotary.cos)?,
            CpuView::of(&self.rotary.sin)?,
        );
        let (weight, bias) = self.projection.values()?;
        let inputs = GridAttention {
            batch,
            queries,
            memories,
            side,
            others: self.others,
            q: view.values(),
            key_tokens: keys.values(),
            values: values.values(),
            weight: weight.values(),
            bias: bias.values(),
            table: masklet_kernels::RotaryTable {
                cos: cos.values(),
                sin: sin.values(),
            },
            scale: (dim as f64).sqrt().recip() as f32,
        };
        Some(written([batch, queries, width], &q.device(), |out| {
            masklet_kernels::grid_attention(&inputs, out)
        }))
    }
}
