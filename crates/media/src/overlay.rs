//! Masks and prompts drawn onto a picture, to see at a glance what was segmented.

mod labels;
mod outline;
mod palette;
mod shapes;

pub use labels::{draw_frame_number, draw_labels};
pub use palette::{PALETTE, colour_of};

use crate::{Mask, MediaError, Result, RgbImage};

/// One object to draw.
#[derive(Clone, Copy, Debug)]
pub struct OverlayObject<'a> {
    /// The object's number, which chooses its colour.
    pub id: u32,
    /// Its mask, of the picture's size; `None` draws the prompts alone.
    pub mask: Option<&'a Mask>,
    /// The prompts to mark.
    pub prompts: &'a [PromptMark],
}

/// A prompt to mark on the picture. Coordinates are pixels, fractions allowed, as the user
/// gave them; parts outside the picture are cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PromptMark {
    /// A click.
    Point {
        /// Column.
        x: f32,
        /// Row.
        y: f32,
        /// On the object (drawn as a green plus), or off it (a red minus).
        positive: bool,
    },
    /// A box around the object, drawn in the object's colour.
    Box {
        /// Left edge.
        x0: f32,
        /// Top edge.
        y0: f32,
        /// Right edge.
        x1: f32,
        /// Bottom edge.
        y1: f32,
    },
}

impl PromptMark {
    /// The mark on a picture that is scaled by `factor`.
    pub fn scaled(self, factor: f32) -> Self {
        match self {
            Self::Point { x, y, positive } => Self::Point {
                x: x * factor,
                y: y * factor,
                positive,
            },
            Self::Box { x0, y0, x1, y1 } => {
                let [x0, y0, x1, y1] = [x0, y0, x1, y1].map(|side| side * factor);
                Self::Box { x0, y0, x1, y1 }
            }
        }
    }
}

/// How much of the object's colour is laid over its pixels.
const TINT: f32 = 0.45;

/// Draws objects onto a copy of `image`: each mask tinted and outlined in its object's colour,
/// later objects over earlier ones, then all prompts on top. Line widths and marks grow with
/// the picture.
///
/// # Errors
/// [`MediaError::SizeMismatch`], naming the object, if a mask is not of the picture's size.
pub fn draw_overlay(image: &RgbImage, objects: &[OverlayObject<'_>]) -> Result<RgbImage> {
    let mut canvas = image.clone();
    let unit = unit_of(image);
    for object in objects {
        let Some(mask) = object.mask else { continue };
        if mask.dimensions() != image.dimensions() {
            return Err(MediaError::SizeMismatch {
                what: format!("the mask of object {}", object.id),
                found: mask.dimensions(),
                expected: image.dimensions(),
            });
        }
        let colour = colour_of(object.id);
        tint(&mut canvas, mask, colour);
        outline::draw(&mut canvas, mask, colour, unit);
    }
    for object in objects {
        for prompt in object.prompts {
            shapes::draw_prompt(&mut canvas, prompt, colour_of(object.id), unit);
        }
    }
    Ok(canvas)
}

/// The unit that line widths and marks are multiples of: 1 pixel at 720p, more on larger
/// pictures.
fn unit_of(image: &RgbImage) -> f32 {
    (image.width().min(image.height()) as f32 / 720.0).max(0.6)
}

fn tint(canvas: &mut RgbImage, mask: &Mask, colour: [u8; 3]) {
    let pixels = canvas.pixels_mut().as_chunks_mut::<3>().0;
    for (pixel, _) in pixels
        .iter_mut()
        .zip(mask.bits())
        .filter(|(_, inside)| **inside)
    {
        *pixel = blend(*pixel, colour, TINT);
    }
}

/// `share` (0..=1) of `colour` over `below`.
fn blend(below: [u8; 3], colour: [u8; 3], share: f32) -> [u8; 3] {
    std::array::from_fn(|channel| {
        let (below, colour) = (f32::from(below[channel]), f32::from(colour[channel]));
        (below + (colour - below) * share).round() as u8
    })
}
