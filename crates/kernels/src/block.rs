//! A whole transformer block with windowed attention: tokens are read once and written once.
//!
//! Windows do not depend on each other, and neither does anything else in such a block: some windows
//! at a time go through norm, projection, attention, projection and MLP, and all that lies between
//! the block's input and its output stays in L2.

use crate::attention::{WindowShape, attend_window, largest_of_four};
use crate::buffers::Scratch;
use crate::cpu::{self, Isa};
use crate::epilogue::{Destination, Epilogue, RowMap};
use crate::matmul::{Left, block_product};
use crate::mlp::{Mlp, mlp_block};
use crate::output::{Out, Shared, Written};
use crate::pack::PackedMatrix;
use crate::product::{Engine, Session};
use crate::rows::{LayerNorm, Plain, RowSource, normalise_row};
use rayon::prelude::*;

/// Tokens that go through a block together, if windows are small.
const TOKENS: usize = 256;

/// Tasks that a thread should have at least, so that all threads finish at about the same time.
const TASKS_PER_THREAD: usize = 4;

/// A linear layer.
#[derive(Clone, Copy, Debug)]
pub struct Projection<'a> {
    /// `[outputs, inputs]`.
    pub weight: &'a PackedMatrix,
    /// `[outputs]`.
    pub bias: &'a [f32],
}

/// `y = shortcut(x) + attention(norm(x))`, then `y + mlp(y)`, with attention among the tokens of
/// square windows, as in Hiera.
///
/// Windows that reach over the edge are filled with padding tokens as in
/// [`crate::WindowedAttention`].
#[derive(Clone, Copy, Debug)]
pub struct WindowBlock<'a> {
    /// Before the projections.
    pub norm: LayerNorm<'a>,
    /// To queries, keys and values, `[3 * width, inputs]`.
    pub qkv: Projection<'a>,
    /// After attention, `[width, width]`.
    pub out: Projection<'a>,
    /// Of the normalised tokens to the shortcut, `[width, inputs]`; without it the shortcut is the
    /// input itself.
    pub shortcut: Option<Projection<'a>>,
    /// With its norm; `[width]` to `[width]`.
    pub mlp: Mlp<'a>,
    /// Heads.
    pub heads: usize,
    /// Side of a window in tokens.
    pub window: usize,
    /// Whether queries and shortcut are pooled 2x2 (the maximum), which halves the grid.
    pub pools: bool,
}

impl WindowBlock<'_> {
    fn check(&self, len: usize, [batch, height, width]: [usize; 3]) {
        let (inputs, outputs) = (self.qkv.weight.inputs(), self.out.weight.outputs());
        let engine = self.qkv.weight.engine;
        let shortcut = self.shortcut.as_ref();
        let facts = [
            len == batch * height * width * inputs,
            self.norm.gamma.len() == inputs && self.norm.beta.len() == inputs,
            self.qkv.weight.outputs() == 3 * outputs && self.qkv.bias.len() == 3 * outputs,
            self.out.weight.inputs() == outputs && self.out.bias.len() == outputs,
            shortcut.map_or(inputs == outputs && !self.pools, |p| {
                (p.weight.inputs(), p.weight.outputs(), p.bias.len()) == (inputs, outputs, outputs)
                    && p.weight.engine == engine
            }),
            self.mlp.first.inputs() == outputs && self.mlp.second.outputs() == outputs,
            self.out.weight.engine == engine && self.mlp.first.engine == engine,
            self.heads > 0 && outputs.is_multiple_of(self.heads),
            self.window > 0 && !(self.pools && self.window % 2 == 1),
        ];
        assert!(
            facts.iter().all(|&fact| fact),
            "window_block: {self:?} does not fit itself or {len} numbers of a grid of \
             {batch} x {height} x {width}"
        );
    }

    /// How many windows side by side go through the block together.
    fn group(&self) -> usize {
        (TOKENS / (self.window * self.window)).max(1)
    }

    /// Whether there is enough work for the threads. Where windows are few and weights large, the
    /// block's parts one after the other are faster; the results are the same, byte for byte.
    pub fn is_worthwhile(&self, grid: [usize; 3]) -> bool {
        self.tasks(grid) >= TASKS_PER_THREAD * rayon::current_num_threads()
    }

    fn tasks(&self, [batch, height, width]: [usize; 3]) -> usize {
        let across = width.div_ceil(self.window).div_ceil(self.group());
        batch * height.div_ceil(self.window) * across
    }
}

