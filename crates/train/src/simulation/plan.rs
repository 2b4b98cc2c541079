//! Which frames are prompted and corrected.

use rand::Rng;
use rand::seq::index::sample as sample_indices;

use super::PromptOptions;

/// What a frame is prompted with before tracking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FirstPrompt {
    /// The true mask.
    Mask,
    /// A click in the object.
    Click,
    /// The object's box, with noise.
    Box,
}

/// Which frames of a clip are prompted and corrected, the same for all its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptPlan {
    frames: usize,
    prompted: Vec<(usize, FirstPrompt)>,
    corrected: Vec<usize>,
}

impl PromptPlan {
    /// Draws a plan for a clip of `frames` frames. Where the options ask for more frames than
    /// the clip has, it is all of them.
    ///
    /// # Panics
    /// If there is no frame, or the options do not pass [`PromptOptions::check`].
    pub fn draw(options: &PromptOptions, frames: usize, rng: &mut impl Rng) -> Self {
        assert!(frames > 0, "a clip has frames");
        let by_points = frames == 1 || rng.random_bool(options.points);
        let most = options.prompted_frames.min(frames);
        let prompted = count(1, most, options.random_prompted_frames, rng);
        let most = options.corrected_frames.clamp(prompted, frames);
        let corrected = match by_points {
            true => count(prompted, most, options.random_corrected_frames, rng),
            false => 0,
        };

        let mut first = vec![0];
        let others: Vec<usize> = (1..frames).collect();
        first.extend(choose(&others, prompted - 1, rng));
        let corrected = match corrected {
            0 => Vec::new(),
            _ => {
                let others: Vec<usize> = (1..frames).filter(|t| !first.contains(t)).collect();
                let more = choose(&others, corrected - prompted, rng);
                first.iter().copied().chain(more).collect()
            }
        };
        let mut prompt = || match by_points {
            false => FirstPrompt::Mask,
            true if rng.random_bool(options.boxes) => FirstPrompt::Box,
            true => FirstPrompt::Click,
        };
        let prompted = first.into_iter().map(|frame| (frame, prompt())).collect();
        Self {
            frames,
            prompted,
            corrected,
        }
    }

    /// The number of frames of the clip.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The frames that are prompted before tracking, each with its prompt, in the order in which
    /// they are seen: the clip's first frame, then the others as drawn.
    pub fn prompted(&self) -> &[(usize, FirstPrompt)] {
        &self.prompted
    }

    /// What `frame` is prompted with before tracking, if it is.
    pub fn prompt(&self, frame: usize) -> Option<FirstPrompt> {
        let found = self
            .prompted
            .iter()
            .find(|&&(prompted, _)| prompted == frame);
        found.map(|&(_, prompt)| prompt)
    }

    /// The frames that are corrected by clicks; none where masks are given.
    pub fn corrected(&self) -> &[usize] {
        &self.corrected
    }

    /// Whether `frame` is corrected by clicks.
    pub fn is_corrected(&self, frame: usize) -> bool {
        self.corrected.contains(&frame)
    }

    /// Whether what is remembered of `frame` is a conditioning frame's: it was prompted before
    /// tracking, or corrected.
    pub fn is_conditioning(&self, frame: usize) -> bool {
        self.prompt(frame).is_some() || self.is_corrected(frame)
    }

    /// The frames in the order in which they are seen: those that are prompted, then the others
    /// in order of time.
    pub fn order(&self) -> impl Iterator<Item = usize> + '_ {
        let first = self.prompted.iter().map(|&(frame, _)| frame);
        first.chain((0..self.frames).filter(|&frame| self.prompt(frame).is_none()))
    }
}

/// A number from `least` to `most`, drawn evenly, or `most`.
fn count(least: usize, most: usize, random: bool, rng: &mut impl Rng) -> usize {
    match random {
        true => rng.random_range(least..=most),
        false => most,
    }
}

/// `count` of `frames`, none twice.
fn choose(frames: &[usize], count: usize, rng: &mut impl Rng) -> Vec<usize> {
    let indices = sample_indices(rng, frames.len(), count);
    indices.into_iter().map(|index| frames[index]).collect()
}
