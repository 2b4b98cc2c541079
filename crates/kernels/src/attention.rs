//! Attention that never materialises the score matrix.
//!
//! Keys and values of a head are packed into panels once per call. A task then takes a block of
//! queries through all keys, 256 at a time: scores, exponentials (with a running maximum) and the
//! weighted sum of values all stay in L2.

mod core;
mod dropout;
mod grid;
mod keys;
mod softmax;
mod windowed;

use crate::cpu;
use crate::output::{Out, Shared, Written};
use crate::product::{Engine, Precision, Session};
use core::{Queries, attend};
pub(crate) use dropout::HeadDropout;
use keys::{KeyBlocks, Packer};
use rayon::prelude::*;

pub use dropout::Dropout;
pub use grid::{GridAttention, grid_attention};
pub use windowed::{
    QueryPooling, Window, WindowedAttention, windowed_attention, windowed_attention_with_log_sums,
};
pub(crate) use windowed::{WindowShape, attend_window, largest_of_four};

/// Tokens of several heads somewhere in a slice: head `h` of token `t` of batch item `b` starts at
/// `b * batch_stride + t * token_stride + h * head_stride`.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// The numbers, from the first head of the first token on.
    pub data: &'a [f32],
    /// The number of tokens of a batch item.
    pub tokens: usize,
    /// Numbers from a token to the next.
    pub token_stride: usize,
    /// Numbers from a head to the next.
    pub head_stride: usize,
    /// Numbers from a batch item to the next.
    pub batch_stride: usize,
}

impl<'a> Heads<'a> {
    /// `[batch, tokens, heads, dim]`, one after the other.
    pub fn dense(data: &'a [f32], tokens: usize, heads: usize, dim: usize) -> Self {
        let token_stride = heads * dim;
        Heads {
            data,
            tokens,
            token_stride,
            head_stride: dim,
            batch_stride: tokens * token_stride,
        }
    }

    /// Part `part` (0 for queries, 1 for keys, 2 for values) of `[batch, tokens, 3, heads, dim]`.
    pub fn of_qkv(data: &'a [f32], part: usize, tokens: usize, heads: usize, dim: usize) -> Self {
        let token_stride = 3 * heads * dim;
        Heads {
            data: &data[part * heads * dim..],
            tokens,
            token_stride,
            head_stride: dim,
            batch_stride: tokens * token_stride,
        }
    }

    fn check(&self, batch: usize, heads: usize, dim: usize, name: &str) {
        if batch * self.tokens * heads * dim > 0 {
            let last = self.start(batch - 1, heads - 1) + (self.tokens - 1) * self.token_stride;
            let found = self.data.len();
            assert!(
                last + dim <= found,
                "attention: {name} has {found} numbers, not {}",
                last + dim
            );
        }
    }

    pub(crate) fn start(&self, batch: usize, head: usize) -> usize {
        batch * self.batch_stride + head * self.head_stride
    }
}

/// `softmax(scale * q k^T) v` for each batch item and head.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// Batch items.
    pub batch: usize,
    /// Heads.
    pub heads: usize,
    /// Width of queries and keys.
    pub key_dim: usize,
    /// Width of values and results.
    pub value_dim: usize,
    /// Queries.
    pub q: Heads<'a>,
    /// Keys.
    pub k: Heads<'a>,
    /// Values, as many as keys.
    pub v: Heads<'a>,
    /// Multiplied to the scores; positive. Usually `1 / sqrt(key_dim)`.
    pub scale: f32,
    /// Of both products; maximum, exponential and sums are f32.
    pub precision: Precision,
    /// Weights that are left out, in f32 only. Heads are numbered through all batch items.
    pub dropout: Option<Dropout>,
}

impl Attention<'_> {
    /// Asserts that the parts fit together.
    pub(crate) fn check(&self) {
        let Attention {
            batch,
            heads,
            k,
            v,
            scale,
            ..
        } = *self;
        self.q.check(batch, heads, self.key_dim, "q");
        k.check(batch, heads, self.key_dim, "k");
        v.check(batch, heads, self.value_dim, "v");
        assert_eq!(
            k.tokens, v.tokens,
            "attention: {} keys but {} values",
            k.tokens, v.tokens
        );
        assert!(k.tokens > 0, "attention: no keys");
        assert!(scale > 0.0, "attention: scale {scale} is not positive");
        assert!(
            self.dropout.is_none() || self.precision == Precision::F32,
            "attention: dropout needs f32"
        );
    }
}

