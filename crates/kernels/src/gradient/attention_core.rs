//! The gradients of attention for one head: tiles of keys times queries.
//!
//! With weights `p = softmax(scale q k^T)` and results `o = p v`, given `do`:
//! `dv = p^T do`, `ds = scale p (do v^T - rowsum(do o))`, `dq = ds k`, `dk = ds^T q`. With factors `m`
//! of the weights (dropout), `dv = (m p)^T do` and `ds = scale p (m do v^T - rowsum(do o))`.
//! Tiles are computed with keys down and queries across. Then what belongs to a query (the logarithm
//! of its sum of weights, its row sum) lies along the lanes, and two of the three products that
//! follow take the tile as it is.

use super::sums::add;
use super::weights::transpose;
use crate::attention::HeadDropout;
use crate::buffers::Scratch;
use crate::cpu::Isa;
use crate::math::exp2;
use crate::output::Shared;
use crate::panel::{pack_row, transpose_rows};
use crate::product::{Block, Engine};
use crate::simd::{PANEL, Prefetch, Simd, simd_fn};
use std::ops::Range;

/// Most queries and keys of a tile.
const TILE: usize = 128;
/// Numbers that rows of a workspace are apart beyond their length, so that they do not fall into
/// the same cache set.
const GAP: usize = 16;

/// The size of a head's attention.
#[derive(Clone, Copy)]
pub(super) struct HeadShape {
    pub isa: Isa,
    pub queries: usize,
    pub keys: usize,
    pub key_dim: usize,
    pub value_dim: usize,
    /// Multiplied to the scores.
    pub scale: f32,
    /// Added to the score of the last key, after scaling.
    pub extra: f32,
    /// Weights that were left out.
    pub dropout: Option<HeadDropout>,
}

impl HeadShape {
    fn tile_queries(&self) -> usize {
        self.queries.next_multiple_of(PANEL).min(TILE)
    }

    fn tile_keys(&self) -> usize {
        self.keys.next_multiple_of(16).min(TILE)
    }

    fn key_columns(&self) -> usize {
        self.key_dim.next_multiple_of(PANEL)
    }

    fn value_columns(&self) -> usize {
        self.value_dim.next_multiple_of(PANEL)
    }

    /// Blocks of queries.
    pub fn query_blocks(&self) -> usize {
        self.queries.div_ceil(self.tile_queries())
    }

    /// Blocks of keys.
    pub fn key_blocks(&self) -> usize {
        self.keys.div_ceil(self.tile_keys())
    }

    /// The keys of some blocks.
    pub fn keys_of(&self, blocks: Range<usize>) -> Range<usize> {
        let step = self.tile_keys();
        blocks.start * step..self.keys.min(blocks.end * step)
    }

    /// Numbers from a row of the queries' gradients to the next.
    pub fn dq_stride(&self) -> usize {
        self.key_columns() + GAP
    }

    /// Numbers of a workspace for the queries' gradients.
    pub fn dq_len(&self) -> usize {
        self.queries * self.dq_stride()
    }

    /// Numbers of a workspace for the packed queries.
    pub fn packed_len(&self) -> usize {
        self.query_blocks() * self.block_len()
    }

    fn block_len(&self) -> usize {
        let widths = self.key_dim + self.value_dim + self.key_columns() + self.value_columns();
        self.tile_queries() * (widths + 2)
    }

    /// The parts of a packed block of queries.
    fn block(&self, packed: *mut f32, index: usize) -> QueryBlock {
        let len = self.tile_queries();
        let queries = packed.wrapping_add(index * self.block_len());
        let grads = queries.wrapping_add(len * self.key_dim);
        let query_rows = grads.wrapping_add(len * self.value_dim);
        let grad_rows = query_rows.wrapping_add(len * self.key_columns());
        let log_sums = grad_rows.wrapping_add(len * self.value_columns());
        QueryBlock {
            first: index * len,
            count: len.min(self.queries - index * len),
            len,
            queries,
            grads,
            query_rows,
            grad_rows,
            log_sums,
            row_sums: log_sums.wrapping_add(len),
        }
    }
}

