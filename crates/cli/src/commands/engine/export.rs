//! `masklet engine export`.

use std::path::PathBuf;

use masklet_engine::MaskletState;
use masklet_engine::export::{ExportOptions, ExportReport, Format, Part};

use super::ProjectArgs;
use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};
use crate::progress::Progress;

/// Write masklets as a data set.
///
/// `masklet data inspect`, `masklet train` and `masklet eval` read the result; `masklet engine
/// import` takes it into a project again, with the same masks.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Layout: sav, sav-val, sav-test, davis, coco or ytvis.
    #[arg(long, value_name = "NAME")]
    format: Format,
    /// A new or empty folder.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Masklets in this state; can be given several times [default: satisfactory].
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<MaskletState>,
    /// Videos: all, those for training, or those held out to evaluate on.
    #[arg(long, value_name = "all|training|held-out", default_value = "all")]
    part: Part,
    /// Only this video; can be given several times.
    #[arg(long = "video", value_name = "NAME")]
    videos: Vec<String>,
    /// sav-val and sav-test: annotate one in this many frames [default: 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sav_step: Option<u32>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let (project, _) = args.project.open()?;
    let mut options = ExportOptions::new(args.format);
    if !args.states.is_empty() {
        options.states.clone_from(&args.states);
    }
    options.part = args.part;
    options.videos.clone_from(&args.videos);
    options.sav_step = args.sav_step.unwrap_or(options.sav_step);
    let mut progress = Progress::new("video", None, global.quiet);
    let report = project.export(&args.output, &options, &mut |_| progress.step());
    progress.finish();
    print(&report?, global)
}

fn print(report: &ExportReport, global: &Global) -> Result<(), Failure> {
    if global.json {
        return print_json(report);
    }
    for video in &report.videos {
        if !global.quiet {
            let (name, masklets, masks) = (&video.name, video.masklets, video.masks);
            print_line(&format!("{name}: {masklets} masklets, {masks} masks"))?;
        }
        if !video.renumbered.is_empty() {
            eprintln!(
                "note: {}: the format cannot hold the objects' numbers; they are 1 to {} now",
                video.name, video.masklets
            );
        }
        if video.overlapping_frames > 0 {
            eprintln!(
                "note: {}: masks overlap on {} frames, which label maps cannot hold; the smaller one \
                 is on top there",
                video.name, video.overlapping_frames
            );
        }
    }
    Ok(())
}
