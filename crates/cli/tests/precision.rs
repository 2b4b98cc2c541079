//! How far `--precision bf16` is from f32: clicks, tracked through eight frames of the fixtures' video by
//! the micro models, with products as a processor with bf16 instructions computes them.

mod common;

use common::{Run, fixture, succeeded};
use masklet_model::weights::Checkpoint;

/// Frames that are compared.
const FRAMES: usize = 8;

/// Clicks on the first frame, one an object: of a few thousand pixels, one mask has too few edges.
const CLICKS: [&str; 6] = [
    "0:31,61@1",
    "0:145,38@2",
    "0:60,120@3",
    "0:100,75@4",
    "0:170,110@5",
    "0:20,20@6",
];

/// What the masks of a frame in bf16 have in common with those in f32, at least. With the whole image
/// encoder in bf16 it is 0.989.
const LEAST_IOU: f64 = 0.99;

/// Largest root mean square of the logits' differences on a frame, relative to that of the logits.
/// With the whole image encoder in bf16 it is 0.0105.
const LARGEST_ERROR: f64 = 0.0075;

#[test]
fn masks_in_bf16_stay_close_to_f32() {
    for family in ["sam2", "sam2.1"] {
        let [exact, rounded] = ["f32", "bf16"].map(|precision| logits(family, precision));
        for (frame, (exact, rounded)) in exact.iter().zip(&rounded).enumerate() {
            let what = format!("{family}, frame {frame}");
            assert_ne!(exact, rounded, "{what}: nothing was rounded");
            let (iou, error) = (iou(exact, rounded), error(exact, rounded));
            println!("{what}: IoU {iou:.4}, error {error:.4}");
            assert!(iou >= LEAST_IOU, "{what}: IoU {iou:.4}");
            assert!(error <= LARGEST_ERROR, "{what}: error {error:.4}");
        }
    }
}

/// Low-resolution mask logits of every frame, one object's after the other's.
fn logits(family: &str, precision: &str) -> Vec<Vec<f32>> {
    let run = Run::new();
    let [weights, config] =
        ["model.pt", "config.json"].map(|name| fixture(&format!("{family}/{name}")));
    let mut command = run.prepared(&["video", &fixture("frames"), "-o", "out"]);
    command
        .args(["--weights", &weights, "--config", &config])
        .args(["--precision", precision])
        .args(["--max-frames", &FRAMES.to_string()])
        .args(["--logits", "out/logits.safetensors", "--no-overlay", "-q"])
        .args(CLICKS.iter().flat_map(|click| ["--point", click]))
        .env("MASKLET_CPU", "bf16-emulated");
    succeeded(&command.output().unwrap());
    let file = Checkpoint::open(run.path("out/logits.safetensors")).unwrap();
    let mut frames = vec![Vec::new(); FRAMES];
    for name in file
        .names()
        .filter(|name| name.ends_with("/low_res_logits"))
    {
        let frame: usize = name.split('/').next().unwrap().parse().unwrap();
        frames[frame].extend(file.read_f32(name).unwrap());
    }
    frames
}

fn iou(a: &[f32], b: &[f32]) -> f64 {
    let count = |in_set: fn(bool, bool) -> bool| {
        let pixels = a.iter().zip(b);
        pixels.filter(|&(&a, &b)| in_set(a > 0.0, b > 0.0)).count() as f64
    };
    let union = count(|a, b| a || b);
    assert!(union > 0.0, "all masks are empty");
    count(|a, b| a && b) / union
}

fn error(exact: &[f32], rounded: &[f32]) -> f64 {
    let power = |values: Vec<f32>| -> f64 { values.iter().map(|&x| f64::from(x).powi(2)).sum() };
    let apart = exact.iter().zip(rounded).map(|(a, b)| a - b).collect();
    (power(apart) / power(exact.to_vec())).sqrt()
}
