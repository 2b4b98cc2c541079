//! The gradient of a linear map's weight.

use crate::buffers::Scratch;
use crate::cpu::{self, Isa};
use crate::output::{Out, Shared, Written};
use crate::panel::pack_row;
use crate::product::{Block, Engine};
use crate::rows::{Plain, RowSource, Rows};
use crate::simd::{PANEL, Prefetch, Simd, simd_fn};
use rayon::prelude::*;
use std::ops::Range;

/// Rows multiplied at a time: a panel of them stays in L1.
const DEPTH: usize = 256;
/// Most outputs and inputs of one task; its transposed rows and its sums stay in L2.
const MOST_OUTPUTS: usize = 512;
const MOST_INPUTS: usize = 1024;
/// Tasks wanted, and the fewest rows that are worth one.
const TASKS: usize = 16;
const FEWEST_ROWS: usize = 512;

/// `out[outputs, inputs] = dy[m, outputs]^T * x[m, inputs]`, the gradient of the weight of
/// `y = x * weight^T`.
///
/// ```
/// use masklet_kernels::{Rows, collect, weight_gradient};
/// let (dy, x) = ([1.0, 2.0], [10.0, 1.0, 20.0, 3.0]);
/// let dw = collect(2, |out| {
///     weight_gradient(Rows::dense(&dy, 2), 1, Rows::dense(&x, 2), 2, out)
/// });
/// assert_eq!(dw, [50.0, 7.0]);
/// ```
pub fn weight_gradient<'o>(
    dy: Rows<'_>,
    outputs: usize,
    x: Rows<'_>,
    inputs: usize,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    x.check(inputs, "weight_gradient");
    assert_eq!(
        dy.count, x.count,
        "weight_gradient: {} rows of gradients but {} of inputs",
        dy.count, x.count
    );
    weight_gradient_of(dy, outputs, &Plain::of(x, inputs), inputs, out.into())
}

/// [`weight_gradient`] for any source of rows.
pub(super) fn weight_gradient_of<'o>(
    dy: Rows<'_>,
    outputs: usize,
    x: &impl RowSource,
    inputs: usize,
    out: Out<'o>,
) -> Written<'o> {
    dy.check(outputs, "weight_gradient");
    out.expect_len(outputs * inputs, "weight_gradient");
    let isa = cpu::path().isa;
    let cut = Cut::new(dy.count, outputs, inputs);
    let mut memory = Scratch::of::<f32>(cut.tasks() * cut.task_len());
    let sums = Shared(memory.start::<f32>());
    (0..cut.tasks())
        .into_par_iter()
        .with_max_len(1)
        .for_each(|task| {
            let piece = cut.piece(task);
            // SAFETY: each task has sums of its own; the rows were checked.
            unsafe { add_products(isa, dy, x, inputs, &piece, sums.at(task * cut.task_len())) };
        });
    let to: Shared<f32> = out.shared();
    (0..outputs)
        .into_par_iter()
        .with_min_len(8)
        .for_each(|output| {
            for (column, from) in (0..inputs).step_by(cut.inputs).enumerate() {
                let width = cut.inputs.min(inputs - from);
                let tasks = (0..cut.splits).map(|split| {
                    (split * cut.rows_of_pieces + output / cut.outputs) * cut.columns + column
                });
                // SAFETY: every task has written its sums; each output's row is written here only.
                unsafe {
                    let to = to.at(output * inputs + from);
                    for (i, task) in tasks.enumerate() {
                        let row = task * cut.task_len() + output % cut.outputs * cut.stride();
                        let row = std::slice::from_raw_parts(sums.at(row), width);
                        for (j, &value) in row.iter().enumerate() {
                            *to.add(j) = if i == 0 { value } else { *to.add(j) + value };
                        }
                    }
                }
            }
        });
    // SAFETY: every number was written.
    unsafe { out.written() }
}

/// How the product is cut into tasks: by outputs, by inputs, and by rows where that leaves too few.
struct Cut {
    rows: usize,
    all_outputs: usize,
    all_inputs: usize,
    /// Outputs and inputs of a task.
    outputs: usize,
    inputs: usize,
    /// Pieces down and across.
    rows_of_pieces: usize,
    columns: usize,
    splits: usize,
    rows_per_split: usize,
}

/// The part of the product that a task computes.
struct Piece {
    rows: Range<usize>,
    outputs: Range<usize>,
    inputs: Range<usize>,
    /// Numbers from a row of sums to the next.
    stride: usize,
}

impl Cut {
    fn new(rows: usize, all_outputs: usize, all_inputs: usize) -> Cut {
        let even = |len: usize, most: usize, step: usize| {
            len.div_ceil(len.div_ceil(most).max(1))
                .next_multiple_of(step)
                .max(step)
        };
        let outputs = even(all_outputs, MOST_OUTPUTS, 1);
        let inputs = even(all_inputs, MOST_INPUTS, PANEL);
        let (down, across) = (all_outputs.div_ceil(outputs), all_inputs.div_ceil(inputs));
        let wanted = TASKS.div_ceil((down * across).max(1));
        let splits = wanted.min(rows / FEWEST_ROWS).max(1);
        Cut {
            rows,
            all_outputs,
            all_inputs,
            outputs,
            inputs,
            rows_of_pieces: down,
            columns: across,
            splits,
            rows_per_split: rows.div_ceil(splits),
        }
    }

