//! [`Warping`]: each mask moved along by optical flow from frame to frame.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use masklet_media::{FrameSource, Rle};

use super::{Masklets, Task, Tracker, Watch, picture};
use crate::Result;
use crate::flow::{Flow, Pyramid, SoftMask, optical_flow};
use crate::prompts::Prompt;

/// A pixel belongs to the object if the place it came from did, by the flow from each frame back to
/// the one before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Warping;

impl Warping {
    /// Changes when the masks it finds do.
    pub(crate) const VERSION: u32 = 2;
}

impl Tracker for Warping {
    fn name(&self) -> String {
        "mask warped by optical flow".to_owned()
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::json!({ "method": "warping", "version": Self::VERSION })
    }

    fn is_baseline(&self) -> bool {
        true
    }

    fn takes(&self, prompt: Prompt) -> bool {
        prompt == Prompt::Mask
    }

    fn track(&self, task: &Task<'_>, _: Prompt, watch: &Watch<'_>) -> Result<Masklets> {
        let start = Instant::now();
        // Each flow is needed once.
        let mut flows = BackwardFlows::new(task.sequence.frames()?, 0);
        let mut frames = task.nothing();
        let mut known: Vec<(u32, SoftMask)> = Vec::new();
        for (frame, found) in frames.iter_mut().enumerate().skip(task.start()) {
            if !known.is_empty() {
                let back = flows.at(frame)?;
                for (_, mask) in &mut known {
                    *mask = mask.moved(&back);
                }
            }
            let new = task.objects.iter();
            let new = new.filter(|object| object.first_frame == frame);
            known.extend(new.map(|object| (object.id, SoftMask::from(&object.mask))));
            *found = known
                .iter()
                .map(|(id, mask)| (*id, Rle::encode(&mask.mask())))
                .collect();
            watch.frame_done()?;
        }
        Ok(Masklets {
            frames,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

/// The flow from each frame of a video back to the one before, computed when it is asked for.
pub(crate) struct BackwardFlows {
    source: Box<dyn FrameSource>,
    latest: Option<(usize, Pyramid)>,
    kept: BTreeMap<usize, Arc<Flow>>,
    /// Bytes that more flows may take.
    room: usize,
}

impl BackwardFlows {
    /// Keeps up to `room` bytes of flows, to be asked for again.
    pub(crate) fn new(source: Box<dyn FrameSource>, room: usize) -> Self {
        Self {
            source,
            latest: None,
            kept: BTreeMap::new(),
            room,
        }
    }

    /// The flow from `frame`, which is not the first, to the frame before.
    pub(crate) fn at(&mut self, frame: usize) -> Result<Arc<Flow>> {
        if let Some(known) = self.kept.get(&frame) {
            return Ok(known.clone());
        }
        let before = match self.latest.take() {
            Some((latest, pyramid)) if latest + 1 == frame => pyramid,
            _ => self.pyramid(frame - 1)?,
        };
        let here = self.pyramid(frame)?;
        let flow = Arc::new(optical_flow(&here, &before));
        self.latest = Some((frame, here));
        if let Some(left) = self.room.checked_sub(flow.bytes()) {
            self.room = left;
            self.kept.insert(frame, flow.clone());
        }
        Ok(flow)
    }

    fn pyramid(&mut self, frame: usize) -> Result<Pyramid> {
        Ok(Pyramid::new(&picture(&mut *self.source, frame)?))
    }
}
