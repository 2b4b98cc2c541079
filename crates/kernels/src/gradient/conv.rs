//! The gradients of convolutions.

use super::weights::weight_gradient_of;
use crate::buffers::Scratch;
use crate::conv::{ConvShape, Images, Patches, channels_last};
use crate::cpu;
use crate::epilogue::{Destination, Epilogue, RowMap};
use crate::matmul::{Left, block_product};
use crate::output::{Out, Shared, Written, collect};
use crate::pack::PackedMatrix;
use crate::product::{Precision, Session};
use crate::rows::{Plain, Rows};
use rayon::prelude::*;

/// The gradient of the weight of [`conv2d`](crate::conv2d), `[outputs, inputs, kernel, kernel]`:
/// `grad` is that of its result, `[batch, height', width', outputs]`.
///
/// A transposed convolution is the same with the roles of images and gradients exchanged.
pub fn conv2d_weight_gradient<'o>(
    images: Images<'_>,
    shape: ConvShape,
    grad: &[f32],
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    images.check(shape.inputs, "conv2d_weight_gradient");
    let out = out.into();
    let (area, inputs, outputs) = (shape.kernel * shape.kernel, shape.inputs, shape.outputs);
    out.expect_len(outputs * area * inputs, "conv2d_weight_gradient");
    let patches = Patches::of(images, shape);
    let grad = Rows::dense(grad, patches.count());
    let turned = collect(outputs * area * inputs, |turned| {
        weight_gradient_of(grad, outputs, &patches, area * inputs, turned)
    });
    let to: Shared<f32> = out.shared();
    for (index, value) in turned.into_iter().enumerate() {
        let (filter, input) = (index / inputs, index % inputs);
        let (output, position) = (filter / area, filter % area);
        // SAFETY: a permutation of the numbers of `out`.
        unsafe { *to.at((output * inputs + input) * area + position) = value };
    }
    // SAFETY: every number was written.
    unsafe { out.written() }
}

/// The gradient of the images of [`conv2d`](crate::conv2d), `[batch, height, width, inputs]`, for
/// images of `size` (height and width): `grad` is that of its result, `weight` is
/// `[outputs, inputs, kernel, kernel]`.
pub fn conv2d_gradient<'o>(
    grad: Images<'_>,
    weight: &[f32],
    shape: ConvShape,
    size: [usize; 2],
    precision: Precision,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    grad.check(shape.outputs, "conv2d_gradient");
    let [height, width] = size;
    assert_eq!(
        [grad.height, grad.width],
        size.map(|len| shape.output_len(len)),
        "conv2d_gradient: these are not the gradients of images of {height} x {width}"
    );
    let out = out.into();
    out.expect_len(
        grad.batch * height * width * shape.inputs,
        "conv2d_gradient",
    );
    let columns = shape.kernel * shape.kernel * shape.inputs;
    let rows = channels_last(weight, shape);
    let job = Job {
        grad,
        shape,
        weight: PackedMatrix::pack_transposed(&rows, shape.outputs, columns, precision),
        height,
        width,
    };
    let lines = LINES.min(height.max(1));
    let strips = height.div_ceil(lines);
    let to: Shared<f32> = out.shared();
    (0..grad.batch * strips).into_par_iter().for_each(|task| {
        let (item, first) = (task / strips, task % strips * lines);
        // SAFETY: each task writes lines of its own.
        unsafe { job.strip(item, first, lines.min(height - first), to) };
    });
    // SAFETY: every line was written.
    unsafe { out.written() }
}

/// Lines of the images that a task writes. Gradients of lines under two strips are computed twice.
const LINES: usize = 32;

struct Job<'a> {
    grad: Images<'a>,
    shape: ConvShape,
    /// From a position's gradient to its patch's.
    weight: PackedMatrix,
    height: usize,
    width: usize,
}

impl Job<'_> {
    /// The lines `first..first + count` of image `item`: sums over the patches that cover them.
    ///
    /// # Safety
    /// The lines exist in `to`; nobody else writes them.
    unsafe fn strip(&self, item: usize, first: usize, count: usize, to: Shared<f32>) {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            padding: [padding, _],
        } = self.shape;
        let isa = cpu::path().isa;
        let _session = Session::new(self.weight.engine);
        let line_len = self.width * inputs;
        let patch = kernel * kernel * inputs;
        let mut patches =
            Scratch::of::<f32>(self.weight.engine.padded_rows(self.grad.width) * patch);
        let patches: *mut f32 = patches.start();
        // The first and last line of gradients whose patches touch the strip.
        let above = (first + padding)
            .saturating_sub(kernel - 1)
            .div_ceil(stride);
        let below = ((first + count - 1 + padding) / stride + 1).min(self.grad.height);
        // SAFETY: lines of gradients and of the strip exist; patches are cut to the image.
        unsafe {
            let strip = to.at((item * self.height + first) * line_len);
            std::ptr::write_bytes(strip, 0, count * line_len);
            for y in above..below {
                let line = (item * self.grad.height + y) * self.grad.width;
                let rows = Rows::dense(
                    &self.grad.data[line * outputs..][..self.grad.width * outputs],
                    self.grad.width,
                );
                let rows = Plain::of(rows, outputs);
                let left =
                    Left::prepare(self.weight.engine, isa, &rows, 0..self.grad.width, outputs);
                let to = Destination::F32 {
                    start: patches,
                    map: RowMap::Dense { stride: patch },
                    add: false,
                };
                let panels = 0..self.weight.panels();
                let plain = Epilogue::default();
                block_product(
                    isa,
                    &left,
                    self.grad.width,
                    &self.weight,
                    panels,
                    &plain,
                    0,
                    to,
                );
                for ky in 0..kernel {
                    let to_y = (y * stride + ky).wrapping_sub(padding + first);
                    if to_y >= count {
                        continue;
                    }
                    for x in 0..self.grad.width {
                        let left = padding.saturating_sub(x * stride).min(kernel);
                        let right = (self.width + padding)
                            .saturating_sub(x * stride)
                            .min(kernel);
                        if left >= right {
                            continue;
                        }
                        let from = patches.add(x * patch + (ky * kernel + left) * inputs);
                        let at = to_y * line_len + (x * stride + left - padding) * inputs;
                        for i in 0..(right - left) * inputs {
                            *strip.add(at + i) += *from.add(i);
                        }
                    }
                }
            }
        }
    }
}
