//! Clips made of single pictures.
//!
//! Objects are cut out of the picture, the holes they leave are filled, and both move: each
//! object turned, scaled, sheared and shifted along a wavy path, and bent by a thin-plate spline;
//! the background likewise, but less. Things painted with the picture's own colours pass in front,
//! some of them so that an object disappears behind one and comes back. The first frame is the
//! picture itself, but for what passes in front.

mod occluder;
mod options;
mod path;

use masklet_media::{Mask, RgbImage};
use rand::Rng;
use rand::seq::index::sample as sample_indices;

use occluder::Occluder;
pub use options::MotionOptions;
use path::Motion;

use super::fill::fill;
use super::{Clip, ClipFrame, warp};
use crate::{DataError, Result, SkipReason};

/// Makes a clip of a picture and its segments (masks of the picture's size). Objects are drawn
/// from the segments whose area is in range; [`Clip::objects`] are their places in `segments`.
/// The same arguments and generator give the same clip.
///
/// # Errors
/// [`DataError::Unusable`] if no segment's area is in range; [`DataError::BadValue`] for an
/// option out of range or a mask of another size.
pub fn clip_from_image(
    name: &str,
    picture: &RgbImage,
    segments: &[Mask],
    options: &MotionOptions,
    rng: &mut impl Rng,
) -> Result<Clip> {
    options.check()?;
    let pixels = f64::from(picture.width()) * f64::from(picture.height());
    let in_range = |mask: &Mask| {
        let share = mask.area() as f64 / pixels;
        share > 0.0 && (options.area.0..=options.area.1).contains(&share)
    };
    let candidates: Vec<usize> = (0..segments.len())
        .filter(|&i| in_range(&segments[i]))
        .collect();
    if candidates.is_empty() {
        return Err(DataError::unusable(name, SkipReason::EmptyMasks));
    }
    let count = options.objects.min(candidates.len());
    let mut chosen: Vec<usize> = sample_indices(rng, candidates.len(), count)
        .into_iter()
        .map(|index| candidates[index])
        .collect();
    chosen.sort_unstable();

    let masks = chosen
        .iter()
        .map(|&index| (index as u32, segments[index].clone()));
    let still = Clip::still(name, picture.clone(), masks.collect())?;
    let still = scaled_down(still, options.longest_side)?;
    let objects = still.objects.clone();
    let scene = Scene::draw(still, options, rng)?;
    let frames = (0..options.frames).map(|frame| scene.frame(frame));
    let clip = Clip {
        name: name.to_owned(),
        objects,
        frames: frames.collect::<Result<_>>()?,
    };
    clip.keep_promptable()
}

fn scaled_down(still: Clip, longest: u32) -> Result<Clip> {
    let (width, height) = still.dimensions();
    let scale = f64::from(longest) / f64::from(width.max(height));
    if scale >= 1.0 {
        return Ok(still);
    }
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let size = (side(width), side(height));
    still.map(
        |picture| Ok(picture.resized(size)?),
        |mask| mask.resized(size),
    )
}

/// Everything that was drawn for a clip.
struct Scene {
    picture: RgbImage,
    /// The picture without its objects.
    background: RgbImage,
    background_motion: Motion,
    /// From back to front, in the clip's order of objects.
    objects: Vec<Object>,
    occluders: Vec<Occluder>,
    frames: usize,
}

struct Object {
    mask: Mask,
    motion: Motion,
    /// Largest distance of one of its pixels from its centre.
    radius: f32,
}

impl Scene {
    fn draw(still: Clip, options: &MotionOptions, rng: &mut impl Rng) -> Result<Self> {
        let size = still.dimensions();
        let frame = still.frames.into_iter().next();
        let (picture, masks) = frame
            .map(|frame| (frame.picture, frame.masks))
            .ok_or_else(|| DataError::unusable(still.name, SkipReason::EmptyMasks))?;
        let objects: Vec<Object> = masks
            .into_iter()
            .map(|mask| Object::draw(mask, size, options, rng))
            .collect();
        let mut hole = Mask::empty(size.0, size.1);
        for object in &objects {
            let bits = hole.bits_mut().iter_mut().zip(object.mask.bits());
            bits.for_each(|(hole, &inside)| *hole |= inside);
        }
        let background = fill(&picture, &grown(&hole, 2))?;
        let centre = (size.0 as f32 / 2.0, size.1 as f32 / 2.0);
        // The bending's points cover the picture: beyond them a spline is not tame.
        let reach = size.0.max(size.1) as f32 / 2.0;
        let share = options.background;
        let background_motion = Motion::draw(centre, reach, size, share, options, rng);
        let mut scene = Self {
            picture,
            background,
            background_motion,
            objects,
            occluders: Vec::new(),
            frames: options.frames,
        };
        let count = rng.random_range(options.occluders.0..=options.occluders.1);
        for _ in 0..count {
            let occluder = Occluder::draw(&scene, options, rng);
            scene.occluders.push(occluder);
        }
        Ok(scene)
    }

