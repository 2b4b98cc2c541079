//! Results of tracking: what every command that follows objects through a video writes.

mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use masklet::{FrameResult, ObjectId};
use masklet_media::{Mask, OverlayObject, PromptMark, RgbImage, Rle, draw_overlay};

use crate::Global;
use crate::failure::Failure;
use crate::output::{OutputFolder, is_numbered, print_json, print_line};
use report::{FrameEntry, LogitsFile, Report};

/// Frames between two checkpoints of a run. A checkpoint falls on a multiple of it.
pub(crate) const CHECKPOINT_INTERVAL: usize = 32;

/// The report's name in the result folder.
const REPORT: &str = "masklets.json";

/// Which results are written, and where.
#[derive(clap::Args)]
pub(crate) struct ResultArgs {
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

impl ResultArgs {
    /// The folder for the results.
    pub(crate) fn folder(&self) -> &Path {
        &self.output
    }

    /// Whether pictures with the masks on them are wanted.
    pub(crate) fn draws_overlay(&self) -> bool {
        !self.no_overlay
    }

    /// The first flag that was given and says nothing to a command that works on a picture.
    pub(crate) fn given_for_videos(&self) -> Option<&'static str> {
        self.logits.as_ref().map(|_| "--logits")
    }
}

/// The video and the model that results belong to.
pub(crate) struct VideoInfo {
    /// The input as it was named.
    pub(crate) path: PathBuf,
    /// Width and height in pixels.
    pub(crate) dimensions: (u32, u32),
    /// Number of frames, if it is known.
    pub(crate) frame_count: Option<usize>,
    /// Frames a second, if the input says.
    pub(crate) frame_rate: Option<f64>,
    /// The model's name.
    pub(crate) model: String,
    /// The checkpoint.
    pub(crate) weights: Option<PathBuf>,
    /// The side of the model's own masks in pixels.
    pub(crate) low_res: usize,
}

/// The prompts of a frame: each object that is prompted on it, with its marks to draw (none for a
/// mask).
pub(crate) type FrameMarks = [(ObjectId, Vec<PromptMark>)];

/// Writes results frame by frame.
pub(crate) struct ResultWriter {
    folder: OutputFolder,
    overlay: bool,
    report: Report,
    logits: Option<(PathBuf, LogitsFile)>,
    low_res: usize,
}

impl ResultWriter {
    /// Prepares the output folder. `resume_at` is the number of frames that an earlier run
    /// completed and this one continues after.
    pub(crate) fn create(
        args: &ResultArgs,
        video: VideoInfo,
        resume_at: Option<usize>,
    ) -> Result<Self, Failure> {
        debug_assert!(resume_at.is_none());
        Ok(Self {
            folder: OutputFolder::prepare(&args.output, is_result)?,
            overlay: !args.no_overlay,
            low_res: video.low_res,
            report: Report::new(video),
            logits: args
                .logits
                .as_ref()
                .map(|path| (path.clone(), LogitsFile::default())),
        })
    }

    /// Takes in the masks of a frame; `time` is its moment in the video.
    pub(crate) fn add(
        &mut self,
        result: &FrameResult,
        picture: &RgbImage,
        _time: Option<Duration>,
        marks: &FrameMarks,
    ) -> Result<(), Failure> {
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
            draw(picture, &masks, marks)?.save_png(path)?;
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
        if let Some((_, logits)) = &mut self.logits {
            logits.add(result);
        }
        self.report.frames_tracked += 1;
        Ok(())
    }

    /// Makes everything that was added durable: a run that is killed afterwards can be resumed
    /// here.
    pub(crate) fn checkpoint(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// The number of frames taken in, those of an earlier run included.
    pub(crate) fn frames(&self) -> usize {
        self.report.frames_tracked
    }

    /// Writes what is made of the whole video. `complete` says whether tracking reached its end.
    pub(crate) fn finish(mut self, complete: bool) -> Result<Summary, Failure> {
        self.report.complete = complete;
        self.folder.write_json(REPORT, &self.report)?;
        if let Some((path, logits)) = &self.logits {
            logits.write(path, self.low_res)?;
        }
        Ok(Summary {
            folder: self.folder.path().to_owned(),
            report: self.report,
        })
    }
}

/// What was written.
pub(crate) struct Summary {
    folder: PathBuf,
    report: Report,
}

impl Summary {
    /// Prints the report as JSON, or a few lines.
    pub(crate) fn print(&self, global: &Global) -> Result<(), Failure> {
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
        print_line(&format!("{}", self.folder.join(REPORT).display()))
    }
}

/// Whether a file in a result folder is one that is written here.
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

fn draw(
    picture: &RgbImage,
    masks: &[(ObjectId, Mask)],
    marks: &FrameMarks,
) -> Result<RgbImage, Failure> {
    let objects: Vec<OverlayObject<'_>> = masks
        .iter()
        .map(|(id, mask)| OverlayObject {
            id: *id,
            mask: Some(mask),
            prompts: marks
                .iter()
                .find(|(prompted, _)| prompted == id)
                .map_or(&[], |(_, marks)| marks),
        })
        .collect();
    Ok(draw_overlay(picture, &objects)?)
}
