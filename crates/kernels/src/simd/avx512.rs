//! AVX-512: 16 lanes, 32 registers.

use super::{Simd, Tile, product_by_rows};
use std::arch::x86_64::*;

/// AVX-512 F, BW, DQ, VL; with `BF16` also AVX512_BF16, which rounds to bf16 in one instruction.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const BF16: bool>;

/// Wraps register-only intrinsics as safe methods.
macro_rules! register_ops {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $body:expr;)*) => {
        $(#[inline(always)]
        fn $name($($arg: $ty),*) -> $ret {
            // SAFETY: register arithmetic only; reached only from entries compiled with AVX-512.
            unsafe { $body }
        })*
    };
}

impl<const BF16: bool> Simd for Avx512<BF16> {
    type V = __m512;
    const LANES: usize = 16;

    register_ops! {
        fn splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        fn add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        fn sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        fn mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        fn div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        fn fma(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        fn max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        fn min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        fn round(a: __m512) -> __m512 = _mm512_roundscale_ps::<0>(a);
        fn scale2(a: __m512, n: __m512) -> __m512 = {
            // Arithmetic with the tiny numbers below the normal ones is many times slower.
            let normal = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(n, _mm512_set1_ps(-125.0));
            _mm512_maskz_scalef_ps(normal, a, n)
        };
        fn select_ge(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 =
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b), no, yes);
        fn split(a: __m512) -> (__m512, __m512) =
            // Unlike a subtraction, `reduce` gives 0 for infinities, and `scalef` saturates.
            (_mm512_roundscale_ps::<0>(a), _mm512_reduce_ps::<0>(a));
        fn split_down(a: __m512) -> (__m512, __m512) =
            // `scalef` rounds its exponent down itself.
            (a, _mm512_reduce_ps::<1>(a));
        fn nearest_bf16(a: __m512) -> __m512 = {
            let up = _mm512_add_epi32(_mm512_castps_si512(a), _mm512_set1_epi32(0x8000));
            let high = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            _mm512_castsi512_ps(_mm512_and_si512(up, high))
        };
        fn sum(a: __m512) -> f32 = _mm512_reduce_add_ps(a);
        fn largest(a: __m512) -> f32 = _mm512_reduce_max_ps(a);
    }

    #[inline(always)]
    fn prefetch(p: *const u8) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    fn prefetch_to_write(p: *const u8) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: the caller vouches for 16 readable numbers.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> __m512 {
        // SAFETY: the mask confines the access to the `n` numbers the caller vouches for.
        unsafe { _mm512_maskz_loadu_ps(mask(n), p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        // SAFETY: the caller vouches for 16 writable numbers.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn store_partial(p: *mut f32, n: usize, v: __m512) {
        // SAFETY: the mask confines the access to the `n` numbers the caller vouches for.
        unsafe { _mm512_mask_storeu_ps(p, mask(n), v) }
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut u16, v: __m512) {
        // SAFETY: the caller vouches for 16 writable numbers.
        unsafe {
            if BF16 {
                let rounded: __m256i = std::mem::transmute(_mm512_cvtneps_pbh(v));
                return _mm256_storeu_si256(p.cast(), rounded);
            }
            let high = _mm512_srli_epi32::<16>(bf16_in_high_half(v));
            _mm256_storeu_si256(p.cast(), _mm512_cvtepi32_epi16(high));
        }
    }
    #[inline(always)]
    unsafe fn store_bf16_pairs(p: *mut u16, even: __m512, odd: __m512) {
        // SAFETY: the caller vouches for 32 writable numbers.
        unsafe {
            let low = _mm512_srli_epi32::<16>(bf16_in_high_half(even));
            let high = bf16_in_high_half(odd);
            let upper = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            // Bits of `upper` choose `high`, the others `low`.
            let pairs = _mm512_ternarylogic_epi32::<0xca>(upper, high, low);
            _mm512_storeu_si512(p.cast(), pairs);
        }
    }
    #[inline(always)]
    unsafe fn transpose(
        rows: &[*const f32; 16],
        count: usize,
        width: usize,
        to: *mut f32,
        stride: usize,
    ) {
        // SAFETY: the caller vouches for the rows and the destination; masks confine the loads.
        unsafe {
            let columns = ((1u32 << width) - 1) as __mmask16;
            let mut r = [_mm512_setzero_ps(); 16];
            for i in 0..16 {
                if i < count {
                    r[i] = _mm512_maskz_loadu_ps(columns, rows[i]);
                }
            }
            let mut t = r;
            for i in 0..8 {
                t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            // Afterwards 128-bit lane l of u[4 j + c] holds column 4 l + c of rows 4 j..4 j + 4.
            let mut u = t;
            for j in 0..4 {
                let (t0, t1) = (_mm512_castps_pd(t[4 * j]), _mm512_castps_pd(t[4 * j + 1]));
                let (t2, t3) = (
                    _mm512_castps_pd(t[4 * j + 2]),
                    _mm512_castps_pd(t[4 * j + 3]),
                );
                u[4 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(t0, t2));
                u[4 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(t0, t2));
                u[4 * j + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(t1, t3));
                u[4 * j + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(t1, t3));
            }
            let mut out = u;
            for c in 0..4 {
                let even = _mm512_shuffle_f32x4::<0x88>(u[c], u[4 + c]);
                let odd = _mm512_shuffle_f32x4::<0xdd>(u[c], u[4 + c]);
                let even_low = _mm512_shuffle_f32x4::<0x88>(u[8 + c], u[12 + c]);
                let odd_low = _mm512_shuffle_f32x4::<0xdd>(u[8 + c], u[12 + c]);
                out[c] = _mm512_shuffle_f32x4::<0x88>(even, even_low);
                out[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd, odd_low);
                out[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even, even_low);
                out[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_low);
            }
            for (j, &row) in out.iter().enumerate() {
                if j < width {
                    _mm512_storeu_ps(to.add(j * stride), row);
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bf16_pairs(p: *const u16) -> (__m512, __m512) {
        // SAFETY: the caller vouches for 32 readable numbers.
        unsafe {
            let pairs = _mm512_loadu_si512(p.cast());
            let high = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            (
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs)),
                _mm512_castsi512_ps(_mm512_and_si512(pairs, high)),
            )
        }
    }
    #[inline(always)]
    unsafe fn product(tile: Tile, b: *const f32) {
        // SAFETY: the caller vouches for the tile.
        unsafe {
            product_by_rows!(Self, product_rows, 2, 14,
                [1 2 3 4 5 6 7 8 9 10 11 12 13 14], tile, 1, b)
        }
    }
    #[inline(always)]
    unsafe fn product_widened(tile: Tile, b: *const u16) {
        // SAFETY: the caller vouches for the tile.
        unsafe {
            product_by_rows!(Self, product_rows_widened, 2, 12,
                [1 2 3 4 5 6 7 8 9 10 11 12], tile, 2, b)
        }
    }
}

/// The bf16 nearest to each lane in the upper 16 bits; the lower ones are arbitrary.
#[inline(always)]
fn bf16_in_high_half(v: __m512) -> __m512i {
    // SAFETY: register arithmetic only; reached only from entries compiled with AVX-512.
    unsafe {
        let bits = _mm512_castps_si512(v);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
        let ordered = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(v, v);
        let nan = _mm512_set1_epi32(0x7fc0_0000);
        _mm512_mask_add_epi32(nan, ordered, bits, half)
    }
}

#[inline(always)]
fn mask(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}
