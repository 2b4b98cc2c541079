//! Colours of video: Y'CbCr with chroma at half resolution (4:2:0) to RGB and back.
//!
//! Written here rather than taken from a library because pixels have to equal ffmpeg's: its
//! default conversion gives the four pixels of a square the same chroma, without smoothing,
//! and rounds in a way of its own.

use crate::{Result, RgbImage};

/// The weights of red and blue in luma (ITU-T H.273, table 4).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weights {
    red: f64,
    blue: f64,
}

/// How the three planes stand for colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Colour {
    weights: Weights,
    full_range: bool,
}

impl Colour {
    /// From the matrix coefficients' number in H.273. Unspecified and unknown ones are taken
    /// for BT.601 whatever the size of the picture, as ffmpeg does.
    pub(crate) fn new(matrix_coefficients: u8, full_range: bool) -> Self {
        let (red, blue) = match matrix_coefficients {
            1 => (0.2126, 0.0722),
            4 => (0.30, 0.11),
            7 => (0.212, 0.087),
            9 | 10 => (0.2627, 0.0593),
            _ => (0.299, 0.114),
        };
        Self {
            weights: Weights { red, blue },
            full_range,
        }
    }

    /// What this crate writes: BT.709, limited range.
    pub(crate) fn bt709() -> Self {
        Self::new(1, false)
    }

    /// Factors from (luma, chroma) as stored to values of 0 to 255, and the value of black.
    fn ranges(self) -> (f64, f64, f64) {
        if self.full_range {
            (1.0, 1.0, 0.0)
        } else {
            (255.0 / 219.0, 255.0 / 224.0, 16.0)
        }
    }
}

/// One plane: rows of `stride` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) stride: usize,
}

impl Plane<'_> {
    /// `width` bytes of row `y`; bytes that are not there repeat the last one that is.
    fn row(&self, y: usize, width: usize) -> std::borrow::Cow<'_, [u8]> {
        let start = (y * self.stride).min(self.bytes.len());
        let end = (start + width).min(self.bytes.len());
        let found = &self.bytes[start..end];
        if found.len() == width {
            return found.into();
        }
        let mut row = found.to_vec();
        row.resize(width, found.last().copied().unwrap_or(128));
        row.into()
    }
}

