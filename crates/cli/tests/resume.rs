//! Long runs that are killed and go on, and frames on standard input.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use masklet_media::RgbImage;
use tempfile::TempDir;

/// Over two checkpoints, and some more.
const FRAMES: usize = 70;

fn fixture(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    root.join(path).to_str().unwrap().to_owned()
}

/// A folder with a clip in it, in which the command runs. Names are the same in all of them, so
/// results are too.
struct Place(TempDir);

impl Place {
    /// With the clip as a folder of pictures, and as raw frames.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("clip")).unwrap();
        let mut raw = Vec::new();
        for frame in 0..FRAMES {
            // To and fro, so that neighbours are alike.
            let source = if frame / 10 % 2 == 0 {
                frame % 10
            } else {
                9 - frame % 10
            };
            let source = fixture(&format!("frames/{source:05}.png"));
            raw.extend_from_slice(RgbImage::open(&source).unwrap().pixels());
            fs::copy(source, folder.path().join(format!("clip/{frame:05}.png"))).unwrap();
        }
        fs::write(folder.path().join("clip.raw"), raw).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_masklet"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(File::open(self.path("clip.raw")).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Tracks the input with the micro model, keeping the state.
    fn track(&self, input: &[&str]) -> Command {
        let (weights, config) = (fixture("sam2.1/model.pt"), fixture("sam2.1/config.json"));
        let model = ["--weights", &weights, "--config", &config];
        let prompts = ["--point", "0:31,61", "--point", "40:120,40@2", "--quiet"];
        let results = [
            "-o",
            "out",
            "--save-state",
            "run.state",
            "--overlay",
            "out/o.mp4",
        ];
        let formats = ["--format", "png,davis,sav,coco,ytvis,yolo,npz"];
        let more = [
            "--logits",
            "out/logits.safetensors",
            "--cutout",
            "--background",
            "blur",
        ];
        let all = [
            &["video"],
            input,
            &model,
            &prompts,
            &results,
            &formats,
            &more,
        ];
        self.command(&all.concat())
    }

    fn resume(&self) -> Output {
        self.command(&["video", "--resume", "run.state"])
            .output()
            .unwrap()
    }

    /// All results, by name.
    fn results(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path("out"), "", &mut files);
        files
    }

    /// Lets a run go on until it has saved its state, and kills it.
    fn kill_after_a_checkpoint(&self, mut run: Child) {
        let start = Instant::now();
        while !self.path("run.state").exists() {
            assert!(
                run.try_wait().unwrap().is_none(),
                "ended before a checkpoint"
            );
            assert!(start.elapsed() < Duration::from_secs(300), "no checkpoint");
            sleep(Duration::from_millis(10));
        }
        // Some frames further, in the middle of anything.
        sleep(Duration::from_millis(120));
        run.kill().unwrap();
        run.wait().unwrap();
        assert!(
            self.path("run.state").exists(),
            "the run was over too early"
        );
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

fn succeeded(output: &Output) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
}

fn assert_same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
}

/// The input as a folder, and as a stream.
const FOLDER: &[&str] = &["clip", "--fps", "12.5"];
const STREAM: &[&str] = &["-", "--raw", "208x152", "--fps", "12.5"];

#[test]
fn a_killed_run_that_is_resumed_ends_with_the_same_bytes() {
    for input in [FOLDER, STREAM] {
        let whole = Place::new();
        succeeded(&whole.track(input).output().unwrap());
        assert!(
            !whole.path("run.state").exists(),
            "the state outlives its run"
        );
        let expected = whole.results();
        assert!(expected.contains_key("o.mp4") && expected.contains_key("masklets.npz"));

        let killed = Place::new();
        killed.kill_after_a_checkpoint(killed.track(input).spawn().unwrap());
        // Half a run does not look like a finished one.
        assert!(!killed.path("out/masklets.json").exists());
        succeeded(&killed.resume());
        assert_same(&killed.results(), &expected);
        assert!(!killed.path("run.state").exists());
    }
}

#[test]
fn a_run_is_not_resumed_with_another_checkpoint() {
    let place = Place::new();
    let weights = place.path("model.pt");
    fs::copy(fixture("sam2.1/model.pt"), &weights).unwrap();
    let config = fixture("sam2.1/config.json");
    let run = place
        .command(&[
            "video",
            "clip",
            "--weights",
            "model.pt",
            "--config",
            &config,
            "--point",
            "0:31,61",
            "-o",
            "out",
            "--save-state",
            "run.state",
            "--no-overlay",
        ])
        .spawn()
        .unwrap();
    place.kill_after_a_checkpoint(run);
    // The same names and shapes, other values.
    let convert = [
        "weights", "convert", "model.pt", "--dtype", "bf16", "-o", "model.pt",
    ];
    succeeded(&place.command(&convert).output().unwrap());
    let output = place.resume();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains("checkpoint"), "{message}");
}

#[test]
fn what_cannot_be_resumed_is_said() {
    let place = Place::new();
    let output = place.resume();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && message.contains("run.state"),
        "{message}"
    );
    fs::copy(fixture("sam2/model.pt"), place.path("run.state")).unwrap();
    let output = place.resume();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("not a saved session"), "{message}");
    let output = place
        .command(&["video", "--resume", "run.state", "-o", "out"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_stream_that_ends_before_a_prompt_is_wrong_use_and_keeps_what_was_tracked() {
    let place = Place::new();
    let (weights, config) = (fixture("sam2.1/model.pt"), fixture("sam2.1/config.json"));
    let output = place
        .command(&[
            "video",
            "-",
            "--raw",
            "208x1520",
            "--weights",
            &weights,
            "--config",
            &config,
            "--point",
            "1:31,61",
            "--point",
            "90:31,61@2",
            "-o",
            "out",
            "--no-overlay",
        ])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("ended after 7 frames"), "{message}");
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("out/masklets.json")).unwrap()).unwrap();
    assert_eq!(report["complete"], false);
    assert_eq!(report["frames_tracked"], 6);
}
