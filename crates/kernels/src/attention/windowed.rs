//! Attention within windows of a grid, by addressing.

use super::core::{Queries, attend};
use super::keys::{KeyBlocks, Packer, fetch};
use super::{Attention, Heads, attention, attention_with_log_sums};
use crate::buffers::Scratch;
use crate::cpu::{self, Isa};
use crate::output::{Out, Shared, Written, collect};
use crate::product::{Engine, Precision, Session};
use crate::simd::{Simd, simd_fn};
use rayon::prelude::*;

/// Which tokens attend to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// All of the grid.
    Global,
    /// Those of the same square of this side. Squares tile the grid from the top left; beyond its
    /// right and bottom edges they are filled with padding tokens.
    Square(usize),
}

/// Whether queries are pooled before they attend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryPooling {
    /// One query per token.
    None,
    /// One query per 2x2 tokens of a window, the maximum in each channel.
    Max2x2,
}

/// Multi-head attention within the windows of a grid of tokens.
///
/// Padding tokens take part as keys, as in the reference: they come from zeros after the norm, so
/// that their query, key and value are the projection's bias. As they are all equal, they are one
/// more key whose weight is multiplied with their number.
#[derive(Clone, Copy, Debug)]
pub struct WindowedAttention<'a> {
    /// `[batch, height, width, 3, heads, dim]`.
    pub qkv: &'a [f32],
    /// Query, key and value of padding: `[3, heads, dim]`.
    pub padding: &'a [f32],
    /// Batch items.
    pub batch: usize,
    /// Rows of the grid.
    pub height: usize,
    /// Columns of the grid.
    pub width: usize,
    /// Heads.
    pub heads: usize,
    /// Width of a head.
    pub dim: usize,
    /// Which tokens attend to each other.
    pub window: Window,
    /// Whether queries are pooled.
    pub pooling: QueryPooling,
    /// Multiplied to the scores; positive. Usually `1 / sqrt(dim)`.
    pub scale: f32,
    /// Of both products; maximum, exponential and sums are f32.
    pub precision: Precision,
}

impl WindowedAttention<'_> {
    /// Height and width of the output: those of the grid, or half (rounded down) with pooling.
    pub fn output_grid(&self) -> (usize, usize) {
        match self.pooling {
            QueryPooling::None => (self.height, self.width),
            QueryPooling::Max2x2 => (self.height / 2, self.width / 2),
        }
    }

    /// Attention among all tokens of the grid, without pooling.
    pub(crate) fn as_attention(&self) -> Attention<'_> {
        let tokens = self.height * self.width;
        let part = |part| Heads::of_qkv(self.qkv, part, tokens, self.heads, self.dim);
        Attention {
            batch: self.batch,
            heads: self.heads,
            key_dim: self.dim,
            value_dim: self.dim,
            q: part(0),
            k: part(1),
            v: part(2),
            scale: self.scale,
            precision: self.precision,
            dropout: None,
        }
    }

    pub(crate) fn check(&self) {
        let token = 3 * self.heads * self.dim;
        let wanted = self.batch * self.height * self.width * token;
        let found = self.qkv.len();
        assert_eq!(
            found, wanted,
            "windowed_attention: qkv has {found} numbers, not {wanted}"
        );
        let found = self.padding.len();
        assert_eq!(
            found, token,
            "windowed_attention: padding has {found} numbers, not {token}"
        );
        assert!(
            self.scale > 0.0,
            "windowed_attention: scale {} is not positive",
            self.scale
        );
        if let Window::Square(side) = self.window {
            let even = side % 2 == 0 || self.pooling == QueryPooling::None;
            assert!(
                side > 0 && even,
                "windowed_attention: a window of side {side} (pooling halves)"
            );
        }
    }
}

/// Windowed attention; `out` is `[batch, height', width', heads * dim]` with the
/// [`WindowedAttention::output_grid`].
pub fn windowed_attention<'o>(
    inputs: &WindowedAttention<'_>,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    attend_grid(inputs, None, out.into())
}

/// [`windowed_attention`] that also gives, for each query and head, `[batch, height', width', heads]`,
/// the logarithm to base 2 of the sum of its weights before they are divided by it. Gradients need
/// it.
pub fn windowed_attention_with_log_sums<'o>(
    inputs: &WindowedAttention<'_>,
    log_sums: &mut [f32],
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    attend_grid(inputs, Some(log_sums), out.into())
}

fn attend_grid<'o>(
    inputs: &WindowedAttention<'_>,
    log_sums: Option<&mut [f32]>,
    out: Out<'o>,
) -> Written<'o> {
    inputs.check();
    let (height, width) = inputs.output_grid();
    let results = inputs.batch * height * width * inputs.heads;
    out.expect_len(results * inputs.dim, "windowed_attention");
    let found = log_sums.as_ref().map_or(results, |sums| sums.len());
    assert_eq!(
        found, results,
        "windowed_attention: {found} log sums, not {results}"
    );
    match inputs.window {
        Window::Global => global(inputs, log_sums, out),
        Window::Square(side) => {
            let log_sums = log_sums.map(|sums| Shared(sums.as_mut_ptr()));
            windows(inputs, side, log_sums, out)
        }
    }
}

