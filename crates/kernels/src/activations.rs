//! Products of two activations, neither of which is packed beforehand.

use crate::buffers::Scratch;
use crate::cpu;
use crate::output::{Out, Written};
use crate::panel::transpose_rows;
use crate::product::{Block, Engine};
use crate::rows::Rows;
use crate::simd::{PANEL, Prefetch};
use rayon::prelude::*;

/// `out[m, n] = a[m, width] * b[n, width]^T` in f32: every row of `a` with every row of `b`, for
/// example the hypernetworks' weights with the pixels of the upscaled embedding.
pub fn matmul_nt<'o>(
    a: Rows<'_>,
    b: Rows<'_>,
    width: usize,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    a.check(width, "matmul_nt");
    b.check(width, "matmul_nt");
    let isa = cpu::path().isa;
    let out = out.into();
    out.expect_len(a.count * b.count, "matmul_nt");
    let engine = Engine::F32(isa);
    let to = out.shared();
    let panels = b.count.div_ceil(PANEL);
    (0..panels)
        .into_par_iter()
        .with_min_len(8)
        .for_each(|panel| {
            let (first, count) = (panel * PANEL, PANEL.min(b.count - panel * PANEL));
            let mut packed = Scratch::of::<f32>(width * PANEL);
            let mut sums = Scratch::of::<f32>(a.count * PANEL);
            let packed: *mut f32 = packed.start();
            let sums: *mut f32 = sums.start();
            // SAFETY: `check` found `width` numbers in each row; the workspaces have the extents
            // stated; each panel writes columns of its own.
            unsafe {
                for group in 0..count.div_ceil(16) {
                    let present = (count - group * 16).min(16);
                    let mut rows = [std::ptr::null(); 16];
                    for (i, row) in rows.iter_mut().take(present).enumerate() {
                        *row = b.data[(first + group * 16 + i) * b.stride..].as_ptr();
                    }
                    transpose_rows(isa, &rows, present, width, packed.add(group * 16));
                }
                let block = Block {
                    rows: a.count,
                    k: width,
                    a: a.data.as_ptr().cast(),
                    a_stride: a.stride,
                    c: sums,
                    c_stride: PANEL,
                    accumulate: false,
                    prefetch: Prefetch::NONE,
                };
                engine.multiply(&block, packed.cast_const().cast());
                for row in 0..a.count {
                    let to = to.at(row * b.count + first);
                    std::ptr::copy_nonoverlapping(sums.add(row * PANEL), to, count);
                }
            }
        });
    // SAFETY: every panel, hence every column of every row, was written.
    unsafe { out.written() }
}
