//! `masklet eval`, with the micro model of the fixtures on small data sets made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use masklet_media::{Mask, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

const FRAMES: usize = 5;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(path)
}

/// A run of the command in a folder of its own.
struct Run {
    folder: TempDir,
}

impl Run {
    /// With two sequences: frames of the fixtures' clip, and a disk that moves to the right.
    fn with_videos() -> Self {
        let run = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, speed) in [("slow", 1), ("fast", 9)] {
            let (frames, masks) = (
                run.path("data/frames").join(name),
                run.path("data/masks").join(name),
            );
            fs::create_dir_all(&frames).unwrap();
            fs::create_dir_all(&masks).unwrap();
            for frame in 0..FRAMES {
                let from = fixture(&format!("frames/{frame:05}.png"));
                fs::copy(from, frames.join(format!("{frame:05}.png"))).unwrap();
                disk(60 + speed * frame as u32)
                    .save_png(masks.join(format!("{frame:05}.png")))
                    .unwrap();
            }
        }
        run
    }

    /// With a picture and two annotators' label maps of it.
    fn with_images() -> Self {
        let run = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(run.path("data/images")).unwrap();
        fs::create_dir_all(run.path("data/segments")).unwrap();
        fs::copy(fixture("pictures/0.png"), run.path("data/images/one.png")).unwrap();
        for annotator in 0..2 {
            let left = Mask::from_fn(300, 196, |x, _| x < 100 + annotator * 40);
            left.save_png(run.path(&format!("data/segments/one_{annotator}.png")))
                .unwrap();
        }
        run
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_masklet"))
            .arg("eval")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    fn with_model(&self, arguments: &[&str]) -> Output {
        let (weights, config) = (fixture("sam2.1/model.pt"), fixture("sam2.1/config.json"));
        let model = [
            "--weights",
            weights.to_str().unwrap(),
            "--config",
            config.to_str().unwrap(),
        ];
        self.command(&[arguments, &model].concat())
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    fn kept(&self) -> Vec<(PathBuf, std::time::SystemTime)> {
        let entries = fs::read_dir(self.path("out/results")).unwrap();
        let mut kept: Vec<_> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let time = fs::metadata(&path).unwrap().modified().unwrap();
                (path, time)
            })
            .collect();
        kept.sort();
        kept
    }
}

fn disk(centre: u32) -> Mask {
    Mask::from_fn(208, 152, |x, y| {
        x.abs_diff(centre).pow(2) + y.abs_diff(70).pow(2) < 400
    })
}

fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn row<'a>(report: &'a Value, method: &str, prompt: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    let found = rows
        .iter()
        .find(|row| row["method"] == method && row["prompt"] == prompt);
    found.unwrap_or_else(|| panic!("no row {method}, {prompt}"))
}

fn metric(row: &Value, name: &str) -> f64 {
    let metrics = row["metrics"].as_array().unwrap();
    metrics
        .iter()
        .find(|metric| metric["name"] == name)
        .unwrap()["value"]
        .as_f64()
        .unwrap()
}

