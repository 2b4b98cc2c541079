//! `masklet engine tasks`, `verify`, `reopen`.

use std::fmt::Write as _;

use masklet_engine::{
    Judgement, Masklet, MaskletId, Project, Task, TaskId, TaskQuery, TaskState, Verdict,
};

use super::ProjectArgs;
use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};

/// List tasks and their masklets.
#[derive(clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only those to be annotated, to be verified, or done.
    #[arg(long, value_name = "annotate|verify|done")]
    state: Option<TaskState>,
    /// Only those on this video.
    #[arg(long, value_name = "NAME")]
    video: Option<String>,
}

/// Say whether a masklet is as it should be.
///
/// When all masklets of a task are verified it is done; if one is unsatisfactory it goes back to
/// annotation. Who annotated a task does not verify it, unless the setting verify-own-work is on.
#[derive(clap::Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// The masklet's number, as `masklet engine tasks` lists it.
    masklet: MaskletId,
    /// satisfactory, unsatisfactory (needs --remark), or reject (no well-defined object).
    verdict: Verdict,
    /// What is to be repaired.
    #[arg(long)]
    remark: Option<String>,
}

/// Send masklets that were verified back to annotation.
#[derive(clap::Args)]
pub(super) struct ReopenArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// The masklets' numbers, all of one task.
    #[arg(required = true)]
    masklets: Vec<MaskletId>,
    /// What is to be repaired.
    #[arg(long)]
    remark: Option<String>,
}

pub(super) fn list(args: &ListArgs, global: &Global) -> Result<(), Failure> {
    let (project, _) = args.project.open()?;
    let video = match &args.video {
        Some(name) => Some(project.video_named(name)?.id),
        None => None,
    };
    let tasks = project.tasks(TaskQuery {
        state: args.state,
        video,
    })?;
    if global.json {
        return print_json(&tasks);
    }
    match tasks.is_empty() {
        true => print_line("no tasks"),
        false => tasks
            .iter()
            .try_for_each(|task| print_line(text(task).trim_end())),
    }
}

fn text(task: &Task) -> String {
    let holder = match &task.lease {
        Some(lease) => format!(", held by {}", lease.user_name),
        None => String::new(),
    };
    let mut text = format!(
        "task {}: {} in phase {}, to {}{holder}\n",
        task.id,
        task.video_name,
        task.phase.number(),
        match task.state {
            TaskState::Annotate => "annotate",
            TaskState::Verify => "verify",
            TaskState::Done => "do nothing more",
        },
    );
    for masklet in &task.masklets {
        let Masklet {
            id,
            name,
            kind,
            state,
            remark,
            ..
        } = masklet;
        let _ = write!(text, "  masklet {id}: {name}, {kind}, {state}");
        if let Some(remark) = remark {
            let _ = write!(text, " ({remark})");
        }
        text.push('\n');
    }
    text
}

/// The task of a masklet.
fn task_of(project: &Project, masklet: MaskletId) -> Result<TaskId, Failure> {
    Ok(project.masklet(masklet)?.task)
}

pub(super) fn verify(args: &VerifyArgs, global: &Global) -> Result<(), Failure> {
    let (project, user) = args.project.open()?;
    let task = task_of(&project, args.masklet)?;
    project.claim(user, task)?;
    let judgement = Judgement {
        masklet: args.masklet,
        verdict: args.verdict,
        remark: args.remark.clone(),
        milliseconds: 0,
    };
    let judged = project.judge(user, task, None, &judgement);
    // Whatever came of it, the task is free for others; a finished one is already.
    project.release(user, task)?;
    judged?;
    show(&project, task, global)
}

pub(super) fn reopen(args: &ReopenArgs, global: &Global) -> Result<(), Failure> {
    let (project, user) = args.project.open()?;
    let task = task_of(&project, args.masklets[0])?;
    project.reopen(user, task, None, &args.masklets, args.remark.as_deref())?;
    show(&project, task, global)
}

fn show(project: &Project, task: TaskId, global: &Global) -> Result<(), Failure> {
    let task = project.task(task)?;
    match (global.json, global.quiet) {
        (true, _) => print_json(&task),
        (false, true) => Ok(()),
        (false, false) => print_line(text(&task).trim_end()),
    }
}
