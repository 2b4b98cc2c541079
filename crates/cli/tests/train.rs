//! `masklet train` as a user meets it: killed and resumed, refused, and its weights put to use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use masklet::Sam2Config;
use masklet_data::davis_colour;
use masklet_media::RgbImage;
use masklet_model::weights::Checkpoint;
use serde_json::Value;
use tempfile::TempDir;

const SIZE: u32 = 64;

/// A folder with clips, a small network and a configuration, in which the command runs.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for clip in 0..3u32 {
            for kind in ["frames", "masks"] {
                fs::create_dir_all(place.path(&format!("clips/{kind}/{clip}"))).unwrap();
            }
            for t in 0..3u32 {
                let name = |kind: &str| place.path(&format!("clips/{kind}/{clip}/{t:05}.png"));
                let inside = |i: u32| {
                    let (x, y) = (i % SIZE, i / SIZE);
                    x.abs_diff(20 + 5 * t) < 10 && y.abs_diff(20 + 8 * clip) < 12
                };
                let draw = |object: [u8; 3], ground: [u8; 3], path: PathBuf| {
                    let pixel = |i| if inside(i) { object } else { ground };
                    let pixels = (0..SIZE * SIZE).flat_map(pixel).collect();
                    let picture = RgbImage::from_raw(SIZE, SIZE, pixels).unwrap();
                    picture.save_png(path).unwrap();
                };
                draw([220, 90, 40], [40, 60, 90], name("frames"));
                draw(davis_colour(1), davis_colour(0), name("masks"));
            }
        }
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let text = fs::read_to_string(fixtures.join("sam2.1/config.json")).unwrap();
        let mut network: Sam2Config = serde_json::from_str(&text).unwrap();
        network.image_size = SIZE as usize;
        fs::write(place.path("network.json"), network.to_json()).unwrap();
        place.configure("");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes `config.toml`; `more` stands in its [optimizer].
    fn configure(&self, more: &str) {
        let text = format!(
            "steps = 12\n\
             [model]\nconfig = \"network.json\"\n\
             [data.sample]\nframes = 3\n\
             [validation]\nevery = 4\nclips = 1\n\
             [checkpoints]\nevery = 2\n\
             [monitor]\nsamples_every = 4\ncurves_every = 4\n\
             [optimizer]\n{more}\n"
        );
        fs::write(self.path("config.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_masklet"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The records of a run without times and memory.
    fn records(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let record = |line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            for never_the_same in ["seconds", "peak_memory_bytes"] {
                record.as_object_mut().unwrap().remove(never_the_same);
            }
            record
        };
        whole.lines().map(record).collect()
    }
}

fn succeeded(output: &Output) -> bool {
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

const TRAIN: [&str; 6] = ["train", "config.toml", "--data", "clips", "--quiet", "-o"];

#[test]
fn a_killed_run_goes_on_to_the_same_end_and_its_weights_track() {
    let place = Place::new();
    assert!(succeeded(&place.run(&[&TRAIN[..], &["whole"]].concat())));
    let whole = place.records("whole");
    assert_eq!(whole.len(), 12 + 3, "twelve steps and three validations");

    // Killed twice, wherever it happens to be.
    let mut child = place
        .command(&[&TRAIN[..], &["killed"]].concat())
        .spawn()
        .unwrap();
    for steps in [3, 7] {
        let begun = Instant::now();
        while place.records("killed").len() < steps {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "no step is made"
            );
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let resume = ["train", "--quiet", "--resume", "killed"];
        child = place.command(&resume).spawn().unwrap();
    }
    assert!(succeeded(&child.wait_with_output().unwrap()));
    assert_eq!(place.records("killed"), whole);
    for name in ["last.safetensors", "best.safetensors"] {
        let read = |run: &str| fs::read(place.path(run).join(name)).unwrap();
        assert!(read("killed") == read("whole"), "{name} differs");
    }
    assert!(place.path("killed/curves.png").exists());

    let track = [
        "video",
        "clips/frames/0",
        "--weights",
        "killed/last.safetensors",
        "--point",
        "0:20,20",
        "--quiet",
        "-o",
        "out",
    ];
    assert!(succeeded(&place.run(&track)));
}

#[test]
fn a_run_begins_from_a_file_of_the_trunk_alone() {
    let place = Place::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/efficientnet_lite");
    let trunk = fixtures.join("trunk.safetensors");
    let network = fs::read(place.path("network.json")).unwrap();
    let mut network: Sam2Config = serde_json::from_slice(&network).unwrap();
    network.trunk =
        serde_json::from_slice(&fs::read(fixtures.join("config.json")).unwrap()).unwrap();
    fs::write(place.path("network.json"), network.to_json()).unwrap();
    place.configure("learning_rate = 0.0\ntrunk_learning_rate = 0.0");
    let text = fs::read_to_string(place.path("config.toml")).unwrap();
    let starting_from = |init: &Path| {
        let model = format!("[model]\ninit = {init:?}\n");
        fs::write(place.path("config.toml"), text.replace("[model]\n", &model)).unwrap();
        let arguments = [
            "train",
            "config.toml",
            "--data",
            "clips",
            "--steps",
            "1",
            "-o",
            "run",
        ];
        place.run(&arguments)
    };
    let output = starting_from(&place.path("nowhere.safetensors"));
    assert_eq!(output.status.code(), Some(1));
    let other = starting_from(&fixtures.join("features.safetensors"));
    let message = String::from_utf8_lossy(&other.stderr);
    assert!(
        message.contains("features.safetensors") && message.contains("stride_16"),
        "{message}"
    );

    let output = starting_from(&trunk);
    assert!(succeeded(&output));
    let message = String::from_utf8_lossy(&output.stderr);
    for word in ["note: 96 tensors (image_encoder.trunk)", "at random"] {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    let given = Checkpoint::open(&trunk).unwrap();
    let trained = Checkpoint::open(place.path("run/last.safetensors")).unwrap();
    for name in given.names() {
        // Nothing was learnt, at a learning rate of 0.
        assert_eq!(
            trained.read_f32(name).unwrap(),
            given.read_f32(name).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn what_cannot_be_trained_is_refused_with_what_to_do() {
    let place = Place::new();
    let refused = |arguments: &[&str], words: &[&str]| {
        let output = place.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        for word in words {
            assert!(message.contains(word), "{word:?} is not in {message:?}");
        }
        assert!(!place.path("refused").exists(), "{message}");
    };
    refused(
        &["train", "config.toml", "-o", "refused"],
        &["no data", "--data"],
    );
    let train = [&TRAIN[..], &["refused"]].concat();
    place.configure("learning_rat = 1e-3");
    refused(
        &train,
        &["config.toml", "line", "`learning_rat`", "`learning_rate`"],
    );
    place.configure("warmup_steps = 100");
    refused(&train, &["warmup_steps", "100", "12"]);
    refused(
        &["train", "--resume", "nowhere"],
        &["nowhere", "config.toml"],
    );
    place.configure("");
    let frozen = fs::read_to_string(place.path("config.toml")).unwrap();
    let frozen = format!("freeze = [\"image_encodr.*\"]\n{frozen}");
    fs::write(place.path("config.toml"), frozen).unwrap();
    refused(&train, &["image_encodr", "image_encoder"]);
}

#[test]
fn a_network_that_diverges_leaves_its_clips_to_look_at() {
    let place = Place::new();
    place.configure("learning_rate = 1e30\nwarmup_steps = 0");
    let output = place.run(&[&TRAIN[..], &["diverged"]].concat());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("diverged in step 2"), "{message}");
    let clip = place.path("diverged/diverged_at_step_2/clip_0");
    for file in ["origin.json", "00.png", "00_object_1.png"] {
        assert!(clip.join(file).exists(), "{file} is missing: {message}");
    }
}
