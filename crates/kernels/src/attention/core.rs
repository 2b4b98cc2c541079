//! One block of queries against all keys of a head.

use super::dropout::{HeadDropout, Weights, leave_out};
use super::keys::{Keys, fetch_to_write};
use super::softmax::{Scores, softmax_block, store_result};
use crate::buffers::Scratch;
use crate::product::Block;
use crate::rows::row_to_bf16;
use crate::simd::Prefetch;

/// Rows of queries in memory, f32.
#[derive(Clone, Copy)]
pub(super) struct Queries {
    pub start: *const f32,
    /// Numbers from a query to the next.
    pub stride: usize,
    pub count: usize,
    /// The number of the first one among all of its head, and the weights to leave out.
    pub first: usize,
    pub dropout: Option<HeadDropout>,
}

/// A block of keys comes from far away: for engines that would have to wait it is fetched in time, if it fits
/// into this beside the one in use, the queries and their results.
const L2_BYTES: usize = 2 << 20;

/// Writes `softmax(scale * q k^T) v` of each query to `to(query)`, and gives `log_sum` each query's
/// logarithm to base 2 of its sum of weights.
///
/// A block of keys stays in L2 while the queries pass by it a few at a time: so few that their scores
/// against the whole block and the weights made of them stay in L1.
///
/// # Safety
/// The queries are readable for `key_dim` numbers, `to(i)` is writable for `value_dim`, and this
/// thread holds a session of the keys' engine.
pub(super) unsafe fn attend(
    queries: &Queries,
    keys: &Keys<'_>,
    scale: f32,
    to: impl Fn(usize) -> *mut f32,
    log_sum: impl Fn(usize, f32),
) {
    let packer = keys.packer();
    let (engine, isa) = (packer.engine, packer.isa);
    let rows = queries.count;
    let step = engine.row_step().min(rows);
    let step_memory = engine.padded_rows(step);
    let score_stride = keys.block_len() + 16;
    let result_stride = packer.value_columns() + 16;
    let weight_stride = engine.row_stride(keys.block_len());
    let mut scores = Scratch::of::<f32>(step_memory * score_stride);
    let mut results = Scratch::of::<f32>(engine.padded_rows(rows) * result_stride);
    let mut weights = Scratch::bytes(if engine.bf16_rows() {
        step_memory * weight_stride * engine.row_width()
    } else {
        0
    });
    let mut running = Scratch::of::<f32>(2 * rows);
    let scores: *mut f32 = scores.start();
    let results: *mut f32 = results.start();
    let weights = engine
        .bf16_rows()
        .then(|| engine.bf16_workspace(weights.start(), weight_stride));
    let maxima: *mut f32 = running.start();
    // SAFETY: the workspaces have a row for every (padded) query, wide enough for a block of keys or
    // the value panels; steps start at multiples of what the engine pads to; the caller vouches for
    // the rest.
    unsafe {
        let sums = maxima.add(rows);
        for row in 0..rows {
            *maxima.add(row) = f32::NEG_INFINITY;
            *sums.add(row) = 0.0;
            fetch_to_write(isa, to(row), packer.value_dim);
        }
        let copy_rows = engine.padded_rows(rows);
        let row_bytes = engine.row_stride(packer.key_dim) * engine.row_width();
        let row_memory = row_bytes + result_stride * size_of::<f32>();
        let mut copy = Scratch::bytes(copy_rows * row_bytes);
        let (q, q_stride) = prepare(queries, keys, &mut copy);
        let mut first_key = 0;
        for (index, block) in keys.blocks().enumerate() {
            let (next, mut next_bytes) = block.next;
            if !engine.outruns_memory() || 2 * next_bytes + rows * row_memory > L2_BYTES {
                next_bytes = 0;
            }
            let share = next_bytes.div_ceil(rows.div_ceil(step));
            let used = block.keys.count * block.keys.bytes;
            for first in (0..rows).step_by(step) {
                let some = step.min(rows - first);
                let q = q.add(first * q_stride * engine.row_width());
                let results = results.add(first * result_stride);
                let product = Block {
                    rows: some,
                    k: packer.key_dim,
                    a: q,
                    a_stride: q_stride,
                    c: scores,
                    c_stride: score_stride,
                    accumulate: false,
                    prefetch: Prefetch::evenly(
                        next.wrapping_add(first / step * share),
                        share,
                        used,
                    ),
                };
                engine.multiply_panels(&product, block.keys);
                softmax_block(
                    isa,
                    &Scores {
                        scores,
                        stride: score_stride,
                        rows: some,
                        keys: block.count,
                        scale,
                        extra: block.extra,
                        maxima: maxima.add(first),
                        sums: sums.add(first),
                        results,
                        result_stride,
                        result_columns: if index == 0 {
                            0
                        } else {
                            packer.value_columns()
                        },
                        weights,
                    },
                );
                if let Some(dropout) = queries.dropout {
                    let weights = Weights {
                        start: scores,
                        stride: score_stride,
                        rows: some,
                        keys: block.count,
                        first_query: queries.first + first,
                        first_key,
                    };
                    leave_out(isa, &weights, dropout);
                }
                let (a, a_stride) = match weights {
                    Some(weights) => (weights.row(0).cast_const().cast(), weight_stride),
                    None => (scores.cast_const().cast(), score_stride),
                };
                let product = Block {
                    rows: some,
                    k: block.count,
                    a,
                    a_stride,
                    c: results,
                    c_stride: result_stride,
                    accumulate: index > 0,
                    prefetch: Prefetch::NONE,
                };
                engine.multiply_panels(&product, block.values);
            }
            first_key += block.count;
        }
        for row in 0..rows {
            let result = results.add(row * result_stride);
            store_result(isa, result, *sums.add(row), packer.value_dim, to(row));
            let largest = *maxima.add(row) * scale * std::f32::consts::LOG2_E;
            log_sum(row, largest + (*sums.add(row)).log2());
        }
    }
}

/// The queries in the engine's row format: in place if possible, else in `copy`.
///
/// # Safety
/// `copy` has room for the padded rows.
unsafe fn prepare(queries: &Queries, keys: &Keys<'_>, copy: &mut Scratch) -> (*const u8, usize) {
    let packer = keys.packer();
    let (engine, dim) = (packer.engine, packer.key_dim);
    // Rows a multiple of 4 KiB apart share one cache set.
    if !engine.bf16_rows() && (!queries.stride.is_multiple_of(1024) || queries.count == 1) {
        return (queries.start.cast(), queries.stride);
    }
    let stride = engine.row_stride(dim);
    for row in 0..queries.count {
        // SAFETY: the query exists and `copy` has a row for it.
        unsafe {
            let from = queries.start.add(row * queries.stride);
            if engine.bf16_rows() {
                let to = engine.bf16_workspace(copy.start(), stride);
                row_to_bf16(packer.isa, from, dim, to.row(row), to.layout);
            } else {
                std::ptr::copy_nonoverlapping(from, copy.start::<f32>().add(row * stride), dim);
            }
        }
    }
    (copy.view(), stride)
}