/// `out[batch, height', width', outputs] = block(x[batch, height, width, inputs])`; the primed sizes
/// are halved (rounded down) if the block pools.
///
/// # Panics
/// If lengths, widths or precisions do not fit together.
pub fn window_block<'o>(
    x: &[f32],
    grid: [usize; 3],
    block: &WindowBlock<'_>,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    block.check(x.len(), grid);
    block.mlp.check();
    let out = out.into();
    let [batch, height, width] = grid;
    let shrink = if block.pools { 2 } else { 1 };
    let outputs = block.out.weight.outputs();
    let len = batch * (height / shrink) * (width / shrink) * outputs;
    out.expect_len(len, "window_block");
    let to = out.shared();
    let path = cpu::path();
    let (down, group) = (height.div_ceil(block.window), block.group());
    let across = width.div_ceil(block.window).div_ceil(group);
    (0..block.tasks(grid))
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| {
            let _session = Session::new(block.qkv.weight.engine);
            let strip = Strip {
                block,
                isa: path.isa,
                x,
                batch: task / (down * across),
                height,
                width,
                top: task / across % down * block.window,
                left: task % across * group * block.window,
            };
            // SAFETY: strips tile the grid, and so do their outputs; lengths were checked.
            unsafe {
                strip.run(
                    Engine::for_activations(path, block.qkv.weight.precision()),
                    to,
                )
            };
        });
    // SAFETY: every position of the output belongs to one strip.
    unsafe { out.written() }
}

/// Neighbouring windows of one row of windows. Its tokens are counted window by window.
struct Strip<'a> {
    block: &'a WindowBlock<'a>,
    isa: Isa,
    x: &'a [f32],
    batch: usize,
    height: usize,
    width: usize,
    top: usize,
    left: usize,
}

/// One window of a strip.
struct Part {
    /// Index of its first token in the strip.
    first: usize,
    /// Column of the grid at which it begins.
    left: usize,
    shape: WindowShape,
}

impl RowSource for Strip<'_> {
    unsafe fn write(&self, isa: Isa, row: usize, to: *mut f32) {
        let from = self.token(self.place(row));
        // SAFETY: the token and the norm have equal widths, and the caller vouches for `to`.
        unsafe { normalise_row(isa, from.as_ptr(), &self.block.norm, to) };
    }
}

