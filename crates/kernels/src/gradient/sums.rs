//! Sums over rows.

use crate::buffers::Scratch;
use crate::cpu;
use crate::output::{Out, Shared, Written};
use crate::rows::Rows;
use crate::simd::{Simd, simd_fn};
use rayon::prelude::*;
use std::ops::Range;

/// Parts that rows are cut into, and the fewest numbers that are worth one.
const PARTS: usize = 32;
const FEWEST: usize = 1 << 14;

/// `out[j] = sum over i of x[i, j]` for rows of `width` numbers: the gradient of a bias.
pub fn column_sums<'o>(x: Rows<'_>, width: usize, out: impl Into<Out<'o>>) -> Written<'o> {
    x.check(width, "column_sums");
    let isa = cpu::path().isa;
    sum_parts(x.count, width, out.into(), |rows, to| {
        for row in rows {
            // SAFETY: `check` found the row; `to` has `width` numbers.
            unsafe { add(isa, x.data.as_ptr().add(row * x.stride), width, to) };
        }
    })
}

/// Adds up what `work(rows, to)` adds to `to`, `[width]` zeros, for parts of the rows. The parts are
/// computed in parallel and added in order.
pub(super) fn sum_parts<'o>(
    rows: usize,
    width: usize,
    out: Out<'o>,
    work: impl Fn(Range<usize>, *mut f32) + Sync,
) -> Written<'o> {
    out.expect_len(width, "column sums");
    let parts = PARTS.min(rows * width / FEWEST).max(1);
    let rows_per_part = rows.div_ceil(parts);
    let mut memory = Scratch::of::<f32>(parts * width);
    let sums = Shared(memory.start::<f32>());
    (0..parts).into_par_iter().for_each(|part| {
        let first = (part * rows_per_part).min(rows);
        // SAFETY: each part has sums of its own.
        unsafe {
            let to = sums.at(part * width);
            std::ptr::write_bytes(to, 0, width);
            work(first..(first + rows_per_part).min(rows), to);
        }
    });
    let isa = cpu::path().isa;
    // SAFETY: every part was written; `out` has `width` numbers.
    unsafe {
        let to = out.shared().at(0);
        std::ptr::copy_nonoverlapping(sums.at(0), to, width);
        for part in 1..parts {
            add(isa, sums.at(part * width), width, to);
        }
        out.written()
    }
}

simd_fn!(
    /// `to += from`.
    ///
    /// # Safety
    /// Both pointers are valid for `len` numbers.
    pub(super) unsafe fn add = add_kernel(from: *const f32, len: usize, to: *mut f32)
);

/// # Safety
/// As [`add`].
#[inline(always)]
unsafe fn add_kernel<S: Simd>(from: *const f32, len: usize, to: *mut f32) {
    let whole = len - len % S::LANES;
    // SAFETY: whole vectors end at `whole`, single numbers at `len`.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            S::store(to.add(i), S::add(S::load(to.add(i)), S::load(from.add(i))));
        }
        for i in whole..len {
            *to.add(i) += *from.add(i);
        }
    }
}
