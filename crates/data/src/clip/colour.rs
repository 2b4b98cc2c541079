//! Changes of colour; masks stay as they are.

use std::array;

use masklet_media::RgbImage;

/// A change of colours. Each step blends the picture with something, and goes beyond it for
/// factors above 1; steps are clamped to 0..=255 one after another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColourChange {
    /// 0 is black, 1 leaves the picture as it is.
    pub brightness: f32,
    /// 0 is the picture's mean grey, 1 leaves it as it is.
    pub contrast: f32,
    /// 0 is grey, 1 leaves the picture as it is.
    pub saturation: f32,
    /// Turn of the hue, as a fraction of the colour circle.
    pub hue: f32,
    /// The order in which brightness (0), contrast (1), saturation (2) and hue (3) are changed.
    pub order: [u8; 4],
}

impl ColourChange {
    /// The change that changes nothing.
    pub const IDENTITY: Self = Self {
        brightness: 1.0,
        contrast: 1.0,
        saturation: 1.0,
        hue: 0.0,
        order: [0, 1, 2, 3],
    };

    /// Changes a picture.
    pub fn apply(&self, picture: &mut RgbImage) {
        for step in self.order {
            match step {
                0 if self.brightness != 1.0 => blend_with(picture, self.brightness, 0.0),
                1 if self.contrast != 1.0 => {
                    let mean = mean_luma(picture);
                    blend_with(picture, self.contrast, mean);
                }
                2 if self.saturation != 1.0 => blend(picture, self.saturation, luma),
                3 if self.hue != 0.0 => turn_hue(picture, self.hue),
                _ => {}
            }
        }
    }
}

/// Makes a picture grey: ITU-R 601 luma in all channels.
pub(super) fn to_grey(picture: &mut RgbImage) {
    blend(picture, 0.0, luma);
}

/// The perceived brightness of a colour (ITU-R 601), 0..=255.
fn luma([r, g, b]: [u8; 3]) -> f32 {
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
}

fn mean_luma(picture: &RgbImage) -> f32 {
    let pixels = picture.pixels().as_chunks::<3>().0;
    let sum: f64 = pixels.iter().map(|&pixel| f64::from(luma(pixel))).sum();
    (sum / pixels.len() as f64) as f32
}

/// `share` of the picture and the rest of `other`, pixel by pixel.
fn blend(picture: &mut RgbImage, share: f32, other: impl Fn([u8; 3]) -> f32) {
    for pixel in picture.pixels_mut().as_chunks_mut::<3>().0 {
        let other = other(*pixel) * (1.0 - share);
        *pixel = pixel.map(|value| blended(value, share, other));
    }
}

/// `share` of the picture and the rest of one grey.
fn blend_with(picture: &mut RgbImage, share: f32, grey: f32) {
    let rest = grey * (1.0 - share);
    let table: [u8; 256] = array::from_fn(|value| blended(value as u8, share, rest));
    for value in picture.pixels_mut() {
        *value = table[usize::from(*value)];
    }
}

fn blended(value: u8, share: f32, rest: f32) -> u8 {
    // The cast clamps to 0..=255.
    (share * f32::from(value) + rest + 0.5) as u8
}

fn turn_hue(picture: &mut RgbImage, turn: f32) {
    for pixel in picture.pixels_mut().as_chunks_mut::<3>().0 {
        let [r, g, b] = pixel.map(f32::from);
        let (most, least) = (r.max(g).max(b), r.min(g).min(b));
        let chroma = most - least;
        if chroma == 0.0 {
            continue;
        }
        // Sixths of the colour circle.
        let hue = match most {
            _ if most == r => (g - b) / chroma,
            _ if most == g => (b - r) / chroma + 2.0,
            _ => (r - g) / chroma + 4.0,
        };
        let hue = (hue + 6.0 * turn).rem_euclid(6.0);
        let channel = |offset: f32| {
            let k = (hue + offset).rem_euclid(6.0);
            let value = most - chroma * k.min(4.0 - k).clamp(0.0, 1.0);
            (value + 0.5) as u8
        };
        *pixel = [channel(5.0), channel(3.0), channel(1.0)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(colour: [u8; 3], change: ColourChange) -> [u8; 3] {
        let mut picture = RgbImage::filled(1, 1, colour).unwrap();
        change.apply(&mut picture);
        picture.pixel(0, 0).unwrap()
    }

    #[test]
    fn a_third_of_the_circle_turns_red_to_green_and_green_to_blue() {
        let third = ColourChange {
            hue: 1.0 / 3.0,
            ..ColourChange::IDENTITY
        };
        assert_eq!(changed([200, 0, 0], third), [0, 200, 0]);
        assert_eq!(changed([0, 200, 0], third), [0, 0, 200]);
        assert_eq!(changed([90, 90, 90], third), [90, 90, 90]);
        let none = ColourChange {
            hue: 1.0,
            ..ColourChange::IDENTITY
        };
        assert_eq!(changed([201, 30, 77], none), [201, 30, 77]);
    }

    #[test]
    fn brightness_scales_and_saturation_zero_is_grey() {
        let bright = ColourChange {
            brightness: 1.5,
            ..ColourChange::IDENTITY
        };
        assert_eq!(changed([100, 200, 0], bright), [150, 255, 0]);
        let grey = ColourChange {
            saturation: 0.0,
            ..ColourChange::IDENTITY
        };
        assert_eq!(changed([255, 0, 0], grey), [76; 3]);
        assert_eq!(changed([10, 20, 30], ColourChange::IDENTITY), [10, 20, 30]);
    }
}
