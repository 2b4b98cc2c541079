//! bf16 products with AVX512_BF16: each `vdpbf16ps` adds 16 dot products of two numbers.

use super::Block;
use crate::simd::PANEL;
use std::arch::x86_64::*;

/// Most rows whose sums fit the registers: 14 x 2 vectors, two for the panel, two to spare.
const ROWS: usize = 14;

/// `c (+)= a * panel` for bf16 rows and a panel `[k/2, 32, 2]`.
///
/// # Safety
/// The processor has AVX512_BF16; the block and panel are valid as stated by `Engine::multiply`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn product(block: &Block, panel: *const u16) {
    let parts = block.rows.div_ceil(ROWS);
    let mut first = 0;
    for part in 0..parts {
        let rows = block.rows / parts + usize::from(part < block.rows % parts);
        // SAFETY: rows `first..first + rows` lie inside the block.
        unsafe {
            let a = block.a.cast::<u16>().add(first * block.a_stride);
            let c = block.c.add(first * block.c_stride);
            let piece = Block {
                rows,
                a: a.cast(),
                c,
                ..*block
            };
            match rows {
                1 => tile::<1>(&piece, panel),
                2 => tile::<2>(&piece, panel),
                3 => tile::<3>(&piece, panel),
                4 => tile::<4>(&piece, panel),
                5 => tile::<5>(&piece, panel),
                6 => tile::<6>(&piece, panel),
                7 => tile::<7>(&piece, panel),
                8 => tile::<8>(&piece, panel),
                9 => tile::<9>(&piece, panel),
                10 => tile::<10>(&piece, panel),
                11 => tile::<11>(&piece, panel),
                12 => tile::<12>(&piece, panel),
                13 => tile::<13>(&piece, panel),
                _ => tile::<14>(&piece, panel),
            }
        }
        first += rows;
    }
}

/// As [`product`] for exactly `R` rows.
///
/// # Safety
/// As [`product`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn tile<const R: usize>(block: &Block, panel: *const u16) {
    // SAFETY: `R` rows of `a` and `c` and `ceil(k/2)` rows of the panel are valid.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        if block.accumulate {
            for (i, sum) in sums.iter_mut().enumerate() {
                sum[0] = _mm512_loadu_ps(block.c.add(i * block.c_stride));
                sum[1] = _mm512_loadu_ps(block.c.add(i * block.c_stride + 16));
            }
        }
        let a = block.a.cast::<u16>();
        for pair in 0..block.k.div_ceil(2) {
            let ahead = block
                .prefetch
                .start
                .wrapping_add(pair * block.prefetch.bytes);
            _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
            let b = panel.add(pair * PANEL * 2);
            let low: __m512bh = std::mem::transmute(_mm512_loadu_si512(b.cast()));
            let high: __m512bh = std::mem::transmute(_mm512_loadu_si512(b.add(32).cast()));
            for (i, sum) in sums.iter_mut().enumerate() {
                let x = a
                    .add(i * block.a_stride + 2 * pair)
                    .cast::<i32>()
                    .read_unaligned();
                let x: __m512bh = std::mem::transmute(_mm512_set1_epi32(x));
                sum[0] = _mm512_dpbf16_ps(sum[0], x, low);
                sum[1] = _mm512_dpbf16_ps(sum[1], x, high);
            }
        }
        for (i, sum) in sums.iter().enumerate() {
            _mm512_storeu_ps(block.c.add(i * block.c_stride), sum[0]);
            _mm512_storeu_ps(block.c.add(i * block.c_stride + 16), sum[1]);
        }
    }
}

/// Runs `10 * rounds` dot-product instructions on registers alone, 64 operations each.
///
/// # Safety
/// The processor has AVX512_BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn arithmetic_only(rounds: usize) -> f32 {
    let ones = std::hint::black_box(0x3f80_3f80);
    // SAFETY: both types are 64 bytes of any value.
    let x: __m512bh = unsafe { std::mem::transmute(_mm512_set1_epi32(ones)) };
    let mut sums = [_mm512_setzero_ps(); 10];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_dpbf16_ps(*sum, x, x);
        }
    }
    sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
}
