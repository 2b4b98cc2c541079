//! What was acknowledged is there after the process was killed.

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{FRAMES, Lab, Monkey, clicked, square};
use masklet_engine::{EventId, HistoryQuery, Project, Scope, TaskQuery};

/// Tells the child of the test below which project to work on.
const PROJECT: &str = "MASKLET_ENGINE_TEST_PROJECT";
const SEED: &str = "MASKLET_ENGINE_TEST_SEED";

/// The child: works without end, and says what is acknowledged.
#[test]
fn child_that_is_killed() {
    let (Ok(folder), Ok(seed)) = (std::env::var(PROJECT), std::env::var(SEED)) else {
        // Not the child: nothing to do.
        return;
    };
    let project = Project::open(folder).unwrap();
    let owner = project.owner().unwrap().id;
    let mut monkey = Monkey::new(seed.parse().unwrap());
    loop {
        if let Some(event) = monkey.act(&project, owner).unwrap() {
            let state = project.fingerprint().unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "ack {event} {state}").unwrap();
            out.flush().unwrap();
        }
    }
}

/// Runs the child until it has acknowledged `count` actions and `pause` has passed, kills it, and
/// returns the last action that it acknowledged, with the state after it.
fn kill_after(
    project: &std::path::Path,
    seed: u64,
    count: usize,
    pause: Duration,
) -> (EventId, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_that_is_killed",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(PROJECT, project)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    // The harness puts its own words before the first line.
    let ack = |line: String| line.split_once("ack ").map(|(_, rest)| rest.to_owned());
    while acknowledged.len() < count {
        let line = lines
            .next()
            .expect("the child works until it is killed")
            .unwrap();
        acknowledged.extend(ack(line));
    }
    std::thread::sleep(pause);
    // SIGKILL on Unix: nothing is flushed, nothing is closed.
    child.kill().unwrap();
    child.wait().unwrap();
    // A line that was cut off was not acknowledged.
    let rest = lines.map_while(Result::ok).filter_map(ack);
    acknowledged.extend(rest.filter(|line| line.len() == acknowledged_length(line)));
    let last = acknowledged.last().unwrap();
    let (event, state) = last.split_once(' ').unwrap();
    (event.parse().unwrap(), state.to_owned())
}

/// The length of a whole line: an event, a space, and a SHA-256 in hexadecimal.
fn acknowledged_length(line: &str) -> usize {
    line.split(' ').next().map_or(0, str::len) + 1 + 64
}

#[test]
fn acknowledged_actions_survive_a_kill() {
    let lab = Lab::new();
    lab.project
        .change_settings(lab.owner, None, |s| s.verify_own_work = true)
        .unwrap();
    let folder = lab.project.folder().to_owned();
    let Lab {
        project,
        folder: _keep,
        ..
    } = lab;
    drop(project);
    for round in 0..6 {
        let pause = Duration::from_millis(3 * round);
        let (last, state) = kill_after(&folder, round, 8, pause);
        let project = Project::open(&folder).unwrap();
        // At most one action was complete and not acknowledged yet.
        let query = HistoryQuery {
            limit: Some(2),
            ..HistoryQuery::default()
        };
        let newest = project.history(&query).unwrap();
        let extra = newest.iter().filter(|event| event.id > last).count();
        assert!(extra <= 1, "{newest:?}");
        assert_eq!(newest[extra].id, last);
        if extra == 1 {
            let owner = project.owner().unwrap().id;
            let reverted = project.revert(owner, newest[0].id, None);
            reverted.expect("the newest event can always be reverted");
        }
        assert_eq!(project.fingerprint().unwrap(), state, "round {round}");
        every_mask_can_be_read(&project);
    }
}

fn every_mask_can_be_read(project: &Project) {
    for task in project.tasks(TaskQuery::default()).unwrap() {
        for masklet in &task.masklets {
            let frames = project.frames(masklet.id).unwrap();
            let places: Vec<_> = frames.iter().map(|entry| entry.mask.clone()).collect();
            let masks = project.read_masks(&places).unwrap();
            for (entry, mask) in frames.iter().zip(masks) {
                assert_eq!(entry.area, mask.area());
            }
        }
    }
}

#[test]
fn a_copy_of_the_folder_is_the_same_project() {
    let lab = Lab::new();
    let (task, masklets) = lab.task(1);
    lab.annotate_all(task, masklets[0]);
    let fingerprint = lab.project.fingerprint().unwrap();
    let from = lab.project.folder().to_owned();
    let Lab {
        project, folder, ..
    } = lab;
    drop(project);
    let to = folder.path().join("copy");
    copy(&from, &to);
    let copied = Project::open(&to).unwrap();
    assert_eq!(copied.fingerprint().unwrap(), fingerprint);
    assert_eq!(copied.frames(masklets[0]).unwrap().len(), FRAMES as usize);
    every_mask_can_be_read(&copied);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn many_threads_and_handles_never_lose_or_mix_up_changes() {
    const THREADS: usize = 6;
    const ACTIONS: u32 = 10;
    let lab = Lab::new();
    let second = Project::open(lab.project.folder()).unwrap();
    let tasks: Vec<_> = (0..THREADS).map(|_| lab.task(1)).collect();
    std::thread::scope(|scope| {
        for (place, (task, masklets)) in tasks.iter().enumerate() {
            let lab = &lab;
            let project = if place < THREADS / 2 {
                &lab.project
            } else {
                &second
            };
            scope.spawn(move || {
                project.claim(lab.ann, *task).unwrap();
                for frame in 0..ACTIONS {
                    let seen = project.task(*task).unwrap().revision;
                    let update = clicked(masklets[0], frame, square(place as u32, frame, 4));
                    project
                        .annotate(lab.ann, *task, Some(seen), &[update], None)
                        .unwrap();
                    if frame % 3 == 0 {
                        project.undo(lab.ann, Scope::Task(*task), None).unwrap();
                        project.redo(lab.ann, Scope::Task(*task), None).unwrap();
                    }
                }
            });
        }
    });
    for (place, (_, masklets)) in tasks.iter().enumerate() {
        let masks = lab.masks(masklets[0]);
        let expected: Vec<_> = (0..ACTIONS)
            .map(|frame| (frame, square(place as u32, frame, 4)))
            .collect();
        assert_eq!(masks, expected);
    }
}
