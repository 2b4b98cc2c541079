//! Weights repacked into panels, once at load.

use crate::cpu;
use crate::product::{Engine, Precision};
use crate::simd::PANEL;

/// The weight of a linear map `y = x * weight^T`, stored in panels of 32 output channels.
///
/// Made from PyTorch's layout `[outputs, inputs]` for the processor it runs on. bf16 weights take
/// half the memory.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    pub(crate) engine: Engine,
    outputs: usize,
    inputs: usize,
    f32_panels: Vec<f32>,
    bf16_panels: Vec<u16>,
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
        let engine = Engine::for_weights(cpu::path(), precision);
        let len = outputs.div_ceil(PANEL) * engine.panel_len(inputs);
        let (mut f32_panels, mut bf16_panels) = (Vec::new(), Vec::new());
        let columns = |panel: usize| panel * PANEL..outputs.min((panel + 1) * PANEL);
        if engine.bf16_panels() {
            bf16_panels = vec![0; len];
            let panels = bf16_panels.chunks_exact_mut(engine.panel_len(inputs).max(1));
            for (panel, to) in panels.enumerate() {
                for (lane, n) in columns(panel).enumerate() {
                    for k in 0..inputs {
                        let value = crate::simd::to_bf16(weight[n * inputs + k]);
                        to[(k / 2 * PANEL + lane) * 2 + k % 2] = value;
                    }
                }
            }
        } else {
            f32_panels = vec![0.0; len];
            let panels = f32_panels.chunks_exact_mut(engine.panel_len(inputs).max(1));
            for (panel, to) in panels.enumerate() {
                for (lane, n) in columns(panel).enumerate() {
                    for k in 0..inputs {
                        to[k * PANEL + lane] = weight[n * inputs + k];
                    }
                }
            }
        }
        PackedMatrix { engine, outputs, inputs, f32_panels, bf16_panels }
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
        if self.engine.bf16_panels() { Precision::Bf16 } else { Precision::F32 }
    }

    /// The number of panels.
    pub(crate) fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// The start of a panel.
    pub(crate) fn panel(&self, index: usize) -> *const u8 {
        let start = index * self.engine.panel_len(self.inputs);
        if self.engine.bf16_panels() {
            self.bf16_panels[start..].as_ptr().cast()
        } else {
            self.f32_panels[start..].as_ptr().cast()
        }
    }
}
