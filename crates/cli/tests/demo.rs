//! The first thing that a newcomer types, and the model inside the program.

mod common;

use common::{Run, failed, fixture, succeeded};
use masklet_media::Mask;

/// The middle of a mask's pixels.
fn middle(mask: &Mask) -> (f64, f64) {
    let width = mask.width() as usize;
    let inside = mask.bits().iter().enumerate();
    let inside: Vec<usize> = inside.filter(|(_, bit)| **bit).map(|(at, _)| at).collect();
    let mean = |of: &dyn Fn(usize) -> usize| {
        let sum: usize = inside.iter().map(|at| of(*at)).sum();
        sum as f64 / inside.len() as f64
    };
    (mean(&|at| at % width), mean(&|at| at / width))
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
    let mut sum = 0.0;
    for frame in 0..96 {
        let along = f64::from(frame) / 95.0;
        let (x, y) = (
            90.0 + 310.0 * along,
            165.0 + 45.0 * (std::f64::consts::TAU * along).sin(),
        );
        let mask = Mask::open(run.path(&format!("demo/masks/1/{frame:05}.png"))).unwrap();
        let (found_x, found_y) = middle(&mask);
        let off = (found_x - x).hypot(found_y - y);
        // The cup on its saucer is 136 pixels across in the beginning, 177 in the end.
        assert!(off < 60.0, "frame {frame}: {off:.0} pixels off");
        sum += off;
    }
    assert!(
        sum / 96.0 < 25.0,
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
