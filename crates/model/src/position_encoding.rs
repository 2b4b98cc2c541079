//! Positions: sine encodings of a grid and of time, and random Fourier features of points.
//!
//! The rotary embedding of memory attention is in `ops::rotary`.

use std::f32::consts::TAU;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::params::{Init, Params};

const TEMPERATURE: f32 = 10_000.0;

/// `temperature^(2⌊i/2⌋/n)` for `i` in `0..n`.
fn wavelengths(n: usize) -> impl Iterator<Item = f32> {
    (0..n).map(move |i| TEMPERATURE.powf((2 * (i / 2)) as f32 / n as f32))
}

/// The normalised sine encoding of a `grid`×`grid` map, `[1, grid·grid, dim]`: the first half of
/// the channels encodes y, the second x, sines and cosines interleaved (DETR's encoding).
pub(crate) fn sine_2d(grid: usize, dim: usize, device: &Device) -> Tensor<3> {
    let half = dim / 2;
    let axis: Vec<Vec<f32>> = (1..=grid)
        .map(|position| {
            let at = position as f32 / (grid as f32 + 1e-6) * TAU;
            wavelengths(half)
                .enumerate()
                .map(|(i, wavelength)| {
                    let angle = at / wavelength;
                    if i % 2 == 0 { angle.sin() } else { angle.cos() }
                })
                .collect()
        })
        .collect();
    let mut values = Vec::with_capacity(grid * grid * dim);
    for y in &axis {
        for x in &axis {
            values.extend_from_slice(y);
            values.extend_from_slice(x);
        }
    }
    Tensor::from_data(TensorData::new(values, [1, grid * grid, dim]), device)
}

/// The sine encoding of positions in time, `[positions, dim]`: first all sines, then all cosines.
pub(crate) fn sine_1d(positions: &[f32], dim: usize, device: &Device) -> Tensor<2> {
    let half = dim / 2;
    let values: Vec<f32> = positions
        .iter()
        .flat_map(|&at| {
            let angles: Vec<f32> = wavelengths(half).map(|w| at / w).collect();
            let sines: Vec<f32> = angles.iter().map(|a| a.sin()).collect();
            sines.into_iter().chain(angles.into_iter().map(f32::cos))
        })
        .collect();
    Tensor::from_data(TensorData::new(values, [positions.len(), dim]), device)
}

/// Random Fourier features (arXiv 2006.10739) of points in the unit square.
#[derive(Module, Debug)]
pub(crate) struct RandomFourier {
    /// `[2, dim/2]`, drawn once and never trained.
    frequencies: Param<Tensor<2>>,
}

impl RandomFourier {
    /// For `dim` output channels.
    pub(crate) fn new(p: &Params<'_>, dim: usize) -> Self {
        let frequencies = p.tensor(
            "positional_encoding_gaussian_matrix",
            [2, dim / 2],
            Init::Normal(1.0),
        );
        Self {
            frequencies: frequencies.set_require_grad(false),
        }
    }

    /// Encodes points `[batch, points, 2]`, x and y in `0..1`, as `[batch, points, dim]`.
    pub(crate) fn encode(&self, points: Tensor<3>) -> Tensor<3> {
        let centred = points.mul_scalar(2.0).sub_scalar(1.0);
        let angles = centred
            .matmul(self.frequencies.val().unsqueeze::<3>())
            .mul_scalar(TAU);
        Tensor::cat(vec![angles.clone().sin(), angles.cos()], 2)
    }

    /// Encodes the centres of a `grid`×`grid` map, `[1, grid·grid, dim]`.
    pub(crate) fn encode_grid(&self, grid: usize) -> Tensor<3> {
        let centre = |i: usize| (i as f32 + 0.5) / grid as f32;
        let values: Vec<f32> = (0..grid * grid)
            .flat_map(|token| [centre(token % grid), centre(token / grid)])
            .collect();
        let points = TensorData::new(values, [1, grid * grid, 2]);
        self.encode(Tensor::from_data(points, &self.frequencies.val().device()))
    }
}
