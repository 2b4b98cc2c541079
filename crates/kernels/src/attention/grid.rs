//! Attention to several memories of one grid, whose keys are never made.
//!
//! A key is `R(p) (W m + b)`: a memory's token `m` at the grid position `p`, projected, then turned by
//! the angles of its place, half of the channel pairs by x and half by y. So a score is
//!
//! ```text
//! q · R(p) (W m + b) = (Wᵀ Rx(x)ᵀ q + Wᵀ Ry(y)ᵀ q) · m + (what b adds)
//! ```
//!
//! and the two vectors in brackets, as wide as a token, depend on a column or a row of the grid, not
//! on the memory. They are made once for every query, `2 · side` of them, and then each of the
//! `memories · side²` scores is a product over the token's width instead of the key's: 64 instead of
//! 256 multiplications in SAM 2.
//!
//! Everything is computed the other way round, 32 queries being the columns of a panel: what is made of
//! the queries, their scores and their weights are each the right operand of the next product.

mod pack;

use crate::buffers::Scratch;
use crate::cpu::{self, Isa};
use crate::math::exp2;
use crate::output::{Out, Shared, Written};
use crate::panel::transpose_rows;
use crate::product::{Block, Engine, Precision};
use crate::rotary::RotaryTable;
use crate::simd::{PANEL, Prefetch, Simd, simd_fn};
use pack::{Memories, Tile, TurnedWeights};
use rayon::prelude::*;

/// `softmax(scale * q kᵀ) v`, where keys are `weight * key token + bias`, turned by their place.
///
/// A batch item has `memories * side * side` tokens that have a place on the grid, row by row, then
/// `others` (object pointers) that have none and whose keys are not turned.
#[derive(Clone, Copy, Debug)]
pub struct GridAttention<'a> {
    /// Batch items.
    pub batch: usize,
    /// Queries of a batch item.
    pub queries: usize,
    /// Memories of the grid.
    pub memories: usize,
    /// Rows and columns of the grid.
    pub side: usize,
    /// Tokens without a place.
    pub others: usize,
    /// Queries, already turned: `[batch, queries, dim]`.
    pub q: &'a [f32],
    /// What keys are made of: `[batch, tokens, width]`.
    pub key_tokens: &'a [f32],
    /// Values: `[batch, tokens, width]`.
    pub values: &'a [f32],
    /// The projection of keys, `[dim, width]`.
    pub weight: &'a [f32],
    /// Its bias, `[dim]`.
    pub bias: &'a [f32],
    /// The grid's angles: the first half of a row's belongs to x, the second to y.
    pub table: RotaryTable<'a>,
    /// Multiplied to the scores; usually `1 / sqrt(dim)`.
    pub scale: f32,
}

impl GridAttention<'_> {
    /// Whether this takes less time than making keys of `dim` numbers of tokens of `width` and using
    /// [`attention`](super::attention): not where AMX multiplies, nor for few memories.
    pub fn pays(
        memories: usize,
        side: usize,
        dim: usize,
        width: usize,
        precision: Precision,
    ) -> bool {
        // Multiplications for a query and a row of the grid. Adding a row's share to a column's, and
        // products as low as there are memories, cost as much as this many memories more (measured:
        // from 4 memories on it pays at SAM 2's sizes, 3 are even).
        const OVERHEAD: usize = 6;
        let made = memories * side * dim;
        let not_made = (width + 1) * (dim + (memories + OVERHEAD) * side);
        let engine = Engine::for_activations(cpu::path(), precision);
        matches!(engine, Engine::F32(_)) && not_made < made
    }

    /// Width of queries.
    fn dim(&self) -> usize {
        self.bias.len()
    }

    /// Width of tokens and values.
    fn width(&self) -> usize {
        self.weight.len() / self.dim()
    }

    /// Tokens of a batch item that have a place.
    fn placed(&self) -> usize {
        self.memories * self.side * self.side
    }

    fn check(&self) {
        let dim = self.dim();
        assert!(
            dim > 0 && dim.is_multiple_of(4),
            "grid attention: the width {dim} is not a multiple of 4"
        );
        let tokens = self.placed() + self.others;
        assert!(tokens > 0, "grid attention: no tokens");
        let angles = self.side * self.side * dim / 2;
        for (name, found, wanted) in [
            ("q", self.q.len(), self.batch * self.queries * dim),
            (
                "key tokens",
                self.key_tokens.len(),
                self.batch * tokens * self.width(),
            ),
            ("values", self.values.len(), self.key_tokens.len()),
            ("the weight", self.weight.len(), dim * self.width()),
            ("cosines", self.table.cos.len(), angles),
            ("sines", self.table.sin.len(), angles),
        ] {
            assert_eq!(found, wanted, "grid attention: length of {name}");
        }
    }
}

