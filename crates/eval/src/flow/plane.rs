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

    /// The value at a column and row, the nearest one inside if they are outside.
    pub(super) fn at(&self, x: isize, y: isize) -> f32 {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.values[y * self.width + x]
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

    /// Central differences to the right and down.
    pub(super) fn gradients(&self) -> (Self, Self) {
        let half = |f: &dyn Fn(isize, isize) -> f32| {
            Self::from_fn(self.width, self.height, |x, y| {
                f(x as isize, y as isize) / 2.0
            })
        };
        (
            half(&|x, y| self.at(x + 1, y) - self.at(x - 1, y)),
            half(&|x, y| self.at(x, y + 1) - self.at(x, y - 1)),
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
