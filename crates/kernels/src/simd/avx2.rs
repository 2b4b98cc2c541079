//! AVX2 with FMA: 8 lanes, 16 registers.

use super::{Simd, Tile, product_by_rows};
use std::arch::x86_64::*;

/// AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Wraps register-only intrinsics as safe methods.
macro_rules! register_ops {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $body:expr;)*) => {
        $(#[inline(always)]
        fn $name($($arg: $ty),*) -> $ret {
            // SAFETY: register arithmetic only; reached only from entries compiled with AVX2, FMA.
            unsafe { $body }
        })*
    };
}

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;

    register_ops! {
        fn splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        fn add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        fn sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        fn mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        fn div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        fn fma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        fn max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        fn min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        fn round(a: __m256) -> __m256 = _mm256_round_ps::<{_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC}>(a);
        fn scale2(a: __m256, n: __m256) -> __m256 = {
            // Two factors, because 2^-160 and 2^128 are not f32 numbers.
            let whole = _mm256_cvtps_epi32(n);
            let half = _mm256_srai_epi32::<1>(whole);
            let rest = _mm256_sub_epi32(whole, half);
            let bias = _mm256_set1_epi32(127);
            let low = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(half, bias)));
            let high = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(rest, bias)));
            _mm256_mul_ps(_mm256_mul_ps(a, low), high)
        };
        fn select_ge(a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 =
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GE_OQ>(a, b));
        fn nearest_bf16(a: __m256) -> __m256 = {
            let up = _mm256_add_epi32(_mm256_castps_si256(a), _mm256_set1_epi32(0x8000));
            let high = _mm256_set1_epi32(0xffff_0000_u32 as i32);
            _mm256_castsi256_ps(_mm256_and_si256(up, high))
        };
        fn sum(a: __m256) -> f32 = {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        };
        fn largest(a: __m256) -> f32 = {
            let four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        };
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
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: the caller vouches for 8 readable numbers.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> __m256 {
        // SAFETY: the mask confines the access to the `n` numbers the caller vouches for.
        unsafe { _mm256_maskload_ps(p, mask(n)) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m256) {
        // SAFETY: the caller vouches for 8 writable numbers.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn store_partial(p: *mut f32, n: usize, v: __m256) {
        // SAFETY: the mask confines the access to the `n` numbers the caller vouches for.
        unsafe { _mm256_maskstore_ps(p, mask(n), v) }
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut u16, v: __m256) {
        // SAFETY: the caller vouches for 8 writable numbers.
        unsafe {
            let bits = _mm256_castps_si256(v);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
            let rounded = _mm256_srli_epi32::<16>(_mm256_add_epi32(bits, half));
            let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(v, v));
            let bf16 = _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7fc0), nan);
            let halves = _mm256_packus_epi32(bf16, bf16);
            let ordered = _mm256_permute4x64_epi64::<0b1000>(halves);
            _mm_storeu_si128(p.cast(), _mm256_castsi256_si128(ordered));
        }
    }
    #[inline(always)]
    unsafe fn store_bf16_pairs(p: *mut u16, even: Self::V, odd: Self::V) {
        let (mut low, mut high) = ([0u16; Self::LANES], [0u16; Self::LANES]);
        // SAFETY: the caller vouches for `2 * LANES` writable numbers.
        unsafe {
            Self::store_bf16(low.as_mut_ptr(), even);
            Self::store_bf16(high.as_mut_ptr(), odd);
            for i in 0..Self::LANES {
                *p.add(2 * i) = low[i];
                *p.add(2 * i + 1) = high[i];
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bf16_pairs(p: *const u16) -> (__m256, __m256) {
        // SAFETY: the caller vouches for 16 readable numbers.
        unsafe {
            let pairs = _mm256_loadu_si256(p.cast());
            let high = _mm256_set1_epi32(0xffff_0000_u32 as i32);
            (
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)),
                _mm256_castsi256_ps(_mm256_and_si256(pairs, high)),
            )
        }
    }
    #[inline(always)]
    unsafe fn product(tile: Tile, b: *const f32) {
        // SAFETY: the caller vouches for the tile.
        unsafe { product_by_rows!(Avx2, product_rows, 2, 6, [1 2 3 4 5 6], tile, 1, b) }
    }
    #[inline(always)]
    unsafe fn product_widened(tile: Tile, b: *const u16) {
        // SAFETY: the caller vouches for the tile.
        unsafe { product_by_rows!(Avx2, product_rows_widened, 2, 5, [1 2 3 4 5], tile, 2, b) }
    }
}

#[inline(always)]
fn mask(n: usize) -> __m256i {
    // SAFETY: register arithmetic only; reached only from entries compiled with AVX2.
    unsafe {
        let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lane)
    }
}