    fn tasks(&self) -> usize {
        self.splits * self.rows_of_pieces * self.columns
    }

    fn stride(&self) -> usize {
        self.inputs + 16
    }

    fn task_len(&self) -> usize {
        self.outputs * self.stride()
    }

    fn piece(&self, task: usize) -> Piece {
        let part = |index: usize, step: usize, all: usize| {
            (index * step).min(all)..((index + 1) * step).min(all)
        };
        let (above, column) = (task / self.columns, task % self.columns);
        let (split, row) = (above / self.rows_of_pieces, above % self.rows_of_pieces);
        Piece {
            rows: part(split, self.rows_per_split, self.rows),
            outputs: part(row, self.outputs, self.all_outputs),
            inputs: part(column, self.inputs, self.all_inputs),
            stride: self.stride(),
        }
    }
}

/// Writes a piece's sums.
///
/// # Safety
/// The piece lies inside both matrices; `sums` has a row of whole panels for each output.
unsafe fn add_products(
    isa: Isa,
    dy: Rows<'_>,
    x: &impl RowSource,
    width: usize,
    piece: &Piece,
    sums: *mut f32,
) {
    let (outputs, inputs) = (piece.outputs.len(), piece.inputs.len());
    let panels = inputs.div_ceil(PANEL);
    let left_stride = DEPTH + 16;
    let mut left = Scratch::of::<f32>(outputs.next_multiple_of(16) * left_stride);
    let mut right = Scratch::of::<f32>(panels * DEPTH * PANEL);
    let mut line = Scratch::of::<f32>(width);
    let (left, right): (*mut f32, *mut f32) = (left.start(), right.start());
    // SAFETY: the workspaces have the extents stated; the caller vouches for the rest.
    unsafe {
        if piece.rows.is_empty() {
            for output in 0..outputs {
                std::ptr::write_bytes(sums.add(output * piece.stride), 0, inputs);
            }
        }
        for first in piece.rows.clone().step_by(DEPTH) {
            let depth = DEPTH.min(piece.rows.end - first);
            let from = dy
                .data
                .as_ptr()
                .add(first * dy.stride + piece.outputs.start);
            transpose(isa, from, dy.stride, depth, outputs, left, left_stride);
            for row in 0..depth {
                let from = match x.in_place() {
                    Some((start, stride)) => start.add((first + row) * stride),
                    None => {
                        x.write(isa, first + row, line.start());
                        line.start::<f32>().cast_const()
                    }
                };
                let from = from.add(piece.inputs.start);
                pack_row(isa, from, inputs, right.add(row * PANEL), DEPTH * PANEL);
            }
            for panel in 0..panels {
                let block = Block {
                    rows: outputs,
                    k: depth,
                    a: left.cast_const().cast(),
                    a_stride: left_stride,
                    c: sums.add(panel * PANEL),
                    c_stride: piece.stride,
                    accumulate: first > piece.rows.start,
                    prefetch: Prefetch::NONE,
                };
                let right = right.add(panel * DEPTH * PANEL).cast_const();
                Engine::F32(isa).multiply(&block, right.cast());
            }
        }
    }
}

simd_fn!(
    /// `to[column, row] = from[row, column]`; rows of `to` are filled up with zeros to a multiple of 16.
    ///
    /// # Safety
    /// `from` has `rows` rows of `columns` numbers; `to` has `columns` rows of as many as `rows`
    /// rounded up to a multiple of 16.
    pub(super) unsafe fn transpose = transpose_kernel(
        from: *const f32,
        from_stride: usize,
        rows: usize,
        columns: usize,
        to: *mut f32,
        to_stride: usize,
    )
);

/// # Safety
/// As [`transpose`].
#[inline(always)]
unsafe fn transpose_kernel<S: Simd>(
    from: *const f32,
    from_stride: usize,
    rows: usize,
    columns: usize,
    to: *mut f32,
    to_stride: usize,
) {
    for row in (0..rows).step_by(16) {
        let count = (rows - row).min(16);
        for column in (0..columns).step_by(16) {
            let width = (columns - column).min(16);
            let mut lines = [std::ptr::null(); 16];
            // SAFETY: only rows and columns that exist are addressed.
            unsafe {
                for (i, line) in lines.iter_mut().take(count).enumerate() {
                    *line = from.add((row + i) * from_stride + column);
                }
                S::transpose(
                    &lines,
                    count,
                    width,
                    to.add(column * to_stride + row),
                    to_stride,
                );
            }
        }
    }
}
