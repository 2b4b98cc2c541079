//! Layer normalisation over channels.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::layer_norm};

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
        layer_norm(x, self.weight.val(), Some(self.bias.val()), self.epsilon)
    }
}
