//! Depthwise convolution: each channel with a kernel of its own.

use super::Images;
use crate::cpu;
use crate::epilogue::{Activation, Function, Gelu, Identity, Relu, Relu6};
use crate::output::{Out, Shared, Written};
use crate::simd::{Simd, simd_fn};
use rayon::prelude::*;

/// The size of a depthwise convolution: a square kernel, and as many zeros around the image as make
/// `len / stride` positions, rounded up, of `len`.
///
/// Where a side is a multiple of the stride, zeros are as TensorFlow's `SAME` puts them: as many
/// before as after the image, or one more after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthwiseShape {
    /// Channels of the images and of the result.
    pub channels: usize,
    /// Side of the kernel; odd.
    pub kernel: usize,
    /// Distance between patches; at most the kernel's side.
    pub stride: usize,
}

impl DepthwiseShape {
    /// Positions of the output along a side of `len` positions.
    pub fn output_len(&self, len: usize) -> usize {
        len.div_ceil(self.stride)
    }

    /// Zeros before the first position of a side.
    pub fn padding(&self) -> usize {
        (self.kernel - self.stride) / 2
    }

    pub(crate) fn check(&self, kernel: &str) {
        let DepthwiseShape {
            kernel: side,
            stride,
            ..
        } = *self;
        assert!(
            side % 2 == 1,
            "{kernel}: the kernel's side {side} is not odd"
        );
        assert!(
            (1..=side).contains(&stride),
            "{kernel}: stride {stride} of a kernel of side {side}"
        );
    }
}

/// A depthwise convolution with packed weights.
#[derive(Clone, Debug)]
pub struct DepthwiseConv {
    shape: DepthwiseShape,
    /// `[kernel, kernel, channels]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl DepthwiseConv {
    /// Packs `weight`, `[channels, 1, kernel, kernel]` as in PyTorch, and `bias`, `[channels]`.
    pub fn pack(weight: &[f32], bias: &[f32], shape: DepthwiseShape) -> Self {
        shape.check("DepthwiseConv");
        let (channels, area) = (shape.channels, shape.kernel * shape.kernel);
        for (name, found, wanted) in [
            ("weight", weight.len(), channels * area),
            ("bias", bias.len(), channels),
        ] {
            assert_eq!(
                found, wanted,
                "DepthwiseConv: {name} has {found} numbers, not {wanted}"
            );
        }
        let mut channels_last = vec![0.0; weight.len()];
        for (index, &value) in weight.iter().enumerate() {
            channels_last[index % area * channels + index / area] = value;
        }
        DepthwiseConv {
            shape,
            weight: channels_last,
            bias: bias.to_vec(),
        }
    }
}

/// `out[batch, height', width', channels] = activation(conv(images) + bias)`, zeros around the images.
pub fn depthwise_conv<'o>(
    images: Images<'_>,
    conv: &DepthwiseConv,
    activation: Activation,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let shape = conv.shape;
    images.check(shape.channels, "depthwise_conv");
    let out = out.into();
    let [height, width] = [images.height, images.width].map(|len| shape.output_len(len));
    out.expect_len(
        images.batch * height * width * shape.channels,
        "depthwise_conv",
    );
    let isa = cpu::path().isa;
    let to: Shared<f32> = out.shared();
    (0..images.batch * height).into_par_iter().for_each(|line| {
        let job = Line {
            rows: Taps::forward(shape, line % height),
            columns: Taps::forward(shape, 0),
            source_step: shape.stride,
            first: 0,
            step: 1,
            count: width,
            activation,
            ..Line::of(images, line / height, conv)
        };
        // SAFETY: each line of the output is written by one task.
        unsafe { convolve_line(isa, &job, to.at(line * width * shape.channels)) };
    });
    // SAFETY: every line was written.
    unsafe { out.written() }
}

/// The gradient of the images of [`depthwise_conv`] without an activation, for images of `size` (height
/// and width): `grad` is that of its result, `weight` is `[channels, 1, kernel, kernel]`.
pub fn depthwise_gradient<'o>(
    grad: Images<'_>,
    weight: &[f32],
    shape: DepthwiseShape,
    [height, width]: [usize; 2],
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    grad.check(shape.channels, "depthwise_gradient");
    assert_eq!(
        [grad.height, grad.width],
        [height, width].map(|len| shape.output_len(len)),
        "depthwise_gradient: these are not the gradients of images of {height} x {width}"
    );
    let conv = DepthwiseConv::pack(weight, &vec![0.0; shape.channels], shape);
    let out = out.into();
    out.expect_len(
        grad.batch * height * width * shape.channels,
        "depthwise_gradient",
    );
    let isa = cpu::path().isa;
    let to: Shared<f32> = out.shared();
    (0..grad.batch * height).into_par_iter().for_each(|line| {
        // Positions that are met by the same columns of the kernel are computed together.
        for first in 0..shape.stride.min(width) {
            let job = Line {
                rows: Taps::backward(shape, line % height),
                columns: Taps::backward(shape, first),
                source_step: 1,
                first,
                step: shape.stride,
                count: (width - first).div_ceil(shape.stride),
                activation: Activation::None,
                ..Line::of(grad, line / height, &conv)
            };
            // SAFETY: each line of the output is written by one task.
            unsafe { convolve_line(isa, &job, to.at(line * width * shape.channels)) };
        }
    });
    // SAFETY: every position of every line was written.
    unsafe { out.written() }
}

