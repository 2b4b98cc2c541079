//! The gradients of depthwise convolutions.

use super::sums::sum_parts;
use crate::conv::{DepthwiseConv, Images, depthwise_conv, load_some};
use crate::cpu;
use crate::output::{Out, Written, collect};
use crate::simd::{Simd, simd_fn};

/// The gradient of the images of [`depthwise_conv`]: `grad` is that of its result, `weight` is
/// `[channels, 1, kernel, kernel]`.
pub fn depthwise_gradient<'o>(
    grad: Images<'_>,
    weight: &[f32],
    kernel: usize,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    // The kernel turned by half a turn.
    let turned: Vec<f32> = weight
        .chunks_exact((kernel * kernel).max(1))
        .flat_map(|filter| filter.iter().rev().copied())
        .collect();
    let conv = DepthwiseConv::pack(&turned, &vec![0.0; grad.channels], kernel);
    depthwise_conv(grad, &conv, out)
}

/// The gradient of the weight of [`depthwise_conv`], `[channels, 1, kernel, kernel]`; `grad` is that of
/// its result, of the images' shape.
pub fn depthwise_weight_gradient<'o>(
    images: Images<'_>,
    grad: &[f32],
    kernel: usize,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let channels = images.channels;
    images.check(channels, "depthwise_weight_gradient");
    assert_eq!(
        grad.len(),
        images.data.len(),
        "depthwise_weight_gradient: {} gradients of {} numbers",
        grad.len(),
        images.data.len()
    );
    let out = out.into();
    let area = kernel * kernel;
    out.expect_len(channels * area, "depthwise_weight_gradient");
    let isa = cpu::path().isa;
    let turned = collect(area * channels, |turned| {
        let lines = images.batch * images.height;
        sum_parts(lines, area * channels, turned, |lines, sums| {
            for line in lines {
                let job = Line {
                    images,
                    grad,
                    kernel,
                    batch: line / images.height,
                    y: line % images.height,
                };
                // SAFETY: the line exists; `sums` has a number for each of the kernel's.
                unsafe { add_line(isa, &job, sums) };
            }
        })
    });
    let to = out.shared();
    for (index, value) in turned.into_iter().enumerate() {
        // SAFETY: a permutation of the numbers of `out`.
        unsafe { *to.at(index % channels * area + index / channels) = value };
    }
    // SAFETY: every number was written.
    unsafe { out.written() }
}

/// One line of the gradients.
struct Line<'a> {
    images: Images<'a>,
    grad: &'a [f32],
    kernel: usize,
    batch: usize,
    y: usize,
}

/// Columns of the kernel whose sums are kept in registers.
const STRIP: usize = 8;

simd_fn!(
    /// Adds what a line gives to the kernel, `[kernel, kernel, channels]`.
    ///
    /// # Safety
    /// The line exists; `sums` is valid for the kernel.
    unsafe fn add_line = line_kernel(job: &Line, sums: *mut f32)
);

/// # Safety
/// As [`add_line`].
#[inline(always)]
unsafe fn line_kernel<S: Simd>(job: &Line, sums: *mut f32) {
    let Images {
        data,
        height,
        width,
        channels,
        ..
    } = job.images;
    let (kernel, radius) = (job.kernel, job.kernel / 2);
    let grad = job.grad[(job.batch * height + job.y) * width * channels..].as_ptr();
    for ky in 0..kernel {
        let Some(y) = (job.y + ky).checked_sub(radius).filter(|&y| y < height) else {
            continue;
        };
        let line = data[(job.batch * height + y) * width * channels..].as_ptr();
        for first in (0..kernel).step_by(STRIP) {
            let some = STRIP.min(kernel - first);
            for c in (0..channels).step_by(S::LANES) {
                let count = (channels - c).min(S::LANES);
                // SAFETY: positions are inside the line, channels below `channels`.
                unsafe {
                    let mut totals = [S::splat(0.0); STRIP];
                    for x in 0..width {
                        let g = load_some::<S>(grad.add(x * channels + c), count);
                        for (i, total) in totals.iter_mut().enumerate() {
                            let column = (x + first + i).wrapping_sub(radius);
                            if i < some && column < width {
                                let v = load_some::<S>(line.add(column * channels + c), count);
                                *total = S::fma(v, g, *total);
                            }
                        }
                    }
                    for (i, &total) in totals.iter().take(some).enumerate() {
                        let at = sums.add((ky * kernel + first + i) * channels + c);
                        let sum = S::add(load_some::<S>(at, count), total);
                        if count == S::LANES {
                            S::store(at, sum);
                        } else {
                            S::store_partial(at, count, sum);
                        }
                    }
                }
            }
        }
    }
}
