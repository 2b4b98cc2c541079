//! Layer normalisation over channels.

mod gradient;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::layer_norm};
use masklet_kernels::{Rows, layer_norm_activated};

use super::Activation;
use super::cpu::{CpuView, written};
use crate::params::{Init, Params};

/// Normalises the last dimension to mean 0 and variance 1, then scales and shifts.
///
/// On channels-last feature maps this is also the reference's `LayerNorm2d`.
#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

/// A norm as the kernels take it.
#[derive(Clone, Debug)]
pub(super) struct FastNorm {
    gamma: CpuView,
    beta: CpuView,
    epsilon: f64,
}

impl FastNorm {
    pub(super) fn kernel(&self) -> masklet_kernels::LayerNorm<'_> {
        masklet_kernels::LayerNorm {
            gamma: self.gamma.values(),
            beta: self.beta.values(),
            eps: self.epsilon as f32,
        }
    }
}

impl LayerNorm {
    /// Over `channels`; `epsilon` is added to the variance.
    pub(crate) fn new(p: &Params<'_>, channels: usize, epsilon: f64) -> Self {
        Self {
            weight: p.tensor("weight", [channels], Init::Constant(1.0)),
            bias: p.tensor("bias", [channels], Init::Constant(0.0)),
            epsilon,
        }
    }

    /// `[.., channels]` → the same shape.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward_then(x, Activation::None)
    }

    /// [`Self::forward`] followed by an activation.
    pub(crate) fn forward_then<const D: usize>(
        &self,
        x: Tensor<D>,
        activation: Activation,
    ) -> Tensor<D> {
        if let (Some(fast), Some(view)) = (self.fast(), CpuView::of(&x)) {
            let shape = x.dims();
            let rows = shape[..D - 1].iter().product();
            return written(shape, &x.device(), |out| {
                let rows = Rows::dense(view.values(), rows);
                layer_norm_activated(rows, fast.kernel(), activation.kernel(), out)
            });
        }
        if let Some(y) = self.record(&x, activation) {
            return y;
        }
        let normed = layer_norm(x, self.weight.val(), Some(self.bias.val()), self.epsilon);
        activation.apply(normed)
    }

    /// The norm for the kernels, if its parameters are plain values on the CPU.
    pub(super) fn fast(&self) -> Option<FastNorm> {
        Some(FastNorm {
            gamma: CpuView::of(&self.weight.val())?,
            beta: CpuView::of(&self.bias.val())?,
            epsilon: self.epsilon,
        })
    }
}
