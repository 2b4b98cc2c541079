//! What is left out at random in training, and only there.

use burn::tensor::{Distribution, Tensor};

/// Whether something is left out of `x`: at a positive rate, and while gradients are recorded.
pub(crate) fn drops<const D: usize>(x: &Tensor<D>, rate: f64) -> bool {
    rate > 0.0 && x.is_autodiff()
}

/// Sets each value to zero with probability `rate` and scales the others up, so that the mean stays.
///
/// The random numbers are the device's: who trains seeds it before each clip.
pub(crate) fn dropout<const D: usize>(x: Tensor<D>, rate: f64) -> Tensor<D> {
    if drops(&x, rate) {
        let shape = x.dims();
        let kept = keep(shape, rate, &x.device());
        x * kept
    } else {
        x
    }
}

/// Leaves out the whole branch `x` `[batch, ..]` of some batch items (stochastic depth, arXiv
/// 1603.09382), scaled as by [`dropout`].
pub(crate) fn drop_path<const D: usize>(x: Tensor<D>, rate: f64) -> Tensor<D> {
    if drops(&x, rate) {
        let mut shape = [1; D];
        shape[0] = x.dims()[0];
        let kept = keep(shape, rate, &x.device());
        x * kept
    } else {
        x
    }
}

/// 0 with probability `rate`, else `1 / (1 - rate)`.
fn keep<const D: usize>(shape: [usize; D], rate: f64, device: &burn::tensor::Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Bernoulli(1.0 - rate), device).div_scalar(1.0 - rate)
}
