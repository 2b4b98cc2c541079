//! `masklet engine`, with the micro model of the fixtures.

mod common;

use std::fs;

use common::{Run, failed, fixture, succeeded};
use masklet::built_in;
use masklet_engine::{ModelFacts, Project};
use serde_json::Value;

/// A few clicks, of which every mask is tracked and kept.
const KEEP_ALL: [&str; 26] = [
    "--points-per-side",
    "2",
    "--pred-iou-thresh",
    "0",
    "--stability-score-thresh",
    "0",
    "--box-nms-thresh",
    "1",
    "--crop-n-layers",
    "0",
    "--min-stability",
    "0",
    "--min-area",
    "0",
    "--min-visible",
    "0",
    "--max-overlap",
    "1",
    "--max-objects",
    "3",
    "--mask-threshold",
    "-5",
    "--multimask-output",
    "false",
    "--points-per-batch",
    "4",
];

fn json(output: &std::process::Output) -> Value {
    succeeded(output);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(output: &std::process::Output) -> String {
    succeeded(output);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Engine {
    fn new() -> Self {
        let engine = Self { run: Run::new() };
        let said = text(
            &engine
                .run
                .command(&["engine", "import", "lab", &fixture("frames")]),
        );
        assert!(said.contains("video 1: frames, "), "{said}");
        engine
    }

    fn command(&self, arguments: &[&str]) -> std::process::Output {
        let (action, rest) = arguments.split_first().unwrap();
        self.run
            .command(&[&["engine", action, "lab"], rest].concat())
    }

    fn auto(&self, more: &[&str]) -> std::process::Output {
        self.run
            .with_model(&[&["engine", "auto", "lab"], &KEEP_ALL[..], more].concat())
    }
}

struct Engine {
    run: Run,
}

#[test]
fn from_videos_to_a_data_set_and_back() {
    let engine = Engine::new();
    let found = json(&engine.auto(&["--json"]));
    let count = found[0]["masklets"].as_u64().unwrap();
    assert!((1..=3).contains(&count), "{found}");
    // A second run passes over what is done.
    assert_eq!(json(&engine.auto(&["--json"])), Value::Array(Vec::new()));

    let tasks = json(&engine.command(&["tasks", "--state", "verify", "--json"]));
    assert_eq!(tasks.as_array().unwrap().len() as u64, count);
    assert_eq!(tasks[0]["masklets"][0]["kind"], "auto");
    for task in tasks.as_array().unwrap() {
        let masklet = task["masklets"][0]["id"].to_string();
        let said = text(&engine.command(&["verify", &masklet, "satisfactory"]));
        assert!(said.contains("to do nothing more"), "{said}");
    }
    let said = text(&engine.command(&["stats"]));
    assert!(said.contains("automatic); "), "{said}");
    let counted = json(&engine.command(&["stats", "--json"]));
    assert_eq!(counted["contents"]["states"]["satisfactory"], count);
    assert_eq!(counted["contents"]["models"]["model"], count);
    assert!(text(&engine.command(&["stats", "--csv"])).contains("contents,all,videos,1"));

    let export = |format: &str, out: &str| {
        succeeded(&engine.command(&["export", "--format", format, "-o", out]));
    };
    for format in ["sav", "sav-val", "davis", "coco", "ytvis"] {
        export(format, format);
    }
    let inspected =
        json(
            &engine
                .run
                .command(&["data", "inspect", "sav-val", "--no-sheet", "--json"]),
        );
    assert_eq!(inspected["videos"]["objects"], count);

    let back = engine
        .run
        .command(&["engine", "import", "again", "ytvis", "--name", "Again"]);
    assert!(text(&back).contains(&format!("{count} masklets")));
    succeeded(&engine.run.command(&[
        "engine",
        "export",
        "again",
        "--format",
        "ytvis",
        "-o",
        "ytvis-again",
    ]));
    assert_eq!(
        fs::read(engine.run.path("ytvis/annotations/frames.json")).unwrap(),
        fs::read(engine.run.path("ytvis-again/annotations/frames.json")).unwrap()
    );
}

#[test]
fn an_unsatisfactory_masklet_goes_to_annotation_and_verdicts_are_undone() {
    let engine = Engine::new();
    succeeded(&engine.auto(&[]));
    failed(
        &engine.command(&["verify", "1", "unsatisfactory"]),
        2,
        &["remark"],
    );
    let said =
        text(&engine.command(&["verify", "1", "unsatisfactory", "--remark", "the left edge"]));
    assert!(
        said.contains("to annotate") && said.contains("(the left edge)"),
        "{said}"
    );
    let said = text(&engine.command(&["history", "--of", "task 1"]));
    assert!(
        said.contains("judge") && said.contains("the left edge"),
        "{said}"
    );
    succeeded(&engine.command(&["undo", "--of", "task 1"]));
    let task = json(&engine.command(&["tasks", "--state", "verify", "--json"]));
    assert_eq!(task[0]["masklets"][0]["state"], "submitted");
    succeeded(&engine.command(&["redo", "--of", "task 1"]));
    assert!(text(&engine.command(&["history"])).contains("(taken back)"));
    failed(
        &engine.command(&["redo", "--of", "task 1"]),
        2,
        &["nothing to redo in task 1"],
    );
    failed(&engine.command(&["undo", "--of", "tusk 1"]), 2, &["task N"]);
    failed(&engine.command(&["revert", "999"]), 2, &["engine history"]);
}

#[test]
fn a_small_team_has_roles_and_tokens() {
    let engine = Engine::new();
    succeeded(&engine.command(&["users", "--set", "Vera", "--role", "verifier"]));
    let said = text(&engine.command(&["users"]));
    assert_eq!(said, "owner: owner\nVera: verifier\n");
    let token = text(&engine.command(&["users", "--token", "Vera"]));
    assert_eq!(token.trim().len(), 64);
    failed(
        &engine.command(&["settings", "--phase", "1", "--as", "Vera"]),
        2,
        &["Vera (verifier) cannot change settings", "an owner can"],
    );
    failed(
        &engine.command(&["tasks", "--as", "Nobody"]),
        2,
        &["\"Nobody\"", "owner, Vera"],
    );
    let said = text(&engine.command(&["settings", "--phase", "1", "--held-out-percent", "20"]));
    assert!(
        said.contains("phase             1") && said.contains("20 %"),
        "{said}"
    );
    failed(
        &engine.command(&["settings", "--held-out-percent", "200"]),
        2,
        &["0 to 100"],
    );
    succeeded(&engine.command(&["users", "--disable", "Vera"]));
    assert!(text(&engine.command(&["users"])).contains("Vera: verifier, disabled"));
}

#[test]
fn the_projects_model_is_used_again_or_asked_for() {
    let run = Run::new();
    let project = Project::create(run.path("lab"), "Lab", "Ada").unwrap();
    let owner = project.owner().unwrap().id;
    let used = |facts: &ModelFacts| {
        project.use_model(owner, facts).unwrap();
    };
    let auto = |more: &[&str]| {
        let mut auto = run.prepared(&[&["engine", "auto", "lab", "--offline"], more].concat());
        auto.env("HF_HUB_CACHE", run.path("cache"));
        auto.output().unwrap()
    };
    // A file of somebody's, which is not in the project.
    let mine = ModelFacts::of("mine", &b"weights"[..]).unwrap();
    used(&mine);
    failed(&auto(&[]), 2, &["\"mine\"", "--weights", "--model", "lite"]);

    // An official model is in the cache, or is not, or is another there.
    let tiny = ModelFacts::of("sam2.1-tiny", built_in::WEIGHTS).unwrap();
    used(&tiny);
    failed(
        &auto(&[]),
        1,
        &["the project's model, sam2.1-tiny", "--weights"],
    );
    let repository = run.path("cache/models--facebook--sam2.1-hiera-tiny");
    let snapshot = repository.join("snapshots/0123");
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), "0123").unwrap();
    let file = snapshot.join("sam2.1_hiera_tiny.pt");
    fs::write(&file, "another").unwrap();
    failed(&auto(&[]), 2, &["SHA-256", tiny.sha256.as_deref().unwrap()]);
    fs::write(&file, built_in::WEIGHTS).unwrap();
    let before = project.settings().unwrap();
    let output = auto(&[]);
    succeeded(&output);
    assert!(!said_of_lite(&output));
    assert_eq!(project.settings().unwrap(), before);
}

