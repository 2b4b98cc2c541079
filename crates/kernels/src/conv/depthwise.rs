//! Depthwise convolution: each channel with a kernel of its own.

use super::Images;
use crate::cpu;
use crate::output::{Out, Shared, Written};
use crate::simd::{Simd, simd_fn};
use rayon::prelude::*;

/// A depthwise convolution of stride 1 that keeps the image's size.
#[derive(Clone, Debug)]
pub struct DepthwiseConv {
    channels: usize,
    kernel: usize,
    /// `[kernel, kernel, channels]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl DepthwiseConv {
    /// Packs `weight`, `[channels, 1, kernel, kernel]` as in PyTorch, with an odd kernel, and `bias`,
    /// `[channels]`.
    pub fn pack(weight: &[f32], bias: &[f32], kernel: usize) -> Self {
        let (channels, area) = (bias.len(), kernel * kernel);
        assert!(
            kernel % 2 == 1,
            "DepthwiseConv: the kernel's side {kernel} is not odd"
        );
        let wanted = channels * area;
        assert_eq!(
            weight.len(),
            wanted,
            "DepthwiseConv: {} numbers, not {wanted}",
            weight.len()
        );
        let mut channels_last = vec![0.0; wanted];
        for (index, &value) in weight.iter().enumerate() {
            channels_last[index % area * channels + index / area] = value;
        }
        DepthwiseConv {
            channels,
            kernel,
            weight: channels_last,
            bias: bias.to_vec(),
        }
    }
}

/// `out[batch, height, width, channels] = conv(images) + bias`, zeros around the images.
pub fn depthwise_conv<'o>(
    images: Images<'_>,
    conv: &DepthwiseConv,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    images.check(conv.channels, "depthwise_conv");
    let out = out.into();
    out.expect_len(images.data.len(), "depthwise_conv");
    let isa = cpu::path().isa;
    let to: Shared<f32> = out.shared();
    (0..images.batch * images.height)
        .into_par_iter()
        .for_each(|line| {
            let job = Line {
                images,
                conv,
                batch: line / images.height,
                y: line % images.height,
            };
            // SAFETY: each line of the output is written by one task.
            unsafe { convolve_line(isa, &job, to.at(line * images.width * images.channels)) };
        });
    // SAFETY: every line was written.
    unsafe { out.written() }
}

/// One line of the output.
struct Line<'a> {
    images: Images<'a>,
    conv: &'a DepthwiseConv,
    batch: usize,
    y: usize,
}

/// Neighbouring positions computed together, so that a weight is loaded once for all.
const STRIP: usize = 8;

simd_fn!(
    /// # Safety
    /// `to` is writable for a line of the images.
    unsafe fn convolve_line = line_kernel(job: &Line, to: *mut f32)
);

/// # Safety
/// As [`convolve_line`].
#[inline(always)]
unsafe fn line_kernel<S: Simd>(job: &Line, to: *mut f32) {
    let (width, radius) = (job.images.width, job.conv.kernel / 2);
    // SAFETY: strips stay within the line; interior ones have all columns of the kernel inside.
    unsafe {
        let mut x = 0;
        while x < width {
            if x >= radius && x + STRIP + radius <= width {
                strip::<S, STRIP, false>(job, x, to);
                x += STRIP;
            } else {
                strip::<S, 1, true>(job, x, to);
                x += 1;
            }
        }
    }
}

/// `N` positions from `x` on, all channels. `EDGE`: the kernel may reach beyond the line.
///
/// # Safety
/// The positions exist; unless `EDGE`, so do all columns under the kernel.
#[inline(always)]
unsafe fn strip<S: Simd, const N: usize, const EDGE: bool>(job: &Line, x: usize, to: *mut f32) {
    let Images {
        data,
        height,
        width,
        channels,
        ..
    } = job.images;
    let (kernel, radius) = (job.conv.kernel, job.conv.kernel / 2);
    let (weight, bias) = (job.conv.weight.as_ptr(), job.conv.bias.as_ptr());
    for c in (0..channels).step_by(S::LANES) {
        let count = (channels - c).min(S::LANES);
        // SAFETY: `count` channels from `c` on are accessed at positions inside the image.
        unsafe {
            let mut sums = [load_some::<S>(bias.add(c), count); N];
            for ky in 0..kernel {
                let Some(y) = (job.y + ky).checked_sub(radius).filter(|&y| y < height) else {
                    continue;
                };
                let line = data
                    .as_ptr()
                    .add((job.batch * height + y) * width * channels + c);
                for kx in 0..kernel {
                    let w = load_some::<S>(weight.add((ky * kernel + kx) * channels + c), count);
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let column = x + i + kx;
                        if EDGE && (column < radius || column - radius >= width) {
                            continue;
                        }
                        let at = line.add((column - radius) * channels);
                        *sum = S::fma(load_some::<S>(at, count), w, *sum);
                    }
                }
            }
            for (i, &sum) in sums.iter().enumerate() {
                let to = to.add((x + i) * channels + c);
                if count == S::LANES {
                    S::store(to, sum);
                } else {
                    S::store_partial(to, count, sum);
                }
            }
        }
    }
}

/// # Safety
/// `p` is readable for `count <= LANES` numbers.
#[inline(always)]
pub(crate) unsafe fn load_some<S: Simd>(p: *const f32, count: usize) -> S::V {
    // SAFETY: forwarded.
    unsafe {
        if count == S::LANES {
            S::load(p)
        } else {
            S::load_partial(p, count)
        }
    }
}
