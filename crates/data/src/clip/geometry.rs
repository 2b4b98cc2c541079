//! Flips, affine maps and resizing.

use masklet_media::{Mask, RgbImage};

use super::Clip;
use super::warp;
use crate::{DataError, Result};

/// An affine map about a centre: scaled, sheared, turned, then shifted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Turn in degrees, clockwise as seen (y points down).
    pub rotation: f32,
    /// Shear along x in degrees: a vertical line leans by this much.
    pub shear: f32,
    /// Enlargement; must be positive.
    pub scale: f32,
    /// Shift in pixels, to the right and down.
    pub shift: (f32, f32),
}

impl Affine {
    /// The map that changes nothing.
    pub const IDENTITY: Self = Self {
        rotation: 0.0,
        shear: 0.0,
        scale: 1.0,
        shift: (0.0, 0.0),
    };

    /// The inverse map about `centre`, as a function from new places to old ones.
    pub fn backward(&self, (cx, cy): (f32, f32)) -> impl Fn(f32, f32) -> (f32, f32) + Sync + use<> {
        let (sin, cos) = self.rotation.to_radians().sin_cos();
        let lean = self.shear.to_radians().tan();
        let (scale, (shift_x, shift_y)) = (self.scale, self.shift);
        move |x, y| {
            let (x, y) = (x - cx - shift_x, y - cy - shift_y);
            let (x, y) = (cos * x + sin * y, cos * y - sin * x);
            let x = x - lean * y;
            (x / scale + cx, y / scale + cy)
        }
    }
}

impl Clip {
    /// Left and right exchanged.
    ///
    /// # Errors
    /// None for a consistent clip.
    pub fn flipped(self) -> Result<Self> {
        self.map(flip_picture, flip_mask)
    }

    /// Every frame moved by `affine` about its centre; what comes from outside is `fill`.
    ///
    /// # Errors
    /// [`DataError::BadValue`] if the scale is not positive.
    pub fn moved(self, affine: &Affine, fill: [u8; 3]) -> Result<Self> {
        if affine.scale <= 0.0 || !affine.scale.is_finite() {
            return Err(DataError::BadValue {
                what: "the scale of an affine map",
                found: affine.scale.to_string(),
                accepted: "a positive number",
            });
        }
        let size = self.dimensions();
        let centre = (size.0 as f32 / 2.0, size.1 as f32 / 2.0);
        let map = affine.backward(centre);
        self.map(
            |picture| warp::picture(picture, size, &map, Some(fill)),
            |mask| warp::mask(mask, size, &map),
        )
    }

    /// Every frame squashed to `side` x `side` pixels, as the network's input is: pictures by
    /// Pillow's bicubic filter, masks by the antialiased linear one, cut at one half.
    ///
    /// # Errors
    /// If `side` is zero.
    pub fn resized(self, side: u32) -> Result<Self> {
        self.map(
            |picture| Ok(picture.resized((side, side))?),
            |mask| mask.resized((side, side)),
        )
    }
}

pub(super) fn flip_picture(picture: &RgbImage) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let rows = picture.pixels().chunks_exact(width as usize * 3);
    let pixels = rows.flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten().copied());
    Ok(RgbImage::from_raw(width, height, pixels.collect())?)
}

pub(super) fn flip_mask(mask: &Mask) -> Mask {
    let mut flipped = mask.clone();
    let width = mask.width().max(1) as usize;
    flipped
        .bits_mut()
        .chunks_exact_mut(width)
        .for_each(<[bool]>::reverse);
    flipped
}

/// A place in a picture of `size` that goes on mirrored beyond its edges.
pub(super) fn mirrored((x, y): (f32, f32), (width, height): (u32, u32)) -> (f32, f32) {
    (fold(x, width), fold(y, height))
}

/// A coordinate mirrored into 0..=`length` as often as it takes.
fn fold(value: f32, length: u32) -> f32 {
    let length = length as f32;
    if (0.0..=length).contains(&value) {
        return value;
    }
    let around = value.rem_euclid(2.0 * length);
    around.min(2.0 * length - around)
}
