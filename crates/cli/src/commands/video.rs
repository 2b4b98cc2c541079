//! `masklet video`: masklets of objects through a video or a stream.

mod saved_run;
mod tracking;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use clap::ArgAction;
use masklet::{
    BoxPrompt, Click, ConfidentMemory, Direction, DistractorAwareMemory, MemoryPolicy, ObjectId,
    Propagation, VideoOptions,
};
use masklet_data::export::sav::Origin;
use masklet_media::{FrameSource, PromptMark};

use crate::Global;
use crate::failure::Failure;
use crate::interrupt;
use crate::model_args::ModelArgs;
use crate::progress::Progress;
use crate::prompts::{Placed, PromptKind, VideoPrompt, from_file, from_flags, marks_of};
use crate::results::{CHECKPOINT_INTERVAL, ResultArgs, ResultWriter, VideoInfo};
use crate::video_input::VideoInput;
use saved_run::{NoteMaker, Progressed, SavedRun};
use tracking::{Finished, Stream, Tracking};

pub(crate) use saved_run::resumed;

/// Where frames come from.
type Source = Box<dyn FrameSource>;

/// Track objects through a video or a stream.
///
/// Writes into the output folder, frame by frame: `masks/<id>/<frame>.png` (0/255) or other formats
/// (--format), `overlay/<frame>.png`, the contact sheet sheet.png, masklets.json (COCO RLE,
/// occlusion score and area for each object and frame) and masklets.jsonl (the same and more, a
/// line for each frame).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  One click on frame 0:
    masklet video clip.mp4 --weights sam2.1_hiera_tiny.pt --point 0:210,350 -o out/
  Two objects, one marked by a box on frame 10:
    masklet video clip/ --weights FILE --point 0:210,350@1 --box 10:300,0,500,400@2 -o out/
  A camera or any stream, and a format that ffmpeg turns into pictures:
    ffmpeg -i rtsp://camera/ -f image2pipe -c:v mjpeg - | masklet video - --weights FILE \
        --point 0:210,350 -o out/
  A long run that can be interrupted at any time:
    masklet video long.mp4 --weights FILE --point 0:210,350 --save-state run.state -o out/
    masklet video --resume run.state
  Prompts from a file, backward from frame 40:
    masklet video clip/ --weights FILE --prompts prompts.json --backward --start 40 -o out/

