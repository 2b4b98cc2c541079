//! Layer normalisation of rows.

use crate::cpu;
use crate::elementwise::activate_in_place;
use crate::epilogue::Activation;
use crate::output::{Out, Shared, Written};
use crate::rows::{LayerNorm, Rows, normalise_row};
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
