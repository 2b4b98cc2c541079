//! A smooth outline around a mask.

use super::blend;
use crate::{Mask, RgbImage};

/// Draws a line of about two units along the mask's edge, with a thin dark rim outside so that
/// it shows on any background.
///
/// The mask is blurred a little and the line drawn where the blurred value passes one half:
/// near an edge the blurred value tells the distance to it, which gives a line of even width
/// with soft sides and without stairs.
pub(super) fn draw(canvas: &mut RgbImage, mask: &Mask, colour: [u8; 3], unit: f32) {
    let half_width = 1.1 * unit;
    let radius = unit.round().max(1.0) as usize;
    let margin = 3 * radius + 2 + half_width.ceil() as usize;
    let Some(patch) = Patch::around(mask, margin) else {
        return;
    };
    let blurred = patch.blur(radius);
    // Three passes of a box of 2r+1 have this standard deviation in all.
    let side = (2 * radius + 1) as f32;
    let sigma = ((side * side - 1.0) / 4.0).sqrt();

    let width = canvas.width() as usize;
    let pixels = canvas.pixels_mut().as_chunks_mut::<3>().0;
    for y in patch.visible_rows() {
        for x in patch.visible_columns() {
            let distance = edge_distance(blurred[patch.at(x, y)], sigma);
            let rim = (half_width + 1.1 * unit.min(1.5) - distance.abs()).clamp(0.0, 1.0);
            let line = (half_width + 0.5 - distance.abs()).clamp(0.0, 1.0);
            if rim > 0.0 || line > 0.0 {
                let pixel = &mut pixels[y * width + x];
                *pixel = blend(*pixel, [0; 3], 0.35 * rim * (1.0 - line));
                *pixel = blend(*pixel, colour, line);
            }
        }
    }
}

/// The distance from an edge, in pixels, at which a step blurred with deviation `sigma` has
/// `value`; positive inside. (The logistic function stands in for the normal distribution.)
fn edge_distance(value: f32, sigma: f32) -> f32 {
    let value = value.clamp(1e-4, 1.0 - 1e-4);
    sigma * (value / (1.0 - value)).ln() / 1.702
}

/// The part of a mask around its object, with a margin that may reach outside the picture;
/// outside, the mask goes on as at the picture's edge, so that no line is drawn there.
struct Patch {
    /// Position of the patch in the picture.
    left: isize,
    top: isize,
    width: usize,
    height: usize,
    /// Size of the picture.
    picture: (usize, usize),
    /// `[height, width]`, 0 or 1.
    values: Vec<f32>,
}

impl Patch {
    fn around(mask: &Mask, margin: usize) -> Option<Self> {
        let found = mask.bounding_box()?;
        let picture = (mask.width() as usize, mask.height() as usize);
        let left = found.x0 as isize - margin as isize;
        let top = found.y0 as isize - margin as isize;
        let width = found.width() as usize + 2 * margin;
        let height = found.height() as usize + 2 * margin;
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let y = (top + y as isize).clamp(0, picture.1 as isize - 1) as usize;
            let row = &mask.bits()[y * picture.0..][..picture.0];
            values.extend((0..width).map(|x| {
                let x = (left + x as isize).clamp(0, picture.0 as isize - 1) as usize;
                f32::from(u8::from(row[x]))
            }));
        }
        Some(Self {
            left,
            top,
            width,
            height,
            picture,
            values,
        })
    }

    fn visible_columns(&self) -> std::ops::Range<usize> {
        let end = (self.left + self.width as isize).clamp(0, self.picture.0 as isize);
        self.left.max(0) as usize..end as usize
    }

    fn visible_rows(&self) -> std::ops::Range<usize> {
        let end = (self.top + self.height as isize).clamp(0, self.picture.1 as isize);
        self.top.max(0) as usize..end as usize
    }

    /// The index into the patch of the picture's pixel, which must be visible.
    fn at(&self, x: usize, y: usize) -> usize {
        (y as isize - self.top) as usize * self.width + (x as isize - self.left) as usize
    }

    /// Three box blurs in each direction: close to a Gaussian.
    fn blur(&self, radius: usize) -> Vec<f32> {
        let mut values = self.values.clone();
        let mut line = vec![0.0; self.width.max(self.height)];
        for _ in 0..3 {
            for row in values.chunks_mut(self.width) {
                line[..self.width].copy_from_slice(row);
                box_blur(&line[..self.width], radius, |x, value| row[x] = value);
            }
        }
        for x in 0..self.width {
            for _ in 0..3 {
                for y in 0..self.height {
                    line[y] = values[y * self.width + x];
                }
                box_blur(&line[..self.height], radius, |y, value| {
                    values[y * self.width + x] = value
                });
            }
        }
        values
    }
}

/// Running mean over `2 * radius + 1` values, the ends repeated.
fn box_blur(line: &[f32], radius: usize, mut put: impl FnMut(usize, f32)) {
    let last = line.len() - 1;
    let value = |at: isize| line[at.clamp(0, last as isize) as usize];
    let reach = radius as isize;
    let share = 1.0 / (2 * radius + 1) as f32;
    let mut sum: f32 = (-reach..=reach).map(value).sum();
    for at in 0..line.len() {
        put(at, sum * share);
        sum += value(at as isize + reach + 1) - value(at as isize - reach);
    }
}