fn global<'o>(
    inputs: &WindowedAttention<'_>,
    log_sums: Option<&mut [f32]>,
    out: Out<'o>,
) -> Written<'o> {
    let WindowedAttention {
        qkv,
        batch,
        height,
        width,
        heads,
        dim,
        ..
    } = *inputs;
    let attend = |q: Heads<'_>, out: Out<'o>| {
        let inputs = Attention {
            q,
            ..inputs.as_attention()
        };
        match log_sums {
            Some(sums) => attention_with_log_sums(&inputs, sums, out),
            None => attention(&inputs, out),
        }
    };
    if inputs.pooling == QueryPooling::None {
        return attend(inputs.as_attention().q, out);
    }
    let isa = cpu::path().isa;
    let (pooled_height, pooled_width) = inputs.output_grid();
    let queries = pooled_height * pooled_width;
    let pooled = collect(batch * queries * heads * dim, |pooled| {
        let to: Shared<f32> = pooled.shared();
        (0..batch * pooled_height).into_par_iter().for_each(|line| {
            let (b, y) = (line / pooled_height, line % pooled_height);
            for x in 0..pooled_width {
                let token = |dy, dx| {
                    let start = ((b * height + 2 * y + dy) * width + 2 * x + dx) * 3 * heads * dim;
                    qkv[start..start + heads * dim].as_ptr()
                };
                let four = [token(0, 0), token(0, 1), token(1, 0), token(1, 1)];
                // SAFETY: four tokens and one output position, `heads * dim` numbers each.
                unsafe {
                    let to = to.at((line * pooled_width + x) * heads * dim);
                    largest_of_four(isa, &four, heads * dim, to);
                }
            }
        });
        // SAFETY: every position was written.
        unsafe { pooled.written() }
    });
    attend(Heads::dense(&pooled, queries, heads, dim), out)
}

/// Log sums go to `log_sums`, which has room for them, if given.
fn windows<'o>(
    inputs: &WindowedAttention<'_>,
    side: usize,
    log_sums: Option<Shared<f32>>,
    out: Out<'o>,
) -> Written<'o> {
    let WindowedAttention {
        qkv,
        padding,
        height,
        width,
        heads,
        dim,
        scale,
        ..
    } = *inputs;
    let (down, across) = (height.div_ceil(side), width.div_ceil(side));
    let path = cpu::path();
    let engine = Engine::for_activations(path, inputs.precision);
    let shrink = if inputs.pooling == QueryPooling::Max2x2 {
        2
    } else {
        1
    };
    let to: Shared<f32> = out.shared();
    (0..inputs.batch * down * across)
        .into_par_iter()
        .for_each(|index| {
            let _session = Session::new(engine);
            let batch = index / (down * across);
            let (top, left) = (index / across % down * side, index % across * side);
            let window = WindowShape {
                rows: side.min(height - top),
                columns: side.min(width - left),
                side,
                dim,
                scale,
                pools: shrink == 2,
                // The next window to the right is next, and its tokens follow on the same lines.
                ahead: 3 * heads * dim * side,
            };
            for head in 0..heads {
                let token = |part: usize, place: Option<(usize, usize)>| {
                    let start = (part * heads + head) * dim;
                    match place {
                        Some((y, x)) => {
                            let token = (batch * height + top + y) * width + left + x;
                            qkv[token * 3 * heads * dim + start..][..dim].as_ptr()
                        }
                        None => padding[start..][..dim].as_ptr(),
                    }
                };
                let answer = |y: usize, x: usize| {
                    let line = batch * (height / shrink) + top / shrink + y;
                    let token = line * (width / shrink) + left / shrink + x;
                    token * heads + head
                };
                // SAFETY: windows and heads write different parts of the output and the log sums.
                unsafe {
                    let to = |y, x| to.at(answer(y, x) * dim);
                    let keep = |y, x, log_sum| {
                        if let Some(log_sums) = log_sums {
                            *log_sums.at(answer(y, x)) = log_sum;
                        }
                    };
                    attend_window(engine, path.isa, &window, token, to, keep);
                }
            }
        });
    // SAFETY: windows tile the grid, so every position was written.
    unsafe { out.written() }
}

/// A window, at the edge of the grid perhaps.
pub(crate) struct WindowShape {
    /// Rows and columns inside the grid.
    pub rows: usize,
    pub columns: usize,
    /// Rows and columns with those of padding.
    pub side: usize,
    /// Width of a head.
    pub dim: usize,
    /// Multiplied to the scores.
    pub scale: f32,
    /// Whether queries are pooled 2x2.
    pub pools: bool,
    /// Numbers from a token to the one of the window that is next, to be fetched (0: not fetched).
    pub ahead: usize,
}

