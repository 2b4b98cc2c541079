//! Linear layers (and 1×1 convolutions).

mod gradient;
mod weight;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};
use masklet_kernels::{Epilogue, PackedMatrix, Precision, Rows, matmul, matmul_add, matmul_norm};

use super::LayerNorm;
use super::cpu::{CpuView, take, tensor, written};
use crate::params::{Init, Params};
pub(super) use gradient::slope;
pub(crate) use weight::PackForGood;
use weight::Weight;

/// What follows a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// The exact GELU, with the error function.
    Gelu,
}

impl Activation {
    /// Applies it element by element.
    pub(crate) fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if CpuView::reaches(&x) {
            let (shape, device) = (x.dims(), x.device());
            let mut values = take(x);
            masklet_kernels::activate(&mut values, self.kernel());
            return tensor(values, shape, &device);
        }
        if let Some(y) = self.record(&x) {
            return y;
        }
        match self {
            Self::None => x,
            Self::Relu => activation::relu(x),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Gelu => activation::gelu(x),
        }
    }

    pub(super) fn kernel(self) -> masklet_kernels::Activation {
        match self {
            Self::None => masklet_kernels::Activation::None,
            Self::Relu => masklet_kernels::Activation::Relu,
            Self::Relu6 => masklet_kernels::Activation::Relu6,
            Self::Gelu => masklet_kernels::Activation::Gelu,
        }
    }
}

/// `y = x · Wᵀ + b` over the last dimension; `W` is `[out, in]` as in PyTorch.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    weight: Weight,
    pub(crate) bias: Param<Tensor<1>>,
}

/// A linear layer as the kernels take it.
pub(super) struct FastLinear<'a> {
    pub(super) weight: &'a PackedMatrix,
    bias: CpuView,
}

impl FastLinear<'_> {
    pub(super) fn bias(&self) -> &[f32] {
        self.bias.values()
    }
}

impl Linear {
    /// A linear layer: `weight` `[outputs, inputs]` and `bias` `[outputs]`.
    pub(crate) fn new(p: &Params<'_>, inputs: usize, outputs: usize) -> Self {
        Self::with_official_shape(p, &[outputs, inputs], inputs, outputs)
    }

    /// A 1×1 convolution: `weight` is `[outputs, inputs, 1, 1]` in checkpoints.
    pub(crate) fn conv1x1(p: &Params<'_>, inputs: usize, outputs: usize) -> Self {
        Self::with_official_shape(p, &[outputs, inputs, 1, 1], inputs, outputs)
    }

    fn with_official_shape(
        p: &Params<'_>,
        official: &[usize],
        inputs: usize,
        outputs: usize,
    ) -> Self {
        let init = Init::FanIn(inputs);
        let weight = p.reshaped("weight", official, [outputs, inputs], init);
        Self {
            weight: Weight::new(weight, p.precision()),
            bias: p.tensor("bias", [outputs], init),
        }
    }

    /// The same layer, for one whose parameters are taken by [`Self::values`] too.
    pub(crate) fn plain(self) -> Self {
        Self {
            weight: self.weight.plain(),
            ..self
        }
    }

    /// The bias, `[outputs]`: what zeros are mapped to.
    pub(crate) fn bias(&self) -> Tensor<1> {
        self.bias.val()
    }

    /// How products with this layer are computed by the kernels.
    pub(crate) fn precision(&self) -> Precision {
        self.weight.precision()
    }

    /// `[.., inputs]` → `[.., outputs]`.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward_then(x, Activation::None)
    }

    /// [`Self::forward`] followed by an activation.
    pub(crate) fn forward_then<const D: usize>(
        &self,
        x: Tensor<D>,
        activation: Activation,
    ) -> Tensor<D> {
        let (rows, shape) = self.shapes(&x);
        if let (Some(fast), Some(view)) = (self.fast(), CpuView::of(&x)) {
            let epilogue = Epilogue::activated(fast.bias(), activation.kernel());
            return written(shape, &x.device(), |out| {
                matmul(Rows::dense(view.values(), rows), fast.weight, epilogue, out)
            });
        }
        if let Some(y) = self.record(&x, activation) {
            return y;
        }
        let inputs = self.weight.dims()[1];
        let y = x
            .reshape([rows, inputs])
            .matmul(self.weight.val().transpose());
        activation.apply((y + self.bias.val().unsqueeze::<2>()).reshape(shape))
    }

    /// `self.forward(norm.forward(x))`.
    pub(crate) fn forward_normed<const D: usize>(
        &self,
        norm: &LayerNorm,
        x: Tensor<D>,
    ) -> Tensor<D> {
        let (rows, shape) = self.shapes(&x);
        if let (Some(fast), Some(norm), Some(view)) = (self.fast(), norm.fast(), CpuView::of(&x)) {
            let epilogue = Epilogue::bias(fast.bias());
            return written(shape, &x.device(), |out| {
                let rows = Rows::dense(view.values(), rows);
                matmul_norm(rows, norm.kernel(), fast.weight, epilogue, out)
            });
        }
        self.forward(norm.forward(x))
    }

    /// `residual + self.forward(x)`.
    pub(crate) fn forward_add<const D: usize>(
        &self,
        x: Tensor<D>,
        residual: Tensor<D>,
    ) -> Tensor<D> {
        let (rows, shape) = self.shapes(&x);
        let in_place = residual.dims() == shape && CpuView::reaches(&residual);
        if let (true, Some(fast), Some(view)) = (in_place, self.fast(), CpuView::of(&x)) {
            let device = x.device();
            let mut sum = take(residual);
            let epilogue = Epilogue::bias(fast.bias());
            matmul_add(
                Rows::dense(view.values(), rows),
                fast.weight,
                epilogue,
                &mut sum,
            );
            return tensor(sum, shape, &device);
        }
        match self.record_add(&x, &residual) {
            Some(y) => y,
            None => residual + self.forward(x),
        }
    }

    /// Weight, `[outputs, inputs]`, and bias of a [`Self::plain`] layer, if they are plain values on the CPU.
    pub(super) fn values(&self) -> Option<(CpuView, CpuView)> {
        Some((
            CpuView::of(&self.weight.val())?,
            CpuView::of(&self.bias.val())?,
        ))
    }

    /// The layer for the kernels, if its parameters are plain values on the CPU.
    pub(super) fn fast(&self) -> Option<FastLinear<'_>> {
        Some(FastLinear {
            weight: self.weight.packed()?,
            bias: CpuView::of(&self.bias.val())?,
        })
    }

    /// The number of rows of `x`, and the shape of the result.
    fn shapes<const D: usize>(&self, x: &Tensor<D>) -> (usize, [usize; D]) {
        let mut shape = x.dims();
        let rows = shape[..D - 1].iter().product();
        shape[D - 1] = self.weight.dims()[0];
        (rows, shape)
    }
}
