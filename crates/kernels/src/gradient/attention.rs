//! The gradients of attention of all queries to all keys.

use super::attention_core::{
    HeadShape, KeyAccess, Query, attend_back, pack_queries, store_query_gradient,
};
use crate::attention::{Attention, Heads};
use crate::buffers::Scratch;
use crate::cpu;
use crate::output::{Out, Shared, Written};
use rayon::prelude::*;

/// Tasks wanted: where there are fewer heads, keys are divided.
const TASKS: usize = 16;

/// Attention after its forward pass.
#[derive(Clone, Copy, Debug)]
pub struct AttentionGradient<'a> {
    /// As in the forward pass.
    pub inputs: Attention<'a>,
    /// The result, `[batch, query tokens, heads * value_dim]`.
    pub result: &'a [f32],
    /// Logarithms of the sums of weights, as
    /// [`attention_with_log_sums`](crate::attention_with_log_sums) gives them.
    pub log_sums: &'a [f32],
    /// The result's gradient.
    pub grad: &'a [f32],
}

/// The gradients of an attention's inputs, each `[batch, tokens, heads, dim]`.
#[derive(Clone, Debug)]
pub struct AttentionGradients {
    /// Of the queries.
    pub q: Vec<f32>,
    /// Of the keys.
    pub k: Vec<f32>,
    /// Of the values.
    pub v: Vec<f32>,
}

/// The gradients of [`attention`](crate::attention), in f32 whatever the precision. The weights are
/// computed again, a tile at a time.
pub fn attention_gradient(after: &AttentionGradient<'_>) -> AttentionGradients {
    let Attention {
        batch,
        heads,
        key_dim,
        value_dim,
        q,
        k,
        ..
    } = after.inputs;
    let mut found = AttentionGradients {
        q: vec![0.0; batch * q.tokens * heads * key_dim],
        k: vec![0.0; batch * k.tokens * heads * key_dim],
        v: vec![0.0; batch * k.tokens * heads * value_dim],
    };
    let dense = |numbers: &mut Vec<f32>, tokens: usize, dim: usize| Target {
        start: Shared(numbers.as_mut_ptr()),
        token_stride: heads * dim,
        head_stride: dim,
        batch_stride: tokens * heads * dim,
    };
    let to = Targets {
        q: dense(&mut found.q, q.tokens, key_dim),
        k: dense(&mut found.k, k.tokens, key_dim),
        v: dense(&mut found.v, k.tokens, value_dim),
    };
    // SAFETY: the vectors have a number for each that is written.
    unsafe { gradients(after, &to) };
    found
}

/// [`attention_gradient`] where queries, keys and values lie together: `out` is
/// `[batch, tokens, 3, heads, dim]`.
pub(super) fn qkv_gradient<'o>(after: &AttentionGradient<'_>, out: Out<'o>) -> Written<'o> {
    let Attention {
        batch,
        heads,
        key_dim,
        q,
        ..
    } = after.inputs;
    let token = 3 * heads * key_dim;
    out.expect_len(batch * q.tokens * token, "attention_gradient");
    let part = |index: usize| Target {
        // SAFETY: the parts lie inside the first token.
        start: Shared(out.shared().0.wrapping_add(index * heads * key_dim)),
        token_stride: token,
        head_stride: key_dim,
        batch_stride: q.tokens * token,
    };
    let to = Targets {
        q: part(0),
        k: part(1),
        v: part(2),
    };
    // SAFETY: the three parts of every token and head are written, which is all of `out`.
    unsafe {
        gradients(after, &to);
        out.written()
    }
}

/// Where gradients of tokens go; see [`Heads`].
struct Target {
    start: Shared<f32>,
    token_stride: usize,
    head_stride: usize,
    batch_stride: usize,
}

impl Target {
    fn at(&self, batch: usize, head: usize, token: usize) -> *mut f32 {
        let at = batch * self.batch_stride + token * self.token_stride + head * self.head_stride;
        self.start.0.wrapping_add(at)
    }
}

