//! Results of tracking: what every command that follows objects through a video writes.
//!
//! Frames are written as they come. The truth is `masklets.jsonl`, one line a frame; pictures
//! are written beside it at once, and formats that want the whole video are made from it at the
//! end. Nothing grows in memory. A run that is killed and resumed after a checkpoint ends with
//! the same files as one that was not: the records are cut off there, files of later frames are
//! removed, and what is encoded in pieces has a border there.

mod args;
mod export;
mod logits;
mod movie;
mod names;
mod pictures;
mod report;
mod scene;
mod sheet;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use masklet::{FrameResult, ObjectId, ObjectMask};
use masklet_data::export::sav::Origin;
use masklet_data::record::{FrameRecord, ObjectRecord, Order, RecordWriter, Records};
use masklet_media::compose::Background;
use masklet_media::{FrameRate, Mask, PromptMark, RgbImage, Rle, stability_score};

use crate::Global;
use crate::failure::Failure;
use crate::output::{OutputFolder, copy_file_to_stdout, print_line};
use args::Format;
pub(crate) use args::ResultArgs;
use export::Exports;
use movie::Movie;
use names::{BACKGROUND_MOVIE, Kept, RECORDS, REPORT, UNFINISHED, is_result};
use scene::{Scene, Sink, Whole};

/// Frames between two checkpoints of a run. A checkpoint falls on a multiple of it, where
/// encoded videos have a border too.
pub(crate) const CHECKPOINT_INTERVAL: usize = 32;

/// By how much the cut is moved to measure stability, as in SAM's mask generator.
const STABILITY_OFFSET: f32 = 1.0;

/// The video and the model that results belong to.
pub(crate) struct VideoInfo {
    /// The input as it was named.
    pub(crate) path: PathBuf,
    /// Width and height in pixels.
    pub(crate) dimensions: (u32, u32),
    /// Number of frames, if it is known.
    pub(crate) frame_count: Option<usize>,
    /// Frames a second, if the input says.
    pub(crate) frame_rate: Option<FrameRate>,
    /// Whether somebody prompted the objects, or a mask generator found them.
    pub(crate) origin: Origin,
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
    video: VideoInfo,
    records: RecordWriter,
    records_path: PathBuf,
    frames: usize,
    sinks: Vec<Box<dyn Sink>>,
}

impl ResultWriter {
    /// Prepares the output folder. `resume_at` is the number of frames that an earlier run had
    /// completed at the checkpoint that this one continues from.
    ///
    /// # Errors
    /// Wrong use if the background is no picture; a failure if the folder cannot be written, or
    /// what is to be resumed is not there.
    pub(crate) fn create(
        args: &ResultArgs,
        video: VideoInfo,
        resume_at: Option<usize>,
    ) -> Result<Self, Failure> {
        let background = args.background.as_ref().map(args::BackgroundName::load);
        let background = background.transpose().map_err(Failure::Usage)?;
        let records_path = args.output.join(RECORDS);
        if resume_at.is_some_and(|frames| frames > 0) && !args.output.join(UNFINISHED).is_dir() {
            return Err(Failure::usage(anyhow!(
                "there is nothing to resume in {}: the run there was complete, or its folder \
                 `{UNFINISHED}` was removed; run the command without resuming",
                args.output.display()
            )));
        }
        let resumed = resume_at
            .map(|frames| resume(&records_path, frames))
            .transpose()
            .with_context(|| format!("cannot resume {}", records_path.display()))?;
        let (records, kept) = match resumed {
            Some((writer, kept)) => (Some(writer), Some(kept)),
            None => (None, None),
        };
        let folder = OutputFolder::prepare(&args.output, |name| match &kept {
            Some((_, kept)) => is_result(name) && !kept.keeps(name),
            None => is_result(name),
        })?;
        let records = match records {
            Some(records) => records,
            None => RecordWriter::create(&folder.file(RECORDS)?)
                .with_context(|| format!("cannot write {}", records_path.display()))?,
        };
        let frames = kept.as_ref().map_or(0, |(_, kept)| kept.frames);

        let resumed = kept.as_ref().map(|(records, _)| records);
        Ok(Self {
            sinks: sinks(args, background, &folder, &video, frames, resumed)?,
            folder,
            video,
            records,
            records_path,
            frames,
        })
    }

    /// Takes in the masks of a frame; `time` is its moment in the video. Frames follow one
    /// another, forward or backward.
    pub(crate) fn add(
        &mut self,
        result: &FrameResult,
        picture: &RgbImage,
        time: Option<Duration>,
        marks: &FrameMarks,
    ) -> Result<(), Failure> {
        let scene = Scene::new(&self.folder, result, picture, marks);
        for sink in &mut self.sinks {
            sink.add(&scene)?;
        }
        let objects = result.objects.iter().zip(&scene.masks);
        let record = FrameRecord {
            frame: result.frame,
            time: time.map(|time| time.as_secs_f64()),
            objects: objects
                .map(|(object, (_, mask))| {
                    let prompted = marks.iter().any(|(id, _)| *id == object.id);
                    object_record(object, mask, prompted)
                })
                .collect(),
        };
        self.records
            .add(&record)
            .with_context(|| format!("cannot write {}", self.records_path.display()))?;
        self.frames += 1;
        Ok(())
    }

