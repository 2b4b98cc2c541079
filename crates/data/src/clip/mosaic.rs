//! Four copies of a clip in one, of which one counts.

use masklet_media::{Mask, RgbImage};

use super::Clip;
use super::geometry::{flip_mask, flip_picture};
use crate::{DataError, Result};

impl Clip {
    /// The clip four times in a grid of two by two at half size, each copy flipped or not as
    /// `flips` says (upper left, upper right, lower left, lower right). The masks are those of
    /// copy `target` (0..4) alone: the others are look-alikes that a tracker must not follow.
    ///
    /// # Errors
    /// [`DataError::BadValue`] if the frames are too small or `target` is no copy.
    pub fn mosaic(mut self, target: usize, flips: [bool; 4]) -> Result<Self> {
        let (width, height) = self.dimensions();
        if target >= 4 || width < 2 || height < 2 {
            return Err(DataError::BadValue {
                what: "a mosaic",
                found: format!("copy {target} of frames of {width}x{height}"),
                accepted: "a copy 0 to 3 of frames of at least 2x2",
            });
        }
        let cells = cells(width, height);
        for frame in &mut self.frames {
            let mut picture = RgbImage::filled(width, height, [0; 3])?;
            for (cell, flip) in cells.iter().zip(flips) {
                let small = frame.picture.resized(cell.size)?;
                let small = if flip { flip_picture(&small)? } else { small };
                let target = picture.pixels_mut().as_chunks_mut::<3>().0;
                cell.paste(small.pixels().as_chunks::<3>().0, target, width);
            }
            frame.picture = picture;
            for mask in &mut frame.masks {
                let small = mask.resized(cells[target].size);
                let small = if flips[target] {
                    flip_mask(&small)
                } else {
                    small
                };
                *mask = Mask::empty(width, height);
                cells[target].paste(small.bits(), mask.bits_mut(), width);
            }
        }
        Ok(self)
    }
}

struct Cell {
    origin: (u32, u32),
    size: (u32, u32),
}

fn cells(width: u32, height: u32) -> [Cell; 4] {
    let (left, top) = (width / 2, height / 2);
    let cell = |x, y| Cell {
        origin: (x * left, y * top),
        size: (
            if x == 0 { left } else { width - left },
            if y == 0 { top } else { height - top },
        ),
    };
    [cell(0, 0), cell(1, 0), cell(0, 1), cell(1, 1)]
}

impl Cell {
    fn paste<T: Copy>(&self, source: &[T], target: &mut [T], width: u32) {
        for (y, row) in source.chunks_exact(self.size.0 as usize).enumerate() {
            let start = (self.origin.1 as usize + y) * width as usize + self.origin.0 as usize;
            target[start..start + row.len()].copy_from_slice(row);
        }
    }
}
