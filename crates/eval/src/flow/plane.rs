//! [`Plane`]: numbers on a grid.

use masklet_media::RgbImage;

/// Values `[height, width]`.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Plane {
    pub(super) fn filled(width: usize, height: usize, value: f32) -> Self {
        Self {
            width,
            height,
            values: vec![value; width * height],
        }
    }

    /// The grey values of a picture, by the weights of Rec. 601.
    pub(super) fn grey(picture: &RgbImage) -> Self {
        let grey =
            |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            values: picture.pixels().chunks_exact(3).map(grey).collect(),
        }
    }

    /// Between pixels, bilinear.
    pub(super) fn sample(&self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let (upper, lower) = (y0 * self.width, y1 * self.width);
        let top = self.values[upper + x0] * (1.0 - fx) + self.values[upper + x1] * fx;
        let bottom = self.values[lower + x0] * (1.0 - fx) + self.values[lower + x1] * fx;
        top * (1.0 - fy) + bottom * fy
    }

    /// Half the size; each pixel is the mean of four.
    pub(super) fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let mean = |x: usize, y: usize| {
            let at = 2 * y * self.width + 2 * x;
            let below = at + self.width;
            let v = &self.values;
            (v[at] + v[at + 1] + v[below] + v[below + 1]) / 4.0
        };
        Self::from_fn(width, height, mean)
    }

    /// Another size, bilinear between the pixels' centres.
    pub(super) fn resized(&self, width: usize, height: usize) -> Self {
        let (sx, sy) = (
            self.width as f32 / width as f32,
            self.height as f32 / height as f32,
        );
        Self::from_fn(width, height, |x, y| {
            self.sample((x as f32 + 0.5) * sx - 0.5, (y as f32 + 0.5) * sy - 0.5)
        })
    }

    /// The differences between the two neighbours of each pixel, to the right and down: twice the
    /// gradient.
    pub(super) fn differences(&self) -> (Self, Self) {
        let (last_x, last_y) = (self.width - 1, self.height - 1);
        let at = |x: usize, y: usize| self.values[y * self.width + x];
        (
            Self::from_fn(self.width, self.height, |x, y| {
                at((x + 1).min(last_x), y) - at(x.saturating_sub(1), y)
            }),
            Self::from_fn(self.width, self.height, |x, y| {
                at(x, (y + 1).min(last_y)) - at(x, y.saturating_sub(1))
            }),
        )
    }

    /// Sobel's gradients to the right and down: smoothed across their direction.
    pub(super) fn smooth_gradients(&self) -> (Self, Self) {
        let (last_x, last_y) = (self.width - 1, self.height - 1);
        let (right, down) = self.differences();
        let smoothed = |before: f32, here: f32, after: f32| (before + 2.0 * here + after) / 8.0;
        (
            Self::from_fn(self.width, self.height, |x, y| {
                let at = |y: usize| right.values[y * self.width + x];
                smoothed(at(y.saturating_sub(1)), at(y), at((y + 1).min(last_y)))
            }),
            Self::from_fn(self.width, self.height, |x, y| {
                let at = |x: usize| down.values[y * self.width + x];
                smoothed(at(x.saturating_sub(1)), at(x), at((x + 1).min(last_x)))
            }),
        )
    }

    pub(super) fn from_fn(
        width: usize,
        height: usize,
        mut value: impl FnMut(usize, usize) -> f32,
    ) -> Self {
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            values.extend((0..width).map(|x| value(x, y)));
        }
        Self {
            width,
            height,
            values,
        }
    }
}
