//! NEON: 4 lanes, 32 registers.

use super::{Simd, Tile, product_by_rows};
use std::arch::aarch64::*;

/// NEON (Advanced SIMD).
#[derive(Clone, Copy)]
pub(crate) struct Neon;

/// Wraps register-only intrinsics as safe methods.
macro_rules! register_ops {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $body:expr;)*) => {
        $(#[inline(always)]
        fn $name($($arg: $ty),*) -> $ret {
            // SAFETY: register arithmetic only; reached only after NEON was detected.
            #[allow(unused_unsafe)]
            unsafe { $body }
        })*
    };
}

impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;

    register_ops! {
        fn splat(x: f32) -> float32x4_t = vdupq_n_f32(x);
        fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t = vaddq_f32(a, b);
        fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t = vsubq_f32(a, b);
        fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t = vmulq_f32(a, b);
        fn div(a: float32x4_t, b: float32x4_t) -> float32x4_t = vdivq_f32(a, b);
        fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t = vfmaq_f32(c, a, b);
        fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t = vmaxq_f32(a, b);
        fn min(a: float32x4_t, b: float32x4_t) -> float32x4_t = vminq_f32(a, b);
        fn round(a: float32x4_t) -> float32x4_t = vrndnq_f32(a);
        fn scale2(a: float32x4_t, n: float32x4_t) -> float32x4_t = {
            // Two factors, because 2^-160 and 2^128 are not f32 numbers.
            let whole = vcvtnq_s32_f32(n);
            let half = vshrq_n_s32::<1>(whole);
            let rest = vsubq_s32(whole, half);
            let low = vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(half, vdupq_n_s32(127))));
            let high = vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(rest, vdupq_n_s32(127))));
            vmulq_f32(vmulq_f32(a, low), high)
        };
        fn select_ge(a: float32x4_t, b: float32x4_t, yes: float32x4_t, no: float32x4_t)
            -> float32x4_t = vbslq_f32(vcgeq_f32(a, b), yes, no);
        fn nearest_bf16(a: float32x4_t) -> float32x4_t = {
            let up = vaddq_u32(vreinterpretq_u32_f32(a), vdupq_n_u32(0x8000));
            vreinterpretq_f32_u32(vandq_u32(up, vdupq_n_u32(0xffff_0000)))
        };
        fn sum(a: float32x4_t) -> f32 = vaddvq_f32(a);
        fn largest(a: float32x4_t) -> f32 = vmaxvq_f32(a);
    }

    #[inline(always)]
    fn prefetch(_: *const u8) {}
    #[inline(always)]
    fn prefetch_to_write(_: *const u8) {}
    #[inline(always)]
    unsafe fn load(p: *const f32) -> float32x4_t {
        // SAFETY: the caller vouches for 4 readable numbers.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> float32x4_t {
        let mut lanes = [0.0; 4];
        // SAFETY: the caller vouches for `n < 4` readable numbers.
        unsafe {
            std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
            vld1q_f32(lanes.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: float32x4_t) {
        // SAFETY: the caller vouches for 4 writable numbers.
        unsafe { vst1q_f32(p, v) }
    }
    #[inline(always)]
    unsafe fn store_partial(p: *mut f32, n: usize, v: float32x4_t) {
        let mut lanes = [0.0; 4];
        // SAFETY: the caller vouches for `n < 4` writable numbers.
        unsafe {
            vst1q_f32(lanes.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), p, n);
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut u16, v: float32x4_t) {
        // SAFETY: the caller vouches for 4 writable numbers.
        unsafe {
            let bits = vreinterpretq_u32_f32(v);
            let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
            let rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
            let ordered = vceqq_f32(v, v);
            let bf16 = vbslq_u32(ordered, rounded, vdupq_n_u32(0x7fc0_0000));
            vst1_u16(p, vshrn_n_u32::<16>(bf16));
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
    unsafe fn load_bf16_pairs(p: *const u16) -> (float32x4_t, float32x4_t) {
        // SAFETY: the caller vouches for 8 readable numbers.
        unsafe {
            let pairs = vreinterpretq_u32_u16(vld1q_u16(p));
            (
                vreinterpretq_f32_u32(vshlq_n_u32::<16>(pairs)),
                vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff_0000))),
            )
        }
    }
    #[inline(always)]
    unsafe fn product(tile: Tile, b: *const f32) {
        // SAFETY: the caller vouches for the tile.
        unsafe { product_by_rows!(Neon, product_rows, 4, 6, [1 2 3 4 5 6], tile, 1, b) }
    }
    #[inline(always)]
    unsafe fn product_widened(tile: Tile, b: *const u16) {
        // SAFETY: the caller vouches for the tile.
        unsafe { product_by_rows!(Neon, product_rows_widened, 2, 8, [1 2 3 4 5 6 7 8], tile, 2, b) }
    }
}
