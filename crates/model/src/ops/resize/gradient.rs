//! Bilinear resizing of masks with gradients, on the CPU.

use burn::tensor::Tensor;
use masklet_kernels::{resize_bilinear, resize_bilinear_gradient};

use crate::ops::cpu::CpuView;
use crate::ops::recorded::{Gradient, Recorded, computed, record};

/// The bilinear resize of maps with one channel, `[batch, height, width, 1]`, in the graph.
pub(super) fn record_bilinear(x: &Tensor<4>, to: (usize, usize)) -> Option<Tensor<4>> {
    let [batch, height, width, _] = x.dims();
    let from = (height, width);
    let input = Recorded::of(x)?;
    let view = input.view();
    let result = computed(batch * to.0 * to.1, |out| {
        resize_bilinear(view.values(), batch, from, to, out)
    });
    let gradient = BilinearGradient { batch, from, to };
    Some(record([input], gradient, result, [batch, to.0, to.1, 1]))
}

#[derive(Clone, Debug)]
struct BilinearGradient {
    batch: usize,
    from: (usize, usize),
    to: (usize, usize),
}

impl Gradient<1> for BilinearGradient {
    fn of_inputs(self, result: CpuView, _: [bool; 1]) -> [Option<CpuView>; 1] {
        let Self { batch, from, to } = self;
        let grad = result.values();
        [Some(computed(batch * from.0 * from.1, |out| {
            resize_bilinear_gradient(grad, batch, from, to, out)
        }))]
    }
}
