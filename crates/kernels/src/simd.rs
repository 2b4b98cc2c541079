//! One vector vocabulary over every instruction set, so that a kernel is written once.
//!
//! A kernel is a generic `#[inline(always)]` function over [`Simd`]; [`simd_fn!`] gives it one
//! entry per instruction set, compiled with that set's target features, and picks by [`Isa`].
//! Values of these vector types exist only inside such entries, which is why the methods without
//! pointers are safe to call.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;
#[cfg(test)]
pub(crate) use portable::to_bf16;
#[cfg(target_arch = "x86_64")]
pub(crate) use {avx2::Avx2, avx512::Avx512};

/// Columns of one packed panel: every instruction set's product kernel works on panels this wide.
pub(crate) const PANEL: usize = 32;

/// A product kernel's operands: `c[rows, PANEL] (+)= a[rows, k] * b[k, PANEL]`.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    pub rows: usize,
    pub k: usize,
    /// Row-major f32, `a_stride` elements from row to row.
    pub a: *const f32,
    pub a_stride: usize,
    /// Row-major f32, `c_stride` elements from row to row.
    pub c: *mut f32,
    pub c_stride: usize,
    /// Add to `c` instead of overwriting it.
    pub accumulate: bool,
    /// What later products will need, fetched into L2 meanwhile.
    pub prefetch: Prefetch,
}

/// Memory to bring into L2 while multiplying.
#[derive(Clone, Copy)]
pub(crate) struct Prefetch {
    pub start: *const u8,
    /// Bytes for every 128 bytes of panel used. Where they are many, kernels leave out lines: each has a few
    /// instructions for it, of a line each.
    pub bytes: usize,
}

impl Prefetch {
    /// Nothing.
    pub const NONE: Prefetch = Prefetch {
        start: std::ptr::null(),
        bytes: 0,
    };

    /// `bytes` at `start` while a product uses `used` bytes of panels.
    pub fn evenly(start: *const u8, bytes: usize, used: usize) -> Prefetch {
        Prefetch {
            start,
            bytes: (128 * bytes).div_ceil(used.max(1)),
        }
    }

    /// What is left when `used` bytes of panels were used.
    #[inline(always)]
    pub fn after(self, used: usize) -> Prefetch {
        Prefetch {
            start: self.start.wrapping_add(self.bytes * used / 128),
            ..self
        }
    }
}

/// A vector of f32 and what the kernels do with it.
pub(crate) trait Simd: Copy {
    /// The vector.
    type V: Copy;
    /// Its length.
    const LANES: usize;

