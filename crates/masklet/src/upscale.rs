//! Bringing mask logits to the size of the user's picture.

use burn::tensor::Tensor;
use masklet_model::{Interpolation, resize};

/// The values of `x` on the host.
pub(crate) fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data()
        .convert::<f32>()
        .try_into_vec()
        .expect("just converted to f32")
}

/// Resizes logits `[masks, height, width]` bilinearly to `[masks, to_height, to_width]`.
pub(crate) fn upscale(logits: Tensor<3>, (to_width, to_height): (u32, u32)) -> Tensor<3> {
    let [masks, height, width] = logits.dims();
    let size = [to_height as usize, to_width as usize];
    resize(
        logits.reshape([masks, height, width, 1]),
        size,
        Interpolation::Bilinear,
    )
    .reshape([masks, size[0], size[1]])
}
