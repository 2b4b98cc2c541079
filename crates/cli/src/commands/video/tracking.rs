//! Frame by frame through a file, or through a stream.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use masklet::{
    ClickHistory, FrameResult, MemoryRetention, Model, Propagate, SavedSession, StreamTracker,
    VideoOptions, VideoPredictor, VideoSession,
};
use masklet_media::{FrameSource, Mask, RgbImage};

use super::saved_run::Progressed;
use super::{Args, Source};
use crate::failure::Failure;
use crate::prompts::{PromptKind, VideoPrompt};

/// A tracked frame.
pub(super) struct Step {
    pub(super) result: FrameResult,
    pub(super) picture: Arc<RgbImage>,
    /// When the frame is shown.
    pub(super) time: Option<Duration>,
}

/// A way through the frames of a video.
pub(super) trait Tracking {
    /// The next frame on which there are objects; `None` at the end.
    fn step(&mut self) -> Result<Option<Step>, Failure>;

    /// How many frames are still to come, if that is known.
    fn frames_left(&self) -> Option<usize>;

    /// The frame that comes next, unless the end was reached.
    fn next_frame(&self) -> Option<usize>;

    /// Writes what is known of the objects, and a note, into a file.
    fn save(&mut self, path: &Path, note: &str) -> Result<(), Failure>;
}

/// A session on the frames of `source`: prompted as wanted, or as it was saved.
pub(super) fn session(
    args: &Args,
    prompts: &[VideoPrompt],
    model: &Model,
    source: Source,
    saved: Option<&SavedSession>,
) -> Result<VideoSession<Source>, Failure> {
    let options = VideoOptions {
        // All prompts are known beforehand, so nothing will be corrected later.
        retention: MemoryRetention::Reachable,
        ..args.options(VideoOptions::default())
    };
    let predictor = VideoPredictor::with_options(model, options);
    if let Some(saved) = saved {
        return Ok(predictor.resume(saved, source)?);
    }
    let mut session = predictor.session(source);
    for prompt in prompts {
        let VideoPrompt { id, frame, what } = prompt;
        let prompted = match what {
            PromptKind::Clicks(clicks) => {
                session.add_clicks(*frame, *id, clicks, ClickHistory::Append)
            }
            PromptKind::Box(bounds, clicks) => session.add_box(*frame, *id, *bounds, clicks),
            PromptKind::Mask(path) => session.add_mask(*frame, *id, &Mask::open(path)?),
        };
        prompted.map_err(|error| about(prompt, error))?;
    }
    Ok(session)
}

impl Tracking for Propagate<'_, Source> {
    fn step(&mut self) -> Result<Option<Step>, Failure> {
        let Some(result) = self.next().transpose()? else {
            return Ok(None);
        };
        Ok(Some(Step {
            picture: self.picture(result.frame)?,
            time: self.presentation_time(result.frame),
            result,
        }))
    }

    fn frames_left(&self) -> Option<usize> {
        Propagate::frames_left(self)
    }

    fn next_frame(&self) -> Option<usize> {
        Propagate::next_frame(self)
    }

    fn save(&mut self, path: &Path, note: &str) -> Result<(), Failure> {
        Ok(Propagate::save(self, path, note)?)
    }
}

/// Nothing is left to do: a run that was interrupted after its last frame.
pub(super) struct Finished;

impl Tracking for Finished {
    fn step(&mut self) -> Result<Option<Step>, Failure> {
        Ok(None)
    }

    fn frames_left(&self) -> Option<usize> {
        Some(0)
    }

    fn next_frame(&self) -> Option<usize> {
        None
    }

    fn save(&mut self, _: &Path, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}

/// A stream: objects are prompted when their frame comes.
pub(super) struct Stream<'a> {
    tracker: StreamTracker,
    source: Source,
    prompts: &'a [VideoPrompt],
    remaining: usize,
}

impl<'a> Stream<'a> {
    pub(super) fn new(
        args: &Args,
        prompts: &'a [VideoPrompt],
        model: &Model,
        source: Source,
        saved: Option<(&SavedSession, Progressed)>,
    ) -> Result<Self, Failure> {
        if args.backward || args.start.is_some() {
            return Err(Failure::usage(anyhow!(
                "a stream runs forward from the first prompted frame: leave out --backward and \
                 --start"
            )));
        }
        let options = args.options(StreamTracker::default_options());
        let (tracker, done) = match saved {
            None => (StreamTracker::with_options(model, options), 0),
            Some((saved, progress)) => {
                let seen = progress.next_frame.unwrap_or(0);
                let tracker = StreamTracker::resume(model, options, saved, seen)?;
                (tracker, progress.frames)
            }
        };
        Ok(Self {
            tracker,
            source,
            prompts,
            remaining: args.max_frames().saturating_sub(done),
        })
    }

    /// Reads the next frame, tracks, and prompts what is prompted on it.
    fn advance(&mut self) -> Result<Option<FrameResult>, Failure> {
        let frame = self.tracker.frames_seen();
        let Some(picture) = self.source.frame(frame)? else {
            return Ok(None);
        };
        let mut result = self.tracker.push(picture)?;
        for prompt in self.prompts.iter().filter(|prompt| prompt.frame == frame) {
            let tracker = &mut self.tracker;
            let prompted = match &prompt.what {
                PromptKind::Clicks(clicks) => {
                    tracker.add_clicks(prompt.id, clicks, ClickHistory::Append)
                }
                PromptKind::Box(bounds, clicks) => tracker.add_box(prompt.id, *bounds, clicks),
                PromptKind::Mask(path) => tracker.add_mask(prompt.id, &Mask::open(path)?),
            };
            result = prompted.map_err(|error| about(prompt, error))?;
        }
        Ok(Some(result))
    }

    /// At the end of the stream nothing that was asked for may be left over.
    fn check_all_prompted(&self) -> Result<(), Failure> {
        let seen = self.tracker.frames_seen();
        match self.prompts.iter().find(|prompt| prompt.frame >= seen) {
            None => Ok(()),
            Some(VideoPrompt { id, frame, .. }) => Err(Failure::usage(anyhow!(
                "the stream ended after {seen} frames: object {id} is prompted on frame {frame}, \
                 counted from 0"
            ))),
        }
    }
}

impl Tracking for Stream<'_> {
    fn step(&mut self) -> Result<Option<Step>, Failure> {
        if self.remaining == 0 {
            return Ok(None);
        }
        loop {
            let Some(result) = self.advance()? else {
                self.check_all_prompted()?;
                return Ok(None);
            };
            if !result.objects.is_empty() {
                self.remaining -= 1;
                return Ok(Some(Step {
                    picture: self.tracker.picture()?,
                    time: self.source.presentation_time(result.frame),
                    result,
                }));
            }
        }
    }

    fn frames_left(&self) -> Option<usize> {
        None
    }

    fn next_frame(&self) -> Option<usize> {
        Some(self.tracker.frames_seen()).filter(|_| self.remaining > 0)
    }

    fn save(&mut self, path: &Path, note: &str) -> Result<(), Failure> {
        Ok(self.tracker.save(path, note)?)
    }
}

/// Says which prompt is wrong.
fn about(VideoPrompt { id, frame, .. }: &VideoPrompt, error: masklet::Error) -> Failure {
    match Failure::from(error) {
        Failure::Usage(error) => {
            Failure::Usage(error.context(format!("prompt of object {id} on frame {frame}")))
        }
        failed => failed,
    }
}