/// The rows, or columns, of a kernel that meet a position of the result: `first`, and every
/// `step`-th from there. They read the source at `at`, and each next one `onward` from there.
#[derive(Clone, Copy)]
struct Taps {
    first: usize,
    step: usize,
    at: isize,
    onward: isize,
}

impl Taps {
    /// Those that meet a position of the convolution's result.
    fn forward(shape: DepthwiseShape, position: usize) -> Self {
        Taps {
            first: 0,
            step: 1,
            at: (position * shape.stride) as isize - shape.padding() as isize,
            onward: 1,
        }
    }

    /// Those that met a position of the images, the source being the result's gradient.
    fn backward(shape: DepthwiseShape, position: usize) -> Self {
        let padded = position + shape.padding();
        Taps {
            first: padded % shape.stride,
            step: shape.stride,
            at: (padded / shape.stride) as isize,
            onward: -1,
        }
    }

    #[inline(always)]
    fn count(&self, kernel: usize) -> usize {
        kernel.saturating_sub(self.first).div_ceil(self.step)
    }

    /// The lowest and the highest position that is read.
    #[inline(always)]
    fn reach(&self, kernel: usize) -> (isize, isize) {
        let last = self.at + (self.count(kernel) as isize - 1) * self.onward;
        (self.at.min(last), self.at.max(last))
    }
}

/// Positions of one line of a result.
struct Line<'a> {
    /// What is read, `[height, width, channels]`.
    source: &'a [f32],
    height: usize,
    width: usize,
    channels: usize,
    conv: &'a DepthwiseConv,
    rows: Taps,
    /// For the first position; each next one reads `source_step` further.
    columns: Taps,
    source_step: usize,
    /// `first`, and every `step`-th from there: `count` of them.
    first: usize,
    step: usize,
    count: usize,
    activation: Activation,
}

impl<'a> Line<'a> {
    /// No position, of one of the images.
    fn of(images: Images<'a>, item: usize, conv: &'a DepthwiseConv) -> Self {
        let Images {
            data,
            height,
            width,
            channels,
            ..
        } = images;
        let len = height * width * channels;
        Line {
            source: &data[item * len..][..len],
            height,
            width,
            channels,
            conv,
            rows: Taps::forward(conv.shape, 0),
            columns: Taps::forward(conv.shape, 0),
            source_step: 1,
            first: 0,
            step: 1,
            count: 0,
            activation: Activation::None,
        }
    }
}

/// Neighbouring positions computed together, so that a weight is loaded once for all.
const STRIP: usize = 8;

simd_fn!(
    /// # Safety
    /// `to` is writable for a line of the result.
    unsafe fn convolve_line = line_kernel(job: &Line, to: *mut f32)
);

/// # Safety
/// As [`convolve_line`].
#[inline(always)]
unsafe fn line_kernel<S: Simd>(job: &Line, to: *mut f32) {
    // SAFETY: forwarded.
    unsafe {
        match job.activation {
            Activation::None => positions::<S, Identity>(job, to),
            Activation::Relu => positions::<S, Relu>(job, to),
            Activation::Relu6 => positions::<S, Relu6>(job, to),
            Activation::Gelu => positions::<S, Gelu>(job, to),
        }
    }
}

/// # Safety
/// As [`convolve_line`].
#[inline(always)]
unsafe fn positions<S: Simd, F: Function>(job: &Line, to: *mut f32) {
    let (lowest, highest) = job.columns.reach(job.conv.shape.kernel);
    // Whether all columns under the kernel exist, for `count` positions from the one given on.
    let inside = |position: usize, count: usize| {
        let last = position + count - 1;
        position + count <= job.count
            && lowest + (position * job.source_step) as isize >= 0
            && highest + ((last * job.source_step) as isize) < job.width as isize
    };
    // SAFETY: strips stay within the line; unless at an edge, so do all columns under the kernel.
    unsafe {
        let mut position = 0;
        while position < job.count {
            if inside(position, STRIP) {
                strip::<S, F, STRIP, false>(job, position, to);
                position += STRIP;
            } else if inside(position, STRIP / 2) {
                strip::<S, F, { STRIP / 2 }, false>(job, position, to);
                position += STRIP / 2;
            } else {
                strip::<S, F, 1, true>(job, position, to);
                position += 1;
            }
        }
    }
}

