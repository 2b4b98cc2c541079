//! Pooling and upsampling with gradients, on the CPU.

use burn::tensor::Tensor;
use masklet_kernels::{max_pool_2x2_gradient, sum_2x2, upsample_add};

use super::images;
use crate::ops::cpu::CpuView;
use crate::ops::recorded::{Gradient, Recorded, computed, record};

/// [`super::max_pool_2x2`] in the graph.
pub(super) fn record_max_pool(x: &Tensor<4>) -> Option<Tensor<4>> {
    let input = Recorded::of(x)?;
    let (view, shape) = (input.view(), x.dims());
    let [batch, height, width, channels] = shape;
    let to = [batch, height / 2, width / 2, channels];
    let result = computed(to.iter().product(), |out| {
        masklet_kernels::max_pool_2x2(images(&view, shape), out)
    });
    Some(record([input], PoolGradient { x: view, shape }, result, to))
}

#[derive(Clone, Debug)]
struct PoolGradient {
    x: CpuView,
    shape: [usize; 4],
}

impl Gradient<1> for PoolGradient {
    fn of_inputs(self, result: CpuView, _: [bool; 1]) -> [Option<CpuView>; 1] {
        let x = images(&self.x, self.shape);
        let grad = result.values();
        [Some(computed(x.data.len(), |out| {
            max_pool_2x2_gradient(x, grad, out)
        }))]
    }
}

/// [`super::upsample_nearest_2x_add`] in the graph.
pub(super) fn record_upsample(fine: &Tensor<4>, coarse: &Tensor<4>) -> Option<Tensor<4>> {
    let inputs = [Recorded::of(fine)?, Recorded::of(coarse)?];
    let [fine_view, coarse_view] = inputs.each_ref().map(Recorded::view);
    let shape = fine.dims();
    let result = computed(shape.iter().product(), |out| {
        upsample_add(fine_view.values(), images(&coarse_view, coarse.dims()), out)
    });
    Some(record(inputs, UpsampleGradient { shape }, result, shape))
}

#[derive(Clone, Debug)]
struct UpsampleGradient {
    shape: [usize; 4],
}

impl Gradient<2> for UpsampleGradient {
    fn of_inputs(self, result: CpuView, [fine, coarse]: [bool; 2]) -> [Option<CpuView>; 2] {
        let coarse = coarse.then(|| {
            let grad = images(&result, self.shape);
            computed(grad.data.len() / 4, |out| sum_2x2(grad, out))
        });
        [fine.then_some(result), coarse]
    }
}
