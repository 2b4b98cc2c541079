//! Convolutions on channels-last feature maps.

mod gradient;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::conv2d, ops::ConvOptions};
use masklet_kernels::{
    ConvShape, DepthwiseShape, Epilogue, Precision, conv_transpose_2x2, depthwise_conv,
};

use super::Activation;
use super::cpu::{CpuView, Derived, written};
use super::sample::images;
use crate::params::{Init, Params};

/// A 2-d convolution with a square kernel; `weight` is `[out, in, k, k]`.
#[derive(Module, Debug)]
pub(crate) struct Conv2d {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    shape: ConvShape,
    #[module(skip)]
    precision: Precision,
    packed: Derived<masklet_kernels::Conv2d>,
}

impl Conv2d {
    /// `kernel`×`kernel`, moved by `stride`, with `padding` zeros before and after each side.
    pub(crate) fn new(
        p: &Params<'_>,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: [usize; 2],
    ) -> Self {
        let init = Init::FanIn(inputs * kernel * kernel);
        Self {
            weight: p.tensor("weight", [outputs, inputs, kernel, kernel], init),
            bias: p.tensor("bias", [outputs], init),
            shape: ConvShape {
                inputs,
                outputs,
                kernel,
                stride,
                padding,
            },
            precision: p.precision(),
            packed: Derived::default(),
        }
    }

    /// `[batch, height, width, in]` → `[batch, height', width', out]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward_then(x, Activation::None)
    }

    /// [`Self::forward`] followed by an activation.
    pub(crate) fn forward_then(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        self.forward_fast(&x, activation, None)
            .unwrap_or_else(|| activation.apply(self.forward_composed(x)))
    }

    /// [`Self::forward`], plus `added` `[1, height', width', out]`.
    pub(crate) fn forward_plus(&self, x: Tensor<4>, added: &Tensor<4>) -> Tensor<4> {
        self.forward_fast(&x, Activation::None, Some(added))
            .unwrap_or_else(|| self.forward_composed(x) + added.clone())
    }

    fn forward_composed(&self, x: Tensor<4>) -> Tensor<4> {
        if let Some(y) = self.record(&x) {
            return y;
        }
        let ConvShape {
            stride,
            padding: [before, after],
            ..
        } = self.shape;
        let padding = [(before, after); 2];
        convolve(x, &self.weight, &self.bias, stride, padding, 1)
    }

    fn forward_fast(
        &self,
        x: &Tensor<4>,
        activation: Activation,
        added: Option<&Tensor<4>>,
    ) -> Option<Tensor<4>> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let (weight, bias, view) = (CpuView::of(&weight)?, CpuView::of(&bias)?, CpuView::of(x)?);
        let [batch, height, width, _] = x.dims();
        let added = match added {
            // The kernel adds maps of the output's own size only.
            Some(_) if batch != 1 => return None,
            Some(added) => Some(CpuView::of(added)?),
            None => None,
        };
        let shape = self.shape;
        let packed = self
            .packed
            .get(|| masklet_kernels::Conv2d::pack(weight.values(), shape, self.precision));
        let epilogue = Epilogue {
            bias: Some(bias.values()),
            activation: activation.kernel(),
            residual: added.as_ref().map(CpuView::values),
            ..Epilogue::default()
        };
        let to = [
            batch,
            shape.output_len(height),
            shape.output_len(width),
            shape.outputs,
        ];
        Some(written(to, &x.device(), |out| {
            masklet_kernels::conv2d(images(&view, x.dims()), packed, epilogue, out)
        }))
    }
}

/// A convolution of each channel with a kernel of its own; `weight` is `[channels, 1, k, k]`. A side
/// of `len` positions becomes one of `len / stride`, rounded up.
#[derive(Module, Debug)]
pub(crate) struct DepthwiseConv {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    shape: DepthwiseShape,
    packed: Derived<masklet_kernels::DepthwiseConv>,
}

impl DepthwiseConv {
    /// With an odd `kernel`, moved by `stride`.
    pub(crate) fn new(p: &Params<'_>, channels: usize, kernel: usize, stride: usize) -> Self {
        let init = Init::FanIn(kernel * kernel);
        Self {
            weight: p.tensor("weight", [channels, 1, kernel, kernel], init),
            bias: p.tensor("bias", [channels], init),
            shape: DepthwiseShape {
                channels,
                kernel,
                stride,
            },
            packed: Derived::default(),
        }
    }

