//! Rows of a matrix: where the left operand of a product comes from.

use crate::cpu::Isa;
use crate::product::{CHUNK, Layout};
use crate::simd::{Simd, simd_fn};

/// Rows of a row-major matrix: row `i` starts at `data[i * stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// The number of rows.
    pub count: usize,
    /// Numbers from the start of a row to the start of the next.
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// `count` rows that lie one after the other in `data`.
    ///
    /// # Panics
    /// If `data` cannot be divided into `count` equal rows.
    pub fn dense(data: &'a [f32], count: usize) -> Self {
        let stride = data.len().checked_div(count).unwrap_or(0);
        assert_eq!(
            data.len(),
            stride * count,
            "Rows: {} numbers are not {count} rows",
            data.len()
        );
        Rows {
            data,
            count,
            stride,
        }
    }

    /// `count` rows, `stride` numbers apart.
    pub fn strided(data: &'a [f32], count: usize, stride: usize) -> Self {
        Rows {
            data,
            count,
            stride,
        }
    }

    /// Asserts that every row has `width` numbers.
    pub(crate) fn check(&self, width: usize, kernel: &str) {
        if self.count > 0 {
            let needed = (self.count - 1) * self.stride + width;
            assert!(
                self.data.len() >= needed && (self.count == 1 || self.stride >= width),
                "{kernel}: {} rows of {width}, stride {}, do not fit {} numbers",
                self.count,
                self.stride,
                self.data.len(),
            );
        }
    }
}

/// Layer normalisation of rows: `(x - mean) / sqrt(variance + eps) * gamma + beta`.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// Scale of each channel.
    pub gamma: &'a [f32],
    /// Offset of each channel.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
}

/// Something that can produce the rows of a product's left operand one by one.
pub(crate) trait RowSource: Sync {
    /// The address and stride of the rows if they lie in memory as they are.
    fn in_place(&self) -> Option<(*const f32, usize)> {
        None
    }

    /// Writes row `row` (of the width the product expects).
    ///
    /// # Safety
    /// `row` is a row of the source; `to` is writable for its width.
    unsafe fn write(&self, isa: Isa, row: usize, to: *mut f32);
}

/// Rows in memory, as they are.
pub(crate) struct Plain {
    pub start: *const f32,
    /// Numbers from a row to the next.
    pub stride: usize,
    pub width: usize,
}

// SAFETY: whoever makes one keeps writers away while it is in use, as for a slice.
unsafe impl Sync for Plain {}

impl Plain {
    /// Rows of which `width` numbers count, as [`Rows::check`] found them.
    pub fn of(rows: Rows<'_>, width: usize) -> Plain {
        Plain {
            start: rows.data.as_ptr(),
            stride: rows.stride,
            width,
        }
    }
}

impl RowSource for Plain {
    fn in_place(&self) -> Option<(*const f32, usize)> {
        Some((self.start, self.stride))
    }

    unsafe fn write(&self, _: Isa, row: usize, to: *mut f32) {
        // SAFETY: the caller vouches for the row and for `to`.
        unsafe {
            let from = self.start.add(row * self.stride);
            std::ptr::copy_nonoverlapping(from, to, self.width);
        }
    }
}

/// Rows after layer normalisation.
pub(crate) struct Normalised<'a> {
    pub rows: &'a Plain,
    pub norm: LayerNorm<'a>,
}

impl RowSource for Normalised<'_> {
    unsafe fn write(&self, isa: Isa, row: usize, to: *mut f32) {
        assert_eq!(self.norm.gamma.len(), self.rows.width);
        // SAFETY: the caller vouches for the row and for `to`.
        unsafe {
            let from = self.rows.start.add(row * self.rows.stride);
            normalise_row(isa, from, &self.norm, to);
        }
    }
}

simd_fn!(
    /// Normalises one row of `norm.gamma.len()` numbers.
    ///
    /// # Safety
    /// `from`, `to` and `norm.beta` have as many numbers as `norm.gamma`.
    pub(crate) unsafe fn normalise_row = normalise_kernel(
        from: *const f32,
        norm: &LayerNorm,
        to: *mut f32,
    )
);

/// # Safety
/// As [`normalise_row`].
#[inline(always)]
unsafe fn normalise_kernel<S: Simd>(from: *const f32, norm: &LayerNorm, to: *mut f32) {
    let width = norm.gamma.len();
    let whole = width - width % S::LANES;
    let rest = width - whole;
    let (gamma, beta) = (norm.gamma.as_ptr(), norm.beta.as_ptr());
    // SAFETY: whole vectors end at `whole`, the partial one has `rest` numbers.
    unsafe {
        let mut total = S::splat(0.0);
        for i in (0..whole).step_by(S::LANES) {
            total = S::add(total, S::load(from.add(i)));
        }
        if rest > 0 {
            total = S::add(total, S::load_partial(from.add(whole), rest));
        }
        let mean = S::sum(total) / width as f32;
        let centre = S::splat(mean);
        let mut squares = S::splat(0.0);
        for i in (0..whole).step_by(S::LANES) {
            let d = S::sub(S::load(from.add(i)), centre);
            squares = S::fma(d, d, squares);
        }
        let mut variance = S::sum(squares);
        for i in whole..width {
            let d = *from.add(i) - mean;
            variance += d * d;
        }
        let factor = S::splat(1.0 / (variance / width as f32 + norm.eps).sqrt());
        for i in (0..whole).step_by(S::LANES) {
            let d = S::mul(S::sub(S::load(from.add(i)), centre), factor);
            S::store(
                to.add(i),
                S::fma(d, S::load(gamma.add(i)), S::load(beta.add(i))),
            );
        }
        if rest > 0 {
            let d = S::mul(
                S::sub(S::load_partial(from.add(whole), rest), centre),
                factor,
            );
            let scaled = S::fma(
                d,
                S::load_partial(gamma.add(whole), rest),
                S::load_partial(beta.add(whole), rest),
            );
            S::store_partial(to.add(whole), rest, scaled);
        }
    }
}

simd_fn!(
    /// Converts a row to bf16, the last chunk padded with zeros.
    ///
    /// # Safety
    /// `from` has `width` numbers, `to` has room for the chunks.
    pub(crate) unsafe fn row_to_bf16 = bf16_kernel(
        from: *const f32,
        width: usize,
        to: *mut u16,
        layout: Layout,
    )
);

/// # Safety
/// As [`row_to_bf16`].
#[inline(always)]
unsafe fn bf16_kernel<S: Simd>(from: *const f32, width: usize, to: *mut u16, layout: Layout) {
    // SAFETY: whole vectors and the partial one end at `width`; the destination has whole chunks.
    unsafe {
        for first in (0..width).step_by(CHUNK) {
            let to = to.add(first / CHUNK * layout.chunk_step());
            for lane in (0..CHUNK).step_by(S::LANES) {
                let column = first + lane;
                let v = if column + S::LANES <= width {
                    S::load(from.add(column))
                } else if column < width {
                    S::load_partial(from.add(column), width - column)
                } else {
                    S::splat(0.0)
                };
                layout.store::<S>(to.add(lane), v);
            }
        }
    }
}