impl WindowShape {
    /// Rows and columns of queries.
    pub fn queries(&self) -> (usize, usize) {
        let shrink = if self.pools { 2 } else { 1 };
        (self.rows / shrink, self.columns / shrink)
    }
}

/// One head of one window. `token(part, place)` is where query (0), key (1) or value (2) of a row and
/// column in the window lie, or of padding; `to(y, x)` is where the answer to a query goes. `log_sum`
/// is given the logarithm to base 2 of each query's sum of weights.
///
/// # Safety
/// `token` is readable and `to` writable for `dim` numbers; this thread holds a session of the
/// engine.
pub(crate) unsafe fn attend_window(
    engine: Engine,
    isa: Isa,
    window: &WindowShape,
    token: impl Fn(usize, Option<(usize, usize)>) -> *const f32,
    to: impl Fn(usize, usize) -> *mut f32,
    log_sum: impl Fn(usize, usize, f32),
) {
    let WindowShape {
        columns,
        dim,
        ahead,
        ..
    } = *window;
    let (query_rows, query_columns) = window.queries();
    let count = query_rows * query_columns;
    if count == 0 {
        return;
    }
    let real = window.rows * columns;
    let padding = window.side * window.side - real;
    let packer = Packer {
        engine,
        isa,
        key_dim: dim,
        value_dim: dim,
    };
    let mut keys = KeyBlocks::new(packer, real + usize::from(padding > 0), 1);
    let address = |key: usize| {
        let place = (key < real).then_some((key / columns, key % columns));
        (token(1, place), token(2, place))
    };
    let weight = if padding > 1 {
        (padding as f32).ln()
    } else {
        0.0
    };
    keys.fill(address, weight, ahead);

    let mut gathered = Scratch::of::<f32>(count * dim);
    let start: *mut f32 = gathered.start();
    // SAFETY: `gathered` has a row for every query, and pooled positions lie in the window.
    unsafe {
        for query in 0..count {
            let (y, x) = (query / query_columns, query % query_columns);
            let row = start.add(query * dim);
            if window.pools {
                let four = [(0, 0), (0, 1), (1, 0), (1, 1)]
                    .map(|(dy, dx)| token(0, Some((2 * y + dy, 2 * x + dx))));
                four.iter().for_each(|&from| fetch(isa, from, ahead, dim));
                largest_of_four(isa, &four, dim, row);
            } else {
                let from = token(0, Some((y, x)));
                fetch(isa, from, ahead, dim);
                std::ptr::copy_nonoverlapping(from, row, dim);
            }
        }
        let queries = Queries {
            start,
            stride: dim,
            count,
            first: 0,
            dropout: None,
        };
        let place = |query: usize| (query / query_columns, query % query_columns);
        let to = |query| {
            let (y, x) = place(query);
            to(y, x)
        };
        attend(
            &queries,
            &keys.problem(0),
            window.scale,
            to,
            |query, sum| {
                let (y, x) = place(query);
                log_sum(y, x, sum);
            },
        );
    }
}

simd_fn!(
    /// The largest of four numbers in each column; NaN if any is.
    ///
    /// # Safety
    /// All five pointers are valid for `width` numbers.
    pub(crate) unsafe fn largest_of_four = largest_kernel(
        from: &[*const f32; 4],
        width: usize,
        to: *mut f32,
    )
);

/// # Safety
/// As [`largest_of_four`].
#[inline(always)]
unsafe fn largest_kernel<S: Simd>(from: &[*const f32; 4], width: usize, to: *mut f32) {
    let whole = width - width % S::LANES;
    // SAFETY: whole vectors end at `whole`, the partial one at `width`.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            let [a, b, c, d] = from.map(|p| p.add(i));
            let v = largest_or_nan::<S>(S::load(a), S::load(b), S::load(c), S::load(d));
            S::store(to.add(i), v);
        }
        if whole < width {
            let n = width - whole;
            let [a, b, c, d] = from.map(|p| p.add(whole));
            let v = largest_or_nan::<S>(
                S::load_partial(a, n),
                S::load_partial(b, n),
                S::load_partial(c, n),
                S::load_partial(d, n),
            );
            S::store_partial(to.add(whole), n, v);
        }
    }
}

/// The largest of four, NaN if any is.
#[inline(always)]
fn largest_or_nan<S: Simd>(a: S::V, b: S::V, c: S::V, d: S::V) -> S::V {
    larger_or_nan::<S>(larger_or_nan::<S>(a, b), larger_or_nan::<S>(c, d))
}

/// `max` returns its second operand if either is NaN: only a NaN in `a` has to be put back, which
/// is where `a` does not equal itself.
#[inline(always)]
fn larger_or_nan<S: Simd>(a: S::V, b: S::V) -> S::V {
    S::select_ge(a, a, S::max(a, b), a)
}
