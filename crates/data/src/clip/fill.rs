//! Holes in pictures filled.

use masklet_media::{Mask, RgbImage};

use crate::Result;

/// A picture with `hole` filled smoothly from around it: averages of ever larger neighbourhoods,
/// laid from the coarsest to the finest over what is still unknown. A hole of everything becomes
/// black.
pub(super) fn fill(picture: &RgbImage, hole: &Mask) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let pixels = picture.pixels().as_chunks::<3>().0;
    let values = pixels
        .iter()
        .zip(hole.bits())
        .map(|(pixel, &hole)| match hole {
            true => [0.0; 4],
            false => [
                f32::from(pixel[0]),
                f32::from(pixel[1]),
                f32::from(pixel[2]),
                1.0,
            ],
        });
    let mut levels = vec![Level {
        width: width as usize,
        height: height as usize,
        values: values.collect(),
    }];
    while let Some(coarser) = levels.last().and_then(Level::halved) {
        levels.push(coarser);
    }
    let finest = levels.into_iter().rev().reduce(|coarse, mut fine| {
        fine.fill_from(&coarse);
        fine
    });
    let values = finest.map(|level| level.values).unwrap_or_default();
    let colours = values
        .iter()
        .flat_map(|value| [value[0], value[1], value[2]]);
    let pixels = colours.map(|value| (value + 0.5) as u8).collect();
    Ok(RgbImage::from_raw(width, height, pixels)?)
}

/// Colours times their weight, and the weight: 0 where nothing is known.
struct Level {
    width: usize,
    height: usize,
    values: Vec<[f32; 4]>,
}

impl Level {
    fn halved(&self) -> Option<Self> {
        if self.width == 1 && self.height == 1 {
            return None;
        }
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut values = vec![[0f32; 4]; width * height];
        for (index, value) in self.values.iter().enumerate() {
            let (x, y) = (index % self.width / 2, index / self.width / 2);
            let sum = &mut values[y * width + x];
            (0..4).for_each(|channel| sum[channel] += value[channel]);
        }
        for value in &mut values {
            if value[3] > 1.0 {
                *value = value.map(|part| part / value[3]);
            }
        }
        Some(Self {
            width,
            height,
            values,
        })
    }

    fn fill_from(&mut self, coarse: &Level) {
        for (index, value) in self.values.iter_mut().enumerate() {
            let missing = 1.0 - value[3];
            if missing > 0.0 {
                let (x, y) = (index % self.width, index / self.width);
                let known = coarse.interpolated(x as f32 / 2.0 - 0.25, y as f32 / 2.0 - 0.25);
                (0..4).for_each(|channel| value[channel] += missing * known[channel]);
            }
        }
    }

    fn interpolated(&self, x: f32, y: f32) -> [f32; 4] {
        let clamp = |value: f32, end: usize| (value.max(0.0) as usize).min(end - 1);
        let (left, top) = (x.floor(), y.floor());
        let mut sum = [0f32; 4];
        for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let weight = (1.0 - (x - left - dx).abs()) * (1.0 - (y - top - dy).abs());
            let value = self.values
                [clamp(top + dy, self.height) * self.width + clamp(left + dx, self.width)];
            (0..4).for_each(|channel| sum[channel] += weight * value[channel]);
        }
        sum
    }
}
