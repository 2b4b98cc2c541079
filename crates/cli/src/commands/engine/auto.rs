//! `masklet engine auto`.

use std::num::NonZeroUsize;

use anyhow::anyhow;
use masklet::Model;
use masklet_engine::auto::{AutoOptions, Dropped, find};
use masklet_engine::{Kind, ModelFacts, Project, TaskQuery, UserId, Video};
use serde::Serialize;

use super::{ChosenModel, ProjectArgs};
use crate::commands::everything::options::GeneratorArgs;
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::output::{print_json, print_line};
use crate::progress::Progress;
use crate::{Global, interrupt};

/// Find everything in the videos, track it, and send it to verification.
///
/// Everything is found on the first frame, from a grid on the whole of it to ever finer ones on its
/// crops (--crop-n-layers 2 --crop-n-points-downscale-factor 2 by default), and tracked to the end.
/// What is unstable, small, hardly visible or there twice is dropped; each other masklet becomes a
/// task in verification. Videos that have automatic masklets already are passed over.
///
/// Without --model and --weights, the model is the project's: the one that was chosen last, or that
/// `masklet engine train` made since. A new project has lite, the small one inside this program.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only this video; can be given several times [default: all].
    #[arg(long = "video", value_name = "NAME")]
    videos: Vec<String>,
    /// Also videos that have automatic masklets already.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    generator: GeneratorArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Which masklets are kept.
#[derive(clap::Args)]
#[command(next_help_heading = "Masklets")]
struct FilterArgs {
    /// Track at most this many objects [default: 64].
    #[arg(long, value_name = "N")]
    max_objects: Option<NonZeroUsize>,
    /// Drop masklets with a smaller mean area in pixels where they are visible [default: 100].
    #[arg(long, value_name = "PIXELS", allow_hyphen_values = true)]
    min_area: Option<f64>,
    /// Drop masklets with a smaller mean stability score there, 0 to 1 [default: 0.85].
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true)]
    min_stability: Option<f32>,
    /// Drop masklets that are visible on a smaller share of frames, 0 to 1 [default: 0.1].
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    min_visible: Option<f64>,
    /// Of masklets with a larger mean IoU than this, 0 to 1, keep the most stable [default: 0.7].
    #[arg(long, value_name = "IOU", allow_hyphen_values = true)]
    max_overlap: Option<f64>,
}

impl Args {
    fn options(&self) -> Result<AutoOptions, Failure> {
        let default = AutoOptions::default();
        let filter = &self.filter;
        let options = AutoOptions {
            generator: self.generator.options_or(default.generator)?,
            max_objects: filter.max_objects.unwrap_or(default.max_objects),
            min_area: filter.min_area.unwrap_or(default.min_area),
            min_stability: filter.min_stability.unwrap_or(default.min_stability),
            min_visible: filter.min_visible.unwrap_or(default.min_visible),
            max_overlap: filter.max_overlap.unwrap_or(default.max_overlap),
        };
        options.check()?;
        Ok(options)
    }
}

#[derive(Serialize)]
struct Report {
    video: String,
    masklets: usize,
    dropped: Dropped,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let options = args.options()?;
    let (project, user) = args.project.open()?;
    let videos = videos(args, &project)?;
    let chosen = ChosenModel::of(&args.model, &project, global)?;
    let model = chosen.load(&args.model, global)?;
    let facts = chosen.facts;
    project.use_model(user, &facts)?;
    interrupt::listen("frame").map_err(Failure::failed)?;
    let mut reports = Vec::new();
    for video in &videos {
        let report = of_video(&project, user, video, &model, &facts, &options, global)?;
        if !global.json && !global.quiet {
            print_line(&report.text())?;
        }
        reports.push(report);
    }
    if global.json {
        print_json(&reports)
    } else {
        Ok(())
    }
}

/// The videos to look into.
fn videos(args: &Args, project: &Project) -> Result<Vec<Video>, Failure> {
    if !args.videos.is_empty() {
        let named = args.videos.iter().map(|name| project.video_named(name));
        return Ok(named.collect::<masklet_engine::Result<_>>()?);
    }
    let mut videos = project.videos()?;
    if !args.again {
        let tasks = project.tasks(TaskQuery::default())?;
        let masklets = tasks.iter().flat_map(|task| &task.masklets);
        let auto = masklets.filter(|masklet| masklet.kind == Kind::Auto);
        let done: std::collections::HashSet<_> = auto.map(|masklet| masklet.video).collect();
        videos.retain(|video| !done.contains(&video.id));
    }
    Ok(videos)
}

fn of_video(
    project: &Project,
    user: UserId,
    video: &Video,
    model: &Model,
    facts: &ModelFacts,
    options: &AutoOptions,
    global: &Global,
) -> Result<Report, Failure> {
    let mut source = project.open_frames(video)?;
    let what = format!("{}: frame", video.name);
    let mut progress = Progress::new(&what, Some(video.frames as usize), global.quiet);
    let found = find(model, &mut source, options, &mut |_| {
        progress.step();
        !interrupt::requested()
    });
    progress.finish();
    let Some(found) = found? else {
        return Err(Failure::failed(anyhow!(
            "interrupted: {} was not finished; videos before it are complete",
            video.name
        )));
    };
    if !found.masklets.is_empty() {
        project.add_auto_masklets(user, video.id, &found, facts)?;
    }
    Ok(Report {
        video: video.name.clone(),
        masklets: found.masklets.len(),
        dropped: found.dropped,
    })
}

impl Report {
    fn text(&self) -> String {
        let Dropped {
            unstable,
            small,
            hidden,
            repeated,
        } = self.dropped;
        format!(
            "{}: {} masklets to verify; dropped {unstable} unstable, {small} small, {hidden} hardly \
             visible, {repeated} repeated",
            self.video, self.masklets
        )
    }
}
