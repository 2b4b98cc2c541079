//! Convolutions, pooling and upsampling on channels-last feature maps.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, module::conv2d, ops::ConvOptions};

use crate::params::{Init, Params};

/// A 2-d convolution with a square kernel; `weight` is `[out, in/groups, k, k]`.
#[derive(Module, Debug)]
pub(crate) struct Conv2d {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
}

impl Conv2d {
    /// `kernel`×`kernel`, moved by `stride`, zero-padded by `padding` on each side.
    pub(crate) fn new(
        p: &Params<'_>,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        Self::grouped(p, [inputs, outputs], 1, kernel, stride, padding)
    }

    /// One kernel for each channel, stride 1, size kept.
    pub(crate) fn depthwise(p: &Params<'_>, channels: usize, kernel: usize) -> Self {
        Self::grouped(p, [channels, channels], channels, kernel, 1, kernel / 2)
    }

    fn grouped(
        p: &Params<'_>,
        [inputs, outputs]: [usize; 2],
        groups: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        let shape = [outputs, inputs / groups, kernel, kernel];
        let init = Init::FanIn(shape[1..].iter().product());
        Self {
            weight: p.tensor("weight", shape, init),
            bias: p.tensor("bias", [outputs], init),
            stride,
            padding,
        }
    }

    /// `[batch, height, width, in]` → `[batch, height', width', out]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let groups = x.dims()[3] / self.weight.dims()[1];
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], groups);
        let y = conv2d(
            x.permute([0, 3, 1, 2]),
            self.weight.val(),
            Some(self.bias.val()),
            options,
        );
        y.permute([0, 2, 3, 1])
    }
}

/// A transposed 2×2 convolution with stride 2: each input position becomes a 2×2 block, so it is
/// a matrix product. `weight` is `[in, out, 2, 2]`.
#[derive(Module, Debug)]
pub(crate) struct ConvTranspose2x2 {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl ConvTranspose2x2 {
    /// From `inputs` to `outputs` channels.
    pub(crate) fn new(p: &Params<'_>, inputs: usize, outputs: usize) -> Self {
        let init = Init::FanIn(outputs * 4);
        Self {
            weight: p.tensor("weight", [inputs, outputs, 2, 2], init),
            bias: p.tensor("bias", [outputs], init),
        }
    }

    /// `[batch, height, width, in]` → `[batch, 2·height, 2·width, out]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, inputs] = x.dims();
        let outputs = self.weight.dims()[1];
        let kernel = self
            .weight
            .val()
            .permute([0, 2, 3, 1])
            .reshape([inputs, 4 * outputs]);
        let blocks = x
            .reshape([batch * height * width, inputs])
            .matmul(kernel)
            .reshape([batch, height, width, 2, 2, outputs])
            .permute([0, 1, 3, 2, 4, 5])
            .reshape([batch, 2 * height, 2 * width, outputs]);
        blocks + self.bias.val().reshape([1, 1, 1, outputs])
    }
}

/// The maximum of each 2×2 block; an odd last row or column is dropped.
/// `[batch, height, width, channels]` → `[batch, height/2, width/2, channels]`.
pub(crate) fn max_pool_2x2(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let (rows, columns) = (height / 2, width / 2);
    x.narrow(1, 0, rows * 2)
        .narrow(2, 0, columns * 2)
        .reshape([batch, rows, 2, columns, 2, channels])
        .max_dim(2)
        .max_dim(4)
        .reshape([batch, rows, columns, channels])
}

/// Each position becomes a 2×2 block of copies.
/// `[batch, height, width, channels]` → `[batch, 2·height, 2·width, channels]`.
pub(crate) fn upsample_nearest_2x(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    x.reshape([batch, height, 1, width, 1, channels])
        .expand([batch, height, 2, width, 2, channels])
        .reshape([batch, 2 * height, 2 * width, channels])
}
