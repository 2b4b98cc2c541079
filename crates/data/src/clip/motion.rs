//! Clips made of single pictures.
//!
//! Objects are cut out of the picture, the holes they leave are filled, and both move: each
//! object turned, scaled, sheared and shifted along a wavy path, and bent by a thin-plate spline;
//! the background likewise, but less. Shapes with textures from elsewhere in the picture pass in
//! front, some of them so that an object disappears behind one and comes back. The first frame
//! is the picture itself.

use std::f32::consts::TAU;

use masklet_media::{Mask, RgbImage};
use rand::Rng;
use rand::seq::index::sample as sample_indices;
use serde::{Deserialize, Serialize};

use super::geometry::{chain, resize_mask, resize_picture};
use super::render::{Blob, composite, fill, fold, mirrored};
use super::spline::ThinPlate;
use super::transforms::within;
use super::{Affine, Clip, ClipFrame, ColourChange, warp};
use crate::{DataError, Result, SkipReason};

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
        }
    }
}

impl MotionOptions {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`DataError::BadValue`], naming the field.
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
        within("motion: hide", self.hide, 0.0, 1.0, "0 to 1")
    }
}

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
        |picture| resize_picture(picture, size),
        |mask| resize_mask(mask, size),
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

/// The motion of a thing about its centre.
struct Motion {
    centre: (f32, f32),
    end: Affine,
    /// Height and phase of the path's wave, for both axes.
    wave: [(f32, f32); 2],
    bend: Option<ThinPlate>,
    /// Phase of the bending.
    sway: f32,
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
            moved.picture(&self.background, size)?
        };
        let mut masks: Vec<Mask> = Vec::with_capacity(self.objects.len());
        for object in &self.objects {
            let moved = object.motion.at(time);
            let alpha = moved.soft_mask(&object.mask, size);
            if frame > 0 {
                composite(&mut picture, &moved.picture(&self.picture, size)?, &alpha);
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

impl Motion {
    /// `reach` is the size that bending is relative to, `share` how much of the motions is made.
    fn draw(
        centre: (f32, f32),
        reach: f32,
        (width, height): (u32, u32),
        share: f32,
        options: &MotionOptions,
        rng: &mut impl Rng,
    ) -> Self {
        let mut either = |most: f32| rng.random_range(-most..=most);
        let (shift_x, shift_y) = (
            options.shift * share * width as f32,
            options.shift * share * height as f32,
        );
        let end = Affine {
            rotation: either(options.rotation * share),
            shear: either(options.shear * share),
            scale: either(options.scale.ln() * share).exp(),
            shift: (either(shift_x), either(shift_y)),
        };
        let wave = [shift_x, shift_y].map(|most| (either(0.25 * most), either(TAU)));
        let amount = options.bend * share * reach;
        let (points, displacements): (Vec<_>, Vec<_>) = (0..3)
            .flat_map(|row| (0..3).map(move |column| (column, row)))
            .map(|(column, row): (u8, u8)| {
                let place = |step: u8| (f32::from(step) - 1.0) * reach;
                let point = (centre.0 + place(column), centre.1 + place(row));
                (point, (either(amount), either(amount)))
            })
            .unzip();
        let bend = match amount > 0.0 {
            true => ThinPlate::new(&points, &displacements, reach.max(1.0)),
            false => None,
        };
        Self {
            centre,
            end,
            wave,
            bend,
            sway: rng.random_range(0.5..1.5),
        }
    }

    /// The affine part at a time in 0..=1; the identity at 0.
    fn pose(&self, time: f32) -> Affine {
        let wave =
            |(height, phase): (f32, f32)| height * ((TAU * time + phase).sin() - phase.sin());
        let [wave_x, wave_y] = self.wave.map(wave);
        Affine {
            rotation: self.end.rotation * time,
            shear: self.end.shear * time,
            scale: self.end.scale.powf(time),
            shift: (
                self.end.shift.0 * time + wave_x,
                self.end.shift.1 * time + wave_y,
            ),
        }
    }

    fn at(&self, time: f32) -> Moved<'_> {
        Moved {
            motion: self,
            pose: self.pose(time),
            bending: (std::f32::consts::PI * self.sway * time).sin(),
        }
    }
}

/// A motion at one time.
struct Moved<'a> {
    motion: &'a Motion,
    pose: Affine,
    bending: f32,
}

impl Moved<'_> {
    fn bent(&self, x: f32, y: f32) -> (f32, f32) {
        let (dx, dy) = self
            .motion
            .bend
            .as_ref()
            .map_or((0.0, 0.0), |bend| bend.at(x, y));
        (x + self.bending * dx, y + self.bending * dy)
    }

    fn picture(&self, old: &RgbImage, size: (u32, u32)) -> Result<RgbImage> {
        let affine = self.pose.backward(self.motion.centre);
        // What comes in at the edges is the picture mirrored.
        let bend = |x, y| {
            let (x, y) = self.bent(x, y);
            (fold(x, size.0), fold(y, size.1))
        };
        warp::picture(old, size, &chain(&affine, &bend), None)
    }

    fn soft_mask(&self, old: &Mask, size: (u32, u32)) -> Vec<f32> {
        let affine = self.pose.backward(self.motion.centre);
        let bend = |x, y| self.bent(x, y);
        warp::soft_mask(old, size, &chain(&affine, &bend))
    }
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
