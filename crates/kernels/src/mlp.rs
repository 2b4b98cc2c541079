//! Two linear maps with an activation between them, whose hidden rows never leave the cache.

use crate::buffers::Scratch;
use crate::cpu::{self, Isa};
use crate::epilogue::{Activation, Destination, Epilogue, RowMap};
use crate::matmul::{Left, Partition, block_product};
use crate::output::{Out, Shared, Written};
use crate::pack::PackedMatrix;
use crate::product::Session;
use crate::rows::{LayerNorm, Normalised, Plain, Rows};
use std::ops::Range;

/// Two linear maps with an activation between them, as in every transformer block.
#[derive(Clone, Copy, Debug)]
pub struct Mlp<'a> {
    /// Applied to the input rows first.
    pub norm: Option<LayerNorm<'a>>,
    /// `[hidden, inputs]`.
    pub first: &'a PackedMatrix,
    /// `[hidden]`.
    pub first_bias: &'a [f32],
    /// Between the two maps.
    pub activation: Activation,
    /// `[outputs, hidden]`.
    pub second: &'a PackedMatrix,
    /// `[outputs]`.
    pub second_bias: &'a [f32],
    /// ConvNeXt's gamma, `[outputs]`, multiplied to the result.
    pub scale: Option<&'a [f32]>,
}

impl Mlp<'_> {
    /// Asserts that the parts fit together.
    pub(crate) fn check(&self) {
        let widths = [
            (self.first_bias.len(), self.first.outputs()),
            (self.second.inputs(), self.first.outputs()),
            (self.second_bias.len(), self.second.outputs()),
            (
                self.scale.map_or(self.second.outputs(), <[f32]>::len),
                self.second.outputs(),
            ),
            (
                self.norm.map_or(self.first.inputs(), |n| n.gamma.len()),
                self.first.inputs(),
            ),
            (
                self.norm.map_or(self.first.inputs(), |n| n.beta.len()),
                self.first.inputs(),
            ),
            (usize::from(self.first.engine == self.second.engine), 1),
        ];
        assert!(
            widths.iter().all(|(found, wanted)| found == wanted),
            "mlp: widths or precisions of {self:?} do not fit together"
        );
    }
}

/// `out[m, outputs] = mlp(x[m, inputs]) (+ residual)`; the hidden rows stay in the cache.
pub fn mlp<'o>(
    x: Rows<'_>,
    mlp: &Mlp<'_>,
    residual: Option<&[f32]>,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    x.check(mlp.first.inputs(), "mlp");
    mlp.check();
    let out = out.into();
    let len = x.count * mlp.second.outputs();
    out.expect_len(len, "mlp");
    assert_eq!(
        residual.map_or(len, <[f32]>::len),
        len,
        "mlp: the residual has another length"
    );
    // SAFETY: lengths were checked; every row of `out` is written.
    unsafe {
        mlp_rows(
            x.data.as_ptr(),
            x.count,
            x.stride,
            mlp,
            residual,
            out.shared(),
            false,
        );
        out.written()
    }
}

/// `x[m, inputs] += mlp(x)`: a transformer block's second half in place.
pub fn mlp_add(x: &mut [f32], mlp: &Mlp<'_>) {
    let width = mlp.second.outputs();
    assert_eq!(
        width,
        mlp.first.inputs(),
        "mlp_add: outputs and inputs differ in width"
    );
    let count = x.len() / width;
    Rows::dense(x, count).check(width, "mlp_add");
    mlp.check();
    let start = x.as_mut_ptr();
    // SAFETY: lengths were checked; a task reads its rows before it writes them, and no others.
    unsafe { mlp_rows(start, count, width, mlp, None, Shared(start), true) };
}

/// # Safety
/// `x` has `count` rows of the first map's width, `stride` apart; `out` has room for the result and
/// is initialised if it is to be added to. `x` may be `out`.
unsafe fn mlp_rows(
    x: *const f32,
    count: usize,
    stride: usize,
    mlp: &Mlp<'_>,
    residual: Option<&[f32]>,
    out: Shared<f32>,
    add: bool,
) {
    let isa = cpu::path().isa;
    let engine = mlp.first.engine;
    let map = RowMap::Dense {
        stride: mlp.second.outputs(),
    };
    let partition = Partition::by_rows(engine, count, mlp.first.outputs());
    let rows = Plain {
        start: x,
        stride,
        width: mlp.first.inputs(),
    };
    partition.run(count, 1, |range, _| {
        let _session = Session::new(engine);
        let Shared(start) = { out };
        let to = Destination::F32 { start, map, add };
        let first = range.start;
        // SAFETY: only this task reads or writes these rows, and it reads them before it writes.
        unsafe { mlp_block(isa, mlp, &rows, range, residual, first, to) };
    });
}

/// Some rows through both maps; they are read before the first one is written.
///
/// # Safety
/// The rows exist, `first_row` and on are rows of the destination (and of `residual`), and this
/// thread holds a session of the engine.
pub(crate) unsafe fn mlp_block(
    isa: Isa,
    mlp: &Mlp<'_>,
    rows: &Plain,
    range: Range<usize>,
    residual: Option<&[f32]>,
    first_row: usize,
    to: Destination,
) {
    let engine = mlp.first.engine;
    let (count, inputs, hidden) = (range.len(), mlp.first.inputs(), mlp.first.outputs());
    let stride = engine.row_stride(hidden);
    let mut memory = Scratch::bytes(engine.padded_rows(count) * stride * engine.row_width());
    let to_hidden = if engine.bf16_rows() {
        Destination::Bf16(engine.bf16_workspace(memory.start(), stride))
    } else {
        Destination::F32 {
            start: memory.start(),
            map: RowMap::Dense { stride },
            add: false,
        }
    };
    let middle = Epilogue::activated(mlp.first_bias, mlp.activation);
    let last = Epilogue {
        bias: Some(mlp.second_bias),
        scale: mlp.scale,
        residual,
        ..Epilogue::default()
    };
    // SAFETY: the caller vouches for the rows and the destination; the workspace has room for the
    // hidden ones.
    unsafe {
        let left = match mlp.norm {
            Some(norm) => {
                let source = Normalised { rows, norm };
                Left::prepare(engine, isa, &source, range, inputs)
            }
            None => Left::prepare(engine, isa, rows, range, inputs),
        };
        let panels = 0..mlp.first.panels();
        block_product(isa, &left, count, mlp.first, panels, &middle, 0, to_hidden);
        let left = Left::in_memory(memory, stride);
        let panels = 0..mlp.second.panels();
        block_product(isa, &left, count, mlp.second, panels, &last, first_row, to);
    }
}
