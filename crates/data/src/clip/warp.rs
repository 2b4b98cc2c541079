//! Pictures and masks moved by one and the same map.
//!
//! Both are interpolated linearly at the same places; a mask is then cut at one half. A picture
//! painted from its mask stays painted from it, which two different interpolations would not
//! give.

use std::array;

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
    let colours = Colours::of(old, fill);
    for_each_pixel(pixels.as_chunks_mut().0, size, |_, pixel, x, y| {
        *pixel = colours.at(map.source(x, y));
    });
    Ok(RgbImage::from_raw(size.0, size.1, pixels)?)
}

/// Lays a moved picture over `canvas` where `alpha` (`[height, width]`, 0..=1) says how much. What
/// comes from outside the old picture is its nearest pixel.
pub(super) fn lay_over(canvas: &mut RgbImage, old: &RgbImage, map: &impl Backward, alpha: &[f32]) {
    let size = canvas.dimensions();
    let colours = Colours::of(old, None);
    let below = canvas.pixels_mut().as_chunks_mut().0;
    for_each_pixel(below, size, |index, below, x, y| {
        if alpha[index] > 0.0 {
            *below = blended(*below, colours.at(map.source(x, y)), alpha[index]);
        }
    });
}

/// `alpha` of the colour `above`, and the rest of `below`.
fn blended(below: [u8; 3], above: [u8; 3], alpha: f32) -> [u8; 3] {
    array::from_fn(|channel| {
        let (low, high) = (f32::from(below[channel]), f32::from(above[channel]));
        (low * (1.0 - alpha) + high * alpha + 0.5) as u8
    })
}

/// Moves a mask into one of `size` (width, height), as soft values in 0..=1, `[height, width]`.
/// There is no object outside the old one.
pub fn soft_mask(old: &Mask, size: (u32, u32), map: &impl Backward) -> Vec<f32> {
    let mut values = vec![0f32; size.0 as usize * size.1 as usize];
    let Some(bounds) = old.bounding_box() else {
        return values;
    };
    // Nothing of the object is a pixel or more outside its box.
    let across = bounds.x0 as f32 - 1.0..bounds.x1 as f32 + 1.0;
    let down = bounds.y0 as f32 - 1.0..bounds.y1 as f32 + 1.0;
    let (width, height) = old.dimensions();
    let inside = |place: Option<usize>| f32::from(u8::from(place.is_some_and(|i| old.bits()[i])));
    for_each_pixel(&mut values, size, |_, value, x, y| {
        let (x, y) = map.source(x, y);
        if across.contains(&x) && down.contains(&y) {
            let taps = Taps::at((x, y));
            let [a, b, c, d] = taps.places(width, height).map(inside);
            let [of_a, of_b, of_c, of_d] = taps.weights;
            *value = of_a * a + of_b * b + of_c * c + of_d * d;
        }
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

/// Calls `write` for every pixel of `buffer` with its number and its centre.
fn for_each_pixel<T: Send>(
    buffer: &mut [T],
    (width, _): (u32, u32),
    write: impl Fn(usize, &mut T, f32, f32) + Sync,
) {
    let width = (width as usize).max(1);
    buffer
        .par_chunks_mut(width)
        .enumerate()
        .for_each(|(y, row)| {
            for (x, pixel) in row.iter_mut().enumerate() {
                write(y * width + x, pixel, x as f32 + 0.5, y as f32 + 0.5);
            }
        });
}

/// The colours of a picture between its pixels.
struct Colours<'a> {
    pixels: &'a [[u8; 3]],
    width: u32,
    height: u32,
    /// What is outside; `None` for the nearest pixel.
    fill: Option<[u8; 3]>,
}

impl<'a> Colours<'a> {
    fn of(picture: &'a RgbImage, fill: Option<[u8; 3]>) -> Self {
        let (width, height) = picture.dimensions();
        Self {
            pixels: picture.pixels().as_chunks().0,
            width,
            height,
            fill,
        }
    }

    fn at(&self, place: (f32, f32)) -> [u8; 3] {
        let taps = Taps::at(place);
        let colour = |place: Option<usize>| {
            let colour = place.map(|index| self.pixels[index]).or(self.fill);
            colour.unwrap_or_default().map(f32::from)
        };
        let [a, b, c, d] = match self.fill {
            Some(_) => taps.places(self.width, self.height),
            None => taps.nearest(self.width, self.height).map(Some),
        }
        .map(colour);
        let [of_a, of_b, of_c, of_d] = taps.weights;
        array::from_fn(|i| (of_a * a[i] + of_b * b[i] + of_c * c[i] + of_d * d[i] + 0.5) as u8)
    }
}

/// The four pixels around a place, by rows, and their shares in it.
struct Taps {
    left: i32,
    top: i32,
    weights: [f32; 4],
}

impl Taps {
    fn at((x, y): (f32, f32)) -> Self {
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (floor(x), floor(y));
        let share = |from: i32, to: f32| (to - from as f32).clamp(0.0, 1.0);
        let (right, lower) = (share(left, x), share(top, y));
        Self {
            left,
            top,
            weights: [
                (1.0 - right) * (1.0 - lower),
                right * (1.0 - lower),
                (1.0 - right) * lower,
                right * lower,
            ],
        }
    }

    /// Their numbers in a picture; `None` outside it.
    fn places(&self, width: u32, height: u32) -> [Option<usize>; 4] {
        let place = |dx: i32, dy: i32| {
            let (x, y) = (
                self.left.saturating_add(dx) as u32,
                self.top.saturating_add(dy) as u32,
            );
            // Negative ones have become large.
            (x < width && y < height).then(|| (y as usize) * width as usize + x as usize)
        };
        [place(0, 0), place(1, 0), place(0, 1), place(1, 1)]
    }

    /// The same with the nearest pixels for those outside. The picture is not empty.
    fn nearest(&self, width: u32, height: u32) -> [usize; 4] {
        let within = |value: i32, end: u32| value.clamp(0, end as i32 - 1) as usize;
        let place = |dx: i32, dy: i32| {
            let (x, y) = (self.left.saturating_add(dx), self.top.saturating_add(dy));
            within(y, height) * width as usize + within(x, width)
        };
        [place(0, 0), place(1, 0), place(0, 1), place(1, 1)]
    }
}

/// The largest integer that is not larger; without SSE 4.1 [`f32::floor`] is a call. Saturates, and
/// takes NaN to 0.
fn floor(x: f32) -> i32 {
    let towards_zero = x as i32;
    towards_zero.saturating_sub(i32::from(towards_zero as f32 > x))
}
