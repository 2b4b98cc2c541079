//! Dense optical flow by inverse search (DIS: Kroeger, Timofte, Dai and Van Gool, *Fast Optical Flow
//! using Dense Inverse Search*, ECCV 2016), for the baseline that warps a mask along.
//!
//! Written here after the paper because no library on crates.io has dense flow that builds without
//! a system's OpenCV: those there are track sparse points. The choices are those of OpenCV's medium
//! preset: patches of 8 pixels every 3, mean-normalised, 25 descent steps, five refinements a level,
//! and half the picture's resolution as the finest level.

mod patches;
mod plane;
mod refine;

use masklet_media::RgbImage;
use plane::Plane;

/// The finest level has the picture's sides divided by two to this power.
const FINEST: usize = 1;

/// A picture prepared for flow: grey, at all resolutions, the finest first.
#[derive(Debug, Clone)]
pub struct Pyramid {
    dimensions: (usize, usize),
    levels: Vec<Plane>,
}

/// Where each pixel of one picture is in another: the displacement in pixels, right and down,
/// each `[height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Displacement to the right.
    pub right: Vec<f32>,
    /// Displacement down.
    pub down: Vec<f32>,
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
    let field = field
        .unwrap_or_else(|| Field::zero(width, height))
        .resized(width, height);
    Flow {
        width,
        height,
        right: field.u.values,
        down: field.v.values,
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
        let inner = |at: usize| {
            let (x, y) = (at % flow.width, at / flow.width);
            (20..flow.width - 20).contains(&x) && (20..flow.height - 20).contains(&y)
        };
        let errors: Vec<f32> = (0..flow.right.len())
            .filter(|&at| inner(at))
            .map(|at| (flow.right[at] - right).hypot(flow.down[at] - down))
            .collect();
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
        assert_eq!((flow.width, flow.height), (5, 3));
        assert!(
            flow.right
                .iter()
                .chain(&flow.down)
                .all(|&value| value == 0.0)
        );
    }
}
