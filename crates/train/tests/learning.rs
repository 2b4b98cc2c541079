//! A small model learns one short clip from random weights, and a run that was stopped goes on with
//! the same numbers. (The whole of it, to J&F of 95 and more, is `configs/overfit.toml`.)

use std::cell::Cell;
use std::fs;
use std::path::Path;

use masklet::{Compute, Sam2Config};
use masklet_data::davis_colour;
use masklet_media::RgbImage;
use masklet_model::weights::{Checkpoint, detect};
use masklet_train::monitor::{METRICS, MetricsFile, Observer, Record, StepRecord};
use masklet_train::{Run, TrainConfig};
use tempfile::TempDir;

const SIZE: u32 = 64;

/// A folder with a clip and the configuration of a network for it.
struct Place(TempDir);

impl Place {
    /// A bright disc that moves over a dark ground.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for folder in ["clips/frames/disc", "clips/masks/disc"] {
            fs::create_dir_all(place.0.path().join(folder)).unwrap();
        }
        for t in 0..4u32 {
            let inside = |x: u32, y: u32| {
                let (dx, dy) = (x as i32 - 20 - 6 * t as i32, y as i32 - 30);
                dx * dx + dy * dy < 12 * 12
            };
            let draw = |object: [u8; 3], ground: &dyn Fn(u32, u32) -> [u8; 3]| {
                let pixels = (0..SIZE * SIZE).flat_map(|i| {
                    let (x, y) = (i % SIZE, i / SIZE);
                    if inside(x, y) { object } else { ground(x, y) }
                });
                RgbImage::from_raw(SIZE, SIZE, pixels.collect()).unwrap()
            };
            let checks = |x: u32, y: u32| [40 + 20 * ((x / 8 + y / 8) % 2) as u8; 3];
            let path = |kind: &str| {
                let name = format!("clips/{kind}/disc/{t:05}.png");
                place.0.path().join(name)
            };
            draw([230, 180, 60], &checks)
                .save_png(path("frames"))
                .unwrap();
            let mask = draw(davis_colour(1), &|_, _| davis_colour(0));
            mask.save_png(path("masks")).unwrap();
        }
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let text = fs::read_to_string(fixtures.join("sam2.1/config.json")).unwrap();
        let mut network: Sam2Config = serde_json::from_str(&text).unwrap();
        network.image_size = SIZE as usize;
        fs::write(place.0.path().join("network.json"), network.to_json()).unwrap();
        place
    }

    fn config(&self, more: &str) -> TrainConfig {
        let root = self.0.path();
        let text = format!(
            r#"
            {more}
            [model]
            config = {:?}
            drop_path = 0.1
            dropout = 0.1
            [[data.source]]
            path = {:?}
            [data.sample]
            frames = 4
            [data.augmentation]
            mosaic = 0.0
            affine = {{ rotation = 5.0, shear = 2.0 }}
            [prompts]
            clicks = 2
            [optimizer]
            learning_rate = 2e-3
            trunk_learning_rate = 2e-3
            layer_decay = 1.0
            weight_decay = 0.0
            gradient_clip = 1.0
            ema = 0.9
            "#,
            root.join("network.json"),
            root.join("clips"),
        );
        TrainConfig::parse(&text).unwrap()
    }

    fn begin(&self, name: &str, config: TrainConfig) -> Run {
        Run::begin(config, self.0.path().join(name), Compute::default()).unwrap()
    }

    /// The records of a run without what is never the same twice.
    fn records(&self, name: &str) -> Vec<Record> {
        let text = fs::read_to_string(self.0.path().join(name).join(METRICS)).unwrap();
        let parse = |line| match serde_json::from_str(line).unwrap() {
            Record::Step(record) => Record::Step(StepRecord {
                seconds: 0.0,
                peak_memory_bytes: None,
                ..record
            }),
            Record::Validation(mut record) => {
                record.seconds = 0.0;
                Record::Validation(record)
            }
        };
        text.lines().map(parse).collect()
    }
}

fn train(run: &mut Run, stopped: &dyn Fn() -> bool) {
    let progress = run.progress();
    let metrics = run.folder().file(METRICS);
    let metrics = MetricsFile::resume(metrics, progress.step, progress.validated).unwrap();
    let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(metrics)];
    run.train(&mut observers, stopped).unwrap();
}

