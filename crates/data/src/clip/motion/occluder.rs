//! What passes in front of the objects.

use std::f32::consts::{PI, TAU};

use masklet_media::RgbImage;
use rand::Rng;

use super::{MotionOptions, Scene};
use crate::clip::geometry::mirrored;
use crate::clip::{ColourChange, warp};

/// How far a round thing reaches, with its waves, in radii.
const WITH_WAVES: f32 = 1.6;

/// Something that passes in front.
pub(super) struct Occluder {
    shape: Shape,
    /// The picture in other colours, and where in it the thing's own colours are.
    texture: RgbImage,
    corner: (f32, f32),
    path: Path,
}

enum Path {
    /// From one place to another.
    Straight { from: (f32, f32), to: (f32, f32) },
    /// Over object `object`, which is behind it on frame `frame`; `speed` per frame relative to it.
    Over {
        object: usize,
        frame: usize,
        speed: (f32, f32),
    },
}

impl Occluder {
    pub(super) fn draw(scene: &Scene, options: &MotionOptions, rng: &mut impl Rng) -> Self {
        let hides = rng.random_bool(options.hide);
        // Without bars nothing is drawn, so that clips of before there were any stay the same.
        let (shape, path) = if options.bars > 0.0 && rng.random_bool(options.bars) {
            Self::draw_bar(scene, hides, rng)
        } else {
            Self::draw_blob(scene, hides, rng)
        };
        let (width, height) = scene.picture.dimensions();
        let corner = (
            rng.random_range(0.0..width as f32),
            rng.random_range(0.0..height as f32),
        );
        let change = ColourChange {
            brightness: rng.random_range(0.5..1.3),
            hue: rng.random_range(-0.3..0.3),
            ..ColourChange::IDENTITY
        };
        let mut texture = scene.picture.clone();
        change.apply(&mut texture);
        Self {
            shape,
            texture,
            corner,
            path,
        }
    }

    fn draw_blob(scene: &Scene, hides: bool, rng: &mut impl Rng) -> (Shape, Path) {
        let angle = rng.random_range(0.0..TAU);
        let (radius, path) = if let Some(object) = scene.draw_hideable(hides, rng) {
            Path::hiding(scene, object, angle, WITH_WAVES, rng)
        } else {
            let radius = scene.side() * rng.random_range(0.06..0.14);
            let path = Path::across(scene, angle, WITH_WAVES * radius, rng);
            (radius, path)
        };
        let waves = (0..4).map(|_| (rng.random_range(0.0..0.15), rng.random_range(0.0..TAU)));
        let waves = waves.collect();
        (Shape::Blob { radius, waves }, path)
    }

    /// Half of the bars are upright or nearly so, as poles and trunks are.
    fn draw_bar(scene: &Scene, hides: bool, rng: &mut impl Rng) -> (Shape, Path) {
        let angle = if rng.random_bool(0.5) {
            rng.random_range(-0.2f32..0.2) + if rng.random_bool(0.5) { PI } else { 0.0 }
        } else {
            rng.random_range(0.0..TAU)
        };
        let (half_width, path) = if let Some(object) = scene.draw_hideable(hides, rng) {
            Path::hiding(scene, object, angle, 1.0, rng)
        } else {
            let object = rng.random_range(0..scene.objects.len());
            let radius = scene.objects[object].radius;
            let half_width = radius * rng.random_range(0.15..0.6) + 1.0;
            // Slow ones are in front of some of the object all the time.
            let distance = rng.random_range(0.3..1.25) * (radius + half_width);
            let frame = rng.random_range(0..scene.frames);
            let frames = frame.max(scene.frames - 1 - frame).max(1);
            (
                half_width,
                Path::over(object, frame, angle, distance, frames),
            )
        };
        let stretch = rng.random_range(0.02..0.6);
        let shape = Shape::Bar {
            half_width,
            angle,
            stretch,
        };
        (shape, path)
    }

    /// Paints the thing as it is on a frame, and gives how much of each pixel it covers.
    pub(super) fn lay_over(&self, canvas: &mut RgbImage, scene: &Scene, frame: usize) -> Vec<f32> {
        let size = canvas.dimensions();
        let place = self.path.at(scene, frame);
        let alpha = self.shape.alpha(place, size);
        let colours = |x: f32, y: f32| {
            let (dx, dy) = self.shape.grain(x - place.0, y - place.1);
            mirrored((self.corner.0 + dx, self.corner.1 + dy), size)
        };
        warp::lay_over(canvas, &self.texture, &colours, &alpha);
        alpha
    }
}

