//! Products of two activations, neither of which is packed beforehand.

use crate::attention::{pack_value, transpose_rows};
use crate::buffers::Scratch;
use crate::cpu;
use crate::output::{Out, Written};
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
    by_panels(
        a,
        width,
        b.count,
        out.into(),
        "matmul_nt",
        |first, count, panel| {
            for group in 0..count.div_ceil(16) {
                let present = (count - group * 16).min(16);
                let mut rows = [std::ptr::null(); 16];
                for (i, row) in rows.iter_mut().take(present).enumerate() {
                    *row = b.data[(first + group * 16 + i) * b.stride..].as_ptr();
                }
                // SAFETY: `check` found `width` numbers in each row; the panel is `width x PANEL`.
                unsafe { transpose_rows(isa, &rows, present, width, panel.add(group * 16)) };
            }
        },
    )
}

/// `out[m, n] = a[m, b.count] * b[b.count, n]` in f32.
pub fn matmul_nn<'o>(
    a: Rows<'_>,
    b: Rows<'_>,
    columns: usize,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    a.check(b.count, "matmul_nn");
    b.check(columns, "matmul_nn");
    let isa = cpu::path().isa;
    by_panels(
        a,
        b.count,
        columns,
        out.into(),
        "matmul_nn",
        |first, count, panel| {
            for row in 0..b.count {
                let from = b.data[row * b.stride + first..][..count].as_ptr();
                // SAFETY: `count` numbers are read, a row of `PANEL` written.
                unsafe { pack_value(isa, from, count, panel.add(row * PANEL), 0) };
            }
        },
    )
}

/// Packs and multiplies one panel of 32 columns at a time.
///
/// `pack(first, count, panel)` packs columns `first..first + count`.
fn by_panels<'o>(
    a: Rows<'_>,
    depth: usize,
    columns: usize,
    out: Out<'o>,
    kernel: &str,
    pack: impl Fn(usize, usize, *mut f32) + Sync,
) -> Written<'o> {
    out.expect_len(a.count * columns, kernel);
    let engine = Engine::F32(cpu::path().isa);
    let to = out.shared();
    let panels = columns.div_ceil(PANEL);
    (0..panels)
        .into_par_iter()
        .with_min_len(8)
        .for_each(|panel| {
            let (first, count) = (panel * PANEL, PANEL.min(columns - panel * PANEL));
            let mut packed = Scratch::of::<f32>(depth * PANEL);
            let mut sums = Scratch::of::<f32>(a.count * PANEL);
            let packed: *mut f32 = packed.start();
            let sums: *mut f32 = sums.start();
            pack(first, count, packed);
            // SAFETY: the workspaces have the extents stated; each panel writes columns of its own.
            unsafe {
                let block = Block {
                    rows: a.count,
                    k: depth,
                    a: a.data.as_ptr().cast(),
                    a_stride: a.stride,
                    c: sums,
                    c_stride: PANEL,
                    accumulate: false,
                    prefetch: Prefetch::NONE,
                };
                engine.multiply(&block, packed.cast_const().cast());
                for row in 0..a.count {
                    let to = to.at(row * columns + first);
                    std::ptr::copy_nonoverlapping(sums.add(row * PANEL), to, count);
                }
            }
        });
    // SAFETY: every panel, hence every column of every row, was written.
    unsafe { out.written() }
}
