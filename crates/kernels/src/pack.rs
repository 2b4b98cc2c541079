//! Weights repacked into panels, once at load.

use crate::attention::{pack_row, transpose_rows};
use crate::buffers::Aligned;
use crate::cpu;
use crate::output::Shared;
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
        let memory = if engine.bf16_panels() {
            bf16_panels(engine, outputs, inputs, |n, k| weight[n * inputs + k])
        } else {
            f32_panels(engine, outputs, inputs, |first, count, to| {
                for group in (0..count).step_by(16) {
                    let present = (count - group).min(16);
                    let mut rows = [std::ptr::null(); 16];
                    for (i, row) in rows.iter_mut().take(present).enumerate() {
                        *row = weight[(first + group + i) * inputs..].as_ptr();
                    }
                    // SAFETY: the rows have `inputs` numbers, the panel as many rows of 32.
                    unsafe { transpose_rows(path.isa, &rows, present, inputs, to.add(group)) };
                }
            })
        };
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
        let memory = if engine.bf16_panels() {
            bf16_panels(engine, inputs, outputs, |n, k| weight[k * inputs + n])
        } else {
            f32_panels(engine, inputs, outputs, |first, count, to| {
                for k in 0..outputs {
                    let row = &weight[k * inputs + first..][..count];
                    // SAFETY: row `k` of the panel has 32 numbers.
                    unsafe { pack_row(path.isa, row.as_ptr(), count, to.add(k * PANEL), 0) };
                }
            })
        };
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
        if self.engine.bf16_panels() {
            Precision::Bf16
        } else {
            Precision::F32
        }
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

/// Panels of f32 `[k, 32]` for `n` columns; `fill(first, count, to)` writes one from column `first` on.
fn f32_panels(
    engine: Engine,
    n: usize,
    k: usize,
    fill: impl Fn(usize, usize, *mut f32) + Sync,
) -> Aligned {
    let panels = n.div_ceil(PANEL);
    let mut memory = Aligned::zeros::<f32>(panels * engine.panel_len(k));
    let start = Shared(memory.numbers::<f32>().as_mut_ptr());
    (0..panels)
        .into_par_iter()
        .with_min_len(2)
        .for_each(|panel| {
            let first = panel * PANEL;
            // SAFETY: every panel has memory of its own.
            let to = unsafe { start.at(panel * engine.panel_len(k)) };
            fill(first, PANEL.min(n - first), to);
        });
    memory
}

/// Panels of bf16 `[k / 2, 32, 2]` for `n` columns of which `number(n, k)` is one number.
fn bf16_panels(
    engine: Engine,
    n: usize,
    k: usize,
    number: impl Fn(usize, usize) -> f32 + Sync,
) -> Aligned {
    let panel_len = engine.panel_len(k).max(1);
    let len = n.div_ceil(PANEL) * engine.panel_len(k);
    let mut memory = Aligned::zeros::<u16>(len);
    memory.numbers::<u16>()[..len]
        .par_chunks_exact_mut(panel_len)
        .enumerate()
        .for_each(|(panel, to)| {
            let first = panel * PANEL;
            for lane in 0..PANEL.min(n - first) {
                for k in 0..k {
                    let value = crate::simd::to_bf16(number(first + lane, k));
                    to[(k / 2 * PANEL + lane) * 2 + k % 2] = value;
                }
            }
        });
    memory
}
