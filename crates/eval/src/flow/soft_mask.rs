//! [`SoftMask`]: a mask that is moved along by flow.

use std::ops::Range;

use masklet_media::Mask;

use super::Flow;

/// How much of each pixel the object covers, `[height, width]`, in 0..=1. Moved from frame to frame
/// in this form, an object's edges do not crumble as they would if each frame rounded them to whole
/// pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftMask {
    width: usize,
    height: usize,
    cover: Vec<f32>,
}

impl From<&Mask> for SoftMask {
    fn from(mask: &Mask) -> Self {
        let cover = mask.bits().iter().map(|&bit| f32::from(u8::from(bit)));
        Self {
            width: mask.width() as usize,
            height: mask.height() as usize,
            cover: cover.collect(),
        }
    }
}

impl SoftMask {
    /// The pixels that are covered by more than a half.
    pub fn mask(&self) -> Mask {
        Mask::from_fn(self.width as u32, self.height as u32, |x, y| {
            self.cover[y as usize * self.width + x as usize] > 0.5
        })
    }

    /// The mask on the frame from which `back` leads to this mask's frame: each pixel has what is at
    /// the place it came from, bilinear; what came from beyond the picture is background.
    ///
    /// # Panics
    /// If the flow is of pictures of another size.
    pub fn moved(&self, back: &Flow) -> Self {
        assert_eq!(
            (self.width, self.height),
            back.dimensions,
            "sizes of mask and pictures"
        );
        let mut cover = vec![0.0; self.cover.len()];
        // Only near the object can anything of it be.
        if let Some((columns, rows)) = self.reach(back.farthest()) {
            for y in rows {
                for x in columns.clone() {
                    let (right, down) = back.at(x, y);
                    cover[y * self.width + x] = self.sample(x as f32 + right, y as f32 + down);
                }
            }
        }
        Self { cover, ..*self }
    }

    /// The columns and rows in which something is covered, and those `right` and `down` around them.
    fn reach(&self, (right, down): (f32, f32)) -> Option<(Range<usize>, Range<usize>)> {
        let (width, height) = (self.width as u32, self.height as u32);
        let covered = Mask::from_logits(width, height, &self.cover, 0.0).ok()?;
        let bounds = covered.bounding_box()?;
        let around = |from: u32, to: u32, far: f32, length: usize| {
            let far = far.ceil() as usize + 1;
            (from as usize).saturating_sub(far)..(to as usize + far).min(length)
        };
        Some((
            around(bounds.x0, bounds.x1, right, self.width),
            around(bounds.y0, bounds.y1, down, self.height),
        ))
    }

    fn sample(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (left, top) = (left as isize, top as isize);
        let at = |x: isize, y: isize| {
            let inside =
                (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
            if inside {
                self.cover[y as usize * self.width + x as usize]
            } else {
                0.0
            }
        };
        let upper = at(left, top) * (1.0 - fx) + at(left + 1, top) * fx;
        let lower = at(left, top + 1) * (1.0 - fx) + at(left + 1, top + 1) * fx;
        upper * (1.0 - fy) + lower * fy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Pyramid, optical_flow};
    use masklet_media::RgbImage;

    #[test]
    fn a_mask_follows_what_moves_under_it() {
        // A textured picture that moves right and down by whole pixels.
        let picture = |dx: i32, dy: i32| {
            let value = |x: i32, y: i32| {
                let wave = (x as f32 / 5.0).sin() * (y as f32 / 6.0).cos();
                (128.0 + 100.0 * wave) as u8
            };
            let pixels = (0..96i32).flat_map(|y| (0..128i32).map(move |x| (x, y)));
            let bytes = pixels.flat_map(|(x, y)| [value(x - dx, y - dy); 3]);
            Pyramid::new(&RgbImage::from_raw(128, 96, bytes.collect()).unwrap())
        };
        let square = |left: u32, top: u32| {
            Mask::from_fn(128, 96, |x, y| {
                (left..left + 30).contains(&x) && (top..top + 30).contains(&y)
            })
        };
        let mut mask = SoftMask::from(&square(40, 30));
        assert_eq!(mask.mask(), square(40, 30));
        for step in 1..=3 {
            let back = optical_flow(&picture(2 * step, step), &picture(2 * step - 2, step - 1));
            mask = mask.moved(&back);
        }
        let iou = mask.mask().iou(&square(46, 33)).unwrap();
        assert!(iou > 0.9, "{iou}");
    }
}
