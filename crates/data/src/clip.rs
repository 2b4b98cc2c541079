//! Short clips with masks: what a trainer is fed.

mod colour;
mod fill;
mod geometry;
mod mosaic;
mod motion;
mod sample;
mod spline;
mod transforms;
pub mod warp;

use masklet_media::{Mask, RgbImage};

use crate::{DataError, Result, SkipReason};

pub use colour::ColourChange;
pub use geometry::Affine;
pub use motion::{MotionOptions, clip_from_image};
pub use sample::{SampleOptions, sample_clip};
pub use transforms::{AffineRange, Augmentation, ColourRange};

/// A few frames of a video in memory, with the masks of some objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Where the clip comes from, for messages.
    pub name: String,
    /// The objects' numbers in the data set (in made-up clips, the places of the segments).
    pub objects: Vec<u32>,
    /// The frames, all of one size; at least one.
    pub frames: Vec<ClipFrame>,
}

/// One frame of a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipFrame {
    /// The picture.
    pub picture: RgbImage,
    /// A mask for each of [`Clip::objects`], in their order and of the picture's size; empty
    /// where the object is not visible.
    pub masks: Vec<Mask>,
}

impl Clip {
    /// A clip of one frame.
    ///
    /// # Errors
    /// If a mask is not of the picture's size.
    pub fn still(
        name: impl Into<String>,
        picture: RgbImage,
        masks: Vec<(u32, Mask)>,
    ) -> Result<Self> {
        let (objects, masks) = masks.into_iter().unzip();
        let clip = Self {
            name: name.into(),
            objects,
            frames: vec![ClipFrame { picture, masks }],
        };
        clip.check()?;
        Ok(clip)
    }

    /// Checks that every frame has the first one's size, and a mask of it for each object.
    ///
    /// # Errors
    /// [`DataError::BadValue`], naming the frame.
    pub fn check(&self) -> Result<()> {
        let dimensions = self.dimensions();
        let problem = |found| DataError::BadValue {
            what: "a clip's frame",
            found,
            accepted: "a picture of the first frame's size with a mask of that size for each object",
        };
        for (index, frame) in self.frames.iter().enumerate() {
            let sizes = std::iter::once(frame.picture.dimensions())
                .chain(frame.masks.iter().map(Mask::dimensions));
            if frame.masks.len() != self.objects.len() || sizes.into_iter().any(|s| s != dimensions)
            {
                let masks = frame.masks.len();
                return Err(problem(format!(
                    "frame {index} of {:?} with {masks} masks",
                    self.name
                )));
            }
        }
        match self.frames.is_empty() {
            true => Err(problem(format!("no frame in {:?}", self.name))),
            false => Ok(()),
        }
    }

    /// Width and height of the frames.
    pub fn dimensions(&self) -> (u32, u32) {
        self.frames
            .first()
            .map_or((0, 0), |frame| frame.picture.dimensions())
    }

    /// The clip backwards.
    pub fn reversed(mut self) -> Self {
        self.frames.reverse();
        self
    }

    /// Drops the objects that are not visible on the first frame: they could not be prompted
    /// there. Transforms can push an object out of the picture.
    ///
    /// # Errors
    /// [`DataError::Unusable`] if none is left.
    pub fn keep_promptable(mut self) -> Result<Self> {
        let visible: Vec<bool> = match self.frames.first() {
            Some(first) => first.masks.iter().map(|mask| !mask.is_empty()).collect(),
            None => Vec::new(),
        };
        if !visible.contains(&true) {
            return Err(DataError::unusable(self.name, SkipReason::EmptyMasks));
        }
        let mut keep = visible.iter();
        self.objects.retain(|_| keep.next() == Some(&true));
        for frame in &mut self.frames {
            let mut keep = visible.iter();
            frame.masks.retain(|_| keep.next() == Some(&true));
        }
        Ok(self)
    }

    /// The clip with every picture and mask replaced.
    pub(crate) fn map(
        mut self,
        picture: impl Fn(&RgbImage) -> Result<RgbImage>,
        mask: impl Fn(&Mask) -> Mask,
    ) -> Result<Self> {
        for frame in &mut self.frames {
            frame.picture = picture(&frame.picture)?;
            frame.masks.iter_mut().for_each(|old| *old = mask(old));
        }
        Ok(self)
    }
}
