//! Pooling, upsampling, and the sigmoid of masks.

mod gradient;

use burn::tensor::{Tensor, activation::sigmoid};
use masklet_kernels::{Images, upsample_add};

use super::cpu::{CpuView, written};
use gradient::{record_max_pool, record_upsample};

/// A feature map as the kernels take it.
pub(super) fn images<'a>(
    view: &'a CpuView,
    [batch, height, width, channels]: [usize; 4],
) -> Images<'a> {
    Images {
        data: view.values(),
        batch,
        height,
        width,
        channels,
    }
}

/// The maximum of each 2×2 block; an odd last row or column is dropped.
/// `[batch, height, width, channels]` → `[batch, height/2, width/2, channels]`.
pub(crate) fn max_pool_2x2(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let (rows, columns) = (height / 2, width / 2);
    if let Some(view) = CpuView::of(&x) {
        return written([batch, rows, columns, channels], &x.device(), |out| {
            masklet_kernels::max_pool_2x2(images(&view, x.dims()), out)
        });
    }
    if let Some(pooled) = record_max_pool(&x) {
        return pooled;
    }
    x.narrow(1, 0, rows * 2)
        .narrow(2, 0, columns * 2)
        .reshape([batch, rows, 2, columns, 2, channels])
        .max_dim(2)
        .max_dim(4)
        .reshape([batch, rows, columns, channels])
}

/// `fine` plus `coarse` with each position repeated as a 2×2 block.
/// `[batch, 2·height, 2·width, channels]` and `[batch, height, width, channels]`.
pub(crate) fn upsample_nearest_2x_add(fine: Tensor<4>, coarse: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = coarse.dims();
    let shape = [batch, 2 * height, 2 * width, channels];
    if let (Some(fine_view), Some(coarse_view)) = (CpuView::of(&fine), CpuView::of(&coarse)) {
        return written(shape, &fine.device(), |out| {
            upsample_add(fine_view.values(), images(&coarse_view, coarse.dims()), out)
        });
    }
    if let Some(sum) = record_upsample(&fine, &coarse) {
        return sum;
    }
    let repeated = coarse
        .reshape([batch, height, 1, width, 1, channels])
        .expand([batch, height, 2, width, 2, channels])
        .reshape(shape);
    fine + repeated
}

/// `scale · sigmoid(x) + bias`.
pub(crate) fn sigmoid_scaled(x: Tensor<4>, scale: f32, bias: f32) -> Tensor<4> {
    if let Some(view) = CpuView::of(&x) {
        return written(x.dims(), &x.device(), |out| {
            masklet_kernels::sigmoid_scaled(view.values(), scale, bias, out)
        });
    }
    sigmoid(x).mul_scalar(scale).add_scalar(bias)
}
