//! Dense optical flow by inverse search (DIS: Kroeger, Timofte, Dai and Van Gool, *Fast Optical Flow
//! using Dense Inverse Search*, ECCV 2016), for the baseline that warps a mask along.
//!
//! Written here after the paper because no library on crates.io has dense flow that builds without
//! a system's OpenCV: those there are track sparse points. The choices are those of OpenCV's medium
//! preset: patches of 8 pixels every 3, mean-normalised, 24 damped descent steps in two sweeps, five
//! refinements a level, and half the picture's resolution as the finest level.

mod patches;
mod plane;
mod refine;
mod soft_mask;

use masklet_media::RgbImage;
use plane::Plane;
pub use soft_mask::SoftMask;

/// The finest level has the picture's sides divided by two to this power.
const FINEST: usize = 1;

/// A picture prepared for flow: grey, at all resolutions, the finest first.
#[derive(Debug, Clone)]
pub struct Pyramid {
    dimensions: (usize, usize),
    levels: Vec<Plane>,
}

/// Where each pixel of one picture is in another.
#[derive(Debug, Clone)]
pub struct Flow {
    dimensions: (usize, usize),
    /// At the finest level.
    field: Field,
}

impl Pyramid {
    /// Prepares a picture.
    pub fn new(picture: &RgbImage) -> Self {
        let full = Plane::grey(picture);
        let dimensions = (full.width, full.height);
        let count = 1 + coarsest_level(full.width);
        let mut all = vec![full];
        while all.len() < count {
            let finer = &all[all.len() - 1];
            if finer.width.min(finer.height) < 2 * patches::SIDE {
                break;
            }
            all.push(finer.halved());
        }
        // A picture too small for patches at half its size is searched as it is.
        let levels = all.split_off(FINEST.min(all.len() - 1));
        Self { dimensions, levels }
    }
}

/// On the coarsest level a patch is a fifth of the width.
fn coarsest_level(width: usize) -> usize {
    let ratio = 2.0 * width as f64 / (5 * patches::SIDE) as f64;
    (ratio.max(1.0).log2() + 0.5) as usize
}

/// The flow from one picture to another of the same size.
///
/// # Panics
/// If the pictures differ in size.
pub fn optical_flow(from: &Pyramid, to: &Pyramid) -> Flow {
    assert_eq!(from.dimensions, to.dimensions, "sizes of the pictures");
    let mut field: Option<Field> = None;
    for (from, to) in from.levels.iter().zip(&to.levels).rev() {
        let start = match field {
            Some(coarser) => coarser.resized(from.width, from.height),
            None => Field::zero(from.width, from.height),
        };
        let mut found = patches::search(from, to, &start);
        refine::refine(from, to, &mut found);
        field = Some(found);
    }
    let (width, height) = from.dimensions;
    Flow {
        dimensions: from.dimensions,
        field: field.unwrap_or_else(|| Field::zero(width, height)),
    }
}

impl Flow {
    /// The displacement of a pixel, right and down.
    pub fn at(&self, x: usize, y: usize) -> (f32, f32) {
        let (sx, sy) = self.scale();
        let (u, v) = ((x as f32 + 0.5) / sx - 0.5, (y as f32 + 0.5) / sy - 0.5);
        (
            self.field.u.sample(u, v) * sx,
            self.field.v.sample(u, v) * sy,
        )
    }

    /// No pixel is displaced further than this, right or left and up or down.
    pub fn farthest(&self) -> (f32, f32) {
        let farthest = |plane: &Plane| {
            plane
                .values
                .iter()
                .fold(0.0, |far: f32, x| far.max(x.abs()))
        };
        let (sx, sy) = self.scale();
        (farthest(&self.field.u) * sx, farthest(&self.field.v) * sy)
    }

    /// The pictures' size in pixels of the finest level.
    fn scale(&self) -> (f32, f32) {
        let (width, height) = self.dimensions;
        (
            width as f32 / self.field.u.width as f32,
            height as f32 / self.field.u.height as f32,
        )
    }

    /// The memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        2 * size_of_val(self.field.u.values.as_slice())
    }
}

/// A displacement for each pixel of a level.
#[derive(Debug, Clone)]
struct Field {
    u: Plane,
    v: Plane,
}

impl Field {
    fn zero(width: usize, height: usize) -> Self {
        Self {
            u: Plane::filled(width, height, 0.0),
            v: Plane::filled(width, height, 0.0),
        }
    }

    /// On a level of another size; displacements grow with it.
    fn resized(&self, width: usize, height: usize) -> Self {
        let scaled = |plane: &Plane, factor: f32| {
            let mut plane = plane.resized(width, height);
            plane.values.iter_mut().for_each(|value| *value *= factor);
            plane
        };
        Self {
            u: scaled(&self.u, width as f32 / self.u.width as f32),
            v: scaled(&self.v, height as f32 / self.v.height as f32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A smooth texture, moved by whole and half pixels.
    fn texture(dx: f32, dy: f32) -> Pyramid {
        let (width, height) = (160u32, 120u32);
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let (u, v) = (x as f32 - dx, y as f32 - dy);
                let value = 128.0
                    + 50.0 * (u / 7.0).sin() * (v / 9.0).cos()
                    + 40.0 * ((u + v) / 17.0).sin();
                pixels.extend([value as u8; 3]);
            }
        }
        Pyramid::new(&RgbImage::from_raw(width, height, pixels).unwrap())
    }

    fn mean_error(flow: &Flow, right: f32, down: f32) -> f32 {
        let (width, height) = flow.dimensions;
        let inner = |at: usize| {
            let (x, y) = (at % width, at / width);
            (20..width - 20).contains(&x) && (20..height - 20).contains(&y)
        };
        let error = |at: usize| {
            let (found_right, found_down) = flow.at(at % width, at / width);
            (found_right - right).hypot(found_down - down)
        };
        let inside = (0..width * height).filter(|&at| inner(at));
        let errors: Vec<f32> = inside.map(error).collect();
        errors.iter().sum::<f32>() / errors.len() as f32
    }

    #[test]
    fn a_translation_is_found() {
        for (dx, dy) in [(0.0, 0.0), (3.0, -2.0), (9.5, 4.5)] {
            let flow = optical_flow(&texture(0.0, 0.0), &texture(dx, dy));
            let error = mean_error(&flow, dx, dy);
            assert!(error < 0.5, "{dx}, {dy}: mean error {error}");
        }
    }

    #[test]
    fn tiny_pictures_have_a_flow_too() {
        let tiny = Pyramid::new(&RgbImage::filled(5, 3, [9, 9, 9]).unwrap());
        let flow = optical_flow(&tiny, &tiny);
        assert_eq!(flow.dimensions, (5, 3));
        assert_eq!(flow.farthest(), (0.0, 0.0));
        assert_eq!(flow.at(4, 2), (0.0, 0.0));
    }
}
