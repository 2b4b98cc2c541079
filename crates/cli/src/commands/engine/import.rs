//! `masklet engine import`.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::ValueEnum;
use masklet_engine::Project;
use masklet_engine::import::{Arrival, ImportReport};

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
    // A name that is mistyped must not become an empty project.
    if let Some(missing) = args.paths.iter().find(|path| !path.exists()) {
        return Err(Failure::usage(anyhow!("there is no {}", missing.display())));
    }
    let folder = &args.project.project;
    let project = match (Project::is_at(folder), &args.name) {
        (true, Some(_)) => {
            return Err(Failure::usage(anyhow!(
                "--name is for a new project, and {} holds one; `masklet engine settings` renames it",
                folder.display()
            )));
        }
        (true, None) => Project::open(folder)?,
        (false, name) => {
            let of_folder = || {
                folder
                    .file_name()
                    .unwrap_or(folder.as_os_str())
                    .to_string_lossy()
            };
            let name = name.clone().unwrap_or_else(|| of_folder().into_owned());
            let owner = args.project.user.as_deref().unwrap_or(OWNER);
            Project::create(folder, &name, owner)?
        }
    };
    let user = args.project.user_of(&project)?;
    let mut progress = Progress::new("video", None, global.quiet);
    let mut all = ImportReport::default();
    for path in &args.paths {
        match project.import(user, path, args.masklets.into(), &mut |_| progress.step()) {
            Ok(report) => {
                all.videos.extend(report.videos);
                all.refused.extend(report.refused);
            }
            // One that is no video does not keep the others out.
            Err(error) => all
                .refused
                .push((path.display().to_string(), error.to_string())),
        }
    }
    progress.finish();
    print(&all, global)?;
    match all.refused.len() {
        0 => Ok(()),
        count => Err(Failure::failed(anyhow!(
            "{count} not taken in, {} taken in: {}",
            all.videos.len(),
            all.refused
                .iter()
                .map(|(name, why)| told(name, why))
                .collect::<Vec<_>>()
                .join("; ")
        ))),
    }
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
