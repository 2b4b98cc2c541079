//! The gradient of a depthwise convolution's weight. (That of its images is a convolution again, beside
//! the forward kernel.)

use super::sums::sum_parts;
use crate::conv::{DepthwiseShape, Images, load_some};
use crate::cpu;
use crate::output::{Out, Written, collect};
use crate::simd::{Simd, simd_fn};

/// The gradient of the weight of [`depthwise_conv`](crate::depthwise_conv) without an activation,
/// `[channels, 1, kernel, kernel]`; `grad` is that of its result.
pub fn depthwise_weight_gradient<'o>(
    images: Images<'_>,
    shape: DepthwiseShape,
    grad: &[f32],
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let (channels, area) = (shape.channels, shape.kernel * shape.kernel);
    shape.check("depthwise_weight_gradient");
    images.check(channels, "depthwise_weight_gradient");
    let [height, width] = [images.height, images.width].map(|len| shape.output_len(len));
    let wanted = images.batch * height * width * channels;
    assert_eq!(
        grad.len(),
        wanted,
        "depthwise_weight_gradient: {} gradients, not {wanted}",
        grad.len()
    );
    let out = out.into();
    out.expect_len(channels * area, "depthwise_weight_gradient");
    let isa = cpu::path().isa;
    let turned = collect(area * channels, |turned| {
        let lines = images.batch * height;
        sum_parts(lines, area * channels, turned, |lines, sums| {
            for line in lines {
                let job = Line {
                    images,
                    shape,
                    grad: &grad[line * width * channels..][..width * channels],
                    batch: line / height,
                    y: line % height,
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
    shape: DepthwiseShape,
    grad: &'a [f32],
    batch: usize,
    y: usize,
}

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
    let channels = job.shape.channels;
    let whole = channels - channels % S::LANES;
    for ky in 0..job.shape.kernel {
        // SAFETY: forwarded; the channels exist.
        unsafe {
            for c in (0..whole).step_by(S::LANES) {
                add_row::<S>(job, ky, c, S::LANES, sums);
            }
            if whole < channels {
                add_row::<S>(job, ky, whole, channels - whole, sums);
            }
        }
    }
}

/// A row of the kernel, for `count` channels from `c` on. Its columns' sums are kept in registers, those
/// of the usual kernels all at once.
///
/// # Safety
/// As [`add_line`]; the channels exist.
#[inline(always)]
unsafe fn add_row<S: Simd>(job: &Line, ky: usize, c: usize, count: usize, sums: *mut f32) {
    let DepthwiseShape { kernel, stride, .. } = job.shape;
    let height = job.images.height;
    let y = (job.y * stride + ky).checked_sub(job.shape.padding());
    let Some(y) = y.filter(|&y| y < height) else {
        return;
    };
    let from = |first| Row {
        job,
        y,
        c,
        count,
        first,
        sums: sums.wrapping_add((ky * kernel + first) * job.shape.channels + c),
    };
    // SAFETY: the rows' sums are those of columns that exist.
    unsafe {
        match kernel {
            3 => from(0).add::<S, 3>(),
            5 => from(0).add::<S, 5>(),
            7 => from(0).add::<S, 7>(),
            _ => (0..kernel).for_each(|kx| from(kx).add::<S, 1>()),
        }
    }
}

/// Columns of the kernel's row from `first` on, with line `y` of the images.
struct Row<'a> {
    job: &'a Line<'a>,
    y: usize,
    c: usize,
    count: usize,
    first: usize,
    sums: *mut f32,
}

impl Row<'_> {
    /// Adds to the sums of `N` columns.
    ///
    /// # Safety
    /// The columns, the line and the channels exist.
    #[inline(always)]
    unsafe fn add<S: Simd, const N: usize>(&self) {
        let (images, shape, count) = (self.job.images, self.job.shape, self.count);
        let (width, channels) = (images.width, shape.channels);
        let positions = self.job.grad.len() / channels;
        let start = (self.job.batch * images.height + self.y) * width * channels + self.c;
        let grad = self.job.grad.as_ptr().wrapping_add(self.c);
        // Column `i` of the kernel reads `x * stride + i + first - padding`.
        let shift = self.first as isize - shape.padding() as isize;
        let begins = ((-shift).max(0) as usize)
            .div_ceil(shape.stride)
            .min(positions);
        let room = (width as isize - shift - (N as isize - 1)).max(0) as usize;
        let ends = room.div_ceil(shape.stride).clamp(begins, positions);
        let mut totals = [S::splat(0.0); N];
        // SAFETY: positions are inside the line, those between `begins` and `ends` with all columns.
        unsafe {
            let line = images.data.as_ptr().add(start);
            for x in (0..begins).chain(ends..positions) {
                let g = load_some::<S>(grad.add(x * channels), count);
                for (i, total) in totals.iter_mut().enumerate() {
                    let column = (x * shape.stride + i) as isize + shift;
                    if column >= 0 && column < width as isize {
                        let v = load_some::<S>(line.offset(column * channels as isize), count);
                        *total = S::fma(v, g, *total);
                    }
                }
            }
            for x in begins..ends {
                let g = load_some::<S>(grad.add(x * channels), count);
                let column = (x * shape.stride) as isize + shift;
                let at = line.offset(column * channels as isize);
                for (i, total) in totals.iter_mut().enumerate() {
                    *total = S::fma(load_some::<S>(at.add(i * channels), count), g, *total);
                }
            }
            for (i, &total) in totals.iter().enumerate() {
                let at = self.sums.add(i * channels);
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