#[test]
fn a_model_is_shown_objects_in_several_ways_beside_the_baselines() {
    let run = Run::with_videos();
    let arguments = [
        "vos",
        "--data",
        "data",
        "--prompt",
        "mask,click3,box",
        "-o",
        "out",
    ];
    let output = run.with_model(&arguments);
    succeeded(&output);

    let report = run.json("out/report.json");
    assert_eq!(report["rows"].as_array().unwrap().len(), 5);
    for prompt in ["true mask", "3 clicks", "box"] {
        assert_eq!(
            row(&report, "custom", prompt)["units"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
    let copied = row(&report, "first mask copied", "true mask");
    assert_eq!(copied["baseline"], true);
    // On frames 1 to 3 the disk of the slow sequence has moved by 1 to 3 pixels.
    let units = copied["units"].as_array().unwrap();
    let slow = units.iter().find(|unit| unit["name"] == "slow").unwrap();
    let ious: Vec<f64> = (61..=63).map(|x| disk(60).iou(&disk(x)).unwrap()).collect();
    let frames = slow["objects"][0]["frames"].as_array().unwrap();
    assert_eq!(
        frames
            .iter()
            .map(|frame| frame["j"].as_f64().unwrap())
            .collect::<Vec<_>>(),
        ious
    );
    assert!(metric(copied, "J&F") > 0.0);

    let page = fs::read_to_string(run.path("out/report.html")).unwrap();
    assert!(page.contains("data:image/jpeg;base64,") && page.contains("first mask copied"));
    assert!(
        !page.contains("src='http"),
        "the page must need nothing else"
    );
    assert!(
        fs::read_to_string(run.path("out/report.md"))
            .unwrap()
            .contains("| custom | box |")
    );

    // A second run finds everything it needs.
    let kept = run.kept();
    assert_eq!(kept.len(), 2 * 5);
    succeeded(&run.with_model(&[&arguments[..], &["--rules", "davis"]].concat()));
    assert_eq!(
        run.kept(),
        kept,
        "other rules must not need new predictions"
    );
}

#[test]
fn a_broken_sequence_is_reported_and_does_not_end_the_run() {
    let run = Run::with_videos();
    fs::write(run.path("data/masks/fast/00002.png"), b"no picture").unwrap();
    let output = run.command(&["vos", "--data", "data", "-o", "out"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("fast") && message.contains("00002.png"),
        "{message}"
    );
    let report = run.json("out/report.json");
    assert_eq!(report["failures"].as_array().unwrap().len(), 2);
    let copied = row(&report, "first mask copied", "true mask");
    assert_eq!(copied["units"].as_array().unwrap().len(), 1);
    assert!(
        fs::read_to_string(run.path("out/report.html"))
            .unwrap()
            .contains("Not evaluated")
    );
}

#[test]
fn given_predictions_are_scored_and_compared() {
    let run = Run::with_videos();
    let worse = run.path("worse");
    for name in ["slow", "fast"] {
        fs::create_dir_all(worse.join(name)).unwrap();
        for frame in 0..FRAMES {
            // As label maps of 0 and 255, each one frame late.
            let late = run.path(&format!("data/masks/{name}/{:05}.png", frame.max(1) - 1));
            fs::copy(late, worse.join(name).join(format!("{frame:05}.png"))).unwrap();
        }
    }
    let score = |predictions: &str, out: &str| {
        let output = run.command(&[
            "score",
            "--pred",
            predictions,
            "--truth",
            "data/masks",
            "-o",
            out,
        ]);
        succeeded(&output);
        run.json(&format!("{out}/report.json"))
    };
    assert_eq!(metric(&score("data/masks", "a")["rows"][0], "J&F"), 100.0);
    assert!(metric(&score("worse", "b")["rows"][0], "J&F") < 100.0);

    let output = run.command(&["compare", "b", "a", "--json"]);
    succeeded(&output);
    let comparison: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        comparison[0]["interval"][0].as_f64().unwrap() > 0.0,
        "{comparison}"
    );
    assert_eq!(comparison[0]["units"][1]["name"], "fast");
    succeeded(&run.command(&["compare", "b", "a", "-o", "difference"]));
    let page = fs::read_to_string(run.path("difference/compare.html")).unwrap();
    assert!(page.contains("bar better") && page.contains("fast"));
    assert_eq!(run.json("difference/compare.json"), comparison);
}

#[test]
fn sizes_that_differ_are_reported_with_both_sizes() {
    let run = Run::with_videos();
    let folder = run.path("small/slow");
    fs::create_dir_all(&folder).unwrap();
    for frame in 0..FRAMES {
        Mask::from_fn(20, 10, |x, _| x < 9)
            .save_png(folder.join(format!("{frame:05}.png")))
            .unwrap();
    }
    let output = run.command(&[
        "score",
        "--pred",
        "small",
        "--truth",
        "data/masks",
        "--only-predicted",
    ]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("20x10") && message.contains("208x152"),
        "{message}"
    );
}

#[test]
fn an_annotator_corrects_frames_offline_and_online() {
    let run = Run::with_videos();
    let arguments = [
        "pvs", "--data", "data", "--rounds", "3", "--clicks", "2", "-o", "out",
    ];
    succeeded(&run.with_model(&arguments));
    let report = run.json("out/report.json");
    for mode in ["offline", "online"] {
        let curve = row(&report, "custom", mode)["curve"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(curve.len(), 3);
        let clicks: Vec<f64> = curve
            .iter()
            .map(|point| point["clicks"].as_f64().unwrap())
            .collect();
        assert!(clicks[0] <= 2.0 && clicks.is_sorted(), "{clicks:?}");
    }
    // The true mask on one more frame in each round can only help.
    let scores = |method: &str| -> Vec<f64> {
        let row = row(&report, method, "offline");
        let curve = row["curve"].as_array().unwrap().iter();
        curve
            .map(|point| point["score"].as_f64().unwrap())
            .collect()
    };
    let copied = scores("annotated masks copied");
    assert!(copied.is_sorted() && copied[2] > copied[0], "{copied:?}");
    let warped = scores("annotated masks warped by optical flow");
    assert!(warped[2] > warped[0], "{warped:?}");
    let row = row(&report, "annotated masks copied", "offline");
    assert_eq!(
        metric(row, "J&F, mean of rounds"),
        copied.iter().sum::<f64>() / 3.0
    );
    assert!(metric(row, "annotator s to 80") > metric(row, "clicks to 80"));
    assert!(
        fs::read_to_string(run.path("out/report.html"))
            .unwrap()
            .contains("<polyline")
    );
    let kept = run.kept();
    succeeded(&run.with_model(&arguments));
    assert_eq!(run.kept(), kept);
}

#[test]
fn images_are_segmented_by_clicks_and_boxes() {
    let run = Run::with_images();
    let arguments = ["image", "--data", "data", "--clicks", "1,3", "-o", "out"];
    succeeded(&run.with_model(&arguments));
    let report = run.json("out/report.json");
    for prompt in ["1 click", "3 clicks", "box"] {
        let row = row(&report, "custom", prompt);
        let score = metric(row, "mIoU");
        assert!((0.0..=100.0).contains(&score), "{score}");
        assert!(metric(row, "images/s") > 0.0);
    }
    // The segments are rectangles that their boxes fill.
    assert_eq!(
        metric(row(&report, "disk at the click, filled box", "box"), "mIoU"),
        100.0
    );
    assert_eq!(run.kept().len(), 2);
}

#[test]
fn clips_made_of_pictures_are_tracked_and_what_disappears_is_counted() {
    let run = Run::with_images();
    // What fills a third of the picture is too large to be hidden.
    for annotator in 0..2 {
        let small = Mask::from_fn(300, 196, |x, y| x.abs_diff(150) + y.abs_diff(100) < 25);
        small
            .save_png(run.path(&format!("data/segments/one_{annotator}.png")))
            .unwrap();
    }
    let config = r#"
        [data.sample]
        frames = 4
        objects = 1
        [data.motion]
        longest_side = 200
        occluders = [1, 1]
        hide = 1.0
        [validation]
        clips = 2
    "#;
    fs::write(run.path("clips.toml"), config).unwrap();
    let arguments = ["clips", "clips.toml", "--data", "data", "--json"];
    let output = run.with_model(&arguments);
    succeeded(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["clips"], &report["frames"]),
        (&2.into(), &8.into())
    );
    let rows = report["rows"].as_array().unwrap();
    let prompts: Vec<&Value> = rows.iter().map(|row| &row["prompt"]).collect();
    assert_eq!(prompts, ["mask", "click"]);
    for row in rows {
        assert_eq!(row["objects"], 2);
        for score in ["j_and_f", "j", "f", "occlusion_accuracy"] {
            let score = row[score].as_f64().unwrap();
            assert!((0.0..=100.0).contains(&score), "{row}");
        }
        // Something passes in front of each, and hides it on one of four frames or more.
        assert_eq!(row["disappearing"]["objects"], 2);
    }
    let output = run.command(&["clips", "none.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("none.toml"));
}

#[test]
fn small_segments_can_be_left_out() {
    let run = Run::with_images();
    let score = |least: &str| {
        let arguments = [
            "image",
            "--data",
            "data",
            "--clicks",
            "1",
            "--min-area",
            least,
        ];
        succeeded(&run.command(&[&arguments[..], &["-o", least]].concat()));
        let report = run.json(&format!("{least}/report.json"));
        let rules = report["rules"].as_str().unwrap().to_owned();
        let row = row(&report, "disk at the click, filled box", "1 click");
        (metric(row, "mIoU"), rules)
    };
    // One rectangle has a third of the picture, the other one not quite half of it.
    let ((all, _), (larger, rules)) = (score("0.1"), score("0.4"));
    assert_ne!(all, larger);
    assert!(rules.contains("less than 40%"), "{rules}");
    let output = run.command(&["image", "--data", "data", "--min-area", "40"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("a fraction from 0"));
}

#[test]
fn wrong_use_exits_with_2_and_says_what_to_do() {
    let run = Run::with_videos();
    let failed = |arguments: &[&str], words: &[&str]| {
        let output = run.command(arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        for word in words {
            assert!(message.contains(word), "`{word}` is missing in: {message}");
        }
    };
    failed(&["vos", "--data", "data", "--prompt", "point"], &["click3"]);
    failed(
        &["vos", "--data", "data", "--prompt", "box"],
        &["--weights"],
    );
    failed(
        &["vos", "--data", "data", "--sequences", "none"],
        &["none", "fast", "slow"],
    );
    failed(&["image", "--data", "data"], &["eval vos"]);
    let images = Run::with_images();
    let output = images.command(&["vos", "--data", "data"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("eval image"));
    assert!(RgbImage::open(images.path("data/images/one.png")).is_ok());
}
