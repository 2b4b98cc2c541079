//! The running softmax of a block of scores.

use crate::math::{exp2, exp2_for_bf16};
use crate::product::{Bf16Rows, CHUNK, Layout};
use crate::simd::{Simd, simd_fn};

/// A block of scores and the state it updates, row by row.
pub(super) struct Scores {
    /// `rows x keys`; overwritten with the weights unless `weights` is given.
    pub scores: *mut f32,
    pub stride: usize,
    pub rows: usize,
    pub keys: usize,
    /// Multiplied to the scores.
    pub scale: f32,
    /// Added to the last score after scaling.
    pub extra: f32,
    /// The largest (unscaled) score of each row so far.
    pub maxima: *mut f32,
    /// The sum of weights of each row so far.
    pub sums: *mut f32,
    /// The weighted sums of values so far, to be rescaled.
    pub results: *mut f32,
    pub result_stride: usize,
    /// Columns to rescale: 0 if there are no results yet.
    pub result_columns: usize,
    /// Where weights go as bf16, zero-padded to a multiple of 32 keys, if the engine wants that.
    pub weights: Option<Bf16Rows>,
}

simd_fn!(
    /// Turns scores into weights `2^(scale log2(e) (score - maximum))` and updates the state.
    ///
    /// # Safety
    /// The pointers are valid for the rows and columns stated.
    pub(super) unsafe fn softmax_block = softmax_kernel(job: &Scores)
);

/// Rows whose maxima are found before the first weight is computed: a maximum ends with a chain of
/// shuffles, which then passes while the next one begins.
const ROWS: usize = 8;

/// # Safety
/// As [`softmax_block`].
#[inline(always)]
unsafe fn softmax_kernel<S: Simd>(job: &Scores) {
    for first in (0..job.rows).step_by(ROWS) {
        let rows = first..job.rows.min(first + ROWS);
        let mut largest = [f32::NEG_INFINITY; ROWS];
        // SAFETY: the rows exist.
        unsafe {
            for row in rows.clone() {
                let scores = job.scores.add(row * job.stride);
                if job.extra != 0.0 {
                    *scores.add(job.keys - 1) += job.extra / job.scale;
                }
                largest[row - first] = largest_of::<S>(scores, job.keys);
            }
            for row in rows {
                weigh_row::<S>(job, row, largest[row - first]);
            }
        }
    }
}

/// Weights of one row, whose largest score in this block is `largest`.
///
/// # Safety
/// As [`softmax_block`].
#[inline(always)]
unsafe fn weigh_row<S: Simd>(job: &Scores, row: usize, largest: f32) {
    // SAFETY: the row exists.
    unsafe {
        let scores = job.scores.add(row * job.stride);
        let before = *job.maxima.add(row);
        let now = if largest > before { largest } else { before };
        *job.maxima.add(row) = now;
        // With nothing but minus infinity so far, any finite reference gives weights of zero.
        let reference = if now == f32::NEG_INFINITY { 0.0 } else { now };
        let factor = job.scale * std::f32::consts::LOG2_E;
        let total = match job.weights {
            Some(rows) => {
                let to = rows.row(row);
                let offset = reference * factor;
                if rows.layout.is_rounded() {
                    weigh_bf16::<S, true>(scores, job.keys, factor, offset, to, rows.layout)
                } else {
                    weigh_bf16::<S, false>(scores, job.keys, factor, offset, to, rows.layout)
                }
            }
            None => weigh::<S>(scores, job.keys, factor, reference * factor),
        };
        let shrink = if before == now {
            1.0
        } else if job.result_columns == 0 {
            // There is nothing to shrink (and `exp2` is a slow call).
            0.0
        } else {
            ((before - reference) * factor).exp2()
        };
        *job.sums.add(row) = *job.sums.add(row) * shrink + total;
        if shrink != 1.0 {
            let results = job.results.add(row * job.result_stride);
            let shrink = S::splat(shrink);
            for i in (0..job.result_columns).step_by(S::LANES) {
                S::store(results.add(i), S::mul(S::load(results.add(i)), shrink));
            }
        }
    }
}

