//! `masklet engine train`: from satisfactory masklets to a model that is used if it is better.

mod common;

use std::fs;

use common::{Run, failed, fixture, succeeded};
use masklet::Sam2Config;
use masklet_data::davis_colour;
use masklet_engine::{ModelFacts, Project};
use masklet_media::RgbImage;
use serde_json::Value;

const SIZE: u32 = 64;
const FRAMES: u32 = 3;
const CLIPS: u32 = 6;

/// Clips of a rectangle that moves, with its masks.
fn clips(run: &Run) {
    for clip in 0..CLIPS {
        for kind in ["frames", "masks"] {
            fs::create_dir_all(run.path(&format!("clips/{kind}/{clip}"))).unwrap();
        }
        for t in 0..FRAMES {
            let inside = |i: u32| {
                let (x, y) = (i % SIZE, i / SIZE);
                x.abs_diff(20 + 5 * t) < 10 && y.abs_diff(12 + 8 * clip) < 9
            };
            let draw = |object: [u8; 3], ground: [u8; 3], kind: &str| {
                let pixel = |i| if inside(i) { object } else { ground };
                let pixels = (0..SIZE * SIZE).flat_map(pixel).collect();
                let picture = RgbImage::from_raw(SIZE, SIZE, pixels).unwrap();
                picture
                    .save_png(run.path(&format!("clips/{kind}/{clip}/{t:05}.png")))
                    .unwrap();
            };
            draw([220, 90, 40], [40, 60, 90], "frames");
            draw(davis_colour(1), davis_colour(0), "masks");
        }
    }
}

/// A project with the clips, a recipe of a few steps, and weights to begin with.
fn lab() -> Run {
    let run = Run::new();
    clips(&run);
    succeeded(&run.command(&["engine", "import", "lab", "clips"]));
    let recipe = |model: &str| {
        format!(
            "steps = 4\n[model]\n{model}\n[data.sample]\nframes = {FRAMES}\n\
             [validation]\nevery = 4\nclips = 2\n[checkpoints]\nevery = 2\n"
        )
    };
    let text = fs::read_to_string(fixture("sam2.1/config.json")).unwrap();
    let mut network: Sam2Config = serde_json::from_str(&text).unwrap();
    network.image_size = SIZE as usize;
    fs::write(run.path("network.json"), network.to_json()).unwrap();
    fs::write(run.path("first.toml"), recipe("config = \"network.json\"")).unwrap();
    fs::write(run.path("recipe.toml"), recipe("")).unwrap();
    succeeded(&run.command(&[
        "train",
        "first.toml",
        "--data",
        "clips",
        "-o",
        "first",
        "-q",
    ]));
    run
}

/// Holds some videos out, and not all.
fn hold_out_some(run: &Run) {
    let some = (10..100).step_by(10).find(|percent: &i32| {
        let percent = percent.to_string();
        succeeded(&run.command(&["engine", "settings", "lab", "--held-out-percent", &percent]));
        ["training", "held-out"].iter().all(|part| {
            let out = format!("probe-{percent}-{part}");
            let flags = ["--format", "davis", "--part", part, "-o", &out];
            let export = [&["engine", "export", "lab"], &flags[..]].concat();
            run.command(&export).status.success()
        })
    });
    some.expect("six videos are not all on one side of every limit");
}

fn train(run: &Run, more: &[&str]) -> std::process::Output {
    let flags = [
        "engine",
        "train",
        "lab",
        "--recipe",
        "recipe.toml",
        "--json",
        "-q",
    ];
    run.command(&[&flags[..], &["--weights", "first/last.safetensors"], more].concat())
}