/// The RGB picture of `width` x `height` pixels at the top left of the planes
/// `[luma, blue difference, red difference]`.
///
/// The arithmetic is that of ffmpeg's vector code on x86, bit for bit: factors have 13 bits
/// after the point, values 3, and every product is rounded down on its own, which makes
/// colours darker by one level on average than exact arithmetic would.
///
/// # Errors
/// If a side is zero.
pub(crate) fn to_rgb(
    planes: [Plane<'_>; 3],
    width: u32,
    height: u32,
    colour: Colour,
) -> Result<RgbImage> {
    let (luma_scale, chroma_scale, black) = colour.ranges();
    let Weights { red, blue } = colour.weights;
    let green = 1.0 - red - blue;
    let factor = |value: f64| (value * f64::from(1 << 13)).round() as i32;
    let product = |value: i32, factor: i32| (value * factor) >> 16;
    let scale = factor(luma_scale);
    let red_from_cr = factor(chroma_scale * 2.0 * (1.0 - red));
    let blue_from_cb = factor(chroma_scale * 2.0 * (1.0 - blue));
    let green_from_cb = factor(-chroma_scale * 2.0 * blue * (1.0 - blue) / green);
    let green_from_cr = factor(-chroma_scale * 2.0 * red * (1.0 - red) / green);
    let black = black as i32;

    let columns = width as usize;
    let mut pixels = vec![0; columns * height as usize * 3];
    for (y, out) in pixels.chunks_exact_mut(columns * 3).enumerate() {
        let luma = planes[0].row(y, columns);
        let cb = planes[1].row(y / 2, columns.div_ceil(2));
        let cr = planes[2].row(y / 2, columns.div_ceil(2));
        let chroma = cb.iter().zip(cr.iter());
        for ((luma, out), (&cb, &cr)) in luma.chunks(2).zip(out.chunks_mut(6)).zip(chroma) {
            let (cb, cr) = ((i32::from(cb) - 128) << 3, (i32::from(cr) - 128) << 3);
            let differences = [
                product(cr, red_from_cr),
                product(cb, green_from_cb) + product(cr, green_from_cr),
                product(cb, blue_from_cb),
            ];
            for (&luma, out) in luma.iter().zip(out.chunks_exact_mut(3)) {
                let luma = product((i32::from(luma) - black) << 3, scale);
                for (out, difference) in out.iter_mut().zip(differences) {
                    *out = (luma + difference).clamp(0, 255) as u8;
                }
            }
        }
    }
    RgbImage::from_raw(width, height, pixels)
}

/// The planes of a picture, without gaps between rows.
pub(crate) struct Yuv420 {
    pub(crate) luma: Vec<u8>,
    pub(crate) cb: Vec<u8>,
    pub(crate) cr: Vec<u8>,
}

/// The planes of `picture`; chroma is the mean of four pixels. They are `width` x `height`
/// pixels large, both even and no smaller than the picture, whose last column and row are
/// repeated to fill them.
pub(crate) fn from_rgb(
    picture: &RgbImage,
    (width, height): (usize, usize),
    colour: Colour,
) -> Yuv420 {
    let (columns, rows) = (picture.width() as usize, picture.height() as usize);
    let (pixels, _) = picture.pixels().as_chunks::<3>();
    let mut planes = Yuv420 {
        luma: vec![0; width * height],
        cb: Vec::with_capacity(width * height / 4),
        cr: Vec::with_capacity(width * height / 4),
    };

    const FRACTION_BITS: u32 = 16;
    let (luma_scale, chroma_scale, black) = colour.ranges();
    let Weights { red, blue } = colour.weights;
    let weights = [red, 1.0 - red - blue, blue];
    let fixed = |value: f64| (value * f64::from(1 << FRACTION_BITS)).round() as i32;
    let luma_weights = weights.map(|weight| fixed(weight / luma_scale));
    // A colour difference is (channel - luma) / (2 · (1 - weight)), here of the sum of four.
    let chroma_weights = |channel: usize| {
        let divisor = chroma_scale * 2.0 * (1.0 - weights[channel]) * 4.0;
        [0, 1, 2].map(|i| fixed((f64::from(u8::from(i == channel)) - weights[i]) / divisor))
    };
    let (to_cb, to_cr) = (chroma_weights(2), chroma_weights(0));
    let half = 1 << (FRACTION_BITS - 1);
    let luma_offset = fixed(black) + half;
    let chroma_offset = fixed(128.0) + half;
    let dot = |weights: [i32; 3], rgb: [i32; 3]| -> i32 {
        weights
            .iter()
            .zip(rgb)
            .map(|(weight, value)| weight * value)
            .sum()
    };

    for y in (0..height).step_by(2) {
        for x in (0..width).step_by(2) {
            let mut sum = [0; 3];
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let (column, row) = ((x + dx).min(columns - 1), (y + dy).min(rows - 1));
                let rgb = pixels[row * columns + column].map(i32::from);
                planes.luma[(y + dy) * width + x + dx] =
                    ((dot(luma_weights, rgb) + luma_offset) >> FRACTION_BITS).clamp(0, 255) as u8;
                for (sum, value) in sum.iter_mut().zip(rgb) {
                    *sum += value;
                }
            }
            let chroma = |weights| {
                ((dot(weights, sum) + chroma_offset) >> FRACTION_BITS).clamp(0, 255) as u8
            };
            planes.cb.push(chroma(to_cb));
            planes.cr.push(chroma(to_cr));
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(colour: Colour, rgb: [u8; 3]) -> [u8; 3] {
        let planes = from_rgb(&RgbImage::filled(3, 3, rgb).unwrap(), (4, 4), colour);
        let plane = |bytes, stride| Plane { bytes, stride };
        let planes = [
            plane(&planes.luma, 4),
            plane(&planes.cb, 2),
            plane(&planes.cr, 2),
        ];
        to_rgb(planes, 3, 3, colour).unwrap().pixel(2, 2).unwrap()
    }

    #[test]
    fn colours_survive_there_and_back_within_rounding() {
        for matrix in [1, 2, 4, 5, 6, 7, 9] {
            for full_range in [false, true] {
                let colour = Colour::new(matrix, full_range);
                for rgb in [
                    [0, 0, 0],
                    [255, 255, 255],
                    [255, 0, 0],
                    [0, 255, 0],
                    [20, 90, 200],
                ] {
                    let back = there_and_back(colour, rgb);
                    for (back, sent) in back.into_iter().zip(rgb) {
                        assert!(
                            back.abs_diff(sent) <= 4,
                            "{matrix}: {rgb:?} became {back:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn constant_planes_become_what_ffmpeg_makes_of_them() {
        let one = |luma: u8, cb: u8, cr: u8, colour| {
            let [luma, cb, cr] = [[luma], [cb], [cr]];
            let planes = [&luma, &cb, &cr].map(|bytes| Plane { bytes, stride: 1 });
            to_rgb(planes, 1, 1, colour).unwrap().pixels().to_vec()
        };
        assert_eq!(one(16, 128, 128, Colour::bt709()), [0, 0, 0]);
        assert_eq!(one(235, 128, 128, Colour::bt709()), [255, 255, 255]);
        // Pure red in either standard: 255 but for the rounding.
        assert_eq!(one(63, 102, 240, Colour::bt709()), [254, 0, 0]);
        assert_eq!(one(81, 90, 240, Colour::new(6, false)), [253, 0, 0]);
        assert_eq!(one(128, 128, 128, Colour::new(2, true)), [128, 128, 128]);
        assert_eq!(one(200, 30, 90, Colour::new(9, false)), [150, 255, 4]);
    }
}
