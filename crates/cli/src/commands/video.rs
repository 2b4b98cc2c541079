//! `masklet video`: masklets of objects through a video.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::anyhow;
use clap::ArgAction;
use masklet::{
    BoxPrompt, Click, ClickHistory, Direction, MemoryRetention, ObjectId, Propagation,
    VideoOptions, VideoPredictor, VideoSession,
};
use masklet_media::{ImageFolder, Mask, PromptMark};

use crate::Global;
use crate::failure::Failure;
use crate::interrupt;
use crate::model_args::ModelArgs;
use crate::progress::Progress;
use crate::prompts::{Placed, PromptKind, VideoPrompt, from_file, from_flags, marks_of};
use crate::results::{ResultArgs, ResultWriter, VideoInfo};

/// Track objects through a video.
///
/// Writes `masks/<id>/<frame>.png` (0/255), `overlay/<frame>.png` and masklets.json (COCO RLE,
/// occlusion score and area for each object and frame) into the output folder.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  One click on frame 0:
    masklet video clip/ --weights sam2.1_hiera_tiny.pt --point 0:210,350 -o out/
  Two objects, one marked by a box on frame 10:
    masklet video clip/ --weights FILE --point 0:210,350@1 --box 10:300,0,500,400@2 -o out/
  Prompts from a file, backward from frame 40:
    masklet video clip/ --weights FILE --prompts prompts.json --backward --start 40 -o out/

The prompt file:
  {\"objects\":[{\"id\":1,\"prompts\":[
     {\"frame\":0,\"points\":[[210,350],[250,220]],\"labels\":[1,0]},
     {\"frame\":8,\"box\":[300,0,500,400]},
     {\"frame\":20,\"mask\":\"mask.png\"}]}]}
Several prompts of one object on one frame are added in order. Masks are relative to the file.")]
pub(crate) struct Args {
    /// Folder of images, one a frame: sorted by number if all names are numbers, else by name.
    input: PathBuf,
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
    #[command(flatten)]
    results: ResultArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let prompts = args.prompts()?;
    let frames = ImageFolder::open(&args.input)?;
    let model = args.model.load()?;
    interrupt::listen().map_err(Failure::failed)?;

    let options = VideoOptions {
        non_overlapping: args.non_overlapping,
        fill_hole_area: args.fill_holes,
        // All prompts are known beforehand, so nothing will be corrected later.
        retention: MemoryRetention::Reachable,
        ..VideoOptions::default()
    };
    let mut session = VideoPredictor::with_options(&model, options).session(frames);
    for prompt in &prompts {
        add_prompt(&mut session, prompt)?;
    }
    let video = VideoInfo {
        path: args.input.clone(),
        dimensions: session.dimensions(),
        frame_count: session.frame_count(),
        frame_rate: None,
        model: model.name().to_owned(),
        weights: args.model.weights().cloned(),
        low_res: model.config().low_res(),
    };
    let mut results = ResultWriter::create(&args.results, video, None)?;
    let start = Instant::now();
    let tracked = args.track(&mut session, &prompts, &mut results, global);
    if global.verbose {
        let (frames, seconds) = (results.frames(), start.elapsed().as_secs_f64());
        let rate = frames as f64 / seconds;
        eprintln!(
            "{}: {frames} frames in {seconds:.1} s, {rate:.2} a second",
            model.name()
        );
    }
    // Whatever happened, the frames that were tracked are reported.
    let frames = results.frames();
    results
        .finish(matches!(tracked, Ok(Ended::AtTheEnd)))?
        .print(global)?;
    match tracked? {
        Ended::AtTheEnd => Ok(()),
        Ended::Interrupted => Err(Failure::failed(anyhow!(
            "interrupted: {frames} frames are complete in {}",
            args.results.folder().display()
        ))),
    }
}

/// How tracking ended without an error.
enum Ended {
    AtTheEnd,
    Interrupted,
}

impl Args {
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

    fn track(
        &self,
        session: &mut VideoSession<ImageFolder>,
        prompts: &[VideoPrompt],
        results: &mut ResultWriter,
        global: &Global,
    ) -> Result<Ended, Failure> {
        let mut propagation = session.propagate(Propagation {
            direction: if self.backward {
                Direction::Backward
            } else {
                Direction::Forward
            },
            start: self.start,
            max_frames: self
                .max_frames
                .map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        })?;
        let mut progress = Progress::new("frame", propagation.frames_left(), global.quiet);
        let ended = loop {
            if interrupt::requested() {
                break Ended::Interrupted;
            }
            let Some(result) = propagation.next() else {
                break Ended::AtTheEnd;
            };
            let result = result?;
            let picture = propagation.picture(result.frame)?;
            results.add(&result, &picture, None, &marks_on(prompts, result.frame))?;
            progress.step();
        };
        progress.finish();
        Ok(ended)
    }
}

fn add_prompt(
    session: &mut VideoSession<ImageFolder>,
    VideoPrompt { id, frame, what }: &VideoPrompt,
) -> Result<(), Failure> {
    let context = |error: Failure| match error {
        Failure::Usage(error) => {
            Failure::Usage(error.context(format!("prompt of object {id} on frame {frame}")))
        }
        failed => failed,
    };
    let result = match what {
        PromptKind::Clicks(clicks) => session.add_clicks(*frame, *id, clicks, ClickHistory::Append),
        PromptKind::Box(bounds, clicks) => session.add_box(*frame, *id, *bounds, clicks),
        PromptKind::Mask(path) => session.add_mask(*frame, *id, &Mask::open(path)?),
    };
    result.map(drop).map_err(|error| context(error.into()))
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
