//! Layer normalisation and softmax of rows.

use crate::cpu;
use crate::elementwise::activate_in_place;
use crate::epilogue::Activation;
use crate::math::exp2;
use crate::output::{Out, Shared, Written};
use crate::rows::{LayerNorm, Rows, normalise_row};
use crate::simd::{Simd, simd_fn};
use rayon::prelude::*;

/// Rows are handed to threads in groups of about this many numbers.
const GROUP: usize = 1 << 14;

/// `out[m, width] = norm(x)`; the variance is that of the whole row, as in PyTorch.
pub fn layer_norm<'o>(x: Rows<'_>, norm: LayerNorm<'_>, out: impl Into<Out<'o>>) -> Written<'o> {
    layer_norm_activated(x, norm, Activation::None, out)
}

/// `out[m, width] = activation(norm(x))`.
pub fn layer_norm_activated<'o>(
    x: Rows<'_>,
    norm: LayerNorm<'_>,
    activation: Activation,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let width = norm.gamma.len();
    assert_eq!(
        norm.beta.len(),
        width,
        "layer_norm: gamma and beta differ in length"
    );
    x.check(width, "layer_norm");
    let out = out.into();
    out.expect_len(x.count * width, "layer_norm");
    let isa = cpu::path().isa;
    let to: Shared<f32> = out.shared();
    let rows = (GROUP / width.max(1)).max(1);
    (0..x.count.div_ceil(rows))
        .into_par_iter()
        .for_each(|group| {
            let (first, last) = (group * rows, x.count.min((group + 1) * rows));
            // SAFETY: rows `first..last` exist in both; groups write different rows.
            unsafe {
                for row in first..last {
                    let from = x.data[row * x.stride..][..width].as_ptr();
                    normalise_row(isa, from, &norm, to.at(row * width));
                }
                activate_in_place(
                    isa,
                    activation,
                    to.at(first * width),
                    (last - first) * width,
                );
            }
        });
    // SAFETY: every row was written.
    unsafe { out.written() }
}

/// Softmax of each row of `width` numbers, in place. Rows with NaN or plus infinity, or with nothing
/// but minus infinity, become NaN.
pub fn softmax_rows(x: &mut [f32], width: usize) {
    assert!(
        width > 0 && x.len().is_multiple_of(width),
        "softmax_rows: {} is not rows of {width}",
        x.len()
    );
    let isa = cpu::path().isa;
    let rows = (GROUP / width).max(1);
    x.par_chunks_mut(rows * width).for_each(|group| {
        for row in group.chunks_exact_mut(width) {
            // SAFETY: the row has `width` numbers.
            unsafe { softmax_row(isa, row) };
        }
    });
}

simd_fn!(
    /// # Safety
    /// None beyond the instruction set.
    unsafe fn softmax_row = softmax_kernel(row: &mut [f32])
);

/// # Safety
/// As [`softmax_row`].
#[inline(always)]
unsafe fn softmax_kernel<S: Simd>(row: &mut [f32]) {
    const SCALE: f32 = std::f32::consts::LOG2_E;
    let whole = row.len() - row.len() % S::LANES;
    let largest = row
        .iter()
        .fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m });
    let (scale, offset) = (S::splat(SCALE), S::splat(-largest * SCALE));
    let start = row.as_mut_ptr();
    let mut total = S::splat(0.0);
    // SAFETY: whole vectors end at `whole`, the partial one at the row's end.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            let weight = exp2::<S>(S::fma(S::load(start.add(i)), scale, offset));
            total = S::add(total, weight);
            S::store(start.add(i), weight);
        }
        let mut sum = S::sum(total);
        if whole < row.len() {
            let rest = row.len() - whole;
            let v = S::load_partial(start.add(whole), rest);
            S::store_partial(start.add(whole), rest, exp2::<S>(S::fma(v, scale, offset)));
            sum += row[whole..].iter().sum::<f32>();
        }
        let factor = 1.0 / sum;
        for x in row {
            *x *= factor;
        }
    }
}
