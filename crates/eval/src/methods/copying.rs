//! [`Copying`]: the first mask, on every frame.

use std::time::Instant;

use masklet_media::Rle;

use super::{Masklets, Task, Tracker, Watch};
use crate::Result;
use crate::prompts::Prompt;

/// Each object stays where it was first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Copying;

impl Tracker for Copying {
    fn name(&self) -> String {
        "first mask copied".to_owned()
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::json!({ "method": "copying" })
    }

    fn is_baseline(&self) -> bool {
        true
    }

    fn takes(&self, prompt: Prompt) -> bool {
        prompt == Prompt::Mask
    }

    fn track(&self, task: &Task<'_>, _: Prompt, watch: &Watch<'_>) -> Result<Masklets> {
        let start = Instant::now();
        let mut frames = task.nothing();
        let masks: Vec<(usize, u32, Rle)> = task
            .objects
            .iter()
            .map(|object| (object.first_frame, object.id, Rle::encode(&object.mask)))
            .collect();
        for (frame, known) in frames.iter_mut().enumerate().skip(task.start()) {
            let there = masks.iter().filter(|(first, ..)| *first <= frame);
            known.extend(there.map(|(_, id, mask)| (*id, mask.clone())));
            watch.frame_done()?;
        }
        Ok(Masklets {
            frames,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}
