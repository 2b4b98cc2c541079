//! Everything in a video.

use std::time::Instant;

use anyhow::anyhow;
use masklet::{
    EverythingFrame, EverythingTracker, MaskGenerator, ObjectId, StreamTracker, VideoOptions,
};
use masklet_data::export::sav::Origin;
use masklet_media::{FrameSource, PromptMark};

use super::{Args, NOTHING_FOUND};
use crate::Global;
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Progress;
use crate::results::{CHECKPOINT_INTERVAL, ResultWriter, VideoInfo};

/// How tracking ended without an error.
enum Ended {
    AtTheEnd,
    Interrupted,
}

/// Finds everything in a video, tracks it and writes it.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let generator = args.generator.options()?;
    let discovery = args.discovery.options()?;
    let source = args.input.open()?;
    let model = args.model.load(global)?;
    interrupt::listen("frame").map_err(Failure::failed)?;
    let generator = MaskGenerator::with_options(&model, generator)?;
    let options = VideoOptions {
        non_overlapping: args.discovery.non_overlapping,
        ..StreamTracker::default_options()
    };
    let tracker = EverythingTracker::with_video_options(&model, generator, discovery, options)?;
    let rate = args.input.frame_rate().or(source.frame_rate());
    let video = VideoInfo {
        path: args.input.path()?.clone(),
        dimensions: source.dimensions(),
        frame_count: source.frame_count(),
        frame_rate: rate,
        origin: Origin::Auto,
        model: model.name().to_owned(),
        weights: args.model.weights().cloned(),
        low_res: model.config().low_res(),
    };
    let mut results = ResultWriter::create(&args.results, video, None)?;
    let start = Instant::now();
    let tracked = track(args, global, source, tracker, &mut results);
    let frames = results.frames();
    if global.verbose {
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{}: {frames} frames in {seconds:.1} s", model.name());
    }
    // Whatever happened, the frames that were tracked are reported.
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

fn track(
    args: &Args,
    global: &Global,
    mut source: Box<dyn FrameSource>,
    mut tracker: EverythingTracker,
    results: &mut ResultWriter,
) -> Result<Ended, Failure> {
    let most = args.discovery.max_frames();
    let frames_left = source.frame_count().map(|count| count.min(most));
    let mut progress = Progress::new("frame", frames_left, global.quiet);
    let rate = args.input.frame_rate();
    for index in 0..most {
        if interrupt::requested() {
            return Ok(Ended::Interrupted);
        }
        let Some(picture) = source.frame(index)? else {
            break;
        };
        let EverythingFrame { result, found } = tracker.push(picture)?;
        if result.objects.is_empty() && !args.discovery.looks_again() {
            return Err(Failure::failed(anyhow!(
                "on the first frame, {NOTHING_FOUND}"
            )));
        }
        if global.verbose && !found.is_empty() {
            let (new, all) = (found.len(), result.objects.len());
            eprintln!("frame {index}: {all} objects, {new} of them new");
        }
        // Each object is marked where the click was that found it.
        let marks: Vec<(ObjectId, Vec<PromptMark>)> = found
            .iter()
            .map(|(id, record)| {
                let [[x, y]] = record.point_coords;
                let positive = true;
                (*id, vec![PromptMark::Point { x, y, positive }])
            })
            .collect();
        let time = rate
            .map(|rate| rate.time_of(index))
            .or(source.presentation_time(index));
        let picture = tracker.tracker().picture()?;
        results.add(&result, &picture, time, &marks)?;
        if results.frames().is_multiple_of(CHECKPOINT_INTERVAL) {
            results.checkpoint()?;
        }
        progress.step();
    }
    progress.finish();
    Ok(Ended::AtTheEnd)
}
