//! The gradients of attention within windows.

use super::attention::{AttentionGradient, qkv_gradient};
use super::attention_core::{
    HeadShape, KeyAccess, Query, attend_back, pack_queries, store_query_gradient,
};
use super::pooling::give_to_largest;
use super::sums::add;
use crate::attention::{QueryPooling, Window, WindowedAttention, largest_of_four};
use crate::buffers::Scratch;
use crate::cpu;
use crate::output::{Out, Shared, Written, collect};
use rayon::prelude::*;

/// The gradients of a windowed attention's inputs.
#[derive(Clone, Debug)]
pub struct WindowedGradients {
    /// `[batch, height, width, 3, heads, dim]`.
    pub qkv: Vec<f32>,
    /// Of the padding, `[3, heads, dim]`.
    pub padding: Vec<f32>,
}

/// The gradients of [`windowed_attention`](crate::windowed_attention), in f32 whatever the precision,
/// given its `result`, the `log_sums` of
/// [`windowed_attention_with_log_sums`](crate::windowed_attention_with_log_sums) and the result's
/// gradient `grad`. A pooled query's gradient goes to the first of the largest tokens.
pub fn windowed_attention_gradient(
    inputs: &WindowedAttention<'_>,
    result: &[f32],
    log_sums: &[f32],
    grad: &[f32],
) -> WindowedGradients {
    inputs.check();
    let (height, width) = inputs.output_grid();
    let results = inputs.batch * height * width * inputs.heads;
    for (name, found, wanted) in [
        ("result", result.len(), results * inputs.dim),
        ("gradient", grad.len(), results * inputs.dim),
        ("log sums", log_sums.len(), results),
    ] {
        assert_eq!(
            found, wanted,
            "windowed_attention_gradient: {name} has {found} numbers, not {wanted}"
        );
    }
    let mut padding = vec![0.0; inputs.padding.len()];
    let qkv = collect(inputs.qkv.len(), |out| {
        if (inputs.window, inputs.pooling) == (Window::Global, QueryPooling::None) {
            let inputs = inputs.as_attention();
            return qkv_gradient(
                &AttentionGradient {
                    inputs,
                    result,
                    log_sums,
                    grad,
                },
                out,
            );
        }
        let job = Job {
            inputs,
            result,
            log_sums,
            grad,
        };
        job.windows(out, &mut padding)
    });
    WindowedGradients { qkv, padding }
}

struct Job<'a> {
    inputs: &'a WindowedAttention<'a>,
    result: &'a [f32],
    log_sums: &'a [f32],
    grad: &'a [f32],
}

/// A window's place in the grid.
#[derive(Clone, Copy)]
struct Place {
    batch: usize,
    top: usize,
    left: usize,
    /// Rows and columns inside the grid.
    rows: usize,
    columns: usize,
    /// Tokens of padding.
    padding: usize,
}

