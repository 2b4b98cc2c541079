//! Multi-layer perceptrons.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use masklet_kernels::{Rows, mlp, mlp_add};

use super::cpu::{CpuView, take, tensor, written};
use super::linear::FastLinear;
use super::norm::FastNorm;
use super::{Activation, LayerNorm, Linear};
use crate::params::Params;

/// A transformer block's second half: a norm, two linear layers with an activation between them,
/// and a scale of each channel. Norm and scale may be missing.
#[derive(Clone, Copy)]
pub(crate) struct FeedForward<'a> {
    /// Applied first.
    pub(crate) norm: Option<&'a LayerNorm>,
    /// To the hidden width.
    pub(crate) first: &'a Linear,
    /// Between the layers.
    pub(crate) activation: Activation,
    /// From the hidden width.
    pub(crate) second: &'a Linear,
    /// Learned scale of each output channel (ConvNeXt's gamma).
    pub(crate) scale: Option<&'a Param<Tensor<1>>>,
}

impl FeedForward<'_> {
    /// `x + self(x)`, for `[.., channels]`.
    pub(crate) fn forward_residual<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self.fast() {
            Some(fast) if CpuView::reaches(&x) => {
                let (shape, device) = (x.dims(), x.device());
                let mut sum = take(x);
                mlp_add(&mut sum, &fast.kernel());
                tensor(sum, shape, &device)
            }
            _ => self.forward_add(x.clone(), x),
        }
    }

    /// `residual + self(x)`, for `[.., channels]`.
    pub(crate) fn forward_add<const D: usize>(
        &self,
        x: Tensor<D>,
        residual: Tensor<D>,
    ) -> Tensor<D> {
        let shape = residual.dims();
        if let (true, Some(fast), Some(view), Some(added)) = (
            x.dims() == shape,
            self.fast(),
            CpuView::of(&x),
            CpuView::of(&residual),
        ) {
            let rows = Rows::dense(view.values(), shape[..D - 1].iter().product());
            return written(shape, &x.device(), |out| {
                mlp(rows, &fast.kernel(), Some(added.values()), out)
            });
        }
        let x = match self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let hidden = self.first.forward_then(x, self.activation);
        match self.scale {
            None => self.second.forward_add(hidden, residual),
            Some(scale) => {
                let y = self.second.forward(hidden);
                let mut wide = [1; D];
                wide[D - 1] = shape[D - 1];
                residual + y * scale.val().reshape(wide)
            }
        }
    }

    /// The layers for the kernels, if all their parameters are plain values on the CPU.
    pub(super) fn fast(&self) -> Option<FastFeedForward<'_>> {
        Some(FastFeedForward {
            norm: match self.norm {
                Some(norm) => Some(norm.fast()?),
                None => None,
            },
            first: self.first.fast()?,
            activation: self.activation,
            second: self.second.fast()?,
            scale: match self.scale {
                Some(scale) => Some(CpuView::of(&scale.val())?),
                None => None,
            },
        })
    }
}

/// [`FeedForward`] as the kernels take it.
pub(super) struct FastFeedForward<'a> {
    norm: Option<FastNorm>,
    first: FastLinear<'a>,
    activation: Activation,
    second: FastLinear<'a>,
    scale: Option<CpuView>,
}

impl FastFeedForward<'_> {
    pub(super) fn kernel(&self) -> masklet_kernels::Mlp<'_> {
        masklet_kernels::Mlp {
            norm: self.norm.as_ref().map(FastNorm::kernel),
            first: self.first.weight,
            first_bias: self.first.bias(),
            activation: self.activation.kernel(),
            second: self.second.weight,
            second_bias: self.second.bias(),
            scale: self.scale.as_ref().map(CpuView::values),
        }
    }
}

/// Linear layers with an activation between them.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    pub(crate) layers: Vec<Linear>,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// `dims` are the widths from input to output; parameters are `layers.0`, `layers.1`, ….
    pub(crate) fn new(p: &Params<'_>, dims: &[usize], activation: Activation) -> Self {
        let layers = dims
            .windows(2)
            .enumerate()
            .map(|(i, dims)| Linear::new(&p.at("layers").at(i), dims[0], dims[1]))
            .collect();
        Self { layers, activation }
    }

    /// `[.., dims[0]]` → `[.., dims[last]]`.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (last, hidden) = self.layers.split_last().expect("at least one layer");
        let x = hidden
            .iter()
            .fold(x, |x, layer| layer.forward_then(x, self.activation));
        last.forward(x)
    }

    /// The two layers of a transformer block's MLP, after `norm` if there is one.
    pub(crate) fn as_feed_forward<'a>(&'a self, norm: Option<&'a LayerNorm>) -> FeedForward<'a> {
        let [first, second] = &self.layers[..] else {
            unreachable!("a transformer block's MLP has two layers");
        };
        FeedForward {
            norm,
            first,
            activation: self.activation,
            second,
            scale: None,
        }
    }
}