/// Packed queries and gradients of their results.
struct QueryBlock {
    first: usize,
    count: usize,
    /// Queries that there is room for.
    len: usize,
    /// `[len / 32, key_dim, 32]` and `[len / 32, value_dim, 32]`: queries across.
    queries: *mut f32,
    grads: *mut f32,
    /// `[key_dim / 32, len, 32]` and `[value_dim / 32, len, 32]`: channels across.
    query_rows: *mut f32,
    grad_rows: *mut f32,
    /// `[len]` each.
    log_sums: *mut f32,
    row_sums: *mut f32,
}

/// What is known of a query after the forward pass.
pub(super) struct Query {
    pub query: *const f32,
    /// Its result and the gradient of that.
    pub result: *const f32,
    pub grad: *const f32,
    /// The logarithm to base 2 of its sum of weights.
    pub log_sum: f32,
}

/// Packs block `index` of the queries.
///
/// # Safety
/// `query(i)` is readable for the head's widths; `packed` has [`HeadShape::packed_len`] numbers, and
/// nobody else uses this block's.
pub(super) unsafe fn pack_queries(
    shape: &HeadShape,
    packed: *mut f32,
    index: usize,
    query: impl Fn(usize) -> Query,
) {
    let block = shape.block(packed, index);
    let isa = shape.isa;
    // SAFETY: groups and rows stay within the block; the caller vouches for the queries.
    unsafe {
        for group in 0..block.len / 16 {
            let present = block.count.saturating_sub(group * 16).min(16);
            let (mut queries, mut grads) = ([std::ptr::null(); 16], [std::ptr::null(); 16]);
            for i in 0..present {
                let row = group * 16 + i;
                let found = query(block.first + row);
                (queries[i], grads[i]) = (found.query, found.grad);
                let step = block.len * PANEL;
                pack_row(
                    isa,
                    found.query,
                    shape.key_dim,
                    block.query_rows.add(row * PANEL),
                    step,
                );
                pack_row(
                    isa,
                    found.grad,
                    shape.value_dim,
                    block.grad_rows.add(row * PANEL),
                    step,
                );
                *block.log_sums.add(row) = found.log_sum;
                *block.row_sums.add(row) = dot(isa, found.grad, found.result, shape.value_dim);
            }
            for row in group * 16 + present..group * 16 + 16 {
                *block.log_sums.add(row) = 0.0;
                *block.row_sums.add(row) = 0.0;
            }
            let (panel, half) = (group / 2 * PANEL, group % 2 * 16);
            let to = block.queries.add(panel * shape.key_dim + half);
            transpose_rows(isa, &queries, present, shape.key_dim, to);
            let to = block.grads.add(panel * shape.value_dim + half);
            transpose_rows(isa, &grads, present, shape.value_dim, to);
        }
    }
}

/// Where a head's keys and values lie, and where their gradients go.
pub(super) struct KeyAccess<F, T> {
    /// Key and value of an index.
    pub from: F,
    /// The gradients of key and value.
    pub to: T,
}

/// Writes the gradients of some keys and values, and what they give to the queries' gradients
/// (`dq`, [`HeadShape::dq_len`] numbers).
///
/// # Safety
/// The queries are packed; the keys' addresses are readable and writable for the head's widths.
pub(super) unsafe fn attend_back<F, T>(
    shape: &HeadShape,
    packed: *mut f32,
    keys: Range<usize>,
    access: &KeyAccess<F, T>,
    dq: *mut f32,
) where
    F: Fn(usize) -> (*const f32, *const f32),
    T: Fn(usize) -> (*mut f32, *mut f32),
{
    let mut memory = Scratch::of::<f32>(KeyTile::len(shape));
    let tile = KeyTile::new(shape, memory.start());
    let first_key = keys.start;
    for start in keys.clone().step_by(shape.tile_keys()) {
        let count = shape.tile_keys().min(keys.end - start);
        let last = start + count == shape.keys;
        // SAFETY: the tile has room for `count` keys; the caller vouches for the rest.
        unsafe {
            tile.load(shape, count, |i| (access.from)(start + i));
            for index in 0..shape.query_blocks() {
                let block = shape.block(packed, index);
                let extra = if last { shape.extra } else { 0.0 };
                tile.scores(shape, start, count, &block, extra);
                tile.key_gradients(shape, count, &block, index > 0);
                tile.query_gradients(shape, count, &block, dq, start > first_key);
            }
            for i in 0..count {
                let (dk, dv) = (access.to)(start + i);
                let (from_k, from_v) = (
                    tile.dk.add(i * tile.dk_stride),
                    tile.dv.add(i * tile.dv_stride),
                );
                std::ptr::copy_nonoverlapping(from_k, dk, shape.key_dim);
                std::ptr::copy_nonoverlapping(from_v, dv, shape.value_dim);
            }
        }
    }
}