impl Job<'_> {
    fn windows<'o>(&self, out: Out<'o>, padding: &mut [f32]) -> Written<'o> {
        let WindowedAttention {
            batch,
            height,
            width,
            heads,
            dim,
            window,
            ..
        } = *self.inputs;
        let (side_y, side_x) = match window {
            Window::Global => (height.max(1), width.max(1)),
            Window::Square(side) => (side, side),
        };
        let (down, across) = (height.div_ceil(side_y), width.div_ceil(side_x));
        let place = |index: usize| {
            let (top, left) = (index / across % down * side_y, index % across * side_x);
            let (rows, columns) = (side_y.min(height - top), side_x.min(width - left));
            let padding = side_y * side_x - rows * columns;
            Place {
                batch: index / (down * across),
                top,
                left,
                rows,
                columns,
                padding,
            }
        };
        let windows = batch * down * across;
        // Keys' and values' gradients of each window's padding.
        let token = 2 * heads * dim;
        let mut of_padding = Scratch::of::<f32>(windows * token);
        let of_padding = Shared(of_padding.start::<f32>());
        let to: Shared<f32> = out.shared();
        (0..windows).into_par_iter().for_each(|index| {
            for head in 0..heads {
                // SAFETY: windows and heads write different parts of both.
                unsafe { self.head(place(index), head, to, of_padding.at(index * token)) };
            }
        });
        let isa = cpu::path().isa;
        for index in (0..windows).filter(|&index| place(index).padding > 0) {
            // SAFETY: windows with padding have written its gradients; queries of padding are not
            // part of the result.
            unsafe {
                let sum = padding[heads * dim..].as_mut_ptr();
                add(isa, of_padding.at(index * token), token, sum);
            }
        }
        // SAFETY: windows tile the grid, so the three parts of every token were written.
        unsafe { out.written() }
    }

    /// One head of one window.
    ///
    /// # Safety
    /// `to` is the gradient of qkv and `of_padding` `[2, heads, dim]`; nobody else writes this head
    /// of this window.
    unsafe fn head(&self, at: Place, head: usize, to: Shared<f32>, of_padding: *mut f32) {
        let WindowedAttention {
            qkv,
            padding,
            height,
            width,
            heads,
            dim,
            scale,
            ..
        } = *self.inputs;
        let isa = cpu::path().isa;
        let pools = self.inputs.pooling == QueryPooling::Max2x2;
        let shrink = if pools { 2 } else { 1 };
        let (query_rows, query_columns) = (at.rows / shrink, at.columns / shrink);
        let real = at.rows * at.columns;
        let shape = HeadShape {
            isa,
            queries: query_rows * query_columns,
            keys: real + usize::from(at.padding > 0),
            key_dim: dim,
            value_dim: dim,
            scale,
            extra: if at.padding > 1 {
                (at.padding as f32).ln()
            } else {
                0.0
            },
            dropout: None,
        };
        let start = |part: usize, y: usize, x: usize| {
            let token = (at.batch * height + at.top + y) * width + at.left + x;
            ((token * 3 + part) * heads + head) * dim
        };
        let from = |part: usize, y: usize, x: usize| qkv[start(part, y, x)..][..dim].as_ptr();
        // SAFETY: all addresses are inside the window's tokens, or the head's padding.
        unsafe {
            if shape.queries == 0 {
                for index in 0..real {
                    for part in 0..3 {
                        let token = start(part, index / at.columns, index % at.columns);
                        std::ptr::write_bytes(to.at(token), 0, dim);
                    }
                }
                for part in 0..2 {
                    std::ptr::write_bytes(of_padding.add((part * heads + head) * dim), 0, dim);
                }
                return;
            }
            let corners = |query: usize| {
                let (y, x) = (query / query_columns * 2, query % query_columns * 2);
                [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)]
            };
            let mut pooled = Scratch::of::<f32>(if pools { shape.queries * dim } else { 0 });
            let pooled: *mut f32 = pooled.start();
            if pools {
                for query in 0..shape.queries {
                    let four = corners(query).map(|(y, x)| from(0, y, x));
                    largest_of_four(isa, &four, dim, pooled.add(query * dim));
                }
            }
            let query = |index: usize| {
                let (y, x) = (index / query_columns, index % query_columns);
                let line = at.batch * (height / shrink) + at.top / shrink + y;
                let result = (line * (width / shrink) + at.left / shrink + x) * heads + head;
                Query {
                    query: if pools {
                        pooled.add(index * dim).cast_const()
                    } else {
                        from(0, y, x)
                    },
                    result: self.result[result * dim..].as_ptr(),
                    grad: self.grad[result * dim..].as_ptr(),
                    log_sum: self.log_sums[result],
                }
            };
            let mut packed = Scratch::of::<f32>(shape.packed_len());
            let packed: *mut f32 = packed.start();
            for block in 0..shape.query_blocks() {
                pack_queries(&shape, packed, block, query);
            }
            let place = |key: usize| (key < real).then_some((key / at.columns, key % at.columns));
            let access = KeyAccess {
                from: |key| match place(key) {
                    Some((y, x)) => (from(1, y, x), from(2, y, x)),
                    None => {
                        let part = |part: usize| padding[(part * heads + head) * dim..].as_ptr();
                        (part(1), part(2))
                    }
                },
                to: |key| match place(key) {
                    Some((y, x)) => (to.at(start(1, y, x)), to.at(start(2, y, x))),
                    None => {
                        let part = |part: usize| of_padding.add((part * heads + head) * dim);
                        (part(0), part(1))
                    }
                },
            };
            let mut dq = Scratch::of::<f32>(shape.dq_len());
            let dq = Shared(dq.start::<f32>());
            attend_back(&shape, packed, 0..shape.keys, &access, dq.at(0));
            if !pools {
                for index in 0..shape.queries {
                    let to = to.at(start(0, index / at.columns, index % at.columns));
                    store_query_gradient(&shape, dq, 1, index, to);
                }
                return;
            }
            for index in 0..real {
                // An odd row or column is in no pooled query.
                let (y, x) = (index / at.columns, index % at.columns);
                if y >= 2 * query_rows || x >= 2 * query_columns {
                    std::ptr::write_bytes(to.at(start(0, y, x)), 0, dim);
                }
            }
            for index in 0..shape.queries {
                let four = corners(index);
                let grad = dq.at(index * shape.dq_stride()).cast_const();
                let from = four.map(|(y, x)| from(0, y, x));
                give_to_largest(&from, grad, dim, four.map(|(y, x)| to.at(start(0, y, x))));
            }
        }
    }
}