#[test]
fn a_round_trains_compares_and_uses_the_better_model() {
    let run = lab();
    hold_out_some(&run);
    let output = train(&run, &[]);
    succeeded(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["round"], 1);
    let score = |which: &str| report[which]["j_and_f"].as_f64().unwrap();
    let settings = run.command(&["engine", "settings", "lab"]);
    let settings = String::from_utf8(settings.stdout).unwrap();
    let models = fs::read_dir(run.path("lab/models")).map_or(0, Iterator::count);
    if score("new") > score("old") {
        assert_eq!(report["promoted"], "lab, round 1");
        assert!(settings.contains("lab, round 1"), "{settings}");
        assert_eq!(models, 1);
    } else {
        assert_eq!(report["promoted"], Value::Null);
        assert!(
            settings.contains("model             none yet"),
            "{settings}"
        );
        assert_eq!(models, 0);
    }
    for part in ["training", "held-out"] {
        assert!(
            run.path(&format!("lab/training/1/{part}/sav_val.txt"))
                .is_file()
        );
    }
    // What came of it is noted, and the copies of the pictures are gone.
    assert_eq!(run.json("lab/training/1/result.json"), report);
    for part in ["training", "held-out"] {
        let left = |inner: &str| run.path(&format!("lab/training/1/{part}/{inner}")).exists();
        assert!(left("Annotations_6fps") && !left("JPEGImages_24fps"));
    }
    assert!(run.path("lab/training/1/run/metrics.jsonl").is_file());
    let resumed = |round: &str| run.command(&["engine", "train", "lab", "--resume", round]);
    failed(&resumed("1"), 2, &["round 1 is finished", "result.json"]);
    failed(&resumed("7"), 2, &["no round 7"]);
    // What is trained on and what is held out are different videos.
    let list = |part| fs::read_to_string(run.path(&format!("lab/training/1/{part}/sav_val.txt")));
    let (training, held_out) = (list("training").unwrap(), list("held-out").unwrap());
    assert_eq!(
        training.lines().count() + held_out.lines().count(),
        CLIPS as usize
    );
    assert!(
        training
            .lines()
            .all(|name| !held_out.lines().any(|other| other == name))
    );
}

#[test]
fn a_model_that_is_no_better_than_the_projects_is_not_used() {
    let run = lab();
    hold_out_some(&run);
    // Killed before its run began: the round that is begun takes its place.
    fs::create_dir_all(run.path("lab/training/1/training")).unwrap();
    failed(
        &run.command(&["engine", "train", "lab", "--resume", "1"]),
        2,
        &["before its run began"],
    );
    succeeded(&train(&run, &[]));
    let project = Project::open(run.path("lab")).unwrap();
    let owner = project.owner().unwrap().id;
    // Better or not: it is the project's model now.
    let trained = run.path("lab/training/1/run/last.safetensors");
    project.promote(owner, "lab, round 1", &trained).unwrap();
    // The same beginning gives the same model again, which is not better than itself.
    let output = train(&run, &[]);
    succeeded(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["round"], 2);
    assert_eq!(report["rivals"][0]["model"], "lab, round 1");
    assert_eq!(report["rivals"][0]["j_and_f"], report["new"]["j_and_f"]);
    assert_eq!(report["promoted"], Value::Null);

    // Nothing is trained that could not be compared.
    let mine = ModelFacts::of("mine", &b"weights"[..]).unwrap();
    project.use_model(owner, &mine).unwrap();
    failed(&train(&run, &[]), 2, &["\"mine\"", "--current"]);
    let other = train(&run, &["--current", "first/best.safetensors"]);
    failed(&other, 2, &["SHA-256", "\"mine\""]);
    assert_eq!(fs::read_dir(run.path("lab/training")).unwrap().count(), 2);
}

#[test]
fn a_project_that_holds_nothing_out_is_told_what_to_do() {
    let run = lab();
    succeeded(&run.command(&["engine", "settings", "lab", "--held-out-percent", "0"]));
    failed(&train(&run, &[]), 2, &["held out", "held_out_percent"]);
    succeeded(&run.command(&["engine", "settings", "lab", "--held-out-percent", "100"]));
    failed(
        &train(&run, &[]),
        2,
        &["nothing to train on", "held_out_percent"],
    );
    assert_eq!(
        fs::read_dir(run.path("lab/training")).unwrap().count(),
        0,
        "half a round does not stay"
    );
    let output = train(&run, &["--config", "network.json"]);
    failed(&output, 2, &["--config", "masklet train"]);
}