    fn splat(x: f32) -> Self::V;
    fn add(a: Self::V, b: Self::V) -> Self::V;
    fn sub(a: Self::V, b: Self::V) -> Self::V;
    fn mul(a: Self::V, b: Self::V) -> Self::V;
    fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; `b` if either is NaN (NEON: NaN).
    fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; `b` if either is NaN (NEON: NaN).
    fn min(a: Self::V, b: Self::V) -> Self::V;
    fn round(a: Self::V) -> Self::V;
    /// `a * 2^n` for an `n` from [`Simd::split`] or [`Simd::split_down`].
    fn scale2(a: Self::V, n: Self::V) -> Self::V;
    /// The nearest integer and the rest, for `2^x`: integers beyond -160..=129 may be replaced by
    /// those; the rest of infinities is 0.
    #[inline(always)]
    fn split(a: Self::V) -> (Self::V, Self::V) {
        // The operand order of `max` and `min` lets NaN through.
        let a = Self::min(Self::splat(129.0), Self::max(Self::splat(-160.0), a));
        let whole = Self::round(a);
        (whole, Self::sub(a, whole))
    }
    /// As [`Simd::split`], with a rest of 0 to 1.
    #[inline(always)]
    fn split_down(a: Self::V) -> (Self::V, Self::V) {
        let half = Self::splat(0.5);
        let (whole, rest) = Self::split(Self::sub(a, half));
        (whole, Self::add(rest, half))
    }
    /// Lanes of `yes` where `a >= b`, else of `no`.
    fn select_ge(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    fn sum(a: Self::V) -> f32;
    fn largest(a: Self::V) -> f32;

    /// The nearest number that bf16 has, ties away from zero; beyond the largest, infinity. NaN gives
    /// anything.
    fn nearest_bf16(a: Self::V) -> Self::V;

    /// Stores `LANES` pairs of bf16, each an even and an odd number, rounded as `store_bf16` does.
    /// # Safety
    /// `p` is writable for `2 * LANES` numbers.
    unsafe fn store_bf16_pairs(p: *mut u16, even: Self::V, odd: Self::V);
    /// Transposes `count` rows of `width` 32-bit values, both at most 16: row `i` becomes column `i`
    /// of `to`. All of `width` rows of 16 columns are written, zero where there is no row.
    /// # Safety
    /// The first `count` rows are readable for `width` values; `to` is writable for `width` rows of
    /// 16 values, `stride` apart.
    #[inline(always)]
    unsafe fn transpose(
        rows: &[*const f32; 16],
        count: usize,
        width: usize,
        to: *mut f32,
        stride: usize,
    ) {
        for (i, row) in rows.iter().enumerate() {
            for j in 0..width {
                // SAFETY: `i < 16`, `j < width`, and rows from `count` on are not read.
                unsafe { *to.add(j * stride + i) = if i < count { *row.add(j) } else { 0.0 } };
            }
        }
    }

    /// Hints that the line at `p`, any address, will be needed.
    fn prefetch(p: *const u8);
    /// Hints that the line at `p`, any address, will be written.
    fn prefetch_to_write(p: *const u8);

    /// # Safety
    /// `p` is readable for `LANES` numbers.
    unsafe fn load(p: *const f32) -> Self::V;
    /// Loads `n < LANES` numbers, zero elsewhere.
    /// # Safety
    /// `p` is readable for `n` numbers.
    unsafe fn load_partial(p: *const f32, n: usize) -> Self::V;
    /// # Safety
    /// `p` is writable for `LANES` numbers.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// # Safety
    /// `p` is writable for `n < LANES` numbers.
    unsafe fn store_partial(p: *mut f32, n: usize, v: Self::V);
    /// Rounds to bf16 (nearest, ties to even; NaN stays NaN) and stores.
    /// # Safety
    /// `p` is writable for `LANES` numbers.
    unsafe fn store_bf16(p: *mut u16, v: Self::V);
    /// Loads `2 * LANES` bf16 numbers as (even ones, odd ones).
    /// # Safety
    /// `p` is readable for `2 * LANES` numbers.
    unsafe fn load_bf16_pairs(p: *const u16) -> (Self::V, Self::V);

    /// Product of f32 rows with an f32 panel `[k, PANEL]`.
    /// # Safety
    /// The tile's pointers and `b` are valid for the extents the tile states.
    unsafe fn product(tile: Tile, b: *const f32);
    /// Product of f32 rows with a bf16 panel `[ceil(k/2), PANEL, 2]`.
    /// # Safety
    /// The tile's pointers and `b` are valid for the extents the tile states.
    unsafe fn product_widened(tile: Tile, b: *const u16);
}

/// Gives a generic kernel one compiled entry per instruction set.
///
/// `simd_fn!(unsafe fn entry = kernel(a: A, b: B) -> R)` defines `entry(isa, a, b)`, which calls
/// `kernel::<S>(a, b)` inside a function that has the target features of `S`.
macro_rules! simd_fn {
    ($(#[$meta:meta])* $vis:vis unsafe fn $entry:ident = $kernel:ident
        ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $ret:ty)?) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $entry(isa: $crate::cpu::Isa, $($arg: $ty),*) $(-> $ret)? {
            use $crate::cpu::Isa;
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller vouches for the kernel's arguments.
                unsafe { $kernel::<$crate::simd::Avx512<false>>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512_bf16($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller vouches for the kernel's arguments.
                unsafe { $kernel::<$crate::simd::Avx512<true>>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx2($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller vouches for the kernel's arguments.
                unsafe { $kernel::<$crate::simd::Avx2>($($arg),*) }
            }
            // SAFETY: an `Isa` other than `Portable` is only made after detecting its features;
            // the caller vouches for the kernel's arguments.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512Bf16 => avx512_bf16($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    Isa::Neon => $kernel::<$crate::simd::Neon>($($arg),*),
                    Isa::Portable => $kernel::<$crate::simd::Portable>($($arg),*),
                }
            }
        }
    };
}
pub(crate) use simd_fn;

/// Steps over the depth of a product between two tests for its end: what runs around the products
/// takes issue slots from them where two threads share a core, as on most rented machines.
const UNROLL: usize = 4;

/// Product of `MR` rows with `NV` vectors of columns, accumulators in registers throughout.
///
/// # Safety
/// `a` covers `MR` rows, `b` has `k` rows of `PANEL` with at least `NV * LANES` columns left, `c`
/// covers `MR` rows of `NV * LANES`.
#[inline(always)]
pub(crate) unsafe fn product_rows<S: Simd, const MR: usize, const NV: usize>(
    tile: Tile,
    b: *const f32,
) {
    // SAFETY: all offsets stay within the extents the caller vouches for.
    unsafe {
        let mut sums = load_sums::<S, MR, NV>(&tile);
        let (mut rows, mut b) = (RowStarts::of::<MR>(&tile), b);
        let mut ahead = tile.prefetch.start;
        for _ in 0..tile.k / UNROLL {
            ahead = fetch_ahead::<S>(ahead, UNROLL * tile.prefetch.bytes);
            for p in 0..UNROLL {
                step::<S, MR, NV>(&mut sums, &tile, p, &rows, b);
            }
            rows.advance(UNROLL);
            b = b.add(UNROLL * PANEL);
        }
        for p in 0..tile.k % UNROLL {
            step::<S, MR, NV>(&mut sums, &tile, p, &rows, b);
        }
        store_sums::<S, MR, NV>(&tile, &sums);
    }
}

/// Adds column `p` of the rows times row `p` of the panel. (A closure, which has no target features
/// of its own, is not inlined for every height; then sums are in memory.)
///
/// # Safety
/// As [`product_rows`], from `p` on.
#[inline(always)]
unsafe fn step<S: Simd, const MR: usize, const NV: usize>(
    sums: &mut [[S::V; NV]; MR],
    tile: &Tile,
    p: usize,
    rows: &RowStarts,
    b: *const f32,
) {
    let mut columns = [S::splat(0.0); NV];
    // SAFETY: forwarded.
    unsafe {
        for (j, column) in columns.iter_mut().enumerate() {
            *column = S::load(b.add(p * PANEL + j * S::LANES));
        }
        accumulate::<S, MR, NV>(sums, tile, p, rows, &columns);
    }
}

/// As [`product_rows`] with a bf16 panel, widened on the way.
///
/// # Safety
/// As [`product_rows`]; `b` has `ceil(k / 2)` rows of `PANEL` pairs.
#[inline(always)]
pub(crate) unsafe fn product_rows_widened<S: Simd, const MR: usize, const NV: usize>(
    tile: Tile,
    b: *const u16,
) {
    // SAFETY: all offsets stay within the extents the caller vouches for.
    unsafe {
        let mut sums = load_sums::<S, MR, NV>(&tile);
        let (mut rows, mut b) = (RowStarts::of::<MR>(&tile), b);
        let mut ahead = tile.prefetch.start;
        for pair in 0..tile.k.div_ceil(2) {
            ahead = fetch_ahead::<S>(ahead, tile.prefetch.bytes);
            let (mut even, mut odd) = ([S::splat(0.0); NV], [S::splat(0.0); NV]);
            for j in 0..NV {
                (even[j], odd[j]) = S::load_bf16_pairs(b.add(j * S::LANES * 2));
            }
            accumulate::<S, MR, NV>(&mut sums, &tile, 0, &rows, &even);
            if pair * 2 + 1 < tile.k {
                accumulate::<S, MR, NV>(&mut sums, &tile, 1, &rows, &odd);
            }
            rows.advance(2);
            b = b.add(2 * PANEL);
        }
        store_sums::<S, MR, NV>(&tile, &sums);
    }
}

/// Fetches `bytes` from `start` on, and returns where they end.
#[inline(always)]
fn fetch_ahead<S: Simd>(start: *const u8, bytes: usize) -> *const u8 {
    const LINE: usize = 64;
    for line in (0..bytes).step_by(LINE) {
        S::prefetch(start.wrapping_add(line));
    }
    start.wrapping_add(bytes)
}

/// Where every third row of a register tile's left operand is: a processor reaches the two after it
/// by addressing, with no instruction of their own.
struct RowStarts([*const f32; 5]);

impl RowStarts {
    #[inline(always)]
    fn of<const MR: usize>(tile: &Tile) -> RowStarts {
        const { assert!(MR <= 15) };
        RowStarts(std::array::from_fn(|i| {
            tile.a.wrapping_add(3 * i * tile.a_stride)
        }))
    }