/// Attention; `out` is `[batch, query tokens, heads * value_dim]`.
///
/// A query with a NaN or infinite score (other than minus infinity, which means "not this key")
/// gives NaN, as does one whose scores are all minus infinity.
///
/// # Panics
/// If there are no keys, `scale` is not positive, or a slice is too short.
pub fn attention<'o>(inputs: &Attention<'_>, out: impl Into<Out<'o>>) -> Written<'o> {
    attend_all(inputs, None, out.into())
}

/// [`attention`] that also gives, for each query and head, `[batch, query tokens, heads]`, the
/// logarithm to base 2 of the sum of its weights before they are divided by it. Gradients need it.
pub fn attention_with_log_sums<'o>(
    inputs: &Attention<'_>,
    log_sums: &mut [f32],
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let (found, wanted) = (
        log_sums.len(),
        inputs.batch * inputs.q.tokens * inputs.heads,
    );
    assert_eq!(found, wanted, "attention: {found} log sums, not {wanted}");
    attend_all(inputs, Some(Shared(log_sums.as_mut_ptr())), out.into())
}

/// Log sums go to `log_sums`, which has room for them, if given.
fn attend_all<'o>(
    inputs: &Attention<'_>,
    log_sums: Option<Shared<f32>>,
    out: Out<'o>,
) -> Written<'o> {
    inputs.check();
    let Attention {
        batch,
        heads,
        key_dim,
        value_dim,
        q,
        k,
        v,
        scale,
        precision,
        dropout,
    } = *inputs;
    out.expect_len(batch * q.tokens * heads * value_dim, "attention");

    let path = cpu::path();
    let engine = match dropout {
        // It is weights in f32 that are left out.
        Some(_) => Engine::F32(path.isa),
        None => Engine::for_activations(path, precision),
    };
    let packer = Packer {
        engine,
        isa: path.isa,
        key_dim,
        value_dim,
    };
    let mut packed = KeyBlocks::new(packer, k.tokens, batch * heads);
    packed.fill_in_parallel(
        |problem, key| {
            let (b, h) = (problem / heads, problem % heads);
            // SAFETY: `check` found all keys and values within their slices.
            unsafe {
                (
                    k.data.as_ptr().add(k.start(b, h) + key * k.token_stride),
                    v.data.as_ptr().add(v.start(b, h) + key * v.token_stride),
                )
            }
        },
        0.0,
    );

    let rows = query_rows(q.tokens, k.tokens, batch * heads);
    let blocks = q.tokens.div_ceil(rows);
    let to: Shared<f32> = out.shared();
    let packed = &packed;
    (0..batch * heads * blocks)
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| {
            let _session = Session::new(engine);
            let (problem, first) = (task / blocks, task % blocks * rows);
            let (b, h) = (problem / heads, problem % heads);
            // SAFETY: the queries exist; each task writes rows and head columns of its own.
            unsafe {
                let queries = Queries {
                    start: q.data.as_ptr().add(q.start(b, h) + first * q.token_stride),
                    stride: q.token_stride,
                    count: rows.min(q.tokens - first),
                    first,
                    dropout: dropout.map(|dropout| dropout.head(problem)),
                };
                let result = |row: usize| (b * q.tokens + first + row) * heads + h;
                let keep = |row: usize, log_sum: f32| {
                    if let Some(log_sums) = log_sums {
                        *log_sums.at(result(row)) = log_sum;
                    }
                };
                let keys = packed.problem(problem);
                attend(
                    &queries,
                    &keys,
                    scale,
                    |row| to.at(result(row) * value_dim),
                    keep,
                );
            }
        });
    // SAFETY: every query of every head was answered.
    unsafe { out.written() }
}

/// Queries per task: many where keys must be read from far away each time, but not so many that
/// threads are left without work.
fn query_rows(queries: usize, keys: usize, problems: usize) -> usize {
    let most = if keys > 8192 { 512 } else { 256 };
    let wanted_tasks = 4 * rayon::current_num_threads();
    let per_problem = wanted_tasks.div_ceil(problems.max(1));
    let even = queries.div_ceil(per_problem.max(1)).next_multiple_of(32);
    even.clamp(32, most)
}
