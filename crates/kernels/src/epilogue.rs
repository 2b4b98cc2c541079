//! What happens to a product while it is still in the cache: bias, activation, scale, residual.

use crate::math::gelu;
use crate::product::{Bf16Rows, CHUNK};
use crate::simd::{PANEL, Simd, simd_fn};

/// A function applied to each number of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// The number itself.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x (1 + erf(x / sqrt 2)) / 2`.
    Gelu,
}

/// `activation(x + bias) * scale + residual`, applied to each row of a product of `n` columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Added to each column: `[n]`.
    pub bias: Option<&'a [f32]>,
    /// Applied after the bias.
    pub activation: Activation,
    /// Multiplied to each column after the activation (ConvNeXt's gamma): `[n]`.
    pub scale: Option<&'a [f32]>,
    /// Added last; the layout of the output.
    pub residual: Option<&'a [f32]>,
}

impl<'a> Epilogue<'a> {
    /// Only a bias.
    pub fn bias(bias: &'a [f32]) -> Self {
        Epilogue {
            bias: Some(bias),
            ..Epilogue::default()
        }
    }

    /// A bias and an activation.
    pub fn activated(bias: &'a [f32], activation: Activation) -> Self {
        Epilogue {
            bias: Some(bias),
            activation,
            ..Epilogue::default()
        }
    }

    /// A bias and a residual.
    pub fn residual(bias: &'a [f32], residual: &'a [f32]) -> Self {
        Epilogue {
            bias: Some(bias),
            residual: Some(residual),
            ..Epilogue::default()
        }
    }

    /// Asserts the lengths for `columns` columns and an output of `len` numbers.
    pub(crate) fn check(&self, columns: usize, len: usize, kernel: &str) {
        for (name, slice) in [("bias", self.bias), ("scale", self.scale)] {
            let found = slice.map_or(columns, <[f32]>::len);
            assert_eq!(
                found, columns,
                "{kernel}: {name} has {found} numbers, not {columns}"
            );
        }
        let found = self.residual.map_or(len, <[f32]>::len);
        assert_eq!(
            found, len,
            "{kernel}: residual has {found} numbers, not {len}"
        );
    }
}

/// Where the rows of a product go in the output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RowMap {
    /// Row `i` starts at `i * stride`.
    Dense { stride: usize },
    /// Row `i` is position `(i / width, i % width)` of an image and goes to every second position
    /// of one twice as large, `offset` on from there; `channels` numbers per position.
    Doubled {
        width: usize,
        channels: usize,
        offset: usize,
    },
}

impl RowMap {
    #[inline(always)]
    fn start(self, row: usize) -> usize {
        match self {
            RowMap::Dense { stride } => row * stride,
            RowMap::Doubled {
                width,
                channels,
                offset,
            } => {
                let (y, x) = (row / width, row % width);
                (4 * y * width + 2 * x) * channels + offset
            }
        }
    }
}

/// Sums of `rows x 32` and what to make of them.
pub(crate) struct Finish<'a> {
    /// The sums, rows `PANEL` apart.
    pub sums: *const f32,
    pub rows: usize,
    /// The first row's index in the output.
    pub first_row: usize,
    /// The first column's index in the output.
    pub first_column: usize,
    /// Columns that exist (the last panel may have fewer than 32).
    pub columns: usize,
    pub epilogue: &'a Epilogue<'a>,
    pub to: Destination,
}

/// The output of [`finish`].
#[derive(Clone, Copy)]
pub(crate) enum Destination {
    /// f32; `add` also adds what is there.
    F32 {
        start: *mut f32,
        map: RowMap,
        add: bool,
    },
    /// bf16 rows; all 32 columns are written, those that do not exist as zero.
    Bf16(Bf16Rows),
}

simd_fn!(
    /// Fetches the lines that [`finish`] will write, while the sums are still being computed.
    ///
    /// # Safety
    /// None beyond the instruction set.
    pub(crate) unsafe fn fetch_destination = fetch_kernel(job: &Finish)
);

/// # Safety
/// As [`fetch_destination`].
#[inline(always)]
unsafe fn fetch_kernel<S: Simd>(job: &Finish) {
    if let Destination::F32 { start, map, .. } = job.to {
        for row in 0..job.rows {
            let at = map.start(job.first_row + row) + job.first_column;
            let line = start.wrapping_add(at).cast::<u8>().cast_const();
            S::prefetch_to_write(line);
            S::prefetch_to_write(line.wrapping_add(64));
            S::prefetch_to_write(line.wrapping_add(4 * job.columns - 1));
        }
    }
}

