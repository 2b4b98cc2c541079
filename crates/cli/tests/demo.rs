//! The first thing that a newcomer types, and the model inside the program.

mod common;

use std::fs;

use common::{Run, failed, fixture, succeeded};
use serde_json::Value;

/// Where the object is on a frame: the middle of its bounding box.
fn middle(record: &Value) -> (f64, f64) {
    let bounds = &record["objects"][0]["bbox"];
    let [left, top, width, height] =
        [0, 1, 2, 3].map(|place| bounds[place].as_f64().expect("a number"));
    (left + width / 2.0, top + height / 2.0)
}

#[test]
fn the_demo_tracks_the_cup_of_its_clip_without_anything_else() {
    let run = Run::new();
    let output = run.command(&["demo"]);
    succeeded(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["96 frames", "demo/demo.mp4", "demo/sheet.png", "Try next"] {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    for file in ["clip.mp4", "demo.mp4", "sheet.png", "masks/1/00000.png"] {
        assert!(run.path("demo").join(file).is_file(), "{file}");
    }

    // The cup flies from the left edge (x = 90) to the right (x = 400), at heights of 120 to 210.
    let records = fs::read_to_string(run.path("demo/masklets.jsonl")).unwrap();
    let mut sum = 0.0;
    for (frame, record) in records.lines().enumerate() {
        let along = frame as f64 / 95.0;
        let (x, y) = (
            90.0 + 310.0 * along,
            165.0 + 45.0 * (std::f64::consts::TAU * along).sin(),
        );
        let (found_x, found_y) = middle(&serde_json::from_str(record).unwrap());
        let off = (found_x - x).hypot(found_y - y);
        // The cup on its saucer is 136 pixels across in the beginning, 177 in the end.
        assert!(off < 100.0, "frame {frame}: {off:.0} pixels off");
        sum += off;
    }
    assert!(
        sum / 96.0 < 50.0,
        "{:.0} pixels off in the mean",
        sum / 96.0
    );
}

#[test]
fn without_weights_the_built_in_model_is_used_and_said_to_be() {
    let run = Run::new();
    let picture = fixture("pictures/0.png");
    let segment = ["image", &picture, "--point", "20,20", "-o", "out"];
    let output = run.command(&segment);
    succeeded(&output);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("lite") && said.contains("--model sam2.1-tiny"),
        "{said}"
    );
    assert_eq!(run.json("out/result.json")["model"], "lite");

    let quiet = run.command(&[&segment[..], &["-q"]].concat());
    assert!(quiet.stderr.is_empty());
    let named = run.command(&[&segment[..], &["--model", "lite"]].concat());
    succeeded(&named);
    assert!(named.stderr.is_empty(), "whoever names it knows it");

    let output = run.command(&[&segment[..], &["--config", "network.json"]].concat());
    failed(&output, 2, &["--config", "--weights"]);
}
