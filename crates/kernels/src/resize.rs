//! Resizing and pooling.

use crate::attention::largest_of_four;
use crate::conv::Images;
use crate::cpu;
use crate::elementwise::combine;
use crate::output::{Out, Shared, Written};
use rayon::prelude::*;

/// Two neighbouring positions and the weight of the second.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub near: usize,
    pub far: usize,
    pub weight: f32,
}

/// Where `to` pixel centres lie among `from` ones (`align_corners = false`).
pub(crate) fn samples(from: usize, to: usize) -> Vec<Sample> {
    let step = from as f32 / to as f32;
    let sample = |i: usize| {
        let position = ((i as f32 + 0.5) * step - 0.5).max(0.0);
        let near = (position as usize).min(from - 1);
        Sample {
            near,
            far: (near + 1).min(from - 1),
            weight: position - near as f32,
        }
    };
    (0..to).map(sample).collect()
}

/// Bilinear resize of `count` single-channel maps, `[count, from.0, from.1]` to
/// `[count, to.0, to.1]`, as PyTorch's `interpolate` with `align_corners = false`.
pub fn resize_bilinear<'o>(
    maps: &[f32],
    count: usize,
    from: (usize, usize),
    to: (usize, usize),
    out: impl Into<Out<'o>>,
) -> Written<'o> {
    let (found, wanted) = (maps.len(), count * from.0 * from.1);
    assert_eq!(
        found, wanted,
        "resize_bilinear: the maps have {found} numbers, not {wanted}"
    );
    let out = out.into();
    out.expect_len(count * to.0 * to.1, "resize_bilinear");
    assert!(
        wanted > 0 || out.is_empty(),
        "resize_bilinear: nothing to make a map from"
    );
    let (ys, xs) = (samples(from.0.max(1), to.0), samples(from.1.max(1), to.1));
    let start: Shared<f32> = out.shared();
    (0..count * to.0)
        .into_par_iter()
        .for_each_init(Vec::new, |line, index| {
            let (map, y) = (index / to.0, ys[index % to.0]);
            let row = |y: usize| &maps[(map * from.0 + y) * from.1..][..from.1];
            let between = |(&a, &b): (&f32, &f32)| (1.0 - y.weight) * a + y.weight * b;
            line.clear();
            line.extend(row(y.near).iter().zip(row(y.far)).map(between));
            for (i, x) in xs.iter().enumerate() {
                let value = (1.0 - x.weight) * line[x.near] + x.weight * line[x.far];
                // SAFETY: line `index` of the output has `to.1` numbers; one task writes it.
                unsafe { *start.at(index * to.1 + i) = value };
            }
        });
    // SAFETY: every line was written.
    unsafe { out.written() }
}

/// `out[batch, 2 h, 2 w, c] = fine[batch, 2 h, 2 w, c] + coarse[batch, h, w, c]`, each coarse position
/// repeated for the four it covers: the top-down step of a feature pyramid.
pub fn upsample_add<'o>(fine: &[f32], coarse: Images<'_>, out: impl Into<Out<'o>>) -> Written<'o> {
    coarse.check(coarse.channels, "upsample_add");
    let (found, wanted) = (fine.len(), 4 * coarse.data.len());
    assert_eq!(
        found, wanted,
        "upsample_add: the fine images have {found} numbers, not {wanted}"
    );
    let out = out.into();
    out.expect_len(wanted, "upsample_add");
    let (isa, channels, width) = (cpu::path().isa, coarse.channels, 2 * coarse.width);
    let to: Shared<f32> = out.shared();
    (0..2 * coarse.batch * coarse.height)
        .into_par_iter()
        .for_each(|line| {
            for x in 0..width {
                let at = (line * width + x) * channels;
                let from = (line / 2 * coarse.width + x / 2) * channels;
                let (fine, coarse) = (
                    &fine[at..at + channels],
                    &coarse.data[from..from + channels],
                );
                // SAFETY: all three have `channels` numbers; one task writes the position.
                unsafe {
                    combine(
                        isa,
                        fine.as_ptr(),
                        coarse.as_ptr(),
                        1.0,
                        channels,
                        to.at(at),
                    )
                };
            }
        });
    // SAFETY: every position was written.
    unsafe { out.written() }
}

/// `out[batch, h / 2, w / 2, c]`: the largest of each 2x2 positions, NaN if any is.
pub fn max_pool_2x2<'o>(images: Images<'_>, out: impl Into<Out<'o>>) -> Written<'o> {
    images.check(images.channels, "max_pool_2x2");
    let (height, width) = (images.height / 2, images.width / 2);
    let out = out.into();
    out.expect_len(
        images.batch * height * width * images.channels,
        "max_pool_2x2",
    );
    let (isa, channels) = (cpu::path().isa, images.channels);
    let to: Shared<f32> = out.shared();
    (0..images.batch * height).into_par_iter().for_each(|line| {
        let top = line / height * images.height + line % height * 2;
        for x in 0..width {
            let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| {
                let position = (top + dy) * images.width + 2 * x + dx;
                images.data[position * channels..][..channels].as_ptr()
            });
            // SAFETY: all five have `channels` numbers; one task writes the position.
            unsafe { largest_of_four(isa, &four, channels, to.at((line * width + x) * channels)) };
        }
    });
    // SAFETY: every position was written.
    unsafe { out.written() }
}