impl Path {
    /// Over an object that is clear of it on the first frame and on the last; and the radius or half
    /// width that hides it. The occluder reaches as far as `extent` times that.
    fn hiding(
        scene: &Scene,
        object: usize,
        angle: f32,
        extent: f32,
        rng: &mut impl Rng,
    ) -> (f32, Self) {
        let reach = scene.objects[object].reach(scene.frames);
        let half = 1.05 * reach + 2.0;
        let frame = rng.random_range(1..scene.frames - 1);
        let frames = frame.min(scene.frames - 1 - frame);
        // A quarter more than touching.
        let distance = 1.25 * (reach + extent * half);
        (half, Self::over(object, frame, angle, distance, frames))
    }

    /// Over an object, `distance` pixels relative to it in `frames` frames, towards `angle`.
    fn over(object: usize, frame: usize, angle: f32, distance: f32, frames: usize) -> Self {
        let speed = distance / frames as f32;
        Self::Over {
            object,
            frame,
            speed: (speed * angle.cos(), speed * angle.sin()),
        }
    }

    /// Through the picture, and `beyond` it at both ends.
    fn across(scene: &Scene, angle: f32, beyond: f32, rng: &mut impl Rng) -> Self {
        let (width, height) = scene.picture.dimensions();
        let (width, height) = (width as f32, height as f32);
        let away = 0.5 * width.hypot(height) + beyond;
        let aside = rng.random_range(-0.3..0.3) * scene.side();
        let (sin, cos) = angle.sin_cos();
        let at = |along: f32| {
            (
                width / 2.0 + cos * along - sin * aside,
                height / 2.0 + sin * along + cos * aside,
            )
        };
        Self::Straight {
            from: at(-away),
            to: at(away),
        }
    }

    /// Where the centre is on a frame.
    fn at(&self, scene: &Scene, frame: usize) -> (f32, f32) {
        let time = scene.time(frame);
        match *self {
            Self::Straight { from, to } => (
                from.0 + (to.0 - from.0) * time,
                from.1 + (to.1 - from.1) * time,
            ),
            Self::Over {
                object,
                frame: middle,
                speed,
            } => {
                let motion = &scene.objects[object].motion;
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

enum Shape {
    /// Round, with a wavy outline.
    Blob {
        /// Radius where the waves are lowest.
        radius: f32,
        /// Height (fraction of the radius) and phase of waves with 2, 3, 4, … crests.
        waves: Vec<(f32, f32)>,
    },
    /// Straight, from edge to edge.
    Bar {
        half_width: f32,
        /// Direction across it.
        angle: f32,
        /// How much its colours change along it, relative to across it.
        stretch: f32,
    },
}

impl Shape {
    /// How much of each pixel of a picture the shape around `centre` covers.
    fn alpha(&self, (cx, cy): (f32, f32), (width, height): (u32, u32)) -> Vec<f32> {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let places = places.map(|(x, y)| (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy));
        match self {
            Self::Blob { radius, waves } => {
                let most: f32 = waves.iter().map(|&(height, _)| height).sum();
                let farthest = radius * (1.0 + most) + 0.5;
                let cover = |(dx, dy): (f32, f32)| {
                    let distance = dx.hypot(dy);
                    if distance < *radius {
                        return 1.0;
                    }
                    // Beyond all waves, in particular before the costly angle.
                    if distance > farthest {
                        return 0.0;
                    }
                    let angle = dy.atan2(dx);
                    let waves = waves.iter().zip(2u8..).map(|(&(height, phase), crests)| {
                        height * (1.0 + (f32::from(crests) * angle + phase).cos()) / 2.0
                    });
                    let edge = radius * (1.0 + waves.sum::<f32>());
                    (edge - distance + 0.5).clamp(0.0, 1.0)
                };
                places.map(cover).collect()
            }
            Self::Bar {
                half_width, angle, ..
            } => {
                let (sin, cos) = angle.sin_cos();
                let across = places.map(|(dx, dy)| (cos * dx + sin * dy).abs());
                let cover = |distance: f32| (half_width - distance + 0.5).clamp(0.0, 1.0);
                across.map(cover).collect()
            }
        }
    }

    /// Where the texture of a place is, both relative to the centre.
    fn grain(&self, dx: f32, dy: f32) -> (f32, f32) {
        match *self {
            Self::Blob { .. } => (dx, dy),
            Self::Bar { angle, stretch, .. } => {
                let (sin, cos) = angle.sin_cos();
                let (across, along) = (cos * dx + sin * dy, cos * dy - sin * dx);
                (across, stretch * along)
            }
        }
    }
}
