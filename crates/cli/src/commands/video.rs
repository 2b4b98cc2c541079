//! `masklet video`: masklets of objects through a video.

mod report;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::anyhow;
use clap::ArgAction;
use masklet::{
    BoxPrompt, Click, ClickHistory, Direction, FrameResult, MemoryRetention, ObjectId, Propagation,
    VideoOptions, VideoPredictor, VideoSession,
};
use masklet_media::{ImageFolder, Mask, OverlayObject, PromptMark, RgbImage, Rle, draw_overlay};

use crate::Global;
use crate::failure::Failure;
use crate::interrupt;
use crate::model_args::ModelArgs;
use crate::output::{OutputFolder, is_numbered, print_json, print_line};
use crate::progress::Progress;
use crate::prompts::{Placed, PromptKind, VideoPrompt, from_file, from_flags, marks_of};
use report::{FrameEntry, LogitsFile, Report};

/// The report's name in the result folder.
const REPORT: &str = "masklets.json";

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
    /// Write no overlay pictures.
    #[arg(long)]
    no_overlay: bool,
    /// Also write the logits: `<frame>/<id>/low_res_logits` (side × side) and
    /// `<frame>/<id>/object_score`.
    #[arg(long, value_name = "FILE.safetensors")]
    logits: Option<PathBuf>,
    /// Folder for the results; created if need be.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
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
    let folder = OutputFolder::prepare(&args.output, is_result)?;
    let mut results = Results {
        folder,
        overlay: !args.no_overlay,
        prompts: &prompts,
        report: Report::new(
            &args.input,
            session.dimensions(),
            session.frame_count(),
            model.name(),
            args.model.weights(),
        ),
        logits: args.logits.is_some().then(LogitsFile::default),
    };
    let start = Instant::now();
    let tracked = args.track(&mut session, &mut results, global);
    if global.verbose {
        let (frames, seconds) = (results.report.frames_tracked, start.elapsed().as_secs_f64());
        let rate = frames as f64 / seconds;
        eprintln!(
            "{}: {frames} frames in {seconds:.1} s, {rate:.2} a second",
            model.name()
        );
    }
    // Whatever happened, the frames that were tracked are reported.
    results.report.complete = matches!(tracked, Ok(Ended::AtTheEnd));
    results.folder.write_json(REPORT, &results.report)?;
    if let (Some(path), Some(logits)) = (&args.logits, &results.logits) {
        logits.write(path, model.config().low_res())?;
    }
    results.print(global)?;
    match tracked? {
        Ended::AtTheEnd => Ok(()),
        Ended::Interrupted => Err(Failure::failed(anyhow!(
            "interrupted: {} frames are complete in {}",
            results.report.frames_tracked,
            args.output.display()
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
        results: &mut Results<'_>,
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
            results.add(&result, &picture)?;
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

/// Whether a file in a result folder is one that this command writes.
fn is_result(name: &str) -> bool {
    let in_masks = name
        .strip_prefix("masks/")
        .and_then(|rest| rest.split_once('/'));
    match in_masks {
        Some((id, "")) => is_numbered(id, "", ""),
        Some((id, file)) => is_numbered(id, "", "") && is_numbered(file, "", ".png"),
        None => {
            matches!(name, REPORT | "masks/" | "overlay/") || is_numbered(name, "overlay/", ".png")
        }
    }
}

/// Everything that comes out of tracking.
struct Results<'a> {
    folder: OutputFolder,
    overlay: bool,
    prompts: &'a [VideoPrompt],
    report: Report,
    logits: Option<LogitsFile>,
}

impl Results<'_> {
    /// Writes the masks of a frame and takes them into the report.
    fn add(&mut self, result: &FrameResult, picture: &RgbImage) -> Result<(), Failure> {
        let frame = result.frame;
        let masks: Vec<(ObjectId, Mask)> = result
            .objects
            .iter()
            .map(|object| (object.id, object.mask()))
            .collect();
        for (id, mask) in &masks {
            mask.save_png(self.folder.file(&format!("masks/{id}/{frame:05}.png"))?)?;
        }
        if self.overlay {
            let path = self.folder.file(&format!("overlay/{frame:05}.png"))?;
            self.draw(frame, picture, &masks)?.save_png(path)?;
        }
        for (object, (_, mask)) in result.objects.iter().zip(&masks) {
            let entry = FrameEntry {
                frame,
                segmentation: Rle::encode(mask),
                occlusion_score: object.object_score,
                area: mask.area(),
            };
            self.report.add(object.id, entry);
        }
        if let Some(logits) = &mut self.logits {
            logits.add(result);
        }
        self.report.frames_tracked += 1;
        Ok(())
    }

    fn draw(
        &self,
        frame: usize,
        picture: &RgbImage,
        masks: &[(ObjectId, Mask)],
    ) -> Result<RgbImage, Failure> {
        let marks: Vec<Vec<PromptMark>> =
            masks.iter().map(|(id, _)| self.marks(frame, *id)).collect();
        let objects: Vec<OverlayObject<'_>> = masks
            .iter()
            .zip(&marks)
            .map(|((id, mask), prompts)| OverlayObject {
                id: *id,
                mask: Some(mask),
                prompts,
            })
            .collect();
        Ok(draw_overlay(picture, &objects)?)
    }

    /// The prompts of an object on a frame.
    fn marks(&self, frame: usize, id: ObjectId) -> Vec<PromptMark> {
        let here = |prompt: &&VideoPrompt| (prompt.frame, prompt.id) == (frame, id);
        self.prompts
            .iter()
            .filter(here)
            .flat_map(|prompt| match &prompt.what {
                PromptKind::Clicks(clicks) => marks_of(clicks, None),
                PromptKind::Box(bounds, clicks) => marks_of(clicks, Some(bounds)),
                PromptKind::Mask(_) => Vec::new(),
            })
            .collect()
    }

    fn print(&self, global: &Global) -> Result<(), Failure> {
        if global.json {
            return print_json(&self.report);
        }
        if global.quiet {
            return Ok(());
        }
        for object in self.report.objects() {
            print_line(&format!(
                "object {}: visible on {} of {} frames",
                object.id,
                object.visible_frames(),
                self.report.frames_tracked
            ))?;
        }
        print_line(&format!("{}", self.folder.path().join(REPORT).display()))
    }
}