#[test]
fn the_loss_falls_and_the_mask_is_found() {
    let place = Place::new();
    let mut config = place.config("steps = 60");
    config.model.dropout = 0.0;
    config.model.drop_path = 0.0;
    config.optimizer.ema = None;
    config.validation.every = 0;
    let mut run = place.begin("run", config);
    train(&mut run, &|| false);
    let steps: Vec<StepRecord> = place
        .records("run")
        .into_iter()
        .filter_map(|record| match record {
            Record::Step(step) => Some(step),
            Record::Validation(_) => None,
        })
        .collect();
    let mean = |steps: &[StepRecord], of: fn(&StepRecord) -> f64| {
        steps.iter().map(of).sum::<f64>() / steps.len() as f64
    };
    let (first, last) = (&steps[..8], &steps[52..]);
    let (before, after) = (mean(first, |s| s.mean_iou), mean(last, |s| s.mean_iou));
    assert!(
        after > 60.0 && after > before + 20.0,
        "IoU {before} to {after}"
    );
    let (before, after) = (
        mean(first, |s| s.losses.total),
        mean(last, |s| s.losses.total),
    );
    assert!(after < 0.6 * before, "loss {before} to {after}");
}

#[test]
fn computing_the_encoder_again_changes_nothing_but_memory() {
    let place = Place::new();
    let first_step = |name: &str, checkpoint_encoder: bool| {
        let mut config = place.config("steps = 1");
        config.checkpoint_encoder = checkpoint_encoder;
        config.validation.every = 0;
        train(&mut place.begin(name, config), &|| false);
        match place.records(name)[0] {
            Record::Step(step) => step,
            Record::Validation(_) => panic!("there is no validation"),
        }
    };
    let (kept, again) = (first_step("kept", false), first_step("again", true));
    assert_eq!(kept.losses, again.losses);
    let difference = (kept.gradient_norm / again.gradient_norm - 1.0).abs();
    assert!(difference < 1e-4, "{kept:?} {again:?}");
}

#[test]
fn how_many_clips_are_computed_at_once_changes_nothing() {
    let place = Place::new();
    let run = |name: &str, at_once: usize| {
        let mut config = place.config("steps = 2\nclips_per_step = 3");
        config.clips_at_once = at_once;
        config.validation.every = 0;
        train(&mut place.begin(name, config), &|| false);
        let weights = place.0.path().join(name).join("last.safetensors");
        (place.records(name), fs::read(weights).unwrap())
    };
    let ((records, weights), (others, other_weights)) = (run("one", 1), run("two", 2));
    assert_eq!(records, others);
    assert!(weights == other_weights);
}

#[test]
fn a_run_that_was_stopped_goes_on_with_the_same_numbers() {
    let place = Place::new();
    let config = || {
        let mut config = place.config("steps = 8\nclips_per_step = 2\ncheckpoint_encoder = true");
        config.validation.every = 4;
        config.validation.clips = 1;
        config.checkpoints.every = 3;
        config
    };
    train(&mut place.begin("whole", config()), &|| false);

    // Stopped within the validation of step 4, and again between checkpoints. It is asked before
    // each step, and before each of the two ways to show a clip.
    let folder = place.0.path().join("stopped");
    let stop_when_asked = |run: &mut Run, most: usize| {
        let asked = Cell::new(0);
        train(run, &|| {
            asked.set(asked.get() + 1);
            asked.get() == most
        });
        (run.progress().step, run.progress().validated)
    };
    let mut run = place.begin("stopped", config());
    assert_eq!(stop_when_asked(&mut run, 6), (4, 0));
    let mut run = Run::resume(&folder, Compute::default()).unwrap();
    assert_eq!(stop_when_asked(&mut run, 4), (5, 4));
    let mut run = Run::resume(&folder, Compute::default()).unwrap();
    train(&mut run, &|| false);
    assert_eq!(place.records("whole"), place.records("stopped"));
    for name in ["last.safetensors", "best.safetensors"] {
        let read = |run: &str| fs::read(place.0.path().join(run).join(name)).unwrap();
        assert!(read("whole") == read("stopped"), "{name} differs");
    }
    // The file says which network it is, as it is used and not as it is trained.
    let checkpoint = Checkpoint::open(folder.join("last.safetensors")).unwrap();
    let used = detect(&checkpoint).unwrap().config;
    assert!(used.memory_encoder.binarize_clicked_masks && !used.memory.pointers_ahead);
}
