//! The paths of things, and how they turn and bend on the way.

use std::f32::consts::TAU;

use masklet_media::{Mask, RgbImage};
use rand::Rng;

use super::MotionOptions;
use crate::Result;
use crate::clip::geometry::mirrored;
use crate::clip::spline::ThinPlate;
use crate::clip::{Affine, warp};

/// The motion of a thing about its centre.
pub(super) struct Motion {
    pub(super) centre: (f32, f32),
    pub(super) end: Affine,
    /// Height and phase of the path's wave, for both axes.
    wave: [(f32, f32); 2],
    pub(super) bend: Option<ThinPlate>,
    /// Phase of the bending.
    sway: f32,
}

impl Motion {
    /// `reach` is the size that bending is relative to, `share` how much of the motions is made.
    pub(super) fn draw(
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
    pub(super) fn pose(&self, time: f32) -> Affine {
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

    pub(super) fn at(&self, time: f32) -> Moved<'_> {
        Moved {
            motion: self,
            pose: self.pose(time),
            bending: (std::f32::consts::PI * self.sway * time).sin(),
        }
    }
}

/// A motion at one time.
pub(super) struct Moved<'a> {
    motion: &'a Motion,
    pose: Affine,
    bending: f32,
}

impl Moved<'_> {
    /// Where a point of the moved picture comes from.
    fn backward(&self) -> impl Fn(f32, f32) -> (f32, f32) + Sync {
        let affine = self.pose.backward(self.motion.centre);
        move |x, y| {
            let (x, y) = affine(x, y);
            let bend = self.motion.bend.as_ref();
            let (dx, dy) = bend.map_or((0.0, 0.0), |bend| bend.at(x, y));
            (x + self.bending * dx, y + self.bending * dy)
        }
    }

    /// The same, in a picture of `size` that goes on mirrored beyond its edges.
    fn mirrored(&self, size: (u32, u32)) -> impl Fn(f32, f32) -> (f32, f32) + Sync {
        let backward = self.backward();
        move |x, y| mirrored(backward(x, y), size)
    }

    /// The whole picture moved. What comes in at the edges is the picture mirrored.
    pub(super) fn picture(&self, old: &RgbImage) -> Result<RgbImage> {
        let size = old.dimensions();
        warp::picture(old, size, &self.mirrored(size), None)
    }

    /// Lays a part of the moved picture over `canvas`, see [`warp::lay_over`].
    pub(super) fn lay_over(&self, canvas: &mut RgbImage, old: &RgbImage, alpha: &[f32]) {
        warp::lay_over(canvas, old, &self.mirrored(old.dimensions()), alpha);
    }

    pub(super) fn soft_mask(&self, old: &Mask, size: (u32, u32)) -> Vec<f32> {
        warp::soft_mask(old, size, &self.backward())
    }
}