/// [`GridAttention`]; `out` is `[batch, queries, width]`. Products are f32.
///
/// # Panics
/// If a slice has another length than stated, or `dim` is not a multiple of 4.
pub fn grid_attention<'o>(inputs: &GridAttention<'_>, out: impl Into<Out<'o>>) -> Written<'o> {
    inputs.check();
    let out = out.into();
    out.expect_len(
        inputs.batch * inputs.queries * inputs.width(),
        "grid attention",
    );
    let isa = cpu::path().isa;
    // Scores come out as exponents of 2.
    let factor = inputs.scale * std::f32::consts::LOG2_E;
    let weights = TurnedWeights::of(inputs, factor);
    let to: Shared<f32> = out.shared();
    let blocks = inputs.queries.div_ceil(QUERIES);
    for item in 0..inputs.batch {
        let memories = Memories::of(inputs, item, factor);
        (0..blocks)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|block| {
                let first = item * inputs.queries + block * QUERIES;
                let count = QUERIES.min(inputs.queries - block * QUERIES);
                let task = Task {
                    isa,
                    inputs,
                    weights: &weights,
                    memories: &memories,
                };
                // SAFETY: the queries exist, and their results belong to this task.
                unsafe {
                    let q = inputs.q.as_ptr().add(first * inputs.dim());
                    task.answer(q, count, to.at(first * inputs.width()));
                }
            });
    }
    // SAFETY: every query was answered.
    unsafe { out.written() }
}

/// Queries of a task: panels of 32, so that what is read from far away serves more than one.
const QUERIES: usize = 2 * PANEL;

/// What a task answers its queries with.
struct Task<'a> {
    isa: Isa,
    inputs: &'a GridAttention<'a>,
    weights: &'a TurnedWeights,
    memories: &'a Memories,
}