/// The workspace for a block of keys.
struct KeyTile {
    keys: *mut f32,
    key_stride: usize,
    values: *mut f32,
    value_stride: usize,
    /// `[key_dim / 32, tile, 32]`.
    key_panels: *mut f32,
    dk: *mut f32,
    dk_stride: usize,
    dv: *mut f32,
    dv_stride: usize,
    /// `[keys, queries]`: scores, then weights; and the gradients of the scores.
    weights: *mut f32,
    slopes: *mut f32,
    tile_stride: usize,
    /// `[queries, keys]`.
    turned: *mut f32,
    turned_stride: usize,
}

impl KeyTile {
    fn len(shape: &HeadShape) -> usize {
        let (keys, queries) = (shape.tile_keys(), shape.tile_queries());
        let rows = shape.key_dim + shape.value_dim + 2 * (GAP + 16);
        let results = 2 * shape.key_columns() + shape.value_columns() + 2 * GAP;
        keys * (rows + results + 2 * (queries + GAP)) + queries * (keys + GAP)
    }

    fn new(shape: &HeadShape, start: *mut f32) -> KeyTile {
        let (len, queries) = (shape.tile_keys(), shape.tile_queries());
        let mut next = start;
        let mut part = |numbers: usize| {
            let this = next;
            next = next.wrapping_add(numbers);
            this
        };
        let key_stride = shape.key_dim.next_multiple_of(16) + GAP;
        let value_stride = shape.value_dim.next_multiple_of(16) + GAP;
        let (dk_stride, dv_stride) = (shape.key_columns() + GAP, shape.value_columns() + GAP);
        let (tile_stride, turned_stride) = (queries + GAP, len + GAP);
        KeyTile {
            keys: part(len * key_stride),
            key_stride,
            values: part(len * value_stride),
            value_stride,
            key_panels: part(len * shape.key_columns()),
            dk: part(len * dk_stride),
            dk_stride,
            dv: part(len * dv_stride),
            dv_stride,
            weights: part(len * tile_stride),
            slopes: part(len * tile_stride),
            tile_stride,
            turned: part(queries * turned_stride),
            turned_stride,
        }
    }

    /// # Safety
    /// There is room for `count` keys, whose addresses are readable.
    unsafe fn load(
        &self,
        shape: &HeadShape,
        count: usize,
        from: impl Fn(usize) -> (*const f32, *const f32),
    ) {
        for i in 0..count {
            let (key, value) = from(i);
            // SAFETY: row `i` exists in each.
            unsafe {
                let keys = self.keys.add(i * self.key_stride);
                let values = self.values.add(i * self.value_stride);
                std::ptr::copy_nonoverlapping(key, keys, shape.key_dim);
                std::ptr::copy_nonoverlapping(value, values, shape.value_dim);
                let (to, step) = (self.key_panels.add(i * PANEL), shape.tile_keys() * PANEL);
                pack_row(shape.isa, key, shape.key_dim, to, step);
            }
        }
    }

