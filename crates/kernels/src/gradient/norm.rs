//! The gradient of layer normalisation.

use super::activation::scale_by_slope;
use super::sums::sum_parts;
use crate::buffers::Scratch;
use crate::cpu;
use crate::epilogue::Activation;
use crate::output::{Shared, collect};
use crate::rows::{LayerNorm, Rows, normalise_row};
use crate::simd::{Simd, simd_fn};

/// Gradients of `activation(norm(x))`.
#[derive(Clone, Debug)]
pub struct NormGradients {
    /// Of the rows, `[m, width]`.
    pub x: Vec<f32>,
    /// Of the scale, `[width]`.
    pub gamma: Vec<f32>,
    /// Of the offset, `[width]`.
    pub beta: Vec<f32>,
}

/// The gradients of [`layer_norm_activated`](crate::layer_norm_activated), given that of its result,
/// `dy` `[m, width]`. Means and variances are computed again.
pub fn layer_norm_gradient(
    x: Rows<'_>,
    norm: LayerNorm<'_>,
    activation: Activation,
    dy: &[f32],
) -> NormGradients {
    let width = norm.gamma.len();
    assert_eq!(
        norm.beta.len(),
        width,
        "layer_norm_gradient: gamma and beta differ in length"
    );
    x.check(width, "layer_norm_gradient");
    assert_eq!(
        dy.len(),
        x.count * width,
        "layer_norm_gradient: {} gradients for {} rows of {width}",
        dy.len(),
        x.count
    );
    let isa = cpu::path().isa;
    let mut sums = Vec::new();
    let dx = collect(dy.len(), |dx| {
        let to: Shared<f32> = dx.shared();
        sums = collect(2 * width, |sums| {
            sum_parts(x.count, 2 * width, sums, |rows, sums| {
                let mut slopes = Scratch::of::<f32>(width);
                for row in rows {
                    // SAFETY: the row exists in all three; rows are written by one task each, and
                    // `sums` has room for both gradients.
                    unsafe {
                        let from = x.data.as_ptr().add(row * x.stride);
                        let mut dy = dy.as_ptr().add(row * width);
                        if activation != Activation::None {
                            let slopes: *mut f32 = slopes.start();
                            normalise_row(isa, from, &norm, slopes);
                            scale_by_slope(isa, activation, slopes, dy, width, slopes);
                            dy = slopes;
                        }
                        row_gradient(isa, from, dy, &norm, to.at(row * width), sums);
                    }
                }
            })
        });
        // SAFETY: every row was written.
        unsafe { dx.written() }
    });
    let beta = sums.split_off(width);
    NormGradients {
        x: dx,
        gamma: sums,
        beta,
    }
}

simd_fn!(
    /// One row: writes `dx`, adds to `sums` what the row gives to gamma, then to beta.
    ///
    /// # Safety
    /// The rows have as many numbers as gamma, `sums` twice as many.
    unsafe fn row_gradient = row_kernel(
        x: *const f32,
        dy: *const f32,
        norm: &LayerNorm,
        dx: *mut f32,
        sums: *mut f32,
    )
);

/// # Safety
/// As [`row_gradient`].
#[inline(always)]
unsafe fn row_kernel<S: Simd>(
    x: *const f32,
    dy: *const f32,
    norm: &LayerNorm,
    dx: *mut f32,
    sums: *mut f32,
) {
    let width = norm.gamma.len();
    let gamma = norm.gamma.as_ptr();
    let (to_gamma, to_beta) = (sums, sums.wrapping_add(width));
    let zero = S::splat(0.0);
    // SAFETY: `load` and `store` keep every access below `width`.
    unsafe {
        let mut total = zero;
        for i in (0..width).step_by(S::LANES) {
            total = S::add(total, load::<S>(x, i, width));
        }
        // Beyond the end of a row, both the numbers and the mean are 0.
        let centre = [S::sum(total) / width as f32; 16];
        let (mut squares, mut g_total, mut g_product) = (zero, zero, zero);
        for i in (0..width).step_by(S::LANES) {
            let d = S::sub(load::<S>(x, i, width), first::<S>(&centre, width - i));
            let g = S::mul(load::<S>(dy, i, width), load::<S>(gamma, i, width));
            squares = S::fma(d, d, squares);
            g_total = S::add(g_total, g);
            g_product = S::fma(g, d, g_product);
        }
        let factor = 1.0 / (S::sum(squares) / width as f32 + norm.eps).sqrt();
        let g_mean = S::splat(S::sum(g_total) / width as f32);
        let slope = S::splat(S::sum(g_product) * factor * factor / width as f32);
        let factor = S::splat(factor);
        for i in (0..width).step_by(S::LANES) {
            let d = S::sub(load::<S>(x, i, width), first::<S>(&centre, width - i));
            let dy = load::<S>(dy, i, width);
            let g = S::mul(dy, load::<S>(gamma, i, width));
            let centred = S::sub(S::sub(g, g_mean), S::mul(d, slope));
            store::<S>(dx, i, width, S::mul(centred, factor));
            let of_gamma = S::fma(dy, S::mul(d, factor), load::<S>(to_gamma, i, width));
            store::<S>(to_gamma, i, width, of_gamma);
            store::<S>(to_beta, i, width, S::add(dy, load::<S>(to_beta, i, width)));
        }
    }
}

/// The first `n` numbers, zeros elsewhere.
#[inline(always)]
fn first<S: Simd>(numbers: &[f32; 16], n: usize) -> S::V {
    // SAFETY: vectors have at most 16 lanes, and at most 16 numbers are read.
    unsafe { load::<S>(numbers.as_ptr(), 0, n.min(16)) }
}

/// # Safety
/// `p` is readable for `width` numbers.
#[inline(always)]
unsafe fn load<S: Simd>(p: *const f32, i: usize, width: usize) -> S::V {
    // SAFETY: at most the numbers up to `width` are read.
    unsafe {
        if i + S::LANES <= width {
            S::load(p.add(i))
        } else {
            S::load_partial(p.add(i), width - i)
        }
    }
}

/// # Safety
/// `p` is writable for `width` numbers.
#[inline(always)]
unsafe fn store<S: Simd>(p: *mut f32, i: usize, width: usize, v: S::V) {
    // SAFETY: at most the numbers up to `width` are written.
    unsafe {
        if i + S::LANES <= width {
            S::store(p.add(i), v);
        } else {
            S::store_partial(p.add(i), width - i, v);
        }
    }
}