impl Task<'_> {
    /// # Safety
    /// `count` queries are readable from `q` on, and their results may be written from `to` on.
    unsafe fn answer(&self, q: *const f32, count: usize, to: *mut f32) {
        let (inputs, memories, weights) = (self.inputs, self.memories, self.weights);
        let depth = weights.depth();
        let mut sum = Scratch::of::<f32>(depth * PANEL);
        let mut scores = Scratch::of::<f32>(memories.most_keys() * PANEL);
        let (sum, scores): (*mut f32, *mut f32) = (sum.start(), scores.start());
        // SAFETY: the workspaces have the sizes just given, the tiles cover the grid, and the caller
        // vouches for the queries and results.
        unsafe {
            let mut panels: Vec<Panel> = (0..count)
                .step_by(PANEL)
                .map(|first| {
                    let q = q.add(first * inputs.dim());
                    Panel::new(self, q, PANEL.min(count - first))
                })
                .collect();
            for y in 0..inputs.side {
                for panel in &mut panels {
                    let to = panel.rows.start::<f32>().add(y * depth * PANEL);
                    self.multiply(
                        weights.y(y),
                        depth,
                        inputs.dim() / 2,
                        panel.y_half(),
                        to,
                        false,
                    );
                }
            }
            let mut column = usize::MAX;
            for tile in memories.tiles() {
                if tile.x.start != column {
                    column = tile.x.start;
                    for (i, x) in tile.x.clone().enumerate() {
                        for panel in &mut panels {
                            let to = panel.columns.start::<f32>().add(i * depth * PANEL);
                            self.multiply(
                                weights.x(x),
                                depth,
                                inputs.dim() / 2,
                                panel.x_half(),
                                to,
                                false,
                            );
                        }
                    }
                }
                for panel in &mut panels {
                    self.score(&tile, panel, sum, scores);
                    self.weigh(&tile, scores, panel);
                }
            }
            for tile in memories.others() {
                for panel in &mut panels {
                    self.multiply(
                        tile.keys,
                        tile.count,
                        inputs.dim(),
                        panel.x_half(),
                        scores,
                        false,
                    );
                    self.weigh(&tile, scores, panel);
                }
            }
            for (i, panel) in panels.iter_mut().enumerate() {
                panel.store(to.add(i * PANEL * panel.width));
            }
        }
    }

    /// Scores of a tile's keys, `[keys, 32]`.
    ///
    /// # Safety
    /// The panel has the tile's columns; `sum` and `scores` are writable for what is put there.
    unsafe fn score(&self, tile: &Tile, panel: &mut Panel, sum: *mut f32, scores: *mut f32) {
        let (depth, memories) = (self.weights.depth(), self.inputs.memories);
        let (rows, columns): (*mut f32, *mut f32) = (panel.rows.start(), panel.columns.start());
        let positions = tile
            .y
            .clone()
            .flat_map(|y| (0..tile.x.len()).map(move |i| (y, i)));
        for (position, (y, i)) in positions.enumerate() {
            // SAFETY: rows and columns have `depth` rows of 32 each, the tile `memories` keys for
            // every position.
            unsafe {
                let row = rows.add(y * depth * PANEL);
                let column = columns.add(i * depth * PANEL);
                add(self.isa, row, column, depth * PANEL, sum);
                let keys = tile.keys.add(position * memories * depth);
                let to = scores.add(position * memories * PANEL);
                self.multiply(keys, memories, depth, sum, to, false);
            }
        }
    }

    /// Turns the scores of a tile's keys into weights and adds the values that they weigh.
    ///
    /// # Safety
    /// The tile has `scores`, and values as wide as the panel's results.
    unsafe fn weigh(&self, tile: &Tile, scores: *mut f32, panel: &mut Panel) {
        // SAFETY: the caller vouches for the tile; a panel has `width` rows of results.
        unsafe {
            softmax_columns(self.isa, scores, tile.count, panel);
            let results = panel.results.start();
            self.multiply(tile.values, panel.width, tile.count, scores, results, true);
        }
    }

    /// `to[rows, 32] (+)= a[rows, k] * panel[k, 32]`. Rows come from far away, and what lies behind
    /// them is needed next, so it is fetched meanwhile.
    ///
    /// # Safety
    /// The pointers are valid for that.
    unsafe fn multiply(
        &self,
        a: *const f32,
        rows: usize,
        k: usize,
        panel: *const f32,
        to: *mut f32,
        accumulate: bool,
    ) {
        let engine = Engine::F32(self.isa);
        let step = engine.row_step();
        for first in (0..rows).step_by(step) {
            let some = step.min(rows - first);
            let a = a.wrapping_add(first * k);
            let block = Block {
                rows: some,
                k,
                a: a.cast(),
                a_stride: k,
                c: to.wrapping_add(first * PANEL),
                c_stride: PANEL,
                accumulate,
                prefetch: Prefetch {
                    start: a.wrapping_add(some * k).cast(),
                    bytes: some * size_of::<f32>(),
                },
            };
            // SAFETY: the caller vouches for the pointers; f32 needs no session.
            unsafe { engine.multiply(&block, panel.cast()) };
        }
    }
}

/// Up to 32 queries, their share of the scores and their running softmax.
struct Panel {
    /// The queries as columns, zero where there is none: `[dim, 32]`.
    queries: Scratch,
    count: usize,
    dim: usize,
    /// What scores take from every row of the grid, `[side, depth, 32]`.
    rows: Scratch,
    /// What scores take from the columns of the current tiles, `[TILE, depth, 32]`.
    columns: Scratch,
    /// Largest score so far.
    maxima: [f32; PANEL],
    /// Sum of weights so far.
    sums: [f32; PANEL],
    /// Weighted sums of values so far, `[width, 32]`.
    results: Scratch,
    width: usize,
}

impl Panel {
    /// # Safety
    /// `count` queries are readable from `q` on.
    unsafe fn new(task: &Task<'_>, q: *const f32, count: usize) -> Panel {
        let (dim, width) = (task.inputs.dim(), task.inputs.width());
        let depth = task.weights.depth();
        let mut queries = Scratch::of::<f32>(dim * PANEL);
        let mut results = Scratch::of::<f32>(width * PANEL);
        // SAFETY: the workspaces have `dim` and `width` rows of 32; the caller vouches for `q`.
        unsafe {
            std::ptr::write_bytes(results.start::<f32>(), 0, width * PANEL);
            for group in (0..PANEL).step_by(16) {
                let present = count.saturating_sub(group).min(16);
                let mut rows = [std::ptr::null(); 16];
                for (i, row) in rows.iter_mut().take(present).enumerate() {
                    *row = q.add((group + i) * dim);
                }
                let to = queries.start::<f32>().add(group);
                transpose_rows(task.isa, &rows, present, dim, to);
            }
        }
        Panel {
            queries,
            count,
            dim,
            rows: Scratch::of::<f32>(task.inputs.side * depth * PANEL),
            columns: Scratch::of::<f32>(pack::TILE * depth * PANEL),
            maxima: [f32::NEG_INFINITY; PANEL],
            sums: [0.0; PANEL],
            results,
            width,
        }
    }