impl Strip<'_> {
    /// Rows of every window.
    fn rows(&self) -> usize {
        self.block.window.min(self.height - self.top)
    }

    fn parts(&self) -> impl Iterator<Item = Part> {
        let (side, rows) = (self.block.window, self.rows());
        let dim = self.block.out.weight.outputs() / self.block.heads;
        let end = self.width.min(self.left + self.block.group() * side);
        (self.left..end).step_by(side).map(move |left| Part {
            first: (left - self.left) * rows,
            left,
            shape: WindowShape {
                rows,
                columns: side.min(self.width - left),
                side,
                dim,
                scale: (dim as f32).sqrt().recip(),
                pools: self.block.pools,
                ahead: 0,
            },
        })
    }

    /// The number of tokens.
    fn count(&self) -> usize {
        self.parts().map(|p| p.shape.rows * p.shape.columns).sum()
    }

    /// The number of queries, and of tokens of the output.
    fn answered(&self) -> usize {
        let queries = self.parts().map(|p| p.shape.queries());
        queries.map(|(rows, columns)| rows * columns).sum()
    }

    /// Row and column in the grid of a token.
    fn place(&self, token: usize) -> (usize, usize) {
        let per_window = self.rows() * self.block.window;
        let left = self.left + token / per_window * self.block.window;
        let columns = self.block.window.min(self.width - left);
        let inside = token % per_window;
        (self.top + inside / columns, left + inside % columns)
    }

    fn token(&self, (y, x): (usize, usize)) -> &[f32] {
        let inputs = self.block.qkv.weight.inputs();
        let at = (self.batch * self.height + y) * self.width + x;
        &self.x[at * inputs..][..inputs]
    }

    /// # Safety
    /// `to` is the whole output, of which no one else writes this strip's part; this thread holds a
    /// session of the engines.
    unsafe fn run(&self, attention: Engine, to: Shared<f32>) {
        let block = self.block;
        let engine = block.qkv.weight.engine;
        let width = block.out.weight.outputs();
        let (count, answered) = (self.count(), self.answered());
        if answered == 0 {
            return;
        }
        let stride = workspace_stride(width);
        let mut sums = Scratch::of::<f32>(answered * stride);
        let mut attended = Scratch::of::<f32>(answered * stride);
        let (sums, attended): (*mut f32, *mut f32) = (sums.start(), attended.start());
        // SAFETY: workspaces have the rows and columns that are written to them.
        unsafe {
            let inputs = block.qkv.weight.inputs();
            let left = Left::prepare(engine, self.isa, self, 0..count, inputs);
            self.attend(attention, &left, attended, stride);
            self.shortcut(&left, sums, stride);
            drop(left);
            let rows = Plain {
                start: attended.cast_const(),
                stride,
                width,
            };
            let left = Left::prepare(engine, self.isa, &rows, 0..answered, width);
            self.project(&left, answered, block.out, sums, stride, true);
            let to_sums = Destination::F32 {
                start: sums,
                map: RowMap::Dense { stride },
                add: true,
            };
            let rows = Plain {
                start: sums.cast_const(),
                stride,
                width,
            };
            mlp_block(self.isa, &block.mlp, &rows, 0..answered, None, 0, to_sums);
            self.store(sums, stride, to);
        }
    }

    /// Projects the normalised tokens in `left` and lets them attend to each other, window by window.
    ///
    /// # Safety
    /// `left` has the strip's tokens; `to` has a row for every query, `stride` apart; this thread
    /// holds a session of the engines.
    unsafe fn attend(&self, engine: Engine, left: &Left, to: *mut f32, stride: usize) {
        let Projection { bias, weight } = self.block.qkv;
        let width = weight.outputs() / 3;
        let qkv_stride = workspace_stride(3 * width);
        let mut qkv = Scratch::of::<f32>(self.count() * qkv_stride);
        let qkv: *mut f32 = qkv.start();
        let mut first = 0;
        // SAFETY: the workspace has all tokens, and `to` a row for every query.
        unsafe {
            self.project(left, self.count(), self.block.qkv, qkv, qkv_stride, false);
            for part in self.parts() {
                let (rows, columns) = part.shape.queries();
                for head in 0..self.block.heads {
                    let channel = head * part.shape.dim;
                    let token = |of: usize, place: Option<(usize, usize)>| match place {
                        Some((y, x)) => {
                            let token = part.first + y * part.shape.columns + x;
                            let at = token * qkv_stride + of * width + channel;
                            qkv.add(at).cast_const()
                        }
                        None => bias[of * width + channel..][..part.shape.dim].as_ptr(),
                    };
                    let to = |y, x| to.add((first + y * columns + x) * stride + channel);
                    attend_window(engine, self.isa, &part.shape, token, to, |_, _, _| {});
                }
                first += rows * columns;
            }
        }
    }

    /// `to (+)= projection(left)`.
    ///
    /// # Safety
    /// `left` has `count` rows; `to` has as many of the projection's width, `stride` apart.
    unsafe fn project(
        &self,
        left: &Left,
        count: usize,
        projection: Projection<'_>,
        to: *mut f32,
        stride: usize,
        add: bool,
    ) {
        let Projection { weight, bias } = projection;
        let epilogue = Epilogue::bias(bias);
        let to = Destination::F32 {
            start: to,
            map: RowMap::Dense { stride },
            add,
        };
        let panels = 0..weight.panels();
        // SAFETY: forwarded.
        unsafe { block_product(self.isa, left, count, weight, panels, &epilogue, 0, to) };
    }

    /// What attention is added to.
    ///
    /// # Safety
    /// `left` has the strip's normalised tokens; `to` has a row for every query, `stride` apart.
    unsafe fn shortcut(&self, left: &Left, to: *mut f32, stride: usize) {
        let (count, width) = (self.count(), self.block.out.weight.outputs());
        // SAFETY: forwarded; every token exists, and four of them for every query.
        unsafe {
            let Some(projection) = self.block.shortcut else {
                for token in 0..count {
                    let from = self.token(self.place(token));
                    std::ptr::copy_nonoverlapping(from.as_ptr(), to.add(token * stride), width);
                }
                return;
            };
            if !self.block.pools {
                return self.project(left, count, projection, to, stride, false);
            }
            let mut projected = Scratch::of::<f32>(count * stride);
            let projected: *mut f32 = projected.start();
            self.project(left, count, projection, projected, stride, false);
            let mut row = 0;
            for part in self.parts() {
                let (rows, columns) = part.shape.queries();
                for query in 0..rows * columns {
                    let (y, x) = (query / columns * 2, query % columns * 2);
                    let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| {
                        let token = part.first + (y + dy) * part.shape.columns + x + dx;
                        projected.add(token * stride).cast_const()
                    });
                    largest_of_four(self.isa, &four, width, to.add(row * stride));
                    row += 1;
                }
            }
        }
    }

    /// Copies the results from a workspace to their places.
    ///
    /// # Safety
    /// As [`Strip::run`]; `sums` has a row for every query, `stride` apart.
    unsafe fn store(&self, sums: *mut f32, stride: usize, to: Shared<f32>) {
        let width = self.block.out.weight.outputs();
        let shrink = if self.block.pools { 2 } else { 1 };
        let mut row = 0;
        for part in self.parts() {
            let (rows, columns) = part.shape.queries();
            for y in 0..rows {
                let line = self.batch * (self.height / shrink) + self.top / shrink + y;
                let first = line * (self.width / shrink) + part.left / shrink;
                for x in 0..columns {
                    // SAFETY: the row and the position of the output exist.
                    unsafe {
                        let from = sums.add(row * stride).cast_const();
                        std::ptr::copy_nonoverlapping(from, to.at((first + x) * width), width);
                    }
                    row += 1;
                }
            }
        }
    }
}

/// Numbers from a row of a workspace to the next: an odd number of cache lines, so that rows do not
/// share cache sets.
fn workspace_stride(width: usize) -> usize {
    (width.div_ceil(16) | 1) * 16
}
