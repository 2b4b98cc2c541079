//! Linear layers (and 1×1 convolutions) and small multi-layer perceptrons.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use crate::params::{Init, Params};

/// What follows a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    None,
    /// max(x, 0).
    Relu,
    /// The exact GELU, with the error function.
    Gelu,
}

impl Activation {
    /// Applies it element by element.
    pub(crate) fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::None => x,
            Self::Relu => activation::relu(x),
            Self::Gelu => activation::gelu(x),
        }
    }
}

/// `y = x · Wᵀ + b` over the last dimension; `W` is `[out, in]` as in PyTorch.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Param<Tensor<2>>,
    pub(crate) bias: Param<Tensor<1>>,
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
        Self {
            weight: p.reshaped("weight", official, [outputs, inputs], init),
            bias: p.tensor("bias", [outputs], init),
        }
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
        let mut shape = x.dims();
        let [outputs, inputs] = self.weight.dims();
        let rows = shape[..D - 1].iter().product();
        shape[D - 1] = outputs;
        let y = x
            .reshape([rows, inputs])
            .matmul(self.weight.val().transpose());
        activation.apply((y + self.bias.val().unsqueeze::<2>()).reshape(shape))
    }

    /// `residual + self.forward(x)`.
    pub(crate) fn forward_add<const D: usize>(
        &self,
        x: Tensor<D>,
        residual: Tensor<D>,
    ) -> Tensor<D> {
        residual + self.forward(x)
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
        let (last, hidden) = self.split();
        last.forward(Self::run(hidden, x, self.activation))
    }

    /// `residual + self.forward(x)`.
    pub(crate) fn forward_add<const D: usize>(
        &self,
        x: Tensor<D>,
        residual: Tensor<D>,
    ) -> Tensor<D> {
        let (last, hidden) = self.split();
        last.forward_add(Self::run(hidden, x, self.activation), residual)
    }

    fn split(&self) -> (&Linear, &[Linear]) {
        self.layers.split_last().expect("at least one layer")
    }

    fn run<const D: usize>(layers: &[Linear], x: Tensor<D>, activation: Activation) -> Tensor<D> {
        layers
            .iter()
            .fold(x, |x, layer| layer.forward_then(x, activation))
    }
}