    /// Weights, and gradients of the scores.
    ///
    /// # Safety
    /// The keys are loaded and the block packed.
    unsafe fn scores(
        &self,
        shape: &HeadShape,
        first_key: usize,
        count: usize,
        block: &QueryBlock,
        extra: f32,
    ) {
        // SAFETY: forwarded.
        unsafe {
            for panel in 0..block.count.div_ceil(PANEL) {
                let at = panel * PANEL;
                let left = (self.keys.cast_const(), self.key_stride);
                let right = block.queries.add(at * shape.key_dim);
                let to = (self.weights.add(at), self.tile_stride);
                multiply(shape.isa, [count, shape.key_dim], left, right, to, false);
                let left = (self.values.cast_const(), self.value_stride);
                let right = block.grads.add(at * shape.value_dim);
                let to = (self.slopes.add(at), self.tile_stride);
                multiply(shape.isa, [count, shape.value_dim], left, right, to, false);
            }
            let job = Weigh {
                weights: self.weights,
                slopes: self.slopes,
                stride: self.tile_stride,
                keys: count,
                queries: block.count,
                log_sums: block.log_sums,
                row_sums: block.row_sums,
                first_query: block.first,
                first_key,
                dropout: shape.dropout,
                scale: shape.scale,
                extra,
            };
            weigh(shape.isa, &job);
        }
    }

    /// `dv += p^T do`, `dk += ds^T q`.
    ///
    /// # Safety
    /// As [`KeyTile::scores`], which went before.
    unsafe fn key_gradients(
        &self,
        shape: &HeadShape,
        count: usize,
        block: &QueryBlock,
        accumulate: bool,
    ) {
        let size = [count, block.count];
        // SAFETY: forwarded.
        unsafe {
            for at in (0..shape.value_columns()).step_by(PANEL) {
                let left = (self.weights.cast_const(), self.tile_stride);
                let to = (self.dv.add(at), self.dv_stride);
                multiply(
                    shape.isa,
                    size,
                    left,
                    block.grad_rows.add(at * block.len),
                    to,
                    accumulate,
                );
            }
            for at in (0..shape.key_columns()).step_by(PANEL) {
                let left = (self.slopes.cast_const(), self.tile_stride);
                let to = (self.dk.add(at), self.dk_stride);
                multiply(
                    shape.isa,
                    size,
                    left,
                    block.query_rows.add(at * block.len),
                    to,
                    accumulate,
                );
            }
        }
    }

    /// `dq += ds k`.
    ///
    /// # Safety
    /// As [`KeyTile::scores`], which went before; `dq` has a row for each query.
    unsafe fn query_gradients(
        &self,
        shape: &HeadShape,
        count: usize,
        block: &QueryBlock,
        dq: *mut f32,
        accumulate: bool,
    ) {
        let (from, stride) = (self.slopes.cast_const(), self.tile_stride);
        // SAFETY: forwarded.
        unsafe {
            transpose(
                shape.isa,
                from,
                stride,
                count,
                block.count,
                self.turned,
                self.turned_stride,
            );
            for at in (0..shape.key_columns()).step_by(PANEL) {
                let left = (self.turned.cast_const(), self.turned_stride);
                let right = self.key_panels.add(at * shape.tile_keys());
                let to = (
                    dq.add(block.first * shape.dq_stride() + at),
                    shape.dq_stride(),
                );
                multiply(shape.isa, [block.count, count], left, right, to, accumulate);
            }
        }
    }
}

/// `to[rows, 32] (+)= left[rows, k] * right[k, 32]`; left and result with their strides.
///
/// # Safety
/// All three have the extents stated.
unsafe fn multiply(
    isa: Isa,
    [rows, k]: [usize; 2],
    (a, a_stride): (*const f32, usize),
    right: *mut f32,
    (c, c_stride): (*mut f32, usize),
    accumulate: bool,
) {
    let block = Block {
        rows,
        k,
        a: a.cast(),
        a_stride,
        c,
        c_stride,
        accumulate,
        prefetch: Prefetch::NONE,
    };
    // SAFETY: forwarded.
    unsafe { Engine::F32(isa).multiply(&block, right.cast_const().cast()) };
}

