//! Convolutions of channels-last images.
//!
//! A convolution is a product whose left rows are the image patches under the kernel; they are
//! gathered block by block while the left operand is prepared and never stored as a whole.

mod depthwise;
mod transposed;

use crate::cpu::Isa;
use crate::epilogue::Epilogue;
use crate::matmul::product_of;
use crate::output::{Out, Written};
use crate::pack::PackedMatrix;
use crate::product::Precision;
use crate::rows::RowSource;

pub(crate) use depthwise::load_some;
pub use depthwise::{DepthwiseConv, DepthwiseShape, depthwise_conv, depthwise_gradient};
pub use transposed::{ConvTranspose2x2, conv_transpose_2x2};

/// A batch of channels-last images, `[batch, height, width, channels]`.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// Batch items.
    pub batch: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Numbers per position.
    pub channels: usize,
}

impl Images<'_> {
    pub(crate) fn check(&self, channels: usize, kernel: &str) {
        assert_eq!(
            self.channels, channels,
            "{kernel}: {} channels, not {channels}",
            self.channels
        );
        let wanted = self.batch * self.height * self.width * self.channels;
        let found = self.data.len();
        assert_eq!(
            found, wanted,
            "{kernel}: the images have {found} numbers, not {wanted}"
        );
    }
}

/// The size of a convolution: a square kernel, zeros around the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Distance between patches.
    pub stride: usize,
    /// Zeros before and after each side of the image.
    pub padding: [usize; 2],
}

impl ConvShape {
    /// Positions of the output along a side of `len` positions.
    pub fn output_len(&self, len: usize) -> usize {
        let padded = len + self.padding[0] + self.padding[1];
        if padded < self.kernel {
            0
        } else {
            (padded - self.kernel) / self.stride + 1
        }
    }
}

/// A convolution with packed weights.
#[derive(Clone, Debug)]
pub struct Conv2d {
    shape: ConvShape,
    weight: PackedMatrix,
}

impl Conv2d {
    /// Packs `weight`, `[outputs, inputs, kernel, kernel]` as in PyTorch.
    pub fn pack(weight: &[f32], shape: ConvShape, precision: Precision) -> Self {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            ..
        } = shape;
        let area = kernel * kernel;
        let wanted = outputs * inputs * area;
        assert_eq!(
            weight.len(),
            wanted,
            "Conv2d: {} numbers, not {wanted}",
            weight.len()
        );
        let channels_last = channels_last(weight, shape);
        let weight = PackedMatrix::pack(&channels_last, outputs, area * inputs, precision);
        Conv2d { shape, weight }
    }

    /// The size of the convolution.
    pub fn shape(&self) -> ConvShape {
        self.shape
    }
}

/// `[outputs, inputs, kernel, kernel]` as the rows that patches are multiplied with,
/// `[outputs, kernel, kernel, inputs]`.
pub(crate) fn channels_last(weight: &[f32], shape: ConvShape) -> Vec<f32> {
    let (area, inputs) = (shape.kernel * shape.kernel, shape.inputs);
    let mut turned = vec![0.0; weight.len()];
    for (index, &value) in weight.iter().enumerate() {
        let (filter, position) = (index / area, index % area);
        let (output, input) = (filter / inputs, filter % inputs);
        turned[(output * area + position) * inputs + input] = value;
    }
    turned
}

/// `out[batch, height', width', outputs] = epilogue(conv(images))`.
pub fn conv2d<'o>(
    images: Images<'_>,
    conv: &Conv2d,
    epilogue: Epilogue<'_>,
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    images.check(conv.shape.inputs, "conv2d");
    let source = Patches::of(images, conv.shape);
    product_of(
        &source,
        source.count(),
        &conv.weight,
        epilogue,
        out.into(),
        "conv2d",
    )
}

/// The patches of images as rows `[kernel, kernel, channels]`.
pub(crate) struct Patches<'a> {
    images: Images<'a>,
    shape: ConvShape,
    /// Rows of the output.
    height: usize,
    /// Columns of the output.
    width: usize,
}

impl<'a> Patches<'a> {
    pub fn of(images: Images<'a>, shape: ConvShape) -> Self {
        Patches {
            images,
            shape,
            height: shape.output_len(images.height),
            width: shape.output_len(images.width),
        }
    }

    /// The number of patches.
    pub fn count(&self) -> usize {
        self.images.batch * self.height * self.width
    }
}

impl RowSource for Patches<'_> {
    unsafe fn write(&self, _: Isa, row: usize, to: *mut f32) {
        let Images {
            data,
            height,
            width,
            channels,
            ..
        } = self.images;
        let ConvShape {
            kernel,
            stride,
            padding: [padding, _],
            ..
        } = self.shape;
        let (line, x) = (row / self.width, row % self.width);
        let (batch, y) = (line / self.height, line % self.height);
        let line_len = kernel * channels;
        // Columns `first..last` of the patch lie inside the image.
        let first = padding.saturating_sub(x * stride).min(kernel);
        let last = (width + padding)
            .saturating_sub(x * stride)
            .min(kernel)
            .max(first);
        for ky in 0..kernel {
            let inside = (y * stride + ky)
                .checked_sub(padding)
                .filter(|&y| y < height);
            // SAFETY: `to` has `kernel` lines of `line_len` numbers; the source range is checked by
            // slicing.
            unsafe {
                let to = to.add(ky * line_len);
                match inside {
                    Some(from_y) if last > first => {
                        let position =
                            (batch * height + from_y) * width + x * stride + first - padding;
                        let from = &data[position * channels..][..(last - first) * channels];
                        std::ptr::write_bytes(to, 0, first * channels);
                        copy_short(from, to.add(first * channels));
                        std::ptr::write_bytes(
                            to.add(last * channels),
                            0,
                            (kernel - last) * channels,
                        );
                    }
                    _ => std::ptr::write_bytes(to, 0, line_len),
                }
            }
        }
    }
}

/// Copies a slice; short ones, as patches of few channels are, without a call.
///
/// # Safety
/// `to` is writable for the slice's length and does not overlap it.
#[inline(always)]
unsafe fn copy_short(from: &[f32], to: *mut f32) {
    // SAFETY: forwarded.
    unsafe {
        if from.len() <= 4 {
            for (i, &x) in from.iter().enumerate() {
                *to.add(i) = x;
            }
        } else {
            std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
        }
    }
}