/// `N` positions from `position` on, all channels. `EDGE`: the kernel may reach beyond the line.
///
/// # Safety
/// The positions exist; unless `EDGE`, so do all columns under the kernel.
#[inline(always)]
unsafe fn strip<S: Simd, F: Function, const N: usize, const EDGE: bool>(
    job: &Line,
    position: usize,
    to: *mut f32,
) {
    let whole = job.channels - job.channels % S::LANES;
    // SAFETY: forwarded; the channels exist.
    unsafe {
        for c in (0..whole).step_by(S::LANES) {
            some_channels::<S, F, N, EDGE>(job, position, c, S::LANES, to);
        }
        if whole < job.channels {
            some_channels::<S, F, N, EDGE>(job, position, whole, job.channels - whole, to);
        }
    }
}

/// [`strip`] for `count` channels from `c` on.
///
/// # Safety
/// As [`strip`]; the channels exist.
#[inline(always)]
unsafe fn some_channels<S: Simd, F: Function, const N: usize, const EDGE: bool>(
    job: &Line,
    position: usize,
    c: usize,
    count: usize,
    to: *mut f32,
) {
    let Line {
        source,
        height,
        width,
        channels,
        rows,
        columns,
        ..
    } = *job;
    let kernel = job.conv.shape.kernel;
    let (weight, bias) = (job.conv.weight.as_ptr(), job.conv.bias.as_ptr());
    let start = columns.at + (position * job.source_step) as isize;
    // From the first column that is read to the leftmost.
    let lowest = columns.reach(kernel).0 - columns.at;
    // SAFETY: `count` channels from `c` on are accessed at positions inside the source and the line.
    unsafe {
        let mut sums = [load_some::<S>(bias.add(c), count); N];
        for row in 0..rows.count(kernel) {
            let y = rows.at + row as isize * rows.onward;
            if y < 0 || y >= height as isize {
                continue;
            }
            let line = source.as_ptr().add(y as usize * width * channels + c);
            let filter = weight.add((rows.first + row * rows.step) * kernel * channels + c);
            if !EDGE && columns.step == 1 {
                let row = FilterRow {
                    line: line.offset((start + lowest) * channels as isize),
                    filter,
                    backwards: columns.onward < 0,
                    channels,
                    count,
                };
                let slid = match (kernel, job.source_step) {
                    (3, 1) => Some(row.slide::<S, N, 3, 1>(sums)),
                    (3, 2) => Some(row.slide::<S, N, 3, 2>(sums)),
                    (5, 1) => Some(row.slide::<S, N, 5, 1>(sums)),
                    (5, 2) => Some(row.slide::<S, N, 5, 2>(sums)),
                    _ => None,
                };
                if let Some(slid) = slid {
                    sums = slid;
                    continue;
                }
            }
            for column in 0..columns.count(kernel) {
                let at = filter.add((columns.first + column * columns.step) * channels);
                let w = load_some::<S>(at, count);
                let x = start + column as isize * columns.onward;
                for (i, sum) in sums.iter_mut().enumerate() {
                    let x = x + (i * job.source_step) as isize;
                    if EDGE && (x < 0 || x >= width as isize) {
                        continue;
                    }
                    let at = line.offset(x * channels as isize);
                    *sum = S::fma(load_some::<S>(at, count), w, *sum);
                }
            }
        }
        for (i, &sum) in sums.iter().enumerate() {
            let place = job.first + (position + i) * job.step;
            let to = to.add(place * channels + c);
            let value = F::of::<S>(sum);
            if count == S::LANES {
                S::store(to, value);
            } else {
                S::store_partial(to, count, value);
            }
        }
    }
}

/// A row of a kernel over the columns of a line.
struct FilterRow {
    /// The leftmost column that is read.
    line: *const f32,
    /// The row's first column.
    filter: *const f32,
    /// Whether the row's last column is the one that reads the leftmost.
    backwards: bool,
    channels: usize,
    count: usize,
}

impl FilterRow {
    /// Adds the row's products to the sums of `N` positions that are `STEP` columns apart. Each column is
    /// loaded once, for all of the kernel's `K` columns that meet it.
    ///
    /// # Safety
    /// All columns under the kernel exist, and `count <= LANES` channels of each.
    #[inline(always)]
    unsafe fn slide<S: Simd, const N: usize, const K: usize, const STEP: usize>(
        &self,
        mut sums: [S::V; N],
    ) -> [S::V; N] {
        // SAFETY: forwarded.
        unsafe {
            let mut weights = [S::splat(0.0); K];
            for (k, weight) in weights.iter_mut().enumerate() {
                let k = if self.backwards { K - 1 - k } else { k };
                *weight = load_some::<S>(self.filter.add(k * self.channels), self.count);
            }
            for column in 0..(N - 1) * STEP + K {
                let value = load_some::<S>(self.line.add(column * self.channels), self.count);
                for (k, &weight) in weights.iter().enumerate() {
                    if column >= k && (column - k) % STEP == 0 && (column - k) / STEP < N {
                        let sum = &mut sums[(column - k) / STEP];
                        *sum = S::fma(value, weight, *sum);
                    }
                }
            }
        }
        sums
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
