//! How pictures become clips.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::clip::transforms::within;

/// How a picture becomes a clip. Motions are those from the first frame to the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MotionOptions {
    /// Frames in the clip; at least 1.
    pub frames: usize,
    /// Most objects in the clip; at least 1.
    pub objects: usize,
    /// Pictures whose longer side has more pixels are scaled down to this first.
    pub longest_side: u32,
    /// Smallest and largest area of an object, as a fraction of the picture.
    pub area: (f64, f64),
    /// Shift as a fraction of the picture's sides, up to this in either direction; 0 to 2.
    pub shift: f32,
    /// Rotation in degrees, up to this in either direction; 0 to 180.
    pub rotation: f32,
    /// Shear in degrees, up to this in either direction; 0 to 45.
    pub shear: f32,
    /// Largest enlargement, and the inverse of the smallest; 1 to 4.
    pub scale: f32,
    /// Bending as a fraction of the object's size, up to this in either direction; 0 to 0.3.
    pub bend: f32,
    /// How much of these motions the background makes; 0 to 1.
    pub background: f32,
    /// Smallest and largest number of things that pass in front.
    pub occluders: (usize, usize),
    /// Probability that such a thing hides an object wholly for a while; 0 to 1.
    pub hide: f64,
    /// Probability that such a thing is a bar from edge to edge (a pole, a trunk), and not round;
    /// 0 to 1. One that does not hide an object cuts it in two.
    pub bars: f64,
}

impl Default for MotionOptions {
    fn default() -> Self {
        Self {
            frames: 8,
            objects: 3,
            longest_side: 1024,
            area: (0.002, 0.5),
            shift: 0.2,
            rotation: 20.0,
            shear: 8.0,
            scale: 1.25,
            bend: 0.08,
            background: 0.3,
            occluders: (0, 2),
            hide: 0.5,
            bars: 0.0,
        }
    }
}

impl MotionOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`DataError::BadValue`](crate::DataError::BadValue), naming the field.
    pub fn check(&self) -> Result<()> {
        within("motion: frames", self.frames as f64, 1.0, 1e6, "at least 1")?;
        within(
            "motion: objects",
            self.objects as f64,
            1.0,
            1e6,
            "at least 1",
        )?;
        within(
            "motion: longest_side",
            self.longest_side.into(),
            8.0,
            1e6,
            "at least 8",
        )?;
        within(
            "motion: smallest area",
            self.area.0,
            0.0,
            self.area.1,
            "0 to the largest area",
        )?;
        within("motion: largest area", self.area.1, 0.0, 1.0, "0 to 1")?;
        within("motion: shift", self.shift.into(), 0.0, 2.0, "0 to 2")?;
        within(
            "motion: rotation",
            self.rotation.into(),
            0.0,
            180.0,
            "0 to 180 degrees",
        )?;
        within(
            "motion: shear",
            self.shear.into(),
            0.0,
            45.0,
            "0 to 45 degrees",
        )?;
        within("motion: scale", self.scale.into(), 1.0, 4.0, "1 to 4")?;
        within("motion: bend", self.bend.into(), 0.0, 0.3, "0 to 0.3")?;
        within(
            "motion: background",
            self.background.into(),
            0.0,
            1.0,
            "0 to 1",
        )?;
        let (least, most) = (self.occluders.0 as f64, self.occluders.1 as f64);
        within(
            "motion: fewest occluders",
            least,
            0.0,
            most,
            "0 to the most occluders",
        )?;
        within("motion: most occluders", most, 0.0, 100.0, "0 to 100")?;
        within("motion: hide", self.hide, 0.0, 1.0, "0 to 1")?;
        within("motion: bars", self.bars, 0.0, 1.0, "0 to 1")
    }
}
