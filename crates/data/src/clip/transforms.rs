//! Random transforms of clips. What is drawn is drawn once for a clip and applied to all its
//! frames, pictures and masks alike, unless stated.

use rand::Rng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::colour::to_grey;
use super::{Affine, Clip, ColourChange};
use crate::{DataError, Result};

/// Which transforms are applied, in this order. The defaults are those of SAM 2's training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Probability of exchanging left and right.
    pub flip: f64,
    /// Rotation and shear.
    pub affine: AffineRange,
    /// Probability of a mosaic of two by two copies, one of which keeps its masks.
    pub mosaic: f64,
    /// Side in pixels of the square that frames are squashed to; `None` leaves their size.
    pub resize: Option<u32>,
    /// Change of colours, the same for all frames.
    pub clip_colour: ColourRange,
    /// Probability of making all frames grey.
    pub grey: f64,
    /// Change of colours, another for each frame.
    pub frame_colour: ColourRange,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            flip: 0.5,
            affine: AffineRange::default(),
            mosaic: 0.15,
            resize: Some(1024),
            clip_colour: ColourRange {
                brightness: 0.1,
                contrast: 0.03,
                saturation: 0.03,
                hue: 0.0,
            },
            grey: 0.05,
            frame_colour: ColourRange {
                brightness: 0.1,
                contrast: 0.05,
                saturation: 0.05,
                hue: 0.0,
            },
        }
    }
}

/// How far affine maps go. Every value is drawn evenly from its range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AffineRange {
    /// Rotation in degrees, up to this in either direction; 0 to 180.
    pub rotation: f32,
    /// Shear in degrees, up to this in either direction; 0 to 80.
    pub shear: f32,
    /// Smallest and largest scale.
    pub scale: (f32, f32),
    /// Shift as a fraction of the frame's sides, up to this in either direction; 0 to 1.
    pub shift: f32,
    /// Colour of what comes from outside the picture (red, green, blue).
    pub fill: [u8; 3],
}

impl Default for AffineRange {
    fn default() -> Self {
        Self {
            rotation: 25.0,
            shear: 20.0,
            scale: (1.0, 1.0),
            shift: 0.0,
            fill: [127; 3],
        }
    }
}

/// How far colours change; 0 leaves a property as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColourRange {
    /// The factor of brightness is drawn from 1 ± this; 0 to 1.
    pub brightness: f32,
    /// The factor of contrast is drawn from 1 ± this; 0 to 1.
    pub contrast: f32,
    /// The factor of saturation is drawn from 1 ± this; 0 to 1.
    pub saturation: f32,
    /// The turn of the hue, as a fraction of the colour circle, is drawn from ± this; 0 to 0.5.
    pub hue: f32,
}

impl Augmentation {
    /// No transform at all.
    pub fn none() -> Self {
        Self {
            flip: 0.0,
            affine: AffineRange::none(),
            mosaic: 0.0,
            resize: None,
            clip_colour: ColourRange::default(),
            grey: 0.0,
            frame_colour: ColourRange::default(),
        }
    }

    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`DataError::BadValue`], naming the field.
    pub fn check(&self) -> Result<()> {
        within("augmentation: flip", self.flip, 0.0, 1.0, "0 to 1")?;
        within("augmentation: mosaic", self.mosaic, 0.0, 1.0, "0 to 1")?;
        within("augmentation: grey", self.grey, 0.0, 1.0, "0 to 1")?;
        let side = f64::from(self.resize.unwrap_or(1));
        within("augmentation: resize", side, 1.0, 8192.0, "1 to 8192")?;
        self.affine.check()?;
        for range in [&self.clip_colour, &self.frame_colour] {
            within(
                "colour: brightness",
                range.brightness.into(),
                0.0,
                1.0,
                "0 to 1",
            )?;
            within(
                "colour: contrast",
                range.contrast.into(),
                0.0,
                1.0,
                "0 to 1",
            )?;
            within(
                "colour: saturation",
                range.saturation.into(),
                0.0,
                1.0,
                "0 to 1",
            )?;
            within("colour: hue", range.hue.into(), 0.0, 0.5, "0 to 0.5")?;
        }
        Ok(())
    }

    /// Draws and applies the transforms.
    ///
    /// # Errors
    /// As [`check`](Self::check), and those of the transforms.
    pub fn apply(&self, mut clip: Clip, rng: &mut impl Rng) -> Result<Clip> {
        self.check()?;
        if rng.random_bool(self.flip) {
            clip = clip.flipped()?;
        }
        let affine = self.affine.draw(clip.dimensions(), rng);
        if affine != Affine::IDENTITY {
            clip = clip.moved(&affine, self.affine.fill)?;
        }
        if rng.random_bool(self.mosaic) {
            clip = clip.mosaic(rng.random_range(0..4), rng.random())?;
        }
        if let Some(side) = self.resize {
            clip = clip.resized(side)?;
        }
        let change = self.clip_colour.draw(rng);
        let grey = rng.random_bool(self.grey);
        for frame in &mut clip.frames {
            change.apply(&mut frame.picture);
            if grey {
                to_grey(&mut frame.picture);
            }
            self.frame_colour.draw(rng).apply(&mut frame.picture);
        }
        Ok(clip)
    }
}

impl AffineRange {
    /// No map but the one that changes nothing.
    pub fn none() -> Self {
        Self {
            rotation: 0.0,
            shear: 0.0,
            ..Self::default()
        }
    }

    fn check(&self) -> Result<()> {
        let rotation = self.rotation.into();
        within("affine: rotation", rotation, 0.0, 180.0, "0 to 180 degrees")?;
        let shear = self.shear.into();
        within("affine: shear", shear, 0.0, 80.0, "0 to 80 degrees")?;
        within("affine: shift", self.shift.into(), 0.0, 1.0, "0 to 1")?;
        let (least, most) = (self.scale.0.into(), self.scale.1.into());
        within("affine: largest scale", most, 0.01, 100.0, "0.01 to 100")?;
        let accepted = "0.01 to the largest scale";
        within("affine: smallest scale", least, 0.01, most, accepted)
    }

    /// Draws a map for frames of (width, height).
    pub fn draw(&self, (width, height): (u32, u32), rng: &mut impl Rng) -> Affine {
        let mut either = |most: f32| rng.random_range(-most..=most);
        let (rotation, shear) = (either(self.rotation), either(self.shear));
        let shift = (
            either(self.shift) * width as f32,
            either(self.shift) * height as f32,
        );
        Affine {
            rotation,
            shear,
            scale: rng.random_range(self.scale.0..=self.scale.1),
            shift,
        }
    }
}

impl ColourRange {
    /// Draws a change.
    pub fn draw(&self, rng: &mut impl Rng) -> ColourChange {
        let mut either = |most: f32| rng.random_range(-most..=most);
        let mut change = ColourChange {
            brightness: 1.0 + either(self.brightness),
            contrast: 1.0 + either(self.contrast),
            saturation: 1.0 + either(self.saturation),
            hue: either(self.hue),
            ..ColourChange::IDENTITY
        };
        change.order.shuffle(rng);
        change
    }
}

/// Checks a value; NaN is in no range.
pub(super) fn within(
    what: &'static str,
    value: f64,
    least: f64,
    most: f64,
    accepted: &'static str,
) -> Result<()> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(DataError::BadValue {
            what,
            found: value.to_string(),
            accepted,
        }),
    }
}