struct Targets {
    q: Target,
    k: Target,
    v: Target,
}

/// # Safety
/// The targets have room for every token of every head.
unsafe fn gradients(after: &AttentionGradient<'_>, to: &Targets) {
    let Attention {
        batch,
        heads,
        key_dim,
        value_dim,
        q,
        k,
        v,
        scale,
        dropout,
        ..
    } = after.inputs;
    after.inputs.check();
    let results = batch * q.tokens * heads;
    for (name, found, wanted) in [
        ("result", after.result.len(), results * value_dim),
        ("gradient", after.grad.len(), results * value_dim),
        ("log sums", after.log_sums.len(), results),
    ] {
        assert_eq!(
            found, wanted,
            "attention_gradient: {name} has {found} numbers, not {wanted}"
        );
    }
    let shape = HeadShape {
        isa: cpu::path().isa,
        queries: q.tokens,
        keys: k.tokens,
        key_dim,
        value_dim,
        scale,
        extra: 0.0,
        dropout: None,
    };
    let problems = batch * heads;
    let mut packed = Scratch::of::<f32>(problems * shape.packed_len());
    let packed = Shared(packed.start::<f32>());
    let blocks = shape.query_blocks();
    (0..problems * blocks).into_par_iter().for_each(|task| {
        let (problem, block) = (task / blocks, task % blocks);
        let (b, h) = (problem / heads, problem % heads);
        // SAFETY: the lengths were checked; every block is packed by one task.
        unsafe {
            pack_queries(
                &shape,
                packed.at(problem * shape.packed_len()),
                block,
                |query| {
                    let result = (b * q.tokens + query) * heads + h;
                    Query {
                        query: address(&q, b, h, query),
                        result: after.result.as_ptr().add(result * value_dim),
                        grad: after.grad.as_ptr().add(result * value_dim),
                        log_sum: after.log_sums[result],
                    }
                },
            );
        }
    });

    let key_blocks = shape.key_blocks();
    let parts = TASKS.div_ceil(problems.max(1)).min(key_blocks);
    let blocks_per_part = key_blocks.div_ceil(parts);
    let parts = key_blocks.div_ceil(blocks_per_part);
    let mut dq = Scratch::of::<f32>(problems * parts * shape.dq_len());
    let dq = Shared(dq.start::<f32>());
    (0..problems * parts)
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| {
            let (problem, part) = (task / parts, task % parts);
            let (b, h) = (problem / heads, problem % heads);
            let access = KeyAccess {
                from: |key| (address(&k, b, h, key), address(&v, b, h, key)),
                to: |key| (to.k.at(b, h, key), to.v.at(b, h, key)),
            };
            let blocks = part * blocks_per_part..key_blocks.min((part + 1) * blocks_per_part);
            let shape = HeadShape {
                dropout: dropout.map(|dropout| dropout.head(problem)),
                ..shape
            };
            // SAFETY: every part has sums of its own, and its keys are written by nobody else.
            unsafe {
                let packed = packed.at(problem * shape.packed_len());
                let dq = dq.at(task * shape.dq_len());
                attend_back(&shape, packed, shape.keys_of(blocks), &access, dq);
            }
        });
    (0..problems * q.tokens)
        .into_par_iter()
        .with_min_len(16)
        .for_each(|index| {
            let (problem, query) = (index / q.tokens, index % q.tokens);
            let (b, h) = (problem / heads, problem % heads);
            // SAFETY: all parts are written; each query's row is written by one task.
            unsafe {
                let parts_of_head = Shared(dq.at(problem * parts * shape.dq_len()));
                store_query_gradient(&shape, parts_of_head, parts, query, to.q.at(b, h, query));
            }
        });
}

/// The start of a head of a token, which `Heads::check` found inside the slice.
fn address(heads: &Heads<'_>, batch: usize, head: usize, token: usize) -> *const f32 {
    heads.data[heads.start(batch, head) + token * heads.token_stride..].as_ptr()
}