The prompt file:
  {\"objects\":[{\"id\":1,\"prompts\":[
     {\"frame\":0,\"points\":[[210,350],[250,220]],\"labels\":[1,0]},
     {\"frame\":8,\"box\":[300,0,500,400]},
     {\"frame\":20,\"mask\":\"mask.png\"}]}]}
Several prompts of one object on one frame are added in order. Masks are relative to the file.")]
pub(crate) struct Args {
    #[command(flatten)]
    input: VideoInput,
    #[command(flatten)]
    model: ModelArgs,
    /// Prompts, as JSON (see below).
    #[arg(long, value_name = "FILE.json")]
    prompts: Option<PathBuf>,
    /// A click: label 1 (default) is the object, 0 the background; object 1 unless named.
    #[arg(long = "point", value_name = "FRAME:X,Y[,LABEL][@ID]", action = ArgAction::Append)]
    points: Vec<Placed<Click>>,
    /// A box around an object.
    #[arg(long = "box", value_name = "FRAME:X0,Y0,X1,Y1[@ID]", action = ArgAction::Append)]
    boxes: Vec<Placed<BoxPrompt>>,
    /// Track towards earlier frames.
    #[arg(long)]
    backward: bool,
    /// Frame to start from. By default the first prompted one, or going backward the last one.
    #[arg(long, value_name = "N")]
    start: Option<usize>,
    /// Track at most this many frames, the first included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_frames: Option<u64>,
    /// Give each pixel to one object only, the one with the highest score.
    #[arg(long)]
    non_overlapping: bool,
    /// Fill holes of at most this many low-resolution pixels.
    #[arg(long, value_name = "AREA", default_value_t = 0)]
    fill_holes: u64,
    /// Which tracked frames are attended to.
    #[arg(long, value_enum, value_name = "POLICY", default_value = "recent")]
    memory: MemoryName,
    /// Keep the state of the run in this file, so that it can be continued with --resume after it
    /// was interrupted or killed. Removed when the run is complete.
    #[arg(long, value_name = "FILE")]
    save_state: Option<PathBuf>,
    /// Continue an interrupted run, with the options it was started with: give nothing else. A
    /// stream has to be given from its beginning again. The results are those of a run that was
    /// not interrupted.
    #[arg(long, value_name = "FILE", exclusive = true)]
    resume: Option<PathBuf>,
    /// The run that this one continues.
    #[arg(skip)]
    continues: Option<SavedRun>,
    #[command(flatten)]
    results: ResultArgs,
}

/// Policies of memory.
#[derive(clap::ValueEnum, Clone, Copy)]
enum MemoryName {
    /// The most recent frames, as SAM 2.
    Recent,
    /// The most recent frames that the model was sure of (SAMURAI).
    Confident,
    /// A few recent frames with the object, and frames that tell it from similar objects
    /// (DAM4SAM).
    DistractorAware,
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    track(args, global).map(|_| ())
}

/// Runs the command, and gives the number of frames that were tracked.
pub(super) fn track(args: &Args, global: &Global) -> Result<usize, Failure> {
    let prompts = args.prompts()?;
    let source = args.input.open()?;
    let model = args.model.load(global)?;
    interrupt::listen("frame").map_err(Failure::failed)?;
    let saving = args.saving()?;
    let saved = args.continues.as_ref();

    let rate = args.input.frame_rate();
    let video = VideoInfo {
        path: args.input.path()?.clone(),
        dimensions: source.dimensions(),
        frame_count: source.frame_count(),
        frame_rate: rate.or(source.frame_rate()),
        origin: Origin::Manual,
        model: model.name().to_owned(),
        weights: args.model.weights().cloned(),
        low_res: model.config().low_res(),
    };
    let create =
        || ResultWriter::create(&args.results, video, saved.map(|run| run.progress.frames));
    let run = Run {
        args,
        global,
        prompts: &prompts,
        saving,
        start: Instant::now(),
        model: model.name(),
    };
    if args.input.is_stream() {
        let saved = saved.map(|run| (&run.session, run.progress));
        let mut stream = Stream::new(args, &prompts, &model, source, saved)?;
        return run.finish(&mut stream, create()?);
    }
    let session = saved.map(|run| &run.session);
    let mut session = tracking::session(args, &prompts, &model, source, session)?;
    let Some(propagation) = args.propagation(session.frame_count()) else {
        return run.finish(&mut Finished, create()?);
    };
    let mut propagation = session.propagate(propagation)?;
    run.finish(&mut propagation, create()?)
}

/// A run on its way.
struct Run<'a> {
    args: &'a Args,
    global: &'a Global,
    prompts: &'a [VideoPrompt],
    saving: Option<(PathBuf, NoteMaker)>,
    start: Instant,
    model: &'a str,
}

/// How tracking ended without an error.
enum Ended {
    AtTheEnd,
    Interrupted,
}

impl Run<'_> {
    /// Tracks, and reports whatever was tracked.
    fn finish(
        self,
        tracking: &mut dyn Tracking,
        mut results: ResultWriter,
    ) -> Result<usize, Failure> {
        let before = results.frames();
        let tracked = self.track(tracking, &mut results);
        let frames = results.frames();
        if self.global.verbose {
            let (count, seconds) = (frames - before, self.start.elapsed().as_secs_f64());
            let rate = count as f64 / seconds;
            eprintln!(
                "{}: {count} frames in {seconds:.1} s, {rate:.2} a second",
                self.model
            );
        }
        let complete = matches!(tracked, Ok(Ended::AtTheEnd));
        results.finish(complete)?.print(self.global)?;
        let state = self.saving.map(|(path, _)| path);
        match tracked? {
            Ended::AtTheEnd => {
                if let Some(path) = state.filter(|path| path.exists()) {
                    fs::remove_file(&path)
                        .with_context(|| format!("cannot remove the state {}", path.display()))?;
                }
                Ok(frames - before)
            }
            Ended::Interrupted => Err(Failure::failed(anyhow!(
                "interrupted: {frames} frames are complete in {}{}",
                self.args.results.folder().display(),
                state
                    .filter(|path| path.exists())
                    .map_or_else(String::new, |path| format!(
                        "; continue with --resume {}",
                        path.display()
                    ))
            ))),
        }
    }

    fn track(
        &self,
        tracking: &mut dyn Tracking,
        results: &mut ResultWriter,
    ) -> Result<Ended, Failure> {
        let rate = self.args.input.frame_rate();
        let mut progress = Progress::new("frame", tracking.frames_left(), self.global.quiet);
        let ended = loop {
            if interrupt::requested() {
                break Ended::Interrupted;
            }
            let Some(step) = tracking.step()? else {
                break Ended::AtTheEnd;
            };
            let frame = step.result.frame;
            let time = rate.map(|rate| rate.time_of(frame)).or(step.time);
            let marks = marks_on(self.prompts, frame);
            results.add(&step.result, &step.picture, time, &marks)?;
            progress.step();
            if results.frames().is_multiple_of(CHECKPOINT_INTERVAL) {
                self.checkpoint(tracking, results)?;
            }
        };
        progress.finish();
        Ok(ended)
    }

    /// Makes the results durable, then the state that goes on from them.
    fn checkpoint(
        &self,
        tracking: &mut dyn Tracking,
        results: &mut ResultWriter,
    ) -> Result<(), Failure> {
        results.checkpoint()?;
        let Some((path, notes)) = &self.saving else {
            return Ok(());
        };
        let progress = Progressed {
            frames: results.frames(),
            next_frame: tracking.next_frame(),
        };
        tracking.save(path, &notes.note(progress))
    }
}

impl Args {
    /// The same with another model.
    pub(super) fn with_model(self, model: ModelArgs) -> Self {
        Self { model, ..self }
    }

    fn prompts(&self) -> Result<Vec<VideoPrompt>, Failure> {
        let mut prompts = match &self.prompts {
            Some(path) => from_file(path).map_err(Failure::Usage)?,
            None => Vec::new(),
        };
        prompts.extend(from_flags(&self.points, &self.boxes).map_err(Failure::Usage)?);
        if prompts.is_empty() {
            return Err(Failure::usage(anyhow!(
                "nothing is prompted: give --prompts FILE.json, --point FRAME:X,Y or --box FRAME:X0,Y0,X1,Y1"
            )));
        }
        Ok(prompts)
    }

    /// Where the state is kept, and how notes are made, if it is wanted.
    fn saving(&self) -> Result<Option<(PathBuf, NoteMaker)>, Failure> {
        let Some(path) = &self.save_state else {
            return Ok(None);
        };
        let notes = NoteMaker::new(&self.model.source()?, self.continues.as_ref())?;
        Ok(Some((path.clone(), notes)))
    }

    fn options(&self, defaults: VideoOptions) -> VideoOptions {
        VideoOptions {
            non_overlapping: self.non_overlapping,
            fill_hole_area: self.fill_holes,
            memory_policy: match self.memory {
                MemoryName::Recent => MemoryPolicy::Recent,
                MemoryName::Confident => MemoryPolicy::Confident(ConfidentMemory::default()),
                MemoryName::DistractorAware => {
                    MemoryPolicy::DistractorAware(DistractorAwareMemory::default())
                }
            },
            ..defaults
        }
    }

    fn max_frames(&self) -> usize {
        let most = self.max_frames.map(usize::try_from);
        most.map_or(usize::MAX, |count| count.unwrap_or(usize::MAX))
    }

    /// Which frames of a file are to be tracked; none if an interrupted run has tracked all.
    fn propagation(&self, frame_count: Option<usize>) -> Option<Propagation> {
        let direction = if self.backward {
            Direction::Backward
        } else {
            Direction::Forward
        };
        let Some(SavedRun { progress, .. }) = &self.continues else {
            return Some(Propagation {
                direction,
                start: self.start,
                max_frames: Some(self.max_frames()),
            });
        };
        let next = progress.next_frame?;
        frame_count
            .is_none_or(|count| next < count)
            .then(|| Propagation {
                direction,
                start: Some(next),
                max_frames: Some(self.max_frames().saturating_sub(progress.frames)),
            })
    }
}

/// The objects prompted on a frame, with what to draw of their prompts.
fn marks_on(prompts: &[VideoPrompt], frame: usize) -> Vec<(ObjectId, Vec<PromptMark>)> {
    let mut marks: Vec<(ObjectId, Vec<PromptMark>)> = Vec::new();
    for prompt in prompts.iter().filter(|prompt| prompt.frame == frame) {
        let more = match &prompt.what {
            PromptKind::Clicks(clicks) => marks_of(clicks, None),
            PromptKind::Box(bounds, clicks) => marks_of(clicks, Some(bounds)),
            PromptKind::Mask(_) => Vec::new(),
        };
        match marks.iter_mut().find(|(id, _)| *id == prompt.id) {
            Some((_, marks)) => marks.extend(more),
            None => marks.push((prompt.id, more)),
        }
    }
    marks
}
