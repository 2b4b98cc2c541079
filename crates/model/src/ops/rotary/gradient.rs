//! Rotary position embedding with gradients, on the CPU.

use burn::tensor::Tensor;

use super::RotaryTable;
use crate::ops::cpu::CpuView;
use crate::ops::recorded::{Gradient, Recorded, record};

impl RotaryTable {
    /// [`RotaryTable::rotate`] with one head, in the graph.
    pub(super) fn record(&self, x: &Tensor<3>, exclude: usize) -> Option<Tensor<3>> {
        let (cos, sin) = (
            Recorded::of(&self.cos)?.view(),
            Recorded::of(&self.sin)?.view(),
        );
        let input = Recorded::of(x)?;
        let [_, tokens, channels] = x.dims();
        let sin_back = CpuView::owned(sin.values().iter().map(|sin| -sin).collect());
        let turn = |sin| Turn {
            cos: cos.clone(),
            sin,
            tokens,
            channels,
            exclude,
        };
        let result = turn(sin).apply(&input.view());
        Some(record([input], turn(sin_back), result, x.dims()))
    }
}

/// A rotation of tokens; the gradient of one is the rotation back.
#[derive(Clone, Debug)]
struct Turn {
    cos: CpuView,
    sin: CpuView,
    tokens: usize,
    channels: usize,
    exclude: usize,
}

impl Turn {
    fn apply(&self, x: &CpuView) -> CpuView {
        let table = masklet_kernels::RotaryTable {
            cos: self.cos.values(),
            sin: self.sin.values(),
        };
        let mut turned = x.values().to_vec();
        // A batch item ends with its excluded tokens, so each is turned by itself.
        for item in turned.chunks_exact_mut(self.tokens * self.channels) {
            masklet_kernels::rotary(item, self.channels, table, self.exclude);
        }
        CpuView::owned(turned)
    }
}

impl Gradient<1> for Turn {
    fn of_inputs(self, result: CpuView, _: [bool; 1]) -> [Option<CpuView>; 1] {
        [Some(self.apply(&result))]
    }
}
