//! Products of activations with packed weights.
//!
//! Work is cut into blocks of rows small enough for L2; a thread prepares a block's left operand
//! once (normalising, gathering, converting to bf16) and then passes all panels by it.

use crate::buffers::Scratch;
use crate::cpu::{self, Isa};
use crate::epilogue::{Destination, Epilogue, Finish, RowMap, fetch_destination, finish};
use crate::output::{Out, Shared, Written};
use crate::pack::PackedMatrix;
use crate::product::{Block, Engine, Session};
use crate::rows::{LayerNorm, Normalised, Plain, RowSource, Rows, row_to_bf16};
use crate::simd::{PANEL, Prefetch};
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of left operand a block may have: half of a typical L2 cache, or less.
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes of panels that stay in L2 beside the rows.
const RESIDENT_BYTES: usize = 768 << 10;

/// Products smaller than this (multiplications) are not worth a second thread.
const SERIAL: usize = 1 << 18;

/// `out[m, n] = epilogue(a[m, k] * weight[n, k]^T)`.
///
/// ```
/// use masklet_kernels::{Epilogue, PackedMatrix, Precision, Rows, collect, matmul};
/// let weight = PackedMatrix::pack(&[1.0, 2.0, 3.0, 4.0], 2, 2, Precision::F32);
/// let x = [1.0, 10.0];
/// let y = collect(2, |out| {
///     matmul(Rows::dense(&x, 1), &weight, Epilogue::bias(&[0.5, 0.0]), out)
/// });
/// assert_eq!(y, [21.5, 43.0]);
/// ```
pub fn matmul<'o>(
    a: Rows<'_>,
    weight: &PackedMatrix,
    epilogue: Epilogue<'_>,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    a.check(weight.inputs(), "matmul");
    let source = Plain::of(a, weight.inputs());
    product_of(&source, a.count, weight, epilogue, out.into(), "matmul")
}

/// `out[m, n] = epilogue(norm(a)[m, k] * weight[n, k]^T)`: the normalised rows never reach memory.
pub fn matmul_norm<'o>(
    a: Rows<'_>,
    norm: LayerNorm<'_>,
    weight: &PackedMatrix,
    epilogue: Epilogue<'_>,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    a.check(weight.inputs(), "matmul_norm");
    assert_eq!(
        norm.gamma.len(),
        weight.inputs(),
        "matmul_norm: the norm has another width"
    );
    assert_eq!(
        norm.beta.len(),
        weight.inputs(),
        "matmul_norm: the norm has another width"
    );
    let rows = &Plain::of(a, weight.inputs());
    let source = Normalised { rows, norm };
    product_of(
        &source,
        a.count,
        weight,
        epilogue,
        out.into(),
        "matmul_norm",
    )
}

/// `out[m, n] += epilogue(a[m, k] * weight[n, k]^T)`: a residual connection in place.
pub fn matmul_add(a: Rows<'_>, weight: &PackedMatrix, epilogue: Epilogue<'_>, out: &mut [f32]) {
    a.check(weight.inputs(), "matmul_add");
    let source = Plain::of(a, weight.inputs());
    let len = a.count * weight.outputs();
    assert_eq!(
        out.len(),
        len,
        "matmul_add: the output has {} numbers, not {len}",
        out.len()
    );
    epilogue.check(weight.outputs(), len, "matmul_add");
    let to = Target {
        start: Shared(out.as_mut_ptr()),
        map: RowMap::Dense {
            stride: weight.outputs(),
        },
        add: true,
    };
    // SAFETY: lengths were checked, and an initialised `out` may be added to.
    unsafe { product(&source, a.count, weight, &epilogue, to) };
}

/// [`matmul`] for any source of rows.
pub(crate) fn product_of<'o>(
    source: &impl RowSource,
    rows: usize,
    weight: &PackedMatrix,
    epilogue: Epilogue<'_>,
    out: Out<'o>,
    kernel: &str,
) -> Written<'o> {
    let len = rows * weight.outputs();
    out.expect_len(len, kernel);
    epilogue.check(weight.outputs(), len, kernel);
    let map = RowMap::Dense {
        stride: weight.outputs(),
    };
    let to = Target {
        start: out.shared(),
        map,
        add: false,
    };
    // SAFETY: lengths were checked; every row and column of `out` is written.
    unsafe {
        product(source, rows, weight, &epilogue, to);
        out.written()
    }
}

