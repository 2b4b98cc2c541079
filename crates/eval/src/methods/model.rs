//! [`ModelTracker`]: the network.

use std::time::Instant;

use masklet::{
    ClickHistory, MemoryRetention, Model, Propagation, VideoOptions, VideoPredictor, VideoSession,
};
use masklet_media::{FrameSource, Mask, Rle};
use serde::{Deserialize, Serialize};

use super::{Masklets, Target, Task, Tracker, Watch};
use crate::prompts::{Prompt, box_around, click_until};
use crate::{Error, Result};

/// Which network it is, and how it computes: what predictions depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// Its name in reports.
    pub name: String,
    /// SHA-256 of the checkpoint, hexadecimal.
    pub sha256: String,
    /// What products are computed in.
    pub precision: String,
    /// The network's dimensions and choices.
    pub config: serde_json::Value,
}

/// Tracks with a model, all objects of a sequence in one session.
///
/// Objects that appear later join when tracking comes to their frame. Where the benchmark's
/// annotation is one label map a frame, each pixel goes to the object with the highest logit.
#[derive(Debug, Clone)]
pub struct ModelTracker {
    model: Model,
    identity: ModelIdentity,
}

impl ModelTracker {
    /// A tracker around a model.
    pub fn new(model: &Model, identity: ModelIdentity) -> Self {
        Self {
            model: model.clone(),
            identity,
        }
    }
}

impl Tracker for ModelTracker {
    fn name(&self) -> String {
        self.identity.name.clone()
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::json!({ "method": "model", "model": self.identity })
    }

    fn is_baseline(&self) -> bool {
        false
    }

    fn takes(&self, _: Prompt) -> bool {
        true
    }

    fn track(&self, task: &Task<'_>, prompt: Prompt, watch: &Watch<'_>) -> Result<Masklets> {
        let start = Instant::now();
        let options = VideoOptions {
            non_overlapping: !task.overlapping && task.objects.len() > 1,
            retention: MemoryRetention::Reachable,
            ..VideoOptions::default()
        };
        let predictor = VideoPredictor::with_options(&self.model, options);
        let mut session = predictor.session(task.sequence.frames()?);
        let mut frames = task.nothing();
        for (group, end) in task.groups() {
            let first = group[0].first_frame;
            for object in group {
                show(&mut session, object, prompt)?;
            }
            let propagation = Propagation {
                start: Some(first),
                max_frames: Some(end - first),
                ..Propagation::default()
            };
            for result in session.propagate(propagation)? {
                let result = result?;
                let masks = result
                    .objects
                    .iter()
                    .map(|object| (object.id, Rle::encode(&object.mask())));
                frames[result.frame] = masks.collect();
                watch.frame_done()?;
            }
        }
        Ok(Masklets {
            frames,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

/// Prompts an object on its first frame.
fn show<S: FrameSource>(
    session: &mut VideoSession<S>,
    object: &Target,
    prompt: Prompt,
) -> Result<()> {
    let Target {
        id,
        first_frame: frame,
        mask,
    } = object;
    match prompt {
        Prompt::Mask => {
            session.add_mask(*frame, *id, mask)?;
        }
        Prompt::Box => {
            if let Some(bounds) = box_around(mask) {
                session.add_box(*frame, *id, bounds, &[])?;
            }
        }
        Prompt::Clicks(count) => {
            click(session, *frame, *id, mask, None, count.into())?;
        }
    }
    Ok(())
}

/// Clicks on an object on one frame, beginning with `predicted` or nothing. Returns how many clicks
/// were given, and the mask.
pub(crate) fn click<S: FrameSource>(
    session: &mut VideoSession<S>,
    frame: usize,
    id: u32,
    truth: &Mask,
    predicted: Option<&Mask>,
    count: usize,
) -> Result<Option<(Mask, usize)>> {
    let clicked = click_until(truth, predicted, count, |click| {
        let result = session.add_clicks(frame, id, &[click], ClickHistory::Append)?;
        let object = result.object(id).expect("the object was just prompted");
        Ok::<_, Error>(object.mask())
    })?;
    Ok(clicked.map(|(mask, clicks)| (mask, clicks.len())))
}
