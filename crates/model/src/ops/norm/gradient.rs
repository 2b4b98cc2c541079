//! Layer normalisation with gradients, on the CPU.

use burn::tensor::Tensor;
use masklet_kernels::{NormGradients, Rows, layer_norm_activated, layer_norm_gradient};

use super::{FastNorm, LayerNorm};
use crate::ops::Activation;
use crate::ops::cpu::CpuView;
use crate::ops::recorded::{Gradient, Recorded, computed, record};

impl LayerNorm {
    /// [`LayerNorm::forward_then`] in the graph.
    pub(super) fn record<const D: usize>(
        &self,
        x: &Tensor<D>,
        activation: Activation,
    ) -> Option<Tensor<D>> {
        let inputs = [
            Recorded::of(x)?,
            Recorded::of(&self.weight.val())?,
            Recorded::of(&self.bias.val())?,
        ];
        let [x_view, gamma, beta] = inputs.each_ref().map(Recorded::view);
        let shape = x.dims();
        let gradient = NormGradient {
            x: x_view,
            norm: FastNorm {
                gamma,
                beta,
                epsilon: self.epsilon,
            },
            rows: shape[..D - 1].iter().product(),
            activation,
        };
        let rows = Rows::dense(gradient.x.values(), gradient.rows);
        let norm = gradient.norm.kernel();
        let result = computed(shape.iter().product(), |out| {
            layer_norm_activated(rows, norm, activation.kernel(), out)
        });
        Some(record(inputs, gradient, result, shape))
    }
}

#[derive(Clone, Debug)]
struct NormGradient {
    x: CpuView,
    norm: FastNorm,
    rows: usize,
    activation: Activation,
}

impl Gradient<3> for NormGradient {
    fn of_inputs(self, result: CpuView, _: [bool; 3]) -> [Option<CpuView>; 3] {
        let rows = Rows::dense(self.x.values(), self.rows);
        let (norm, activation) = (self.norm.kernel(), self.activation.kernel());
        let NormGradients { x, gamma, beta } =
            layer_norm_gradient(rows, norm, activation, result.values());
        [x, gamma, beta].map(|values| Some(CpuView::owned(values)))
    }
}
