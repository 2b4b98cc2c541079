//! Pictures and masks moved by one and the same map.
//!
//! Both are interpolated linearly at the same places; a mask is then cut at one half. A picture
//! painted from its mask stays painted from it, which two different interpolations would not
//! give.

use masklet_media::{Mask, RgbImage};
use rayon::prelude::*;

use crate::Result;

/// A map from places in the new picture to places in the old one, in pixels, pixel centres at
/// half numbers.
pub trait Backward: Sync {
    /// Where the new picture's (`x`, `y`) was.
    fn source(&self, x: f32, y: f32) -> (f32, f32);
}

impl<F: Fn(f32, f32) -> (f32, f32) + Sync> Backward for F {
    fn source(&self, x: f32, y: f32) -> (f32, f32) {
        self(x, y)
    }
}

/// Moves a picture into one of `size` (width, height). What comes from outside the old one is
/// `fill`, or with `None` its nearest pixel.
///
/// # Errors
/// If `size` has a zero side.
pub fn picture(
    old: &RgbImage,
    size: (u32, u32),
    map: &impl Backward,
    fill: Option<[u8; 3]>,
) -> Result<RgbImage> {
    let mut pixels = vec![0u8; size.0 as usize * size.1 as usize * 3];
    let fill = fill.map(|colour| colour.map(f32::from));
    let read = Taps::of(old.dimensions());
    let old = old.pixels().as_chunks::<3>().0;
    for_each_pixel(&mut pixels, 3, size, map, |pixel, x, y| {
        let mut sum = [0f32; 3];
        for (place, weight) in read.at(x, y, fill.is_none()) {
            let colour = place.map(|index| old[index].map(f32::from)).or(fill);
            let colour = colour.unwrap_or_default();
            (0..3).for_each(|channel| sum[channel] += weight * colour[channel]);
        }
        (0..3).for_each(|channel| pixel[channel] = (sum[channel] + 0.5) as u8);
    });
    Ok(RgbImage::from_raw(size.0, size.1, pixels)?)
}

/// Moves a mask into one of `size` (width, height), as soft values in 0..=1, `[height, width]`.
/// There is no object outside the old one.
pub fn soft_mask(old: &Mask, size: (u32, u32), map: &impl Backward) -> Vec<f32> {
    let mut values = vec![0f32; size.0 as usize * size.1 as usize];
    let read = Taps::of(old.dimensions());
    for_each_pixel(&mut values, 1, size, map, |value, x, y| {
        let taps = read.at(x, y, false);
        let inside = taps.filter(|(place, _)| place.is_some_and(|index| old.bits()[index]));
        value[0] = inside.map(|(_, weight)| weight).sum();
    });
    values
}

/// Moves a mask into one of `size` (width, height): see [`soft_mask`], cut at one half.
pub fn mask(old: &Mask, size: (u32, u32), map: &impl Backward) -> Mask {
    cut(&soft_mask(old, size, map), size)
}

/// The mask of soft values of at least one half.
pub(crate) fn cut(soft: &[f32], (width, height): (u32, u32)) -> Mask {
    let mut mask = Mask::empty(width, height);
    for (bit, &value) in mask.bits_mut().iter_mut().zip(soft) {
        *bit = value >= 0.5;
    }
    mask
}

/// Calls `write` for every pixel of `buffer` (`channels` values each) with its source.
fn for_each_pixel<T: Send>(
    buffer: &mut [T],
    channels: usize,
    (width, _): (u32, u32),
    map: &impl Backward,
    write: impl Fn(&mut [T], f32, f32) + Sync,
) {
    let row_length = (width as usize * channels).max(1);
    buffer
        .par_chunks_mut(row_length)
        .enumerate()
        .for_each(|(y, row)| {
            for (x, pixel) in row.chunks_mut(channels).enumerate() {
                let (sx, sy) = map.source(x as f32 + 0.5, y as f32 + 0.5);
                write(pixel, sx, sy);
            }
        });
}

/// Linear interpolation in a picture of some size.
struct Taps {
    width: i64,
    height: i64,
}

impl Taps {
    fn of((width, height): (u32, u32)) -> Self {
        Self {
            width: width.into(),
            height: height.into(),
        }
    }

    /// The four pixels around a place with their weights; `None` outside, unless `clamp`.
    fn at(&self, x: f32, y: f32, clamp: bool) -> impl Iterator<Item = (Option<usize>, f32)> {
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (right_share, lower_share) = (x - left, y - top);
        // Casts saturate, and take NaN to 0.
        let (left, top) = (left as i64, top as i64);
        let (width, height) = (self.width, self.height);
        [(0, 0), (1, 0), (0, 1), (1, 1)]
            .into_iter()
            .map(move |(dx, dy)| {
                let across = if dx == 1 {
                    right_share
                } else {
                    1.0 - right_share
                };
                let down = if dy == 1 {
                    lower_share
                } else {
                    1.0 - lower_share
                };
                let (mut px, mut py) = (left.saturating_add(dx), top.saturating_add(dy));
                if clamp {
                    (px, py) = (px.clamp(0, width - 1), py.clamp(0, height - 1));
                }
                let inside = (0..width).contains(&px) && (0..height).contains(&py);
                (inside.then_some((py * width + px) as usize), across * down)
            })
    }
}
