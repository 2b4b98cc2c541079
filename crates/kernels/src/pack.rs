//! Weights repacked into panels, once at load.

use crate::buffers::Aligned;
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
        let engine = Engine::for_weights(cpu::path(), precision);
        let len = outputs.div_ceil(PANEL) * engine.panel_len(inputs);
        let columns = |panel: usize| panel * PANEL..outputs.min((panel + 1) * PANEL);
        let panel_len = engine.panel_len(inputs).max(1);
        let memory = if engine.bf16_panels() {
            let mut memory = Aligned::zeros::<u16>(len);
            for (panel, to) in memory.numbers::<u16>()[..len]
                .chunks_exact_mut(panel_len)
                .enumerate()
            {
                for (lane, n) in columns(panel).enumerate() {
                    for k in 0..inputs {
                        let value = crate::simd::to_bf16(weight[n * inputs + k]);
                        to[(k / 2 * PANEL + lane) * 2 + k % 2] = value;
                    }
                }
            }
            memory
        } else {
            let mut memory = Aligned::zeros::<f32>(len);
            for (panel, to) in memory.numbers::<f32>()[..len]
                .chunks_exact_mut(panel_len)
                .enumerate()
            {
                for (lane, n) in columns(panel).enumerate() {
                    for k in 0..inputs {
                        to[k * PANEL + lane] = weight[n * inputs + k];
                    }
                }
            }
            memory
        };
        PackedMatrix {
            engine,
            outputs,
            inputs,
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
