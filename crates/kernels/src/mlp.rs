//! Two linear maps with an activation between them, whose hidden rows never leave the cache.

use crate::buffers::Scratch;
use crate::cpu;
use crate::epilogue::{Activation, Destination, Epilogue, RowMap};
use crate::matmul::{Left, Partition, block_product};
use crate::output::{Out, Shared, Written};
use crate::pack::PackedMatrix;
use crate::product::Session;
use crate::rows::{LayerNorm, Normalised, Plain, Rows};

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
    fn check(&self, x: Rows<'_>) {
        x.check(self.first.inputs(), "mlp");
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
    mlp.check(x);
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
    mlp.check(Rows::dense(x, count));
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
    let (inputs, hidden) = (mlp.first.inputs(), mlp.first.outputs());
    let middle = Epilogue::activated(mlp.first_bias, mlp.activation);
    let last = Epilogue {
        bias: Some(mlp.second_bias),
        scale: mlp.scale,
        residual,
        ..Epilogue::default()
    };
    let map = RowMap::Dense {
        stride: mlp.second.outputs(),
    };
    let partition = Partition::by_rows(engine, count, hidden);
    let x = Shared(x.cast_mut());
    partition.run(count, 1, |rows, _| {
        let _session = Session::new(engine);
        let memory_stride = engine.row_stride(hidden);
        let memory_rows = engine.padded_rows(rows.len());
        let mut memory = Scratch::bytes(memory_rows * memory_stride * engine.row_width());
        // SAFETY: only this task reads or writes these rows; the slice over them is dropped before
        // they are written.
        unsafe {
            let left = {
                let start = x.at(rows.start * stride);
                let data = std::slice::from_raw_parts(start, (rows.len() - 1) * stride + inputs);
                let view = Rows::strided(data, rows.len(), stride);
                match mlp.norm {
                    Some(norm) => {
                        let source = Normalised { rows: view, norm };
                        Left::prepare(engine, isa, &source, 0..rows.len(), inputs)
                    }
                    None => {
                        let source = Plain {
                            rows: view,
                            width: inputs,
                        };
                        Left::prepare(engine, isa, &source, 0..rows.len(), inputs)
                    }
                }
            };
            let to = if engine.bf16_rows() {
                Destination::Bf16 {
                    start: memory.start(),
                    stride: memory_stride,
                }
            } else {
                let map = RowMap::Dense {
                    stride: memory_stride,
                };
                Destination::F32 {
                    start: memory.start(),
                    map,
                    add: false,
                }
            };
            let panels = 0..mlp.first.panels();
            block_product(isa, &left, rows.len(), mlp.first, panels, &middle, 0, to);
            let left = Left::in_memory(memory, memory_stride);
            let Shared(start) = { out };
            let to = Destination::F32 { start, map, add };
            let panels = 0..mlp.second.panels();
            block_product(
                isa,
                &left,
                rows.len(),
                mlp.second,
                panels,
                &last,
                rows.start,
                to,
            );
        }
    });
}