    /// The channels that turn with x; the others follow them.
    fn x_half(&self) -> *const f32 {
        self.queries.view().cast()
    }

    /// The channels that turn with y.
    fn y_half(&self) -> *const f32 {
        self.x_half().wrapping_add(self.dim / 2 * PANEL)
    }

    /// Writes the results, `[count, width]`.
    ///
    /// # Safety
    /// `to` is writable for that.
    unsafe fn store(&self, to: *mut f32) {
        let results: *const f32 = self.results.view().cast();
        for query in 0..self.count {
            for channel in 0..self.width {
                // SAFETY: the results have `width` rows of 32; the caller vouches for `to`.
                unsafe {
                    let result = *results.add(channel * PANEL + query);
                    *to.add(query * self.width + channel) = result / self.sums[query];
                }
            }
        }
    }
}

simd_fn!(
    /// `to = a + b`, all of `len` numbers, a multiple of 32.
    ///
    /// # Safety
    /// The pointers are valid for that.
    unsafe fn add = add_kernel(a: *const f32, b: *const f32, len: usize, to: *mut f32)
);

/// # Safety
/// As [`add`].
#[inline(always)]
unsafe fn add_kernel<S: Simd>(a: *const f32, b: *const f32, len: usize, to: *mut f32) {
    for i in (0..len).step_by(PANEL) {
        for i in (i..i + PANEL).step_by(S::LANES) {
            // SAFETY: vectors end at `len`.
            unsafe { S::store(to.add(i), S::add(S::load(a.add(i)), S::load(b.add(i)))) };
        }
    }
}

simd_fn!(
    /// Turns `scores`, `[keys, 32]`, into weights `2^(score - largest)`, column by column, and brings
    /// the panel up to date but for what the weights add to its results.
    ///
    /// # Safety
    /// `scores` has `keys` rows.
    unsafe fn softmax_columns = softmax_kernel(scores: *mut f32, keys: usize, panel: &mut Panel)
);

/// Most vectors in a row of 32 numbers.
const VECTORS: usize = PANEL;

/// # Safety
/// As [`softmax_columns`].
#[inline(always)]
unsafe fn softmax_kernel<S: Simd>(scores: *mut f32, keys: usize, panel: &mut Panel) {
    let vectors = PANEL / S::LANES;
    let results: *mut f32 = panel.results.start();
    let mut references = [S::splat(0.0); VECTORS];
    let mut totals = [S::splat(0.0); VECTORS];
    let mut largest = [S::splat(f32::NEG_INFINITY); VECTORS];
    // SAFETY: rows of scores, results, maxima and sums have 32 numbers.
    unsafe {
        for key in 0..keys {
            for (j, largest) in largest.iter_mut().take(vectors).enumerate() {
                let score = S::load(scores.add(key * PANEL + j * S::LANES));
                *largest = S::max(score, *largest);
            }
        }
        for j in 0..vectors {
            let maximum = panel.maxima.as_mut_ptr().add(j * S::LANES);
            let before = S::load(maximum);
            let now = S::max(largest[j], before);
            S::store(maximum, now);
            // With nothing but minus infinity so far, any finite reference gives weights of zero.
            let reference = S::select_ge(now, S::splat(f32::MIN), now, S::splat(0.0));
            references[j] = reference;
            let shrink = exp2::<S>(S::sub(before, reference));
            let sum = panel.sums.as_mut_ptr().add(j * S::LANES);
            S::store(sum, S::mul(S::load(sum), shrink));
            for row in 0..panel.width {
                let result = results.add(row * PANEL + j * S::LANES);
                S::store(result, S::mul(S::load(result), shrink));
            }
        }
        for key in 0..keys {
            for j in 0..vectors {
                let score = scores.add(key * PANEL + j * S::LANES);
                let weight = exp2::<S>(S::sub(S::load(score), references[j]));
                S::store(score, weight);
                totals[j] = S::add(totals[j], weight);
            }
        }
        for (j, &total) in totals.iter().take(vectors).enumerate() {
            let sum = panel.sums.as_mut_ptr().add(j * S::LANES);
            S::store(sum, S::add(S::load(sum), total));
        }
    }
}
