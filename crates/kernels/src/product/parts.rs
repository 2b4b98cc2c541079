//! f32 products from bf16 products: a number as the sum of three.
//!
//! An f32 has 24 significant bits and a bf16 has 8, so a number is the sum of three bf16 numbers, exactly:
//! the nearest bf16, the nearest to what is left, and the rest. Of the nine products of the parts of two
//! numbers, the three smallest are left out: each is at most 2^-25 of the product, which f32 would lose to
//! rounding. A tile product adds its own 32 products before it adds to the sum, so sums are at least as
//! accurate as those of a loop of multiply-adds (`tests/matmul.rs` compares them).
//! Units that multiply bf16 fifteen times as fast as f32 gain from that.
//!
//! Infinities and numbers that round to one do not survive: infinity less infinity is NaN. So a result
//! that is not finite is computed again from numbers put together again ([`correct`]). Numbers below
//! 2^-126, and parts that are, count as zero.

use super::{Block, CHUNK, Layout, product_f32};
use crate::buffers::Scratch;
use crate::cpu::Isa;
use crate::simd::{PANEL, Simd, Tile};

/// Parts of a number.
pub(crate) const COUNT: usize = 3;

/// Products of parts that are computed, by part of the left and the right number: those of which the
/// numbers add up to at most 2.
#[cfg(target_arch = "x86_64")]
pub(super) const PRODUCTS: usize = 6;

/// The parts of numbers, largest first.
#[inline(always)]
pub(crate) fn of<S: Simd>(v: S::V) -> [S::V; COUNT] {
    let first = S::nearest_bf16(v);
    let rest = S::sub(v, first);
    let second = S::nearest_bf16(rest);
    [first, second, S::sub(rest, second)]
}

/// `parts` numbers as one.
fn joined([first, second, third]: [u16; COUNT]) -> f32 {
    let [first, second, third] = [first, second, third].map(super::emulated::from_bf16);
    if first.is_finite() {
        first + (second + third)
    } else {
        first
    }
}

/// `c (+)= a * panel`, with vectors; `tile.a` is where rows in three parts are.
///
/// # Safety
/// The tile and the panel are valid as stated by `Engine::multiply`.
pub(super) unsafe fn product(isa: Isa, tile: Tile, layout: Layout, panel: *const u16) {
    let depth = tile.k;
    let mut rows = Scratch::of::<f32>(tile.rows * depth);
    let mut columns = Scratch::of::<f32>(depth * PANEL);
    let (rows, columns): (*mut f32, *mut f32) = (rows.start(), columns.start());
    let from = super::Bf16Rows {
        start: tile.a.cast::<u16>().cast_mut(),
        stride: tile.a_stride,
        layout,
    };
    // SAFETY: rows and panel have `depth` numbers, rounded up to chunks, of three parts each.
    unsafe {
        for k in 0..depth {
            for row in 0..tile.rows {
                let chunk = from
                    .row(row)
                    .add(k / CHUNK * layout.chunk_step() + k % CHUNK);
                let parts = [0, 1, 2].map(|part| *chunk.add(part * layout.tile));
                *rows.add(row * depth + k) = joined(parts);
            }
            let pairs = panel.add(k / CHUNK * COUNT * CHUNK * PANEL);
            for column in 0..PANEL {
                let pair = pairs.add((k % CHUNK / 2 * PANEL + column) * 2 + k % 2);
                let parts = [0, 1, 2].map(|part| *pair.add(part * CHUNK * PANEL));
                *columns.add(k * PANEL + column) = joined(parts);
            }
        }
        let tile = Tile {
            a: rows,
            a_stride: depth,
            ..tile
        };
        product_f32(isa, tile, columns);
    }
}

/// Whether the result has nothing infinite and no NaN, as far as operands could be the reason: one of them
/// would show in a whole row or in a whole column. (Loads of single numbers would take so many
/// instructions that the next product begins late.)
///
/// # Safety
/// `c` of the block is valid; the processor has AVX-512 F and DQ, as every one with AMX.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) unsafe fn looks_finite(block: &Block) -> bool {
    use std::arch::x86_64::*;
    /// Quiet NaN, both infinities, signalling NaN.
    const NOT_FINITE: i32 = 0x01 | 0x08 | 0x10 | 0x80;
    // SAFETY: the first row and column of the result exist.
    unsafe {
        let stride = _mm512_set1_epi32(block.c_stride as i32);
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let rows = _mm512_mullo_epi32(lanes, stride);
        let mut found = _mm512_fpclass_ps_mask::<NOT_FINITE>(_mm512_loadu_ps(block.c))
            | _mm512_fpclass_ps_mask::<NOT_FINITE>(_mm512_loadu_ps(block.c.add(16)));
        for first in (0..block.rows).step_by(16) {
            let some = ((1_u32 << (block.rows - first).min(16)) - 1) as __mmask16;
            let start = block.c.add(first * block.c_stride).cast();
            let zero = _mm512_setzero_ps();
            let column = _mm512_mask_i32gather_ps::<4>(zero, some, rows, start);
            found |= _mm512_fpclass_ps_mask::<NOT_FINITE>(column);
        }
        found == 0
    }
}

/// Computes results again that are not finite. A sum that was added to is what the product is, if that
/// is not finite, and is left as it is otherwise.
///
/// # Safety
/// As [`product`]; `c` holds the result of the parts.
#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
pub(super) unsafe fn correct(isa: Isa, tile: Tile, layout: Layout, panel: *const u16) {
    let mut exact = Scratch::of::<f32>(tile.rows * PANEL);
    let exact: *mut f32 = exact.start();
    let again = Tile {
        c: exact,
        c_stride: PANEL,
        accumulate: false,
        ..tile
    };
    // SAFETY: the workspace has a row of the panel's width for every row.
    unsafe {
        product(isa, again, layout, panel);
        for row in 0..tile.rows {
            for column in 0..PANEL {
                let (to, from) = (
                    tile.c.add(row * tile.c_stride + column),
                    *exact.add(row * PANEL + column),
                );
                let is_right = (*to).is_finite() || (tile.accumulate && from.is_finite());
                if !is_right {
                    *to = from;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Portable, to_bf16};

    #[test]
    fn a_number_is_the_sum_of_its_parts() {
        let numbers = [
            1.0,
            -1.0,
            0.1,
            3.402_823_4e37,
            1.0e-20,
            -7.129_384e5,
            0.0,
            -0.0,
        ];
        let tricky = (0..1 << 16).map(|low| f32::from_bits(0x3f7f_0000 | low));
        for x in numbers.into_iter().chain(tricky) {
            let parts = of::<Portable>([x; 8]).map(|part| part[0]);
            let halves = parts.map(to_bf16);
            assert_eq!(halves.map(super::super::emulated::from_bf16), parts, "{x}");
            assert_eq!(joined(halves), x);
        }
        assert_eq!(
            joined([f32::INFINITY, f32::NAN, f32::NAN].map(to_bf16)),
            f32::INFINITY
        );
    }
}