/// Where a product goes.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub start: Shared<f32>,
    pub map: RowMap,
    /// Add to what is there.
    pub add: bool,
}

/// How a product is cut into tasks.
pub(crate) struct Partition {
    rows_per_block: usize,
    blocks: usize,
    panels_per_chunk: usize,
    chunks: usize,
}

impl Partition {
    /// Whole rows per task.
    pub fn by_rows(engine: Engine, rows: usize, k: usize) -> Partition {
        Partition {
            chunks: 1,
            ..Partition::new(engine, rows, k, 1)
        }
    }

    pub fn new(engine: Engine, rows: usize, k: usize, panels: usize) -> Partition {
        let threads = rayon::current_num_threads();
        let step = engine.row_step();
        let row_bytes = engine.row_width() * engine.padded_k(k.max(1));
        let fitting = (BLOCK_BYTES / row_bytes).clamp(2 * step, 16 * step);
        if threads == 1 || rows * k * panels * PANEL < SERIAL {
            let rows_per_block = fitting.next_multiple_of(step);
            let blocks = rows.div_ceil(rows_per_block);
            return Partition {
                rows_per_block,
                blocks,
                panels_per_chunk: panels,
                chunks: 1,
            };
        }
        let fewest = rows.div_ceil(fitting);
        let even = if fewest < 8 * threads {
            fewest.next_multiple_of(threads)
        } else {
            fewest
        };
        let rows_per_block = rows.div_ceil(even.max(1)).next_multiple_of(step);
        let blocks = rows.div_ceil(rows_per_block);
        let wanted = if blocks < 2 * threads && blocks % threads != 0 {
            2 * threads
        } else {
            1
        };
        let panels_per_chunk = panels.div_ceil(wanted).max(1);
        Partition {
            rows_per_block,
            blocks,
            panels_per_chunk,
            chunks: panels.div_ceil(panels_per_chunk),
        }
    }

    /// Runs `work(rows, panels)` for every task.
    pub fn run(
        &self,
        rows: usize,
        panels: usize,
        work: impl Fn(Range<usize>, Range<usize>) + Sync,
    ) {
        let task = |index: usize| {
            let (block, chunk) = (index / self.chunks, index % self.chunks);
            let (row, panel) = (block * self.rows_per_block, chunk * self.panels_per_chunk);
            work(
                row..rows.min(row + self.rows_per_block),
                panel..panels.min(panel + self.panels_per_chunk),
            );
        };
        let tasks = self.blocks * self.chunks;
        if tasks <= 1 || rows * panels * PANEL == 0 {
            (0..tasks).for_each(task);
        } else {
            (0..tasks).into_par_iter().with_max_len(1).for_each(task);
        }
    }
}

/// The rows of one block in the format an engine takes.
pub(crate) struct Left {
    start: *const u8,
    stride: usize,
    /// Holds the rows if they are not used in place.
    _memory: Option<Scratch>,
}

impl Left {
    /// Rows in a workspace, already in the engine's format, `stride` elements apart.
    pub fn in_memory(memory: Scratch, stride: usize) -> Left {
        Left {
            start: memory.view(),
            stride,
            _memory: Some(memory),
        }
    }

    /// # Safety
    /// `rows` are rows of `source`, which are `k` wide.
    pub unsafe fn prepare(
        engine: Engine,
        isa: Isa,
        source: &impl RowSource,
        rows: Range<usize>,
        k: usize,
    ) -> Left {
        // Rows a multiple of 4 KiB apart share one cache set: copying them is cheaper.
        let in_place = source
            .in_place()
            .filter(|(_, stride)| stride % 1024 != 0 || rows.len() == 1);
        if let (Some((start, stride)), false) = (in_place, engine.bf16_rows()) {
            // SAFETY: the row exists.
            let start = unsafe { start.add(rows.start * stride) };
            return Left {
                start: start.cast(),
                stride,
                _memory: None,
            };
        }
        let stride = engine.row_stride(k);
        let mut memory =
            Scratch::bytes(engine.padded_rows(rows.len()) * stride * engine.row_width());
        // SAFETY: the workspace has `stride >= k` numbers for every row.
        unsafe {
            if engine.bf16_rows() {
                let mut line = Scratch::of::<f32>(k);
                let to = engine.bf16_workspace(memory.start(), stride);
                for (i, row) in rows.enumerate() {
                    let from = match source.in_place() {
                        Some((start, stride)) => start.add(row * stride),
                        None => {
                            source.write(isa, row, line.start());
                            line.start::<f32>().cast_const()
                        }
                    };
                    row_to_bf16(isa, from, k, to.row(i), to.layout);
                }
            } else {
                let to: *mut f32 = memory.start();
                for (i, row) in rows.enumerate() {
                    source.write(isa, row, to.add(i * stride));
                }
            }
        }
        Left::in_memory(memory, stride)
    }
}

