//! Separable resizing of maps, as two matrix products with interpolation weights.

mod gradient;

use burn::tensor::{Device, Tensor, TensorData};

use super::cpu::{CpuView, written};
use gradient::record_bilinear;

/// How values between samples are found. Sample centres are at half-integers
/// (PyTorch's `align_corners=False`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Linear between the two nearest samples.
    Bilinear,
    /// Bilinear, widened to cover all samples under an output pixel when shrinking
    /// (PyTorch's `antialias=True`).
    BilinearAntialias,
    /// Cubic convolution over four samples, `a = -0.75`.
    Bicubic,
}

/// Resizes the two middle dimensions of `x`, `[batch, height, width, channels]`, to
/// `[height, width]`.
pub fn resize(x: Tensor<4>, [height, width]: [usize; 2], how: Interpolation) -> Tensor<4> {
    let [batch, from_height, from_width, channels] = x.dims();
    if [from_height, from_width] == [height, width] {
        return x;
    }
    let device = x.device();
    if let (1, Interpolation::Bilinear, Some(view)) = (channels, how, CpuView::of(&x)) {
        let (from, to) = ((from_height, from_width), (height, width));
        return written([batch, height, width, 1], &device, |out| {
            masklet_kernels::resize_bilinear(view.values(), batch, from, to, out)
        });
    }
    if let (1, Interpolation::Bilinear) = (channels, how)
        && let Some(resized) = record_bilinear(&x, (height, width))
    {
        return resized;
    }
    let rows = how.matrix(from_height, height, &device);
    let columns = how.matrix(from_width, width, &device);
    // Columns first: [batch·from_height, from_width, channels].
    let x = x.reshape([batch * from_height, from_width, channels]);
    let x = columns.unsqueeze::<3>().matmul(x);
    let x = x.reshape([batch, from_height, width * channels]);
    rows.unsqueeze::<3>()
        .matmul(x)
        .reshape([batch, height, width, channels])
}

impl Interpolation {
    /// The weights `[to, from]` that make `to` samples out of `from`.
    fn matrix(self, from: usize, to: usize, device: &Device) -> Tensor<2> {
        let mut weights = vec![0.0f32; to * from];
        for (i, row) in weights.chunks_exact_mut(from).enumerate() {
            self.fill_row(i, to, row);
        }
        Tensor::from_data(TensorData::new(weights, [to, from]), device)
    }

    /// The weights of the input samples for output sample `i` of `to`.
    fn fill_row(self, i: usize, to: usize, row: &mut [f32]) {
        let from = row.len();
        let scale = from as f32 / to as f32;
        let last = from as isize - 1;
        let centre = (i as f32 + 0.5) * scale;
        let mut add = |at: isize, weight: f32| row[at.clamp(0, last) as usize] += weight;
        match self {
            Self::Bilinear => {
                let at = (centre - 0.5).max(0.0);
                let left = at.floor();
                add(left as isize, 1.0 - (at - left));
                add(left as isize + 1, at - left);
            }
            Self::BilinearAntialias => {
                let support = scale.max(1.0);
                let start = (centre - support + 0.5).max(0.0) as usize;
                let end = ((centre + support + 0.5) as usize).min(from);
                let triangle =
                    |j: usize| (1.0 - ((j as f32 + 0.5 - centre) / support).abs()).max(0.0);
                let total: f32 = (start..end).map(triangle).sum();
                for (j, weight) in row.iter_mut().enumerate().take(end).skip(start) {
                    *weight = triangle(j) / total;
                }
            }
            Self::Bicubic => {
                let at = centre - 0.5;
                let left = at.floor();
                for j in -1..=2 {
                    add(left as isize + j, cubic(at - left - j as f32));
                }
            }
        }
    }
}

/// The cubic convolution kernel with `a = -0.75`, as PyTorch's bicubic interpolation.
fn cubic(distance: f32) -> f32 {
    const A: f32 = -0.75;
    let x = distance.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}
