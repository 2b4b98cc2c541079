//! [`Warping`]: each mask moved along by optical flow from frame to frame.

use std::time::Instant;

use masklet_media::{Mask, Rle};

use super::{Masklets, Task, Tracker, Watch, picture};
use crate::Result;
use crate::flow::{Flow, Pyramid, optical_flow};
use crate::prompts::Prompt;

/// A pixel belongs to the object if the place it came from did, by the flow from each frame back to
/// the one before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Warping;

impl Tracker for Warping {
    fn name(&self) -> String {
        "mask warped by optical flow".to_owned()
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::json!({ "method": "warping", "version": 1 })
    }

    fn is_baseline(&self) -> bool {
        true
    }

    fn takes(&self, prompt: Prompt) -> bool {
        prompt == Prompt::Mask
    }

    fn track(&self, task: &Task<'_>, _: Prompt, watch: &Watch<'_>) -> Result<Masklets> {
        let start = Instant::now();
        let mut source = task.sequence.frames()?;
        let mut frames = task.nothing();
        let mut known: Vec<(u32, Mask)> = Vec::new();
        let mut before: Option<Pyramid> = None;
        for (frame, found) in frames
            .iter_mut()
            .enumerate()
            .take(task.frame_count)
            .skip(task.start())
        {
            let here = Pyramid::new(&picture(&mut *source, frame)?);
            if let Some(before) = &before {
                let back = optical_flow(&here, before);
                for (_, mask) in &mut known {
                    *mask = warped(mask, &back);
                }
            }
            let new = task
                .objects
                .iter()
                .filter(|object| object.first_frame == frame);
            known.extend(new.map(|object| (object.id, object.mask.clone())));
            *found = known
                .iter()
                .map(|(id, mask)| (*id, Rle::encode(mask)))
                .collect();
            before = Some(here);
            watch.frame_done()?;
        }
        Ok(Masklets {
            frames,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

/// The mask where `back` leads to it, bilinear between pixels.
fn warped(mask: &Mask, back: &Flow) -> Mask {
    let bits = mask.bits();
    let inside = |x: i64, y: i64| {
        let there = (0..back.width as i64).contains(&x) && (0..back.height as i64).contains(&y);
        if there && bits[y as usize * back.width + x as usize] {
            1.0
        } else {
            0.0
        }
    };
    Mask::from_fn(back.width as u32, back.height as u32, |x, y| {
        let at = y as usize * back.width + x as usize;
        let (u, v) = (x as f32 + back.right[at], y as f32 + back.down[at]);
        let (x0, y0) = (u.floor(), v.floor());
        let (fx, fy) = (u - x0, v - y0);
        let (x0, y0) = (x0 as i64, y0 as i64);
        let top = inside(x0, y0) * (1.0 - fx) + inside(x0 + 1, y0) * fx;
        let bottom = inside(x0, y0 + 1) * (1.0 - fx) + inside(x0 + 1, y0 + 1) * fx;
        top * (1.0 - fy) + bottom * fy > 0.5
    })
}