    /// An object for something to hide, if it should: hiding needs a frame before and one after,
    /// and an object that is not too large.
    fn draw_hideable(&self, hides: bool, rng: &mut impl Rng) -> Option<usize> {
        let hideable: Vec<usize> = (0..self.objects.len())
            .filter(|&object| self.objects[object].radius < 0.3 * self.side())
            .collect();
        let possible = hides && self.frames >= 3 && !hideable.is_empty();
        possible.then(|| hideable[rng.random_range(0..hideable.len())])
    }

    /// The picture's shorter side.
    fn side(&self) -> f32 {
        let (width, height) = self.picture.dimensions();
        width.min(height) as f32
    }

    fn time(&self, frame: usize) -> f32 {
        frame as f32 / (self.frames.max(2) - 1) as f32
    }

    fn frame(&self, frame: usize) -> Result<ClipFrame> {
        let size = self.picture.dimensions();
        let time = self.time(frame);
        let mut picture = if frame == 0 {
            self.picture.clone()
        } else {
            let moved = self.background_motion.at(time);
            moved.picture(&self.background)?
        };
        let mut masks: Vec<Mask> = Vec::with_capacity(self.objects.len());
        for object in &self.objects {
            let moved = object.motion.at(time);
            let alpha = moved.soft_mask(&object.mask, size);
            if frame > 0 {
                moved.lay_over(&mut picture, &self.picture, &alpha);
            }
            let mask = warp::cut(&alpha, size);
            masks.iter_mut().for_each(|below| subtract(below, &mask));
            masks.push(mask);
        }
        for occluder in &self.occluders {
            let alpha = occluder.lay_over(&mut picture, self, frame);
            let mask = warp::cut(&alpha, size);
            masks.iter_mut().for_each(|below| subtract(below, &mask));
        }
        Ok(ClipFrame { picture, masks })
    }
}

impl Object {
    fn draw(mask: Mask, size: (u32, u32), options: &MotionOptions, rng: &mut impl Rng) -> Self {
        let (centre, radius) = extent(&mask);
        let motion = Motion::draw(centre, radius, size, 1.0, options, rng);
        Self {
            mask,
            motion,
            radius,
        }
    }

    /// How far from its (moved) centre the object reaches on any frame, at most.
    fn reach(&self, frames: usize) -> f32 {
        let end = self.motion.end;
        let lean = 1.0 + end.shear.abs().to_radians().tan();
        let bend = if self.motion.bend.is_some() && frames > 1 {
            1.5
        } else {
            1.0
        };
        self.radius * end.scale.max(1.0) * lean * bend
    }
}

/// The centre of gravity of an object and the largest distance of a pixel from it.
fn extent(mask: &Mask) -> ((f32, f32), f32) {
    let width = mask.width().max(1) as usize;
    let inside = || {
        let pixels = mask
            .bits()
            .iter()
            .enumerate()
            .filter(|(_, inside)| **inside);
        pixels.map(move |(index, _)| ((index % width) as f64 + 0.5, (index / width) as f64 + 0.5))
    };
    let count = mask.area().max(1) as f64;
    let (x, y) = inside().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x, sum.1 + y));
    let (x, y) = (x / count, y / count);
    let radius = inside()
        .map(|(px, py)| (px - x).hypot(py - y))
        .fold(0.0, f64::max);
    ((x as f32, y as f32), radius as f32)
}

fn subtract(from: &mut Mask, what: &Mask) {
    let bits = from.bits_mut().iter_mut().zip(what.bits());
    bits.for_each(|(bit, &taken)| *bit &= !taken);
}

/// The mask and all pixels up to `steps` away from it in a row or column, repeated: a margin that
/// keeps an object's blurred rim out of what its hole is filled with.
fn grown(mask: &Mask, steps: usize) -> Mask {
    let mut grown = mask.clone();
    for _ in 0..steps {
        let before = grown.clone();
        let (width, height) = before.dimensions();
        grown = Mask::from_fn(width, height, |x, y| {
            before.contains(x, y)
                || before.contains(x + 1, y)
                || before.contains(x, y + 1)
                || x > 0 && before.contains(x - 1, y)
                || y > 0 && before.contains(x, y - 1)
        });
    }
    grown
}
