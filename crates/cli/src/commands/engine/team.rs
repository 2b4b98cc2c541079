//! `masklet engine users` and `settings`.

use masklet_engine::{Phase, Project, Role, Settings, User, UserId};
use serde::Serialize;

use super::ProjectArgs;
use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};

/// List users, add and change them, and make their tokens.
#[derive(clap::Args)]
pub(super) struct UsersArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Add a user, or give one another role.
    #[arg(long, value_name = "NAME", requires = "role")]
    set: Option<String>,
    /// What they may do: annotator, verifier or owner.
    #[arg(long, value_name = "ROLE", requires = "set")]
    role: Option<Role>,
    /// Let a user do nothing any more.
    #[arg(long, value_name = "NAME", conflicts_with = "set")]
    disable: Option<String>,
    /// Make a token for a user and print it, once; an older one is void.
    #[arg(long, value_name = "NAME")]
    token: Option<String>,
}

#[derive(Serialize)]
struct UsersReport {
    users: Vec<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

pub(super) fn users(args: &UsersArgs, global: &Global) -> Result<(), Failure> {
    let (project, by) = args.project.open()?;
    if let (Some(name), Some(role)) = (&args.set, args.role) {
        set_role(&project, by, name, role)?;
    }
    if let Some(name) = &args.disable {
        let user = project.user_named(name)?;
        project.change_user(by, user.id, user.role, false, None)?;
    }
    let token = match &args.token {
        Some(name) => Some(project.new_token(by, project.user_named(name)?.id)?),
        None => None,
    };
    let token = token.map(|token| token.secret().to_owned());
    let users = project.users()?;
    if global.json {
        return print_json(&UsersReport { users, token });
    }
    if let Some(token) = token {
        return print_line(&token);
    }
    for User {
        name, role, active, ..
    } in users
    {
        let disabled = if active { "" } else { ", disabled" };
        print_line(&format!("{name}: {role}{disabled}"))?;
    }
    Ok(())
}

fn set_role(project: &Project, by: UserId, name: &str, role: Role) -> Result<(), Failure> {
    match project.users()?.into_iter().find(|user| user.name == name) {
        Some(user) => project
            .change_user(by, user.id, role, true, None)
            .map(drop)?,
        None => project.add_user(by, name, role).map(drop)?,
    }
    Ok(())
}

/// Show settings and change them.
#[derive(clap::Args)]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// The project's name.
    #[arg(long)]
    name: Option<String>,
    /// How new tasks are annotated: 1 (frame by frame), 2 (masks propagated) or 3 (the full model).
    #[arg(long, value_name = "1|2|3", value_parser = phase)]
    phase: Option<Phase>,
    /// Frames a second that are annotated in phase 1.
    #[arg(long, value_name = "N")]
    annotation_rate: Option<u32>,
    /// Seconds for which a task is held without being renewed.
    #[arg(long, value_name = "N")]
    lease_seconds: Option<u32>,
    /// Whether somebody may verify what they annotated.
    #[arg(long, value_name = "BOOL")]
    verify_own_work: Option<bool>,
    /// Share of the videos that is held out from training, in percent.
    #[arg(long, value_name = "N")]
    held_out_percent: Option<u8>,
    /// Frames that a video may have.
    #[arg(long, value_name = "N")]
    max_video_frames: Option<u32>,
    /// Bytes that a video may have.
    #[arg(long, value_name = "N")]
    max_video_bytes: Option<u64>,
}

fn phase(text: &str) -> Result<Phase, String> {
    let number: u8 = text
        .parse()
        .map_err(|_| format!("{text:?} is no phase; 1, 2, 3 are"))?;
    number.try_into()
}

impl SettingsArgs {
    /// The settings with what was given.
    fn changed(&self, before: &Settings) -> Settings {
        Settings {
            name: self.name.clone().unwrap_or_else(|| before.name.clone()),
            phase: self.phase.unwrap_or(before.phase),
            annotation_rate: self.annotation_rate.unwrap_or(before.annotation_rate),
            lease_seconds: self.lease_seconds.unwrap_or(before.lease_seconds),
            verify_own_work: self.verify_own_work.unwrap_or(before.verify_own_work),
            held_out_percent: self.held_out_percent.unwrap_or(before.held_out_percent),
            max_video_frames: self.max_video_frames.unwrap_or(before.max_video_frames),
            max_video_bytes: self.max_video_bytes.unwrap_or(before.max_video_bytes),
            model: before.model,
        }
    }
}

pub(super) fn settings(args: &SettingsArgs, global: &Global) -> Result<(), Failure> {
    let (project, user) = args.project.open()?;
    let before = project.settings()?;
    if args.changed(&before) != before {
        project.change_settings(user, None, |settings| *settings = args.changed(settings))?;
    }
    let settings = project.settings()?;
    if global.json {
        return print_json(&settings);
    }
    let model = match settings.model {
        Some(id) => project.models()?.into_iter().find(|model| model.id == id),
        None => None,
    };
    print_line(&format!(
        "name              {}\nphase             {}\nannotation rate   {} frames a second\n\
         lease             {} seconds\nverify own work   {}\nheld out          {} %\n\
         video limits      {} frames, {} bytes\nmodel             {}",
        settings.name,
        settings.phase.number(),
        settings.annotation_rate,
        settings.lease_seconds,
        settings.verify_own_work,
        settings.held_out_percent,
        settings.max_video_frames,
        settings.max_video_bytes,
        model.map_or("none yet".to_owned(), |model| model.name),
    ))
}
