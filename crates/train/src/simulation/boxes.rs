//! Boxes as a hurried user draws them.

use masklet_media::Mask;
use masklet_model::{Point, PointLabel};
use rand::Rng;

use super::PromptOptions;

/// The corners of the object's box, each coordinate moved evenly by up to
/// [`box_noise`](PromptOptions::box_noise) of the box's side, at most
/// [`box_noise_limit`](PromptOptions::box_noise_limit) pixels, and kept in the picture.
///
/// Corners are indices of pixels: the box of a single pixel has two equal corners, and no noise.
/// An object that is not visible has the reference's box of nothing, which stands on its head:
/// its upper left corner is near the picture's lower right one and the other way round.
pub fn noisy_box(mask: &Mask, options: &PromptOptions, rng: &mut impl Rng) -> [Point; 2] {
    let (width, height) = (mask.width() as f32, mask.height() as f32);
    let [x0, y0, x1, y1] = match mask.bounding_box() {
        Some(found) => [found.x0, found.y0, found.x1 - 1, found.y1 - 1].map(|side| side as f32),
        None => [width, height, -1.0, -1.0],
    };
    // Negative for the box of nothing, and then without a limit.
    let reach = |side: f32| (side * options.box_noise).min(options.box_noise_limit);
    let mut moved = |corner: f32, side: f32, size: f32| {
        let noise = rng.random_range(-1.0..=1.0f32) * reach(side);
        (corner + noise).clamp(0.0, (size - 1.0).max(0.0))
    };
    let (across, down) = (x1 - x0, y1 - y0);
    let mut corner = |x, y, label| Point {
        x: moved(x, across, width),
        y: moved(y, down, height),
        label,
    };
    [
        corner(x0, y0, PointLabel::BoxTopLeft),
        corner(x1, y1, PointLabel::BoxBottomRight),
    ]
}