/// One block of rows times some panels, finished and stored.
///
/// # Safety
/// `left` holds the rows; the epilogue and destination are valid for `first_row` and on.
#[allow(clippy::too_many_arguments)]
pub(crate) unsafe fn block_product(
    isa: Isa,
    left: &Left,
    rows: usize,
    weight: &PackedMatrix,
    panels: Range<usize>,
    epilogue: &Epilogue<'_>,
    first_row: usize,
    to: Destination,
) {
    let engine = weight.engine;
    let step = engine.row_step();
    let mut sums = Scratch::of::<f32>(engine.padded_rows(step) * PANEL);
    let sums: *mut f32 = sums.start();
    let steps = rows.div_ceil(step);
    let panel_bytes = engine.panel_len(weight.inputs()) * engine.panel_width();
    let tile = |panel: usize, index: usize, prefetch: Prefetch| {
        let start = index * step;
        let height = step.min(rows - start);
        // SAFETY: the rows from `start` on exist, `sums` has room for a step of rows (rounded up as
        // AMX wants it), and the caller vouches for the rest.
        unsafe {
            let block = Block {
                rows: height,
                k: weight.inputs(),
                a: left.start.add(start * left.stride * engine.row_width()),
                a_stride: left.stride,
                c: sums,
                c_stride: PANEL,
                accumulate: false,
                prefetch,
            };
            let job = Finish {
                sums,
                rows: height,
                first_row: first_row + start,
                first_column: panel * PANEL,
                columns: PANEL.min(weight.outputs() - panel * PANEL),
                epilogue,
                to,
            };
            fetch_destination(isa, &job);
            engine.multiply(&block, weight.panel(panel));
            finish(isa, &job);
        }
    };
    if panels.len() * panel_bytes <= RESIDENT_BYTES {
        // All panels stay in L2: whole rows of the output are written one after the other.
        for index in 0..steps {
            panels
                .clone()
                .for_each(|panel| tile(panel, index, Prefetch::NONE));
        }
    } else {
        // One panel at a time stays in L1 or L2 while the rows pass by; the next one is fetched.
        for panel in panels {
            let next = weight.panel(panel).wrapping_add(panel_bytes);
            for index in 0..steps {
                let start = next.wrapping_add(index * panel_bytes / steps);
                tile(
                    panel,
                    index,
                    Prefetch {
                        start,
                        bytes: 128 / steps,
                    },
                );
            }
        }
    }
}

/// The product of `rows` rows of `source` with `weight`.
///
/// # Safety
/// The source has the rows, `weight.inputs()` wide; the epilogue's slices and the target fit the
/// product, and the target is initialised if it is to be added to.
pub(crate) unsafe fn product(
    source: &impl RowSource,
    rows: usize,
    weight: &PackedMatrix,
    epilogue: &Epilogue<'_>,
    to: Target,
) {
    let isa = cpu::path().isa;
    let engine = weight.engine;
    let partition = Partition::new(engine, rows, weight.inputs(), weight.panels());
    partition.run(rows, weight.panels(), |rows, panels| {
        let _session = Session::new(engine);
        // SAFETY: tasks have disjoint rows or panels, hence disjoint parts of the target.
        unsafe {
            let left = Left::prepare(engine, isa, source, rows.clone(), weight.inputs());
            let Target {
                start: Shared(start),
                map,
                add,
            } = { to };
            let to = Destination::F32 { start, map, add };
            block_product(
                isa,
                &left,
                rows.len(),
                weight,
                panels,
                epilogue,
                rows.start,
                to,
            );
        }
    });
}