    /// Makes everything that was added durable: a run that is killed afterwards can be resumed
    /// here, if the number of frames is a multiple of [`CHECKPOINT_INTERVAL`].
    pub(crate) fn checkpoint(&mut self) -> Result<(), Failure> {
        for sink in &mut self.sinks {
            sink.checkpoint()?;
        }
        self.records
            .flush()
            .with_context(|| format!("cannot write {}", self.records_path.display()))?;
        Ok(())
    }

    /// The number of frames taken in, those of an earlier run included.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Writes what is made of the whole video. `complete` says whether tracking reached its end;
    /// if it did not, the run can still be resumed.
    pub(crate) fn finish(mut self, complete: bool) -> Result<Summary, Failure> {
        self.checkpoint()?;
        let records = Records::open(&self.records_path)
            .with_context(|| format!("cannot read {}", self.records_path.display()))?;
        let whole = Whole {
            folder: &self.folder,
            video: &self.video,
            records: &records,
            complete,
        };
        self.folder
            .write_with(REPORT, |file| report::write(&whole, file))?;
        for sink in &mut self.sinks {
            sink.finish(&whole)?;
        }
        if complete {
            self.folder.remove(UNFINISHED, is_result)?;
        }
        Ok(Summary {
            report: self.folder.path().join(REPORT),
            records,
        })
    }
}

/// Who writes what the flags ask for; `frames` and `resumed` are what an earlier run completed.
fn sinks(
    args: &ResultArgs,
    background: Option<Background>,
    folder: &OutputFolder,
    video: &VideoInfo,
    frames: usize,
    resumed: Option<&Records>,
) -> Result<Vec<Box<dyn Sink>>, Failure> {
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(sheet::Sheet::new(frames))];
    if args.formats.contains(&Format::Png) {
        sinks.push(Box::new(pictures::MaskFiles));
    }
    if args.formats.contains(&Format::Davis) {
        sinks.push(Box::new(pictures::DavisFiles));
    }
    let movie = |name, path| Movie::new(name, path, video.dimensions, frames);
    match &args.overlay {
        Some(path) => {
            let movie = movie("overlay", path.clone());
            sinks.push(Box::new(pictures::OverlayMovie(movie)));
        }
        None if args.no_overlay => {}
        None => sinks.push(Box::new(pictures::OverlayFiles)),
    }
    if args.cutout {
        sinks.push(Box::new(pictures::Cutouts));
    }
    if let Some(background) = background {
        let movie = movie("background", folder.file(BACKGROUND_MOVIE)?);
        sinks.push(Box::new(pictures::BackgroundFiles { background, movie }));
    }
    if let Some(path) = &args.logits {
        let logits = logits::LogitsFile::create(folder, path, video.low_res, resumed)?;
        sinks.push(Box::new(logits));
    }
    sinks.push(Box::new(Exports::new(args)));
    Ok(sinks)
}

/// Cuts the records off after the completed frames.
fn resume(path: &Path, frames: usize) -> io::Result<(RecordWriter, (Records, Kept))> {
    let writer = RecordWriter::resume(path, frames)?;
    let records = Records::open(path)?;
    let first = records.numbers(Order::Frame).next().unwrap_or_default();
    let last = records.numbers(Order::Frame).last().unwrap_or_default();
    let kept = Kept {
        frames,
        numbers: first..=last,
    };
    Ok((writer, (records, kept)))
}

fn object_record(object: &ObjectMask, mask: &Mask, prompted: bool) -> ObjectRecord {
    ObjectRecord {
        id: object.id,
        segmentation: Rle::encode(mask),
        occlusion_score: object.object_score,
        area: mask.area(),
        bbox: mask
            .bounding_box()
            .map_or([0; 4], |bounds| bounds.to_coco()),
        stability_score: stability_score(&object.low_res_logits, 0.0, STABILITY_OFFSET),
        prompted,
    }
}

/// What was written.
pub(crate) struct Summary {
    report: PathBuf,
    records: Records,
}

impl Summary {
    /// Prints the report as JSON, or a few lines.
    pub(crate) fn print(&self, global: &Global) -> Result<(), Failure> {
        if global.json {
            return copy_file_to_stdout(&self.report);
        }
        if global.quiet {
            return Ok(());
        }
        for object in self.records.objects() {
            print_line(&format!(
                "object {}: visible on {} of {} frames",
                object.id,
                object.visible_frames,
                self.records.len()
            ))?;
        }
        print_line(&format!("{}", self.report.display()))
    }
}
