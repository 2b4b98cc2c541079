//! The simulated user: which frames of a clip are prompted and corrected, and with what.
//!
//! A [`PromptPlan`] is drawn for a clip; it says which frames are prompted before tracking and
//! how, which are corrected, and in which order frames are seen. The prompts themselves are made
//! from the true masks ([`first_prompts`]) and, while the clip is tracked, from the errors of the
//! predicted ones ([`correction_clicks`]). Everything is plain masks and one seeded generator, and
//! follows the distributions of the reference's `SAM2Train` (paper, section "Training").
//!
//! Points are as the prompt encoder takes them: indices of pixels of the network's square input,
//! so masks must have that size.

mod boxes;
mod clicks;
mod options;
mod plan;
#[cfg(test)]
mod tests;

pub use boxes::noisy_box;
pub use clicks::click_in_error;
pub use options::PromptOptions;
pub use plan::{FirstPrompt, PromptPlan};

use masklet_media::Mask;
use masklet_model::Point;
use rand::Rng;

/// The points that prompt each object on a frame, from the true masks: a click in the object,
/// or the two corners of its box. A mask prompt has no points.
pub fn first_prompts(
    prompt: FirstPrompt,
    truth: &[Mask],
    options: &PromptOptions,
    rng: &mut impl Rng,
) -> Vec<Vec<Point>> {
    let points = |mask| match prompt {
        FirstPrompt::Mask => Vec::new(),
        FirstPrompt::Click => vec![click_in_error(mask, None, rng)],
        FirstPrompt::Box => noisy_box(mask, options, rng).to_vec(),
    };
    truth.iter().map(points).collect()
}

/// The next correcting click for each object of a frame: in the error of its predicted mask, or,
/// for all objects alike and with the probability
/// [`from_object`](PromptOptions::from_object), in the true mask whatever was predicted.
///
/// # Panics
/// If there are not as many predicted masks as true ones; otherwise as [`click_in_error`].
pub fn correction_clicks(
    truth: &[Mask],
    predicted: &[Mask],
    options: &PromptOptions,
    rng: &mut impl Rng,
) -> Vec<Point> {
    assert_eq!(truth.len(), predicted.len(), "each object has two masks");
    let from_object = rng.random_bool(options.from_object);
    let pairs = truth.iter().zip(predicted);
    pairs
        .map(|(truth, predicted)| click_in_error(truth, (!from_object).then_some(predicted), rng))
        .collect()
}
