//! Panels: the right operand of a product, made of its columns or of its rows.

use crate::buffers::Scratch;
use crate::cpu::Isa;
use crate::product::{CHUNK, Engine, Layout};
use crate::rows::row_to_bf16;
use crate::simd::{PANEL, Simd, simd_fn};

/// Writes `count` (at most 16) neighbouring columns of a panel, of `depth` numbers each, and zeros for
/// the rest of 16. `to` is the first one's place in the panel's first row.
///
/// # Safety
/// `count` columns are readable; `to` is in a panel of the engine, of that depth, with 16 columns left.
pub(crate) unsafe fn pack_columns(
    engine: Engine,
    isa: Isa,
    columns: &[*const f32; 16],
    count: usize,
    depth: usize,
    to: *mut f32,
) {
    // SAFETY: rows of halves are as long as `row_to_bf16` is told.
    unsafe {
        if !engine.bf16_panels() {
            return transpose_rows(isa, columns, count, depth, to);
        }
        // Pairs of halves are transposed as if they were f32.
        let padded = engine.padded_k(depth);
        let mut halves = Scratch::of::<u16>(16 * padded);
        let halves: *mut u16 = halves.start();
        let mut rows = *columns;
        for (i, row) in rows.iter_mut().take(count).enumerate() {
            let to = halves.add(i * padded);
            row_to_bf16(isa, *row, depth, to, engine.column_layout());
            *row = to.cast_const().cast();
        }
        transpose_rows(isa, &rows, count, padded / 2, to);
    }
}

/// Writes rows `2 * pair` and `2 * pair + 1` of bf16 panels, `step` numbers apart; a row that does not
/// exist is zero.
///
/// # Safety
/// The rows have `width` numbers; the panels are deep enough.
pub(crate) unsafe fn pack_row_pair(
    engine: Engine,
    isa: Isa,
    pair: usize,
    rows: [Option<*const f32>; 2],
    width: usize,
    panels: *mut u16,
    step: usize,
) {
    const PAIR: usize = 2 * PANEL;
    const PAIRS: usize = CHUNK / 2;
    let layout = engine.pair_layout();
    let chunk = pair / PAIRS * layout.chunk_step();
    // SAFETY: forwarded.
    unsafe {
        let to = panels.add(chunk + pair % PAIRS * PAIR);
        row_pair(isa, rows, width, to, step, layout);
    }
}

simd_fn!(
    /// Transposes up to 16 rows of `width` 32-bit values into columns of a panel.
    ///
    /// # Safety
    /// `count` rows are readable, `to` has `width` rows of 16 values, `PANEL` apart.
    pub(crate) unsafe fn transpose_rows = transpose_kernel(
        rows: &[*const f32; 16],
        count: usize,
        width: usize,
        to: *mut f32,
    )
);

/// # Safety
/// As [`transpose_rows`].
#[inline(always)]
unsafe fn transpose_kernel<S: Simd>(
    rows: &[*const f32; 16],
    count: usize,
    width: usize,
    to: *mut f32,
) {
    let mut rows = *rows;
    for first in (0..width).step_by(16) {
        let some = (width - first).min(16);
        // SAFETY: columns `first..first + some` of the rows exist.
        unsafe { S::transpose(&rows, count, some, to.add(first * PANEL), PANEL) };
        for row in &mut rows {
            *row = row.wrapping_add(16);
        }
    }
}

simd_fn!(
    /// Copies a row of `width` numbers into one row of each of its panels, zero-padded.
    ///
    /// # Safety
    /// `from` has `width` numbers, `to` a row of `PANEL` every `step` numbers.
    pub(crate) unsafe fn pack_row = row_kernel(
        from: *const f32,
        width: usize,
        to: *mut f32,
        step: usize,
    )
);

/// # Safety
/// As [`pack_row`].
#[inline(always)]
unsafe fn row_kernel<S: Simd>(from: *const f32, width: usize, to: *mut f32, step: usize) {
    for column in (0..width.next_multiple_of(PANEL)).step_by(S::LANES) {
        // SAFETY: `column` is within the padded width, loads within the width.
        unsafe {
            let v = load_at::<S>(from, width, column);
            S::store(to.add(column / PANEL * step + column % PANEL), v);
        }
    }
}

simd_fn!(
    /// Interleaves two rows as bf16 into one row of pairs of each of their panels.
    ///
    /// # Safety
    /// The rows have `width` numbers, `to` a row of pairs every `step` numbers, in all parts.
    unsafe fn row_pair = row_pair_kernel(
        rows: [Option<*const f32>; 2],
        width: usize,
        to: *mut u16,
        step: usize,
        layout: Layout,
    )
);

/// # Safety
/// As [`row_pair`].
#[inline(always)]
unsafe fn row_pair_kernel<S: Simd>(
    [even, odd]: [Option<*const f32>; 2],
    width: usize,
    to: *mut u16,
    step: usize,
    layout: Layout,
) {
    for column in (0..width.next_multiple_of(PANEL)).step_by(S::LANES) {
        // SAFETY: `column` is within the padded width, loads within the width.
        unsafe {
            let mut low = S::splat(0.0);
            let mut high = S::splat(0.0);
            if let Some(even) = even {
                low = load_at::<S>(even, width, column);
            }
            if let Some(odd) = odd {
                high = load_at::<S>(odd, width, column);
            }
            let to = to.add(column / PANEL * step + 2 * (column % PANEL));
            layout.store_pairs::<S>(to, low, high);
        }
    }
}

/// # Safety
/// `from` is readable for `width` numbers.
#[inline(always)]
unsafe fn load_at<S: Simd>(from: *const f32, width: usize, column: usize) -> S::V {
    // SAFETY: at most the numbers up to `width` are read.
    unsafe {
        if column + S::LANES <= width {
            S::load(from.add(column))
        } else if column < width {
            S::load_partial(from.add(column), width - column)
        } else {
            S::splat(0.0)
        }
    }
}
