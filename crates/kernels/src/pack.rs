//! Weights repacked into panels, once at load.

use crate::buffers::Aligned;
use crate::cpu;
use crate::output::Shared;
use crate::panel::{pack_columns, pack_row, pack_row_pair};
use crate::product::{Engine, Precision};
use crate::simd::PANEL;
use rayon::prelude::*;

/// The weight of a linear map `y = x * weight^T`, stored in panels of 32 output channels.
///
/// Made from PyTorch's layout `[outputs, inputs]` for the processor it runs on. bf16 weights take
/// half the memory.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    pub(crate) engine: Engine,
    outputs: usize,
    inputs: usize,
    memory: Aligned,
}

impl PackedMatrix {
    /// Packs `weight`, `[outputs, inputs]` row-major.
    ///
    /// # Panics
    /// If `weight` has another length.
    pub fn pack(weight: &[f32], outputs: usize, inputs: usize, precision: Precision) -> Self {
        assert_eq!(
            weight.len(),
            outputs * inputs,
            "PackedMatrix: {} numbers are not a weight of {outputs} x {inputs}",
            weight.len()
        );
        let path = cpu::path();
        let engine = Engine::for_weights(path, precision);
        let memory = panels(engine, outputs, inputs, |first, count, to| {
            for group in (0..count).step_by(16) {
                let present = (count - group).min(16);
                let mut columns = [std::ptr::null(); 16];
                for (i, column) in columns.iter_mut().take(present).enumerate() {
                    *column = weight[(first + group + i) * inputs..].as_ptr();
                }
                // SAFETY: columns have `inputs` numbers, and so has the panel, in rows of 32.
                unsafe {
                    let to = to.cast::<f32>().add(group);
                    pack_columns(engine, path.isa, &columns, present, inputs, to);
                }
            }
        });
        PackedMatrix {
            engine,
            outputs,
            inputs,
            memory,
        }
    }

    /// Packs the transpose of `weight`, `[outputs, inputs]` row-major: the map from gradients of the
    /// outputs of `y = x * weight^T` to gradients of `x`.
    ///
    /// # Panics
    /// If `weight` has another length.
    pub fn pack_transposed(
        weight: &[f32],
        outputs: usize,
        inputs: usize,
        precision: Precision,
    ) -> Self {
        assert_eq!(
            weight.len(),
            outputs * inputs,
            "PackedMatrix: {} numbers are not a weight of {outputs} x {inputs}",
            weight.len()
        );
        let path = cpu::path();
        let engine = Engine::for_weights(path, precision);
        let memory = panels(engine, inputs, outputs, |first, count, to| {
            let row =
                |k: usize| (k < outputs).then(|| weight[k * inputs + first..][..count].as_ptr());
            // SAFETY: rows have `count` numbers; the panel is as deep as there are rows.
            unsafe {
                if engine.bf16_panels() {
                    for pair in 0..outputs.div_ceil(2) {
                        let rows = [row(2 * pair), row(2 * pair + 1)];
                        pack_row_pair(engine, path.isa, pair, rows, count, to.cast(), 0);
                    }
                } else {
                    for (k, from) in (0..outputs).filter_map(row).enumerate() {
                        pack_row(path.isa, from, count, to.cast::<f32>().add(k * PANEL), 0);
                    }
                }
            }
        });
        PackedMatrix {
            engine,
            outputs: inputs,
            inputs: outputs,
            memory,
        }
    }

    /// The number of output channels, `n`.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The number of input channels, `k`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The precision products with this weight have.
    pub fn precision(&self) -> Precision {
        self.engine.precision()
    }

    /// The number of panels.
    pub(crate) fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// The start of a panel.
    pub(crate) fn panel(&self, index: usize) -> *const u8 {
        assert!(index < self.panels(), "PackedMatrix: no panel {index}");
        let bytes = self.engine.panel_len(self.inputs) * self.engine.panel_width();
        self.memory.view().wrapping_add(index * bytes)
    }
}

/// Panels for `n` columns of depth `k`; `fill(first, count, to)` writes one, from column `first` on, into
/// zeros.
fn panels(
    engine: Engine,
    n: usize,
    k: usize,
    fill: impl Fn(usize, usize, *mut u8) + Sync,
) -> Aligned {
    let panels = n.div_ceil(PANEL);
    let bytes = engine.panel_len(k) * engine.panel_width();
    let mut memory = Aligned::zeros::<u16>(panels * bytes / 2);
    let start = Shared(memory.numbers::<u16>().as_mut_ptr().cast::<u8>());
    (0..panels)
        .into_par_iter()
        .with_min_len(2)
        .for_each(|panel| {
            let first = panel * PANEL;
            // SAFETY: every panel has memory of its own.
            let to = unsafe { start.at(panel * bytes) };
            fill(first, PANEL.min(n - first), to);
        });
    memory
}
