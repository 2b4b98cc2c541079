//! Masks as sets of pixels: what two share, their union, and a mask inside a larger one.

use super::Mask;
use crate::{BoundingBox, MediaError, Result};

impl Mask {
    /// Intersection over union with `other`, in 0..=1. Two empty masks agree: 1.
    ///
    /// # Errors
    /// [`MediaError::SizeMismatch`] if the masks differ in size.
    pub fn iou(&self, other: &Mask) -> Result<f64> {
        let both = self.shared_area(other)?;
        let either = self.area() + other.area() - both;
        Ok(if either == 0 {
            1.0
        } else {
            both as f64 / either as f64
        })
    }

    /// The number of pixels that both masks cover.
    ///
    /// # Errors
    /// [`MediaError::SizeMismatch`] if the masks differ in size.
    pub fn shared_area(&self, other: &Mask) -> Result<u64> {
        self.check_same_size(other)?;
        let pairs = self.bits.iter().zip(&other.bits);
        Ok(pairs.map(|(&a, &b)| u64::from(a & b)).sum())
    }

    /// Adds the pixels of `other` to this mask.
    ///
    /// # Errors
    /// [`MediaError::SizeMismatch`] if the masks differ in size.
    pub fn add(&mut self, other: &Mask) -> Result<()> {
        self.check_same_size(other)?;
        for (bit, &more) in self.bits.iter_mut().zip(&other.bits) {
            *bit |= more;
        }
        Ok(())
    }

    /// This mask of a part of a picture as a mask of the whole picture, `width` by `height`, where
    /// the part is at `place`.
    ///
    /// # Errors
    /// [`MediaError::SizeMismatch`] if the mask is not of the size of `place`;
    /// [`MediaError::OutsidePicture`] if `place` reaches beyond the picture.
    pub fn placed(&self, place: BoundingBox, (width, height): (u32, u32)) -> Result<Mask> {
        let size = (place.width(), place.height());
        if self.dimensions() != size {
            return Err(mismatch("the mask of a part", self.dimensions(), size));
        }
        if place.x1 > width || place.y1 > height {
            return Err(MediaError::OutsidePicture {
                bounds: place,
                width,
                height,
            });
        }
        let mut whole = Mask::empty(width, height);
        for y in 0..self.height {
            let first = (place.y0 + y) as usize * width as usize + place.x0 as usize;
            whole.bits[first..][..self.width as usize].copy_from_slice(self.row(y));
        }
        Ok(whole)
    }

    fn check_same_size(&self, other: &Mask) -> Result<()> {
        if self.dimensions() == other.dimensions() {
            Ok(())
        } else {
            let (found, expected) = (other.dimensions(), self.dimensions());
            Err(mismatch("the second mask", found, expected))
        }
    }
}

fn mismatch(what: &str, found: (u32, u32), expected: (u32, u32)) -> MediaError {
    MediaError::SizeMismatch {
        what: what.into(),
        found,
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_and_joined_pixels_are_counted_once() {
        let left = Mask::from_fn(6, 2, |x, _| x < 4);
        let right = Mask::from_fn(6, 2, |x, _| x >= 3);
        assert_eq!(left.shared_area(&right).unwrap(), 2);
        assert_eq!(left.iou(&right).unwrap(), 2.0 / 12.0);
        let mut all = left;
        all.add(&right).unwrap();
        assert_eq!(all.area(), 12);
        assert!(all.add(&Mask::empty(2, 6)).is_err());
    }

    #[test]
    fn a_mask_of_a_part_is_placed_in_the_whole() {
        let part = Mask::from_fn(2, 3, |x, y| x == 1 && y > 0);
        let place = BoundingBox {
            x0: 3,
            y0: 2,
            x1: 5,
            y1: 5,
        };
        let whole = part.placed(place, (6, 5)).unwrap();
        assert_eq!(whole, Mask::from_fn(6, 5, |x, y| x == 4 && y > 2));
        assert!(matches!(
            part.placed(place, (6, 4)),
            Err(MediaError::OutsidePicture { .. })
        ));
        assert!(Mask::empty(3, 2).placed(place, (6, 5)).is_err());
    }
}
