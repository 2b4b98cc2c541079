//! [`SimulatedUser`]: prompts a clip as its plan says.

use masklet_media::Mask;
use masklet_model::Point;
use rand::Rng;

use crate::rollout::{Annotator, PromptInput, Visit};
use crate::simulation::{FirstPrompt, PromptOptions, PromptPlan, correction_clicks, first_prompts};

/// A user who sees the truth: draws which frames to prompt, and clicks on errors.
#[derive(Debug)]
pub struct SimulatedUser<'a, R> {
    options: &'a PromptOptions,
    plan: PromptPlan,
    rng: R,
}

impl<'a, R: Rng> SimulatedUser<'a, R> {
    /// A user for a clip of `frames` frames.
    pub fn new(options: &'a PromptOptions, frames: usize, mut rng: R) -> Self {
        Self {
            options,
            plan: PromptPlan::draw(options, frames, &mut rng),
            rng,
        }
    }

    /// What the user is going to do.
    pub fn plan(&self) -> &PromptPlan {
        &self.plan
    }
}

impl<R: Rng> Annotator for SimulatedUser<'_, R> {
    fn visits(&self) -> Vec<Visit> {
        let clicks = |frame| match self.plan.is_corrected(frame) {
            true => self.options.clicks,
            false => 0,
        };
        let visit = |frame| Visit {
            frame,
            initial: self.plan.prompt(frame).is_some(),
            corrections: clicks(frame),
        };
        self.plan.order().map(visit).collect()
    }

    fn first_prompt(&mut self, frame: usize, truth: &[Mask]) -> PromptInput {
        match self.plan.prompt(frame) {
            None | Some(FirstPrompt::Mask) => PromptInput::Mask,
            Some(prompt) => {
                PromptInput::Points(first_prompts(prompt, truth, self.options, &mut self.rng))
            }
        }
    }

    fn correction(&mut self, _: usize, truth: &[Mask], predicted: &[Mask]) -> Vec<Point> {
        correction_clicks(truth, predicted, self.options, &mut self.rng)
    }
}
