//! Plain Rust over arrays of 8, for processors without a path of their own.

use super::{Simd, Tile, product_by_rows};

/// No instruction set in particular.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

type V = [f32; 8];

#[inline(always)]
fn zip(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    std::array::from_fn(|i| f(a[i], b[i]))
}

/// `2^n` for `n` in -126..=127, by writing the exponent.
#[inline(always)]
fn power(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// The bf16 nearest to `x`, ties to even; NaN stays NaN.
#[inline(always)]
pub(crate) fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        0x7fc0
    } else {
        ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
    }
}

impl Simd for Portable {
    type V = V;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(x: f32) -> V {
        [x; 8]
    }
    #[inline(always)]
    fn add(a: V, b: V) -> V {
        zip(a, b, |x, y| x + y)
    }
    #[inline(always)]
    fn sub(a: V, b: V) -> V {
        zip(a, b, |x, y| x - y)
    }
    #[inline(always)]
    fn mul(a: V, b: V) -> V {
        zip(a, b, |x, y| x * y)
    }
    #[inline(always)]
    fn div(a: V, b: V) -> V {
        zip(a, b, |x, y| x / y)
    }
    /// Rounded twice: a fused `mul_add` is a library call where the processor has none.
    #[inline(always)]
    fn fma(a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn max(a: V, b: V) -> V {
        zip(a, b, |x, y| if x > y { x } else { y })
    }
    #[inline(always)]
    fn min(a: V, b: V) -> V {
        zip(a, b, |x, y| if x < y { x } else { y })
    }
    #[inline(always)]
    fn round(a: V) -> V {
        // Adding and taking away 1.5 * 2^23 rounds to the nearest integer, ties to even.
        const SHIFT: f32 = 12_582_912.0;
        a.map(|x| {
            if x.abs() < 4_194_304.0 {
                (x + SHIFT) - SHIFT
            } else {
                x
            }
        })
    }
    #[inline(always)]
    fn scale2(a: V, n: V) -> V {
        std::array::from_fn(|i| {
            let whole = n[i] as i32;
            a[i] * power(whole >> 1) * power(whole - (whole >> 1))
        })
    }
    #[inline(always)]
    fn select_ge(a: V, b: V, yes: V, no: V) -> V {
        std::array::from_fn(|i| if a[i] >= b[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn nearest_bf16(a: V) -> V {
        a.map(|x| f32::from_bits(x.to_bits().wrapping_add(0x8000) & 0xffff_0000))
    }
    #[inline(always)]
    fn sum(a: V) -> f32 {
        ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
    }
    #[inline(always)]
    fn largest(a: V) -> f32 {
        a.into_iter()
            .fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m })
    }
    #[inline(always)]
    fn prefetch(_: *const u8) {}
    #[inline(always)]
    fn prefetch_to_write(_: *const u8) {}
    #[inline(always)]
    unsafe fn load(p: *const f32) -> V {
        // SAFETY: the caller vouches for 8 readable numbers; no alignment is assumed.
        unsafe { p.cast::<V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_partial(p: *const f32, n: usize) -> V {
        let mut lanes = [0.0; 8];
        // SAFETY: the caller vouches for `n < 8` readable numbers.
        unsafe { std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n) };
        lanes
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: V) {
        // SAFETY: the caller vouches for 8 writable numbers; no alignment is assumed.
        unsafe { p.cast::<V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn store_partial(p: *mut f32, n: usize, v: V) {
        // SAFETY: the caller vouches for `n < 8` writable numbers.
        unsafe { std::ptr::copy_nonoverlapping(v.as_ptr(), p, n) };
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut u16, v: V) {
        // SAFETY: the caller vouches for 8 writable numbers.
        unsafe { p.cast::<[u16; 8]>().write_unaligned(v.map(to_bf16)) }
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
    unsafe fn load_bf16_pairs(p: *const u16) -> (V, V) {
        // SAFETY: the caller vouches for 16 readable numbers.
        let pairs = unsafe { p.cast::<[u16; 16]>().read_unaligned() };
        let widen = |x: u16| f32::from_bits(u32::from(x) << 16);
        (
            std::array::from_fn(|i| widen(pairs[2 * i])),
            std::array::from_fn(|i| widen(pairs[2 * i + 1])),
        )
    }
    #[inline(always)]
    unsafe fn product(tile: Tile, b: *const f32) {
        // SAFETY: the caller vouches for the tile.
        unsafe { product_by_rows!(Portable, product_rows, 1, 4, [1 2 3 4], tile, 1, b) }
    }
    #[inline(always)]
    unsafe fn product_widened(tile: Tile, b: *const u16) {
        // SAFETY: the caller vouches for the tile.
        unsafe { product_by_rows!(Portable, product_rows_widened, 1, 4, [1 2 3 4], tile, 2, b) }
    }
}