    /// `[batch, height, width, channels]` → `[batch, height', width', channels]`, followed by an
    /// activation.
    pub(crate) fn forward_then(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let shape = self.shape;
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if let (Some(weight), Some(bias), Some(view)) =
            (CpuView::of(&weight), CpuView::of(&bias), CpuView::of(&x))
        {
            let packed = self.packed.get(|| {
                masklet_kernels::DepthwiseConv::pack(weight.values(), bias.values(), shape)
            });
            return written(self.result_shape(&x), &x.device(), |out| {
                let images = images(&view, x.dims());
                depthwise_conv(images, packed, activation.kernel(), out)
            });
        }
        if let Some(y) = self.record(&x, activation) {
            return y;
        }
        let [_, height, width, channels] = x.dims();
        let padding = [height, width].map(|len| {
            let before = shape.padding();
            let covered = (shape.output_len(len) - 1) * shape.stride + shape.kernel;
            (before, covered.saturating_sub(len + before))
        });
        let (weight, bias) = (&self.weight, &self.bias);
        activation.apply(convolve(x, weight, bias, shape.stride, padding, channels))
    }

    fn result_shape(&self, x: &Tensor<4>) -> [usize; 4] {
        let [batch, height, width, channels] = x.dims();
        let [height, width] = [height, width].map(|len| self.shape.output_len(len));
        [batch, height, width, channels]
    }
}

/// Burn's convolution, which is channels-first, on a channels-last map with zeros before and after
/// its height and width.
fn convolve(
    x: Tensor<4>,
    weight: &Param<Tensor<4>>,
    bias: &Param<Tensor<1>>,
    stride: usize,
    padding: [(usize, usize); 2],
    groups: usize,
) -> Tensor<4> {
    let x = x.permute([0, 3, 1, 2]);
    let (x, padding) = match padding {
        [(top, bottom), (left, right)] if top == bottom && left == right => (x, [top, left]),
        // Burn's own padding is the same before and after.
        _ => (x.pad(padding, 0.0), [0; 2]),
    };
    let options = ConvOptions::new([stride; 2], padding, [1, 1], groups);
    conv2d(x, weight.val(), Some(bias.val()), options).permute([0, 2, 3, 1])
}

/// A transposed 2×2 convolution with stride 2: each input position becomes a 2×2 block, so it is
/// a matrix product. `weight` is `[in, out, 2, 2]`.
#[derive(Module, Debug)]
pub(crate) struct ConvTranspose2x2 {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    precision: Precision,
    packed: Derived<masklet_kernels::ConvTranspose2x2>,
}

impl ConvTranspose2x2 {
    /// From `inputs` to `outputs` channels.
    pub(crate) fn new(p: &Params<'_>, inputs: usize, outputs: usize) -> Self {
        let init = Init::FanIn(outputs * 4);
        Self {
            weight: p.tensor("weight", [inputs, outputs, 2, 2], init),
            bias: p.tensor("bias", [outputs], init),
            precision: p.precision(),
            packed: Derived::default(),
        }
    }

    /// The convolution of `x` `[batch, height, width, in]` plus `skip`
    /// `[batch or 1, 2·height, 2·width, out]`.
    pub(crate) fn forward_add(&self, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, inputs] = x.dims();
        let outputs = self.weight.dims()[1];
        let shape = [batch, 2 * height, 2 * width, outputs];
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let skip = skip.expand(shape);
        if let (Some(weight), Some(bias), Some(view), Some(added)) = (
            CpuView::of(&weight),
            CpuView::of(&bias),
            CpuView::of(&x),
            CpuView::of(&skip),
        ) {
            let packed = self.packed.get(|| {
                masklet_kernels::ConvTranspose2x2::pack(
                    weight.values(),
                    inputs,
                    outputs,
                    self.precision,
                )
            });
            let epilogue = Epilogue::residual(bias.values(), added.values());
            return written(shape, &x.device(), |out| {
                conv_transpose_2x2(images(&view, x.dims()), packed, epilogue, out)
            });
        }
        if let Some(y) = self.record(&x, &skip) {
            return y;
        }
        let kernel = weight.permute([0, 2, 3, 1]).reshape([inputs, 4 * outputs]);
        let blocks = x
            .reshape([batch * height * width, inputs])
            .matmul(kernel)
            .reshape([batch, height, width, 2, 2, outputs])
            .permute([0, 1, 3, 2, 4, 5])
            .reshape(shape);
        blocks + bias.reshape([1, 1, 1, outputs]) + skip
    }
}
