//! Axial rotary position embedding.

mod gradient;

use burn::tensor::{Device, Tensor, TensorData};

use super::cpu::{CpuView, take, tensor};

/// Rotations for the tokens of a square grid: half of the channel pairs turn with x, half with y.
#[derive(Debug, Clone)]
pub(crate) struct RotaryTable {
    /// `[positions, dim/2]`, the cosine of each pair's angle at each grid position.
    pub(crate) cos: Tensor<2>,
    /// The sines.
    pub(crate) sin: Tensor<2>,
}

impl RotaryTable {
    /// For a `grid`×`grid` map of tokens with `dim` channels a head; frequencies are
    /// `theta^(-4i/dim)`.
    pub(crate) fn new(grid: usize, dim: usize, theta: f64, device: &Device) -> Self {
        let quarter = dim / 4;
        let frequencies: Vec<f32> = (0..quarter)
            .map(|i| 1.0 / (theta as f32).powf((4 * i) as f32 / dim as f32))
            .collect();
        let angles: Vec<f32> = (0..grid * grid)
            .flat_map(|token| {
                let (x, y) = ((token % grid) as f32, (token / grid) as f32);
                let axis = |at: f32| frequencies.iter().map(move |f| at * f);
                axis(x).chain(axis(y)).collect::<Vec<_>>()
            })
            .collect();
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().map(|&a| f(a)).collect();
            Tensor::from_data(TensorData::new(values, [grid * grid, dim / 2]), device)
        };
        Self {
            cos: table(f32::cos),
            sin: table(f32::sin),
        }
    }

    /// Rotates the channel pairs of `x` `[batch, tokens, heads·dim]` by their position. The table
    /// repeats every grid of tokens; the last `exclude` tokens (object pointers) stay as they are.
    pub(crate) fn rotate(&self, x: Tensor<3>, heads: usize, exclude: usize) -> Tensor<3> {
        let [batch, tokens, channels] = x.dims();
        let [positions, pairs] = self.cos.dims();
        let rotated = tokens - exclude;
        debug_assert_eq!(rotated % positions, 0, "whole grids of tokens");
        let repeats = rotated / positions;
        if repeats == 0 {
            return x;
        }
        if let (1, Some(cos), Some(sin), true) = (
            heads,
            CpuView::of(&self.cos),
            CpuView::of(&self.sin),
            CpuView::reaches(&x),
        ) {
            // A batch item ends with its excluded tokens, so each is turned by itself.
            let device = x.device();
            let mut turned = take(x);
            let table = masklet_kernels::RotaryTable {
                cos: cos.values(),
                sin: sin.values(),
            };
            for item in turned.chunks_exact_mut(tokens * channels) {
                masklet_kernels::rotary(item, channels, table, exclude);
            }
            return tensor(turned, [batch, tokens, channels], &device);
        }
        if heads == 1
            && let Some(turned) = self.record(&x, exclude)
        {
            return turned;
        }
        let pairwise =
            x.clone()
                .narrow(1, 0, rotated)
                .reshape([batch * repeats, positions, heads, pairs, 2]);
        let (a, b) = (pairwise.clone().narrow(4, 0, 1), pairwise.narrow(4, 1, 1));
        let table = |t: &Tensor<2>| t.clone().reshape([1, positions, 1, pairs, 1]);
        let (cos, sin) = (table(&self.cos), table(&self.sin));
        let turned = Tensor::cat(
            vec![
                a.clone() * cos.clone() - b.clone() * sin.clone(),
                a * sin + b * cos,
            ],
            4,
        )
        .reshape([batch, rotated, channels]);
        if exclude == 0 {
            return turned;
        }
        Tensor::cat(vec![turned, x.narrow(1, rotated, exclude)], 1)
    }
}
