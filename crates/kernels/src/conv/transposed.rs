//! Transposed convolution 2x2 with stride 2: every position becomes four.

use super::Images;
use crate::epilogue::{Epilogue, RowMap};
use crate::matmul::{Target, product};
use crate::output::{Out, Written};
use crate::pack::PackedMatrix;
use crate::product::Precision;
use crate::rows::{Plain, Rows};

/// A transposed convolution with packed weights: four products, one for each of the four positions
/// an input position becomes.
#[derive(Clone, Debug)]
pub struct ConvTranspose2x2 {
    parts: [PackedMatrix; 4],
}

impl ConvTranspose2x2 {
    /// Packs `weight`, `[inputs, outputs, 2, 2]` as in PyTorch.
    pub fn pack(weight: &[f32], inputs: usize, outputs: usize, precision: Precision) -> Self {
        let wanted = inputs * outputs * 4;
        assert_eq!(
            weight.len(),
            wanted,
            "ConvTranspose2x2: {} numbers, not {wanted}",
            weight.len()
        );
        let part = |position: usize| {
            let number = |i: usize| weight[((i % inputs) * outputs + i / inputs) * 4 + position];
            let matrix: Vec<f32> = (0..inputs * outputs).map(number).collect();
            PackedMatrix::pack(&matrix, outputs, inputs, precision)
        };
        ConvTranspose2x2 {
            parts: [part(0), part(1), part(2), part(3)],
        }
    }
}

/// `out[batch, 2 height, 2 width, outputs] = epilogue(conv(images))`; a skip connection is the
/// epilogue's residual, in the output's layout.
pub fn conv_transpose_2x2<'o>(
    images: Images<'_>,
    conv: &ConvTranspose2x2,
    epilogue: Epilogue<'_>,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let (inputs, outputs) = (conv.parts[0].inputs(), conv.parts[0].outputs());
    images.check(inputs, "conv_transpose_2x2");
    let out = out.into();
    let rows = images.batch * images.height * images.width;
    out.expect_len(4 * rows * outputs, "conv_transpose_2x2");
    epilogue.check(outputs, 4 * rows * outputs, "conv_transpose_2x2");
    let source = Plain::of(Rows::dense(images.data, rows), inputs);
    for (position, part) in conv.parts.iter().enumerate() {
        let offset = (position / 2 * 2 * images.width + position % 2) * outputs;
        let map = RowMap::Doubled {
            width: images.width,
            channels: outputs,
            offset,
        };
        let to = Target {
            start: out.shared(),
            map,
            add: false,
        };
        // SAFETY: lengths were checked; the map sends rows to positions of the doubled images.
        unsafe { product(&source, rows, part, &epilogue, to) };
    }
    // SAFETY: the four parts together write every position.
    unsafe { out.written() }
}
