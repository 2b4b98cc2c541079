//! `masklet engine import`.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::ValueEnum;
use masklet_engine::import::{Arrival, ImportReport};
use masklet_engine::{Project, UserId};

use super::ProjectArgs;
use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};
use crate::progress::Progress;

/// What the owner of a new project is called.
const OWNER: &str = "owner";

/// Take videos and data sets into a project, which is made if there is none.
///
/// A path is a video file; a folder of pictures (one a frame); a data set in a layout that `masklet
/// data inspect` recognises (SA-V, DAVIS, MOSE, …); or a folder or JSON file in the COCO or
/// YouTube-VIS form that `masklet engine export` writes, with pictures. Videos are copied, and every
/// frame is decoded once.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Videos and data sets.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Name of a new project [default: its folder's].
    #[arg(long)]
    name: Option<String>,
    /// What becomes of a data set's masklets.
    #[arg(long, value_enum, default_value = "satisfactory")]
    masklets: ArrivalName,
}

#[derive(Clone, Copy, ValueEnum)]
enum ArrivalName {
    /// They are as they should be.
    Satisfactory,
    /// They are to be verified.
    Verify,
    /// They are to be repaired.
    Annotate,
}

impl From<ArrivalName> for Arrival {
    fn from(name: ArrivalName) -> Self {
        match name {
            ArrivalName::Satisfactory => Self::Satisfactory,
            ArrivalName::Verify => Self::Verify,
            ArrivalName::Annotate => Self::Annotate,
        }
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    check_paths(&args.paths)?;
    let folder = &args.project.project;
    if Project::is_at(folder) && args.name.is_some() {
        return Err(Failure::usage(anyhow!(
            "--name is for a new project, and {} holds one; `masklet engine settings` renames it",
            folder.display()
        )));
    }
    let owner = args.project.user.as_deref();
    let mut project = open_or_create(folder, args.name.as_deref(), owner)?;
    project.remove_leftovers();
    let user = args.project.user_of(&project)?;
    let all = take_in(&project, user, &args.paths, args.masklets.into(), global);
    print(&all, global)?;
    match all.refused.len() {
        0 => Ok(()),
        count => Err(Failure::failed(anyhow!(
            "{count} not taken in, {} taken in: {}",
            all.videos.len(),
            refusals(&all).join("; ")
        ))),
    }
}

/// Refuses what is not there: a name that is mistyped must not become an empty project.
pub(crate) fn check_paths(paths: &[PathBuf]) -> Result<(), Failure> {
    match paths.iter().find(|path| !path.exists()) {
        Some(missing) => Err(Failure::usage(anyhow!("there is no {}", missing.display()))),
        None => Ok(()),
    }
}

/// The project in a folder, which is made if there is none.
pub(crate) fn open_or_create(
    folder: &Path,
    name: Option<&str>,
    owner: Option<&str>,
) -> Result<Project, Failure> {
    if Project::is_at(folder) {
        return Ok(Project::open(folder)?);
    }
    let of_folder = folder.file_name().unwrap_or(folder.as_os_str());
    let of_folder = of_folder.to_string_lossy();
    let name = name.unwrap_or(&of_folder);
    Ok(Project::create(folder, name, owner.unwrap_or(OWNER))?)
}

/// Takes videos and data sets in. One that is refused does not keep the others out.
pub(crate) fn take_in(
    project: &Project,
    user: UserId,
    paths: &[PathBuf],
    arrival: Arrival,
    global: &Global,
) -> ImportReport {
    let mut progress = Progress::new("video", None, global.quiet);
    let mut all = ImportReport::default();
    for path in paths {
        match project.import(user, path, arrival, &mut |_| progress.step()) {
            Ok(report) => {
                all.videos.extend(report.videos);
                all.refused.extend(report.refused);
            }
            Err(error) => all
                .refused
                .push((path.display().to_string(), error.to_string())),
        }
    }
    progress.finish();
    all
}

/// What was refused, and why.
pub(crate) fn refusals(report: &ImportReport) -> Vec<String> {
    let refused = report.refused.iter();
    refused.map(|(name, why)| told(name, why)).collect()
}

/// A name and why it was refused, which may begin with the name.
fn told(name: &str, why: &str) -> String {
    if why.contains(name) {
        why.to_owned()
    } else {
        format!("{name}: {why}")
    }
}

fn print(report: &ImportReport, global: &Global) -> Result<(), Failure> {
    if global.json {
        return print_json(report);
    }
    if global.quiet {
        return Ok(());
    }
    for video in &report.videos {
        let masklets = match video.masklets {
            0 => String::new(),
            count => format!(", {count} masklets"),
        };
        print_line(&format!(
            "video {}: {}, {} frames{masklets}",
            video.id, video.name, video.frames
        ))?;
    }
    Ok(())
}