simd_fn!(
    /// Applies the epilogue and stores.
    ///
    /// # Safety
    /// The sums, the epilogue's slices and the destination are valid for the rows and columns.
    pub(crate) unsafe fn finish = finish_kernel(job: &Finish)
);

/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn finish_kernel<S: Simd>(job: &Finish) {
    // SAFETY: forwarded.
    unsafe {
        match job.epilogue.activation {
            Activation::None => finish_columns::<S, Identity>(job),
            Activation::Relu => finish_columns::<S, Relu>(job),
            Activation::Relu6 => finish_columns::<S, Relu6>(job),
            Activation::Gelu => finish_columns::<S, Gelu>(job),
        }
    }
}

/// An activation known at compile time. (Closures would not be inlined into the vector code.)
pub(crate) trait Function {
    fn of<S: Simd>(x: S::V) -> S::V;
}

pub(crate) struct Identity;
pub(crate) struct Relu;
pub(crate) struct Relu6;
pub(crate) struct Gelu;

impl Function for Identity {
    #[inline(always)]
    fn of<S: Simd>(x: S::V) -> S::V {
        x
    }
}

impl Function for Relu {
    #[inline(always)]
    fn of<S: Simd>(x: S::V) -> S::V {
        S::max(S::splat(0.0), x)
    }
}

impl Function for Relu6 {
    #[inline(always)]
    fn of<S: Simd>(x: S::V) -> S::V {
        // The order of operands lets NaN through.
        S::max(S::splat(0.0), S::min(S::splat(6.0), x))
    }
}

impl Function for Gelu {
    #[inline(always)]
    fn of<S: Simd>(x: S::V) -> S::V {
        gelu::<S>(x)
    }
}

/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn finish_columns<S: Simd, F: Function>(job: &Finish) {
    for first in (0..PANEL).step_by(S::LANES) {
        let count = job.columns.saturating_sub(first).min(S::LANES);
        let column = job.first_column + first;
        // SAFETY: `count` columns from `column` on exist.
        unsafe {
            let bias = channels::<S>(job.epilogue.bias, column, count, 0.0);
            let scale = channels::<S>(job.epilogue.scale, column, count, 1.0);
            match job.to {
                Destination::Bf16(rows) => {
                    let chunk = job.first_column / CHUNK * rows.layout.chunk_step();
                    for row in 0..job.rows {
                        let sum = S::load(job.sums.add(row * PANEL + first));
                        let v = S::mul(F::of::<S>(S::add(sum, bias)), scale);
                        let to = rows.row(job.first_row + row).add(chunk + first);
                        rows.layout.store::<S>(to, v);
                    }
                }
                Destination::F32 { .. } if count == 0 => {}
                Destination::F32 { start, map, add } => {
                    for row in 0..job.rows {
                        let sum = S::load(job.sums.add(row * PANEL + first));
                        let mut v = S::mul(F::of::<S>(S::add(sum, bias)), scale);
                        let at = map.start(job.first_row + row) + column;
                        if let Some(residual) = job.epilogue.residual {
                            v = S::add(v, load_some::<S>(residual.as_ptr().add(at), count));
                        }
                        let to = start.add(at);
                        if add {
                            v = S::add(v, load_some::<S>(to, count));
                        }
                        if count == S::LANES {
                            S::store(to, v);
                        } else {
                            S::store_partial(to, count, v);
                        }
                    }
                }
            }
        }
    }
}

/// Values of `count` channels from `column` on, or `default`.
///
/// # Safety
/// The slice has the channels.
#[inline(always)]
unsafe fn channels<S: Simd>(
    slice: Option<&[f32]>,
    column: usize,
    count: usize,
    default: f32,
) -> S::V {
    match slice {
        // SAFETY: forwarded.
        Some(slice) if count > 0 => unsafe { load_some::<S>(slice.as_ptr().add(column), count) },
        _ => S::splat(default),
    }
}

/// # Safety
/// `p` is readable for `count <= LANES` numbers.
#[inline(always)]
unsafe fn load_some<S: Simd>(p: *const f32, count: usize) -> S::V {
    // SAFETY: forwarded.
    unsafe {
        if count == S::LANES {
            S::load(p)
        } else {
            S::load_partial(p, count)
        }
    }
}