/// Adds the queries' gradients of several parts, in order, and stores a query's row.
///
/// # Safety
/// The parts are written, `part_len` numbers apart; `to` is writable for `key_dim` numbers.
pub(super) unsafe fn store_query_gradient(
    shape: &HeadShape,
    parts: Shared<f32>,
    count: usize,
    query: usize,
    to: *mut f32,
) {
    // SAFETY: forwarded.
    unsafe {
        let row = parts.at(query * shape.dq_stride());
        std::ptr::copy_nonoverlapping(row, to, shape.key_dim);
        for part in 1..count {
            add(shape.isa, row.add(part * shape.dq_len()), shape.key_dim, to);
        }
    }
}

/// A tile of scores and products of values with gradients.
struct Weigh {
    weights: *mut f32,
    slopes: *mut f32,
    stride: usize,
    keys: usize,
    queries: usize,
    log_sums: *const f32,
    row_sums: *const f32,
    /// Numbers of the first query and key in their head.
    first_query: usize,
    first_key: usize,
    dropout: Option<HeadDropout>,
    scale: f32,
    extra: f32,
}

simd_fn!(
    /// Scores become weights, products of values with gradients become the scores' gradients.
    ///
    /// # Safety
    /// The rows are valid for the queries rounded up to a multiple of 16, as are the sums.
    unsafe fn weigh = weigh_kernel(job: &Weigh)
);

/// # Safety
/// As [`weigh`].
#[inline(always)]
unsafe fn weigh_kernel<S: Simd>(job: &Weigh) {
    let factor = S::splat(job.scale * std::f32::consts::LOG2_E);
    let scale = S::splat(job.scale);
    let mut rows = [0; TILE];
    if let Some(dropout) = job.dropout {
        for (i, row) in rows.iter_mut().enumerate() {
            *row = dropout.row(job.first_query + i);
        }
    }
    let mut factors = [1.0; TILE];
    for key in 0..job.keys {
        if let Some(dropout) = job.dropout {
            for (factor, &row) in factors.iter_mut().zip(&rows) {
                *factor = dropout.factor(row, job.first_key + key);
            }
        }
        let extra = if key + 1 == job.keys { job.extra } else { 0.0 };
        let extra = S::splat(extra * std::f32::consts::LOG2_E);
        for i in (0..job.queries).step_by(S::LANES) {
            // SAFETY: rows are valid up to a multiple of every vector's length.
            unsafe {
                let (weight, slope) = (
                    job.weights.add(key * job.stride + i),
                    job.slopes.add(key * job.stride + i),
                );
                let exponent = S::fma(S::load(weight), factor, extra);
                let p = exp2::<S>(S::sub(exponent, S::load(job.log_sums.add(i))));
                let kept = S::load(factors.as_ptr().add(i));
                let given = S::mul(S::load(slope), kept);
                let centred = S::sub(given, S::load(job.row_sums.add(i)));
                S::store(weight, S::mul(p, kept));
                S::store(slope, S::mul(S::mul(p, scale), centred));
            }
        }
    }
}

simd_fn!(
    /// The dot product of `width` numbers.
    ///
    /// # Safety
    /// Both pointers are readable for `width` numbers.
    unsafe fn dot = dot_kernel(a: *const f32, b: *const f32, width: usize) -> f32
);

/// # Safety
/// As [`dot`].
#[inline(always)]
unsafe fn dot_kernel<S: Simd>(a: *const f32, b: *const f32, width: usize) -> f32 {
    let whole = width - width % S::LANES;
    let mut total = S::splat(0.0);
    // SAFETY: whole vectors end at `whole`, the partial one at `width`.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            total = S::fma(S::load(a.add(i)), S::load(b.add(i)), total);
        }
        if whole < width {
            let rest = width - whole;
            let (a, b) = (
                S::load_partial(a.add(whole), rest),
                S::load_partial(b.add(whole), rest),
            );
            total = S::fma(a, b, total);
        }
    }
    S::sum(total)
}
