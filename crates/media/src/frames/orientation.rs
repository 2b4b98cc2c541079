//! Pictures that are stored turned or mirrored.

use crate::{Result, RgbImage};

/// How a stored picture is turned for display: one of the eight ways a rectangle fits on
/// itself. First rows and columns change places, then axes are mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orientation {
    transposed: bool,
    mirrored_x: bool,
    mirrored_y: bool,
}

impl Orientation {
    /// From the display matrix of a track header (ISO/IEC 14496-12, 8.3.2), which maps `(x, y)`
    /// to `(a·x + c·y, b·x + d·y)`. A matrix at an odd angle becomes the nearest right angle.
    pub(crate) fn from_matrix(matrix: &[i32; 9]) -> Self {
        let [a, b, _, c, d, ..] = matrix.map(i64::from);
        if b.abs() + c.abs() > a.abs() + d.abs() {
            Self {
                transposed: true,
                mirrored_x: c < 0,
                mirrored_y: b < 0,
            }
        } else {
            Self {
                transposed: false,
                mirrored_x: a < 0,
                mirrored_y: d < 0,
            }
        }
    }

    /// Width and height of the turned picture.
    pub(crate) fn dimensions(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.transposed {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// Turns `picture`.
    ///
    /// # Errors
    /// None in practice: the turned picture has as many pixels as the stored one.
    pub(crate) fn apply(self, picture: RgbImage) -> Result<RgbImage> {
        if self == Self::default() {
            return Ok(picture);
        }
        let (stored_width, _) = picture.dimensions();
        let (width, height) = self.dimensions(picture.dimensions());
        let (stored, _) = picture.pixels().as_chunks::<3>();
        let mut turned = Vec::with_capacity(picture.pixels().len());
        for y in 0..height {
            let y = if self.mirrored_y { height - 1 - y } else { y };
            for x in 0..width {
                let x = if self.mirrored_x { width - 1 - x } else { x };
                let (column, row) = if self.transposed { (y, x) } else { (x, y) };
                let index = row as usize * stored_width as usize + column as usize;
                turned.extend_from_slice(&stored[index]);
            }
        }
        RgbImage::from_raw(width, height, turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 1 << 16;

    /// A picture of 2x1 pixels, 1 and 2, turned by a matrix with the given corner.
    fn turned(a: i32, b: i32, c: i32, d: i32) -> ((u32, u32), Vec<u8>) {
        let matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30];
        let stored = RgbImage::from_raw(2, 1, vec![1, 1, 1, 2, 2, 2]).unwrap();
        let turned = Orientation::from_matrix(&matrix).apply(stored).unwrap();
        let levels = turned.pixels().iter().step_by(3).copied().collect();
        (turned.dimensions(), levels)
    }

    #[test]
    fn the_eight_matrices_turn_as_they_say() {
        assert_eq!(turned(1, 0, 0, 1), ((2, 1), vec![1, 2]));
        assert_eq!(turned(-1, 0, 0, -1), ((2, 1), vec![2, 1]));
        assert_eq!(turned(-1, 0, 0, 1), ((2, 1), vec![2, 1]));
        assert_eq!(turned(1, 0, 0, -1), ((2, 1), vec![1, 2]));
        // Clockwise by a quarter: what was left is on top.
        assert_eq!(turned(0, 1, -1, 0), ((1, 2), vec![1, 2]));
        assert_eq!(turned(0, -1, 1, 0), ((1, 2), vec![2, 1]));
        assert_eq!(turned(0, 1, 1, 0), ((1, 2), vec![1, 2]));
        assert_eq!(turned(0, -1, -1, 0), ((1, 2), vec![2, 1]));
    }
}
