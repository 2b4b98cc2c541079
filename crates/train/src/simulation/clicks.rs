//! Clicks where a mask is wrong.

use masklet_media::Mask;
use masklet_model::{Point, PointLabel};
use rand::Rng;

/// A click on a pixel drawn evenly from those where `predicted` differs from `truth`: positive
/// where the object was missed, negative where there is none. Without a prediction everything was
/// missed, so the click is in the object.
///
/// Where nothing is wrong the click is negative and anywhere in the background; so it is for an
/// object that is not visible and was not predicted. If there is no background either (an object
/// on every pixel), it is negative and at (0, 0), as the reference has it.
///
/// # Panics
/// If the masks differ in size or have no pixel.
pub fn click_in_error(truth: &Mask, predicted: Option<&Mask>, rng: &mut impl Rng) -> Point {
    let size = truth.dimensions();
    assert!(size.0 > 0 && size.1 > 0, "a mask has pixels");
    let of_prediction = predicted.map_or(size, Mask::dimensions);
    assert_eq!(of_prediction, size, "both masks have the same size");

    let wrong = |index: usize| match predicted {
        Some(predicted) => truth.bits()[index] != predicted.bits()[index],
        None => truth.bits()[index],
    };
    let background = |index: usize| !truth.bits()[index];
    let pixels = truth.bits().len();
    let index = pick(pixels, wrong, rng).or_else(|| pick(pixels, background, rng));
    let (label, index) = match index {
        Some(index) if truth.bits()[index] => (PointLabel::Positive, index),
        Some(index) => (PointLabel::Negative, index),
        None => (PointLabel::Negative, 0),
    };
    let width = size.0 as usize;
    Point {
        x: (index % width) as f32,
        y: (index / width) as f32,
        label,
    }
}

/// One of the indices below `count` that are `wanted`, drawn evenly.
fn pick(count: usize, wanted: impl Fn(usize) -> bool, rng: &mut impl Rng) -> Option<usize> {
    let number = (0..count).filter(|&index| wanted(index)).count();
    let chosen = (number > 0).then(|| rng.random_range(0..number))?;
    (0..count).filter(|&index| wanted(index)).nth(chosen)
}
