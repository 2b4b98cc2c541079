//! The gradient of bilinear resizing.

use crate::output::{Out, Shared, Written};
use crate::resize::samples;
use rayon::prelude::*;

/// The gradient of [`resize_bilinear`](crate::resize_bilinear): that of each pixel,
/// `[count, to.0, to.1]`, goes to the pixels it was made of, `[count, from.0, from.1]`.
pub fn resize_bilinear_gradient<'o>(
    grad: &[f32],
    count: usize,
    from: (usize, usize),
    to: (usize, usize),
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let (found, wanted) = (grad.len(), count * to.0 * to.1);
    assert_eq!(
        found, wanted,
        "resize_bilinear_gradient: {found} gradients, not {wanted}"
    );
    let out = out.into();
    let size = from.0 * from.1;
    out.expect_len(count * size, "resize_bilinear_gradient");
    let (ys, xs) = (samples(from.0.max(1), to.0), samples(from.1.max(1), to.1));
    let start: Shared<f32> = out.shared();
    (0..count).into_par_iter().for_each(|map| {
        // SAFETY: each map is written by one task, which fills it with zeros first.
        let map_out = unsafe {
            std::ptr::write_bytes(start.at(map * size), 0, size);
            std::slice::from_raw_parts_mut(start.at(map * size), size)
        };
        let mut line = vec![0.0; from.1];
        for (y, sample) in ys.iter().enumerate() {
            line.fill(0.0);
            let row = &grad[(map * to.0 + y) * to.1..][..to.1];
            for (x, &grad) in xs.iter().zip(row) {
                line[x.near] += (1.0 - x.weight) * grad;
                line[x.far] += x.weight * grad;
            }
            for (row, weight) in [
                (sample.near, 1.0 - sample.weight),
                (sample.far, sample.weight),
            ] {
                let row = &mut map_out[row * from.1..][..from.1];
                row.iter_mut()
                    .zip(&line)
                    .for_each(|(sum, &x)| *sum += weight * x);
            }
        }
    });
    // SAFETY: every map was written.
    unsafe { out.written() }
}