/// # Safety
/// `scores` is readable for `keys` numbers.
#[inline(always)]
unsafe fn largest_of<S: Simd>(scores: *const f32, keys: usize) -> f32 {
    let whole = keys - keys % S::LANES;
    let mut largest = S::splat(f32::NEG_INFINITY);
    let mut also = largest;
    // SAFETY: whole vectors end at `whole`, single numbers at `keys`.
    unsafe {
        let mut i = 0;
        while i + 2 * S::LANES <= whole {
            largest = S::max(largest, S::load(scores.add(i)));
            also = S::max(also, S::load(scores.add(i + S::LANES)));
            i += 2 * S::LANES;
        }
        if i < whole {
            largest = S::max(largest, S::load(scores.add(i)));
        }
        let mut result = S::largest(S::max(largest, also));
        for i in whole..keys {
            let x = *scores.add(i);
            result = if x > result { x } else { result };
        }
        result
    }
}

/// Weights in place of scores; returns their sum.
///
/// # Safety
/// `scores` is writable for `keys` numbers.
#[inline(always)]
unsafe fn weigh<S: Simd>(scores: *mut f32, keys: usize, factor: f32, offset: f32) -> f32 {
    let whole = keys - keys % S::LANES;
    let (factor, offset) = (S::splat(factor), S::splat(-offset));
    let mut total = S::splat(0.0);
    // SAFETY: whole vectors end at `whole`, the partial one at `keys`.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            let weight = exp2::<S>(S::fma(S::load(scores.add(i)), factor, offset));
            total = S::add(total, weight);
            S::store(scores.add(i), weight);
        }
        let mut sum = S::sum(total);
        if whole < keys {
            let rest = S::load_partial(scores.add(whole), keys - whole);
            S::store_partial(
                scores.add(whole),
                keys - whole,
                exp2::<S>(S::fma(rest, factor, offset)),
            );
            for i in whole..keys {
                sum += *scores.add(i);
            }
        }
        sum
    }
}

/// Weights as bf16, rounded or in parts, the last chunk padded with zeros; returns the sum of the
/// unrounded ones.
///
/// # Safety
/// `scores` is readable for `keys` numbers and `to` writable for the chunks.
#[inline(always)]
unsafe fn weigh_bf16<S: Simd, const ROUNDED: bool>(
    scores: *const f32,
    keys: usize,
    factor: f32,
    offset: f32,
    to: *mut u16,
    layout: Layout,
) -> f32 {
    let step = layout.chunk_step();
    let whole = keys - keys % CHUNK;
    let (scaled, shift) = (S::splat(factor), S::splat(-offset));
    let mut total = S::splat(0.0);
    // SAFETY: whole chunks end at `whole`; the rest is completed with zeros in a small buffer.
    unsafe {
        for first in (0..whole).step_by(CHUNK) {
            let to = to.add(first / CHUNK * step);
            for lane in (0..CHUNK).step_by(S::LANES) {
                let score = S::load(scores.add(first + lane));
                let weight = weight::<S, ROUNDED>(S::fma(score, scaled, shift));
                total = S::add(total, weight);
                layout.store::<S>(to.add(lane), weight);
            }
        }
        let mut sum = S::sum(total);
        if whole < keys {
            let mut rest = [f32::NEG_INFINITY; CHUNK];
            for (i, x) in rest.iter_mut().take(keys - whole).enumerate() {
                *x = (*scores.add(whole + i)).mul_add(factor, -offset);
            }
            let to = to.add(whole / CHUNK * step);
            for lane in (0..CHUNK).step_by(S::LANES) {
                let weight = weight::<S, ROUNDED>(S::load(rest.as_ptr().add(lane)));
                sum += S::sum(weight);
                layout.store::<S>(to.add(lane), weight);
            }
        }
        sum
    }
}

/// `2^x`, as exactly as weights are kept.
#[inline(always)]
fn weight<S: Simd, const ROUNDED: bool>(x: S::V) -> S::V {
    if ROUNDED {
        exp2_for_bf16::<S>(x)
    } else {
        exp2::<S>(x)
    }
}

simd_fn!(
    /// `to = result / sum`.
    ///
    /// # Safety
    /// `result` and `to` have `width` numbers.
    pub(super) unsafe fn store_result = store_kernel(
        result: *const f32,
        sum: f32,
        width: usize,
        to: *mut f32,
    )
);

/// # Safety
/// As [`store_result`].
#[inline(always)]
unsafe fn store_kernel<S: Simd>(result: *const f32, sum: f32, width: usize, to: *mut f32) {
    let whole = width - width % S::LANES;
    let sum = S::splat(sum);
    // SAFETY: whole vectors end at `whole`, the partial one at `width`.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            S::store(to.add(i), S::div(S::load(result.add(i)), sum));
        }
        if whole < width {
            let rest = width - whole;
            let v = S::div(S::load_partial(result.add(whole), rest), sum);
            S::store_partial(to.add(whole), rest, v);
        }
    }
}