    /// Goes on by `columns`.
    #[inline(always)]
    fn advance(&mut self, columns: usize) {
        for start in &mut self.0 {
            *start = start.wrapping_add(columns);
        }
    }
}

/// Adds column `p` of the rows times one row of the panel.
///
/// # Safety
/// The rows are readable at `p` from where `starts` is.
#[inline(always)]
unsafe fn accumulate<S: Simd, const MR: usize, const NV: usize>(
    sums: &mut [[S::V; NV]; MR],
    tile: &Tile,
    p: usize,
    starts: &RowStarts,
    columns: &[S::V; NV],
) {
    // Written out: a loop over 14 rows stays one, and then the sums are in memory.
    macro_rules! rows {
        ($($i:literal)*) => {$(
            if $i < MR {
                // SAFETY: row `i < MR` and column `p` lie inside `a`.
                let x = S::splat(unsafe { *starts.0[$i / 3].add($i % 3 * tile.a_stride + p) });
                for (sum, &column) in sums[$i].iter_mut().zip(columns) {
                    *sum = S::fma(x, column, *sum);
                }
            }
        )*};
    }
    const { assert!(MR <= 15) };
    rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// # Safety
/// `c` covers `MR` rows of `NV * LANES`.
#[inline(always)]
unsafe fn load_sums<S: Simd, const MR: usize, const NV: usize>(tile: &Tile) -> [[S::V; NV]; MR] {
    let mut sums = [[S::splat(0.0); NV]; MR];
    if tile.accumulate {
        for (i, row) in sums.iter_mut().enumerate() {
            for (j, sum) in row.iter_mut().enumerate() {
                // SAFETY: row `i` and the columns of this tile lie inside `c`.
                *sum = unsafe { S::load(tile.c.add(i * tile.c_stride + j * S::LANES)) };
            }
        }
    }
    sums
}

/// # Safety
/// `c` covers `MR` rows of `NV * LANES`.
#[inline(always)]
unsafe fn store_sums<S: Simd, const MR: usize, const NV: usize>(
    tile: &Tile,
    sums: &[[S::V; NV]; MR],
) {
    for (i, row) in sums.iter().enumerate() {
        for (j, &sum) in row.iter().enumerate() {
            // SAFETY: row `i` and the columns of this tile lie inside `c`.
            unsafe { S::store(tile.c.add(i * tile.c_stride + j * S::LANES), sum) };
        }
    }
}

/// Splits a tile into register tiles of near-equal height and `NV` vectors of columns.
///
/// `$rows` lists the heights an instruction set has registers for, the largest first in `$max`.
macro_rules! product_by_rows {
    ($simd:ty, $kernel:ident, $nv:literal, $max:literal, [$($rows:literal)*], $tile:ident, $panel_step:expr, $b:ident) => {{
        let parts = $tile.rows.div_ceil($max);
        let (base, longer) = ($tile.rows / parts.max(1), $tile.rows % parts.max(1));
        let width = $nv * <$simd as $crate::simd::Simd>::LANES;
        let mut column = 0;
        let mut prefetch = $tile.prefetch;
        while column < $crate::simd::PANEL {
            let mut first = 0;
            for part in 0..parts {
                let rows = base + usize::from(part < longer);
                let piece = $crate::simd::Tile {
                    rows,
                    a: $tile.a.add(first * $tile.a_stride),
                    c: $tile.c.add(first * $tile.c_stride + column),
                    prefetch,
                    ..$tile
                };
                prefetch = $crate::simd::Prefetch::NONE;
                let b = $b.add(column * $panel_step);
                match rows {
                    $($rows => $crate::simd::$kernel::<$simd, $rows, $nv>(piece, b),)*
                    _ => unreachable!("register tiles have at most {} rows", $max),
                }
                first += rows;
            }
            column += width;
        }
    }};
}
pub(crate) use product_by_rows;