fn said_of_lite(output: &std::process::Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("model: lite, the small one")
}

#[test]
fn who_names_no_model_is_told_that_it_is_the_small_one() {
    let run = Run::new();
    Project::create(run.path("lab"), "Lab", "Ada").unwrap();
    let auto = |more: &[&str]| {
        let output = run.command(&[&["engine", "auto", "lab"], more].concat());
        succeeded(&output);
        said_of_lite(&output)
    };
    assert!(auto(&[]));
    // The second time it is the project's.
    assert!(auto(&[]));
    assert!(!auto(&["--quiet"]));
    assert!(!auto(&["--model", "lite"]));
}

#[test]
fn wrong_use_says_what_to_do() {
    let run = Run::new();
    let missing = run.command(&["engine", "import", "lab", "nothing.mp4"]);
    failed(&missing, 2, &["there is no nothing.mp4"]);
    assert!(
        !run.path("lab").exists(),
        "a mistyped name makes no project"
    );
    failed(
        &run.command(&["engine", "stats", "lab"]),
        2,
        &["not a project", "engine import"],
    );
    fs::write(run.path("noise.mp4"), [3u8; 999]).unwrap();
    let frames = fixture("frames");
    let output = run.command(&["engine", "import", "lab", "noise.mp4", &frames]);
    failed(&output, 1, &["1 not taken in, 1 taken in", "noise.mp4"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("video 1: frames"));
    let again = run.command(&["engine", "import", "lab", &frames, "--name", "Lab"]);
    failed(&again, 2, &["--name is for a new project"]);
    let out = run.command(&["engine", "export", "lab", "--format", "davis", "-o", "out"]);
    failed(&out, 2, &["nothing to export", "satisfactory"]);
    let format = run.command(&["engine", "export", "lab", "--format", "voc", "-o", "out"]);
    failed(&format, 2, &["sav, sav-val, sav-test, davis, coco, ytvis"]);
}
