//! Gradients of pooling and of upsampling.

use crate::conv::Images;
use crate::cpu;
use crate::output::{Out, Shared, Written};
use crate::simd::{Simd, simd_fn};
use rayon::prelude::*;

/// The gradient of [`max_pool_2x2`](crate::max_pool_2x2): that of each pooled position,
/// `[batch, h / 2, w / 2, c]`, goes to the first of the largest four, in the images' layout.
pub fn max_pool_2x2_gradient<'o>(
    images: Images<'_>,
    grad: &[f32],
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let Images {
        data,
        batch,
        height,
        width,
        channels,
    } = images;
    images.check(channels, "max_pool_2x2_gradient");
    let (rows, columns) = (height / 2, width / 2);
    let wanted = batch * rows * columns * channels;
    assert_eq!(
        grad.len(),
        wanted,
        "max_pool_2x2_gradient: {} gradients, not {wanted}",
        grad.len()
    );
    let out = out.into();
    out.expect_len(data.len(), "max_pool_2x2_gradient");
    let to: Shared<f32> = out.shared();
    // One task for two lines, the last for the odd one if there is one.
    let pairs = height.div_ceil(2);
    (0..batch * pairs).into_par_iter().for_each(|task| {
        let (item, pair) = (task / pairs, task % pairs);
        let at = |y: usize, x: usize| ((item * height + y) * width + x) * channels;
        // SAFETY: only positions of this pair of lines are written, `channels` numbers each.
        unsafe {
            if pair == rows {
                std::ptr::write_bytes(to.at(at(2 * pair, 0)), 0, width * channels);
                return;
            }
            let (top, bottom) = (2 * pair, 2 * pair + 1);
            for column in 0..columns {
                let (x, next) = (2 * column, 2 * column + 1);
                let four = [at(top, x), at(top, next), at(bottom, x), at(bottom, next)];
                let from = four.map(|at| data[at..][..channels].as_ptr());
                let grad = grad[((item * rows + pair) * columns + column) * channels..].as_ptr();
                give_to_largest(&from, grad, channels, four.map(|at| to.at(at)));
            }
            if width % 2 == 1 {
                std::ptr::write_bytes(to.at(at(top, width - 1)), 0, channels);
                std::ptr::write_bytes(to.at(at(bottom, width - 1)), 0, channels);
            }
        }
    });
    // SAFETY: every position was written.
    unsafe { out.written() }
}

/// Gives each number's gradient to the first of the largest of four, and 0 to the others.
///
/// # Safety
/// All pointers are valid for `width` numbers.
pub(super) unsafe fn give_to_largest(
    from: &[*const f32; 4],
    grad: *const f32,
    width: usize,
    to: [*mut f32; 4],
) {
    for i in 0..width {
        // SAFETY: `i` is below the width.
        unsafe {
            let values = from.map(|p| *p.add(i));
            let mut largest = 0;
            for candidate in 1..4 {
                if values[candidate] > values[largest] {
                    largest = candidate;
                }
            }
            for (index, to) in to.iter().enumerate() {
                *to.add(i) = if index == largest { *grad.add(i) } else { 0.0 };
            }
        }
    }
}

/// `out[batch, h / 2, w / 2, c]`: the sum of each 2x2 positions of images with even sides. This is the
/// gradient of the coarse images of [`upsample_add`](crate::upsample_add).
pub fn sum_2x2<'o>(images: Images<'_>, out: impl Into<Out<'o>>) -> Written<'o> {
    let Images {
        data,
        batch,
        height,
        width,
        channels,
    } = images;
    images.check(channels, "sum_2x2");
    assert!(
        height % 2 == 0 && width % 2 == 0,
        "sum_2x2: sides of {height} and {width} are not even"
    );
    let out = out.into();
    out.expect_len(data.len() / 4, "sum_2x2");
    let isa = cpu::path().isa;
    let (rows, columns) = (height / 2, width / 2);
    let to: Shared<f32> = out.shared();
    (0..batch * rows).into_par_iter().for_each(|line| {
        for x in 0..columns {
            let at = |dy: usize, dx: usize| {
                let position = (2 * line + dy) * width + 2 * x + dx;
                data[position * channels..][..channels].as_ptr()
            };
            let four = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
            // SAFETY: all five have `channels` numbers; one task writes the position.
            unsafe { sum_of_four(isa, &four, channels, to.at((line * columns + x) * channels)) };
        }
    });
    // SAFETY: every position was written.
    unsafe { out.written() }
}

simd_fn!(
    /// # Safety
    /// All five pointers are valid for `width` numbers.
    unsafe fn sum_of_four = sum_kernel(from: &[*const f32; 4], width: usize, to: *mut f32)
);

/// # Safety
/// As [`sum_of_four`].
#[inline(always)]
unsafe fn sum_kernel<S: Simd>(from: &[*const f32; 4], width: usize, to: *mut f32) {
    let whole = width - width % S::LANES;
    // SAFETY: whole vectors end at `whole`, single numbers at `width`.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            let [a, b, c, d] = from.map(|p| S::load(p.add(i)));
            S::store(to.add(i), S::add(S::add(a, b), S::add(c, d)));
        }
        for i in whole..width {
            let [a, b, c, d] = from.map(|p| *p.add(i));
            *to.add(i) = (a + b) + (c + d);
        }
    }
}
