//! Attention in windows with gradients, on the CPU.

use burn::tensor::Tensor;
use masklet_kernels::{
    WindowedGradients, windowed_attention_gradient, windowed_attention_with_log_sums,
};

use super::{WindowSpec, kernel_inputs};
use crate::ops::cpu::CpuView;
use crate::ops::recorded::{Gradient, Recorded, computed, record};

/// [`super::window_attention`] in the graph.
pub(super) fn record_window_attention(
    qkv: &Tensor<4>,
    padding: &Tensor<1>,
    spec: WindowSpec,
) -> Option<Tensor<4>> {
    let inputs = [Recorded::of(qkv)?, Recorded::of(padding)?];
    let [qkv_view, padding] = inputs.each_ref().map(Recorded::view);
    let shape = qkv.dims();
    let kernel = kernel_inputs(&qkv_view, &padding, shape, spec);
    let (height, width) = kernel.output_grid();
    let to = [shape[0], height, width, shape[3] / 3];
    let results = shape[0] * height * width;
    let mut log_sums = vec![0.0; results * spec.heads];
    let result = computed(results * to[3], |out| {
        windowed_attention_with_log_sums(&kernel, &mut log_sums, out)
    });
    let gradient = Kept {
        qkv: qkv_view,
        padding,
        shape,
        spec,
        result: result.clone(),
        log_sums,
    };
    Some(record(inputs, gradient, result, to))
}

#[derive(Clone, Debug)]
struct Kept {
    qkv: CpuView,
    padding: CpuView,
    shape: [usize; 4],
    spec: WindowSpec,
    result: CpuView,
    log_sums: Vec<f32>,
}

impl Gradient<2> for Kept {
    fn of_inputs(self, result: CpuView, _: [bool; 2]) -> [Option<CpuView>; 2] {
        let kernel = kernel_inputs(&self.qkv, &self.padding, self.shape, self.spec);
        let WindowedGradients { qkv, padding } = windowed_attention_gradient(
            &kernel,
            self.result.values(),
            &self.log_sums,
            result.values(),
        );
        [qkv, padding].map(|values| Some(CpuView::owned(values)))
    }
}
