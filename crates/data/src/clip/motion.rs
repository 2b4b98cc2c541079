//! Clips made of single pictures.
//!
//! Objects are cut out of the picture, the holes they leave are filled, and both move: each
//! object turned, scaled, sheared and shifted along a wavy path, and bent by a thin-plate spline;
//! the background likewise, but less. Shapes with textures from elsewhere in the picture pass in
//! front, some of them so that an object disappears behind one and comes back. The first frame
//! is the picture itself.

mod options;
mod path;

use std::f32::consts::TAU;

use masklet_media::{Mask, RgbImage};
use rand::Rng;
use rand::seq::index::sample as sample_indices;

pub use options::MotionOptions;
use path::Motion;

use super::render::{Blob, composite, fill, mirrored};
use super::{Clip, ClipFrame, ColourChange, warp};
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

/// Something that passes in front.
struct Occluder {
    blob: Blob,
    texture: RgbImage,
    path: Path,
}

enum Path {
    /// From one place to another.
    Straight { from: (f32, f32), to: (f32, f32) },
    /// Over object `object`, which it hides on frame `frame`; `speed` per frame relative to it.
    Over {
        object: usize,
        frame: usize,
        speed: (f32, f32),
    },
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
            let hides = rng.random_bool(options.hide);
            let occluder = scene.draw_occluder(hides, rng)?;
            scene.occluders.push(occluder);
        }
        Ok(scene)
    }

    /// Hiding needs a frame before and one after, and an object that is not too large.
    fn draw_occluder(&self, hides: bool, rng: &mut impl Rng) -> Result<Occluder> {
        let (width, height) = self.picture.dimensions();
        let side = width.min(height) as f32;
        let hideable: Vec<usize> = (0..self.objects.len())
            .filter(|&object| self.objects[object].radius < 0.3 * side)
            .collect();
        let angle = rng.random_range(0.0..TAU);
        let (radius, path) = if hides && self.frames >= 3 && !hideable.is_empty() {
            let object = hideable[rng.random_range(0..hideable.len())];
            let reach = self.objects[object].reach(self.frames);
            let radius = 1.05 * reach + 2.0;
            let frame = rng.random_range(1..self.frames - 1);
            // Fast enough to be clear of the object on the first frame and on the last: by its
            // reach and the occluder's, with the waves, and a quarter more.
            let frames = frame.min(self.frames - 1 - frame) as f32;
            let speed = 1.25 * (reach + 1.6 * radius) / frames;
            let speed = (speed * angle.cos(), speed * angle.sin());
            (
                radius,
                Path::Over {
                    object,
                    frame,
                    speed,
                },
            )
        } else {
            let radius = side * rng.random_range(0.06..0.14);
            let away = 0.5 * (width as f32).hypot(height as f32) + 1.6 * radius;
            let aside = rng.random_range(-0.3..0.3) * side;
            let middle = (width as f32 / 2.0, height as f32 / 2.0);
            let (sin, cos) = angle.sin_cos();
            let at = |along: f32| {
                (
                    middle.0 + cos * along - sin * aside,
                    middle.1 + sin * along + cos * aside,
                )
            };
            (
                radius,
                Path::Straight {
                    from: at(-away),
                    to: at(away),
                },
            )
        };
        let waves = (0..4).map(|_| (rng.random_range(0.0..0.15), rng.random_range(0.0..TAU)));
        let waves = waves.collect();
        let shift = (
            rng.random_range(0.0..width as f32),
            rng.random_range(0.0..height as f32),
        );
        let mut texture = mirrored(&self.picture, shift)?;
        let change = ColourChange {
            brightness: rng.random_range(0.5..1.3),
            hue: rng.random_range(-0.3..0.3),
            ..ColourChange::IDENTITY
        };
        change.apply(&mut texture);
        Ok(Occluder {
            blob: Blob { radius, waves },
            texture,
            path,
        })
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
            let alpha = occluder.blob.alpha(self.place(&occluder.path, frame), size);
            composite(&mut picture, &occluder.texture, &alpha);
            let mask = warp::cut(&alpha, size);
            masks.iter_mut().for_each(|below| subtract(below, &mask));
        }
        Ok(ClipFrame { picture, masks })
    }

    /// Where an occluder's centre is.
    fn place(&self, path: &Path, frame: usize) -> (f32, f32) {
        let time = self.time(frame);
        match *path {
            Path::Straight { from, to } => (
                from.0 + (to.0 - from.0) * time,
                from.1 + (to.1 - from.1) * time,
            ),
            Path::Over {
                object,
                frame: middle,
                speed,
            } => {
                let motion = &self.objects[object].motion;
                let shift = motion.pose(time).shift;
                let steps = frame as f32 - middle as f32;
                (
                    motion.centre.0 + shift.0 + steps * speed.0,
                    motion.centre.1 + shift.1 + steps * speed.1,
                )
            }
        }
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
