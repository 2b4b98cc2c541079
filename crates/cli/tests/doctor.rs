//! `masklet doctor`: what it measures, and what it says about what is wrong.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

struct Doctor {
    home: TempDir,
    command: Command,
}

impl Doctor {
    /// Without models, and without what the developer's environment says.
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_masklet"));
        command.arg("doctor").env("HF_HOME", home.path());
        for name in ["HF_HUB_CACHE", "HF_ENDPOINT", "MASKLET_CPU", "TMPDIR"] {
            command.env_remove(name);
        }
        Self { home, command }
    }

    fn env(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.command.env(name, value.as_ref());
        self
    }

    fn run(mut self) -> Output {
        self.command.output().unwrap()
    }

    /// The exit code and the report.
    fn report(mut self) -> (Option<i32>, Report) {
        let output = self.command.arg("--json").output().unwrap();
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), Report(report))
    }
}

struct Report(Value);

impl Report {
    fn check(&self, name: &str) -> &Value {
        let checks = self.0["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("there is no check {name}: {}", self.0))
    }
}

#[test]
fn on_a_sound_machine_every_line_has_a_finding_and_nothing_fails() {
    let output = Doctor::new().run();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("masklet "), "{text}");
    assert!(!text.contains("FAIL"), "{text}");
    for name in [
        "processor",
        "precision",
        "threads",
        "memory",
        "devices",
        "JPEG",
        "PNG",
        "H.264",
        "video",
        "models",
        "kernels f32",
        "kernels bf16",
        "same again",
        "files",
    ] {
        let line = text.lines().find(|line| line[5..].starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no line on {name} in {text}"));
        assert!(
            line.starts_with("ok ") || line.starts_with("note "),
            "{line}"
        );
    }
}

#[test]
fn the_report_has_the_numbers() {
    let (code, report) = Doctor::new().report();
    assert_eq!(code, Some(0), "{}", report.0);
    assert_eq!(report.0["healthy"], true);
    assert_eq!(report.0["version"], env!("CARGO_PKG_VERSION"));
    let memory = &report.check("memory")["values"];
    assert!(memory["total_bytes"].as_u64().unwrap() > memory["available_bytes"].as_u64().unwrap());
    assert!(report.check("threads")["values"]["used"].as_u64().unwrap() >= 1);
    for name in ["kernels f32", "kernels bf16"] {
        let values = &report.check(name)["values"];
        let bound = values["bound"].as_f64().unwrap();
        let differences = values["differences"].as_object().unwrap();
        assert_eq!(differences.len(), 4, "one for each part of the network");
        assert!(
            differences.values().all(|d| d.as_f64().unwrap() <= bound),
            "{values}"
        );
    }
    // bf16 really is computed otherwise than f32.
    let encoder = &report.check("kernels bf16")["values"]["differences"]["image encoder"];
    assert!(encoder.as_f64().unwrap() > 1e-4, "{encoder}");
}

#[test]
fn instructions_are_those_in_use_and_a_limit_is_noted() {
    let (code, report) = Doctor::new().env("MASKLET_CPU", "portable").report();
    assert_eq!(code, Some(0), "{}", report.0);
    let processor = report.check("processor");
    assert_eq!(processor["status"], "note");
    assert_eq!(processor["values"]["f32"], "portable");
    assert!(
        processor["advice"]
            .as_str()
            .unwrap()
            .contains("MASKLET_CPU")
    );
    // Plain code agrees with itself to the last bit.
    let differences = &report.check("kernels f32")["values"]["differences"];
    assert!(
        differences
            .as_object()
            .unwrap()
            .values()
            .all(|d| d.as_f64() == Some(0.0))
    );
}

#[test]
fn a_missing_ffmpeg_is_noted_with_what_cannot_be_read_then() {
    let empty = tempfile::tempdir().unwrap();
    let (code, report) = Doctor::new().env("PATH", empty.path()).report();
    assert_eq!(code, Some(0), "{}", report.0);
    let checks = report.0["checks"].as_array().unwrap();
    let ffmpeg = |check: &&Value| check["found"].as_str().unwrap().starts_with("ffmpeg");
    let ffmpeg = checks.iter().find(ffmpeg).expect("a line on ffmpeg");
    assert_eq!(ffmpeg["status"], "note");
    assert!(ffmpeg["found"].as_str().unwrap().contains("HEVC"));
    assert!(ffmpeg["advice"].as_str().unwrap().contains("PATH"));
}

#[test]
fn a_folder_that_cannot_be_written_fails_and_says_what_to_do() {
    let (code, report) = Doctor::new().env("TMPDIR", "/nonexistent/folder").report();
    assert_eq!(code, Some(1));
    assert_eq!(report.0["healthy"], false);
    let files = report.check("files");
    assert_eq!(files["status"], "fail");
    assert!(
        files["found"]
            .as_str()
            .unwrap()
            .contains("/nonexistent/folder")
    );
    assert!(files["advice"].as_str().unwrap().contains("TMPDIR"));

    let output = Doctor::new().env("TMPDIR", "/nonexistent/folder").run();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("FAIL files")
    );
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("a check failed")
    );
}

#[cfg(unix)]
#[test]
fn a_cache_whose_name_is_not_utf8_is_reported() {
    use std::os::unix::ffi::OsStrExt as _;
    let odd = std::ffi::OsStr::from_bytes(b"/nonexistent/\xff");
    let (code, report) = Doctor::new().env("HF_HUB_CACHE", odd).report();
    assert_eq!(code, Some(0), "{}", report.0);
    let cache = &report.check("models")["values"]["cache"];
    assert!(cache.as_str().unwrap().starts_with("/nonexistent/"));
}

#[test]
fn models_and_incomplete_downloads_are_found() {
    let doctor = Doctor::new();
    let model = |name: &str| doctor.home.path().join("hub").join(name);
    let tiny = model("models--facebook--sam2.1-hiera-tiny");
    fs::create_dir_all(tiny.join("snapshots/c0ffee")).unwrap();
    fs::create_dir_all(tiny.join("refs")).unwrap();
    fs::write(tiny.join("refs/main"), "c0ffee").unwrap();
    fs::write(
        tiny.join("snapshots/c0ffee/sam2.1_hiera_tiny.pt"),
        [0; 1234],
    )
    .unwrap();
    // As Python's library leaves it.
    let large = model("models--facebook--sam2.1-hiera-large/blobs");
    fs::create_dir_all(&large).unwrap();
    fs::write(large.join("abc.incomplete"), [0; 77]).unwrap();

    let (code, report) = doctor.report();
    assert_eq!(code, Some(0));
    let models = report.check("models");
    assert_eq!(models["status"], "note");
    let values = &models["values"];
    assert_eq!(values["models"][0]["name"], "sam2.1-tiny");
    assert_eq!(values["models"][0]["bytes"], 1234);
    assert_eq!(values["incomplete"][0]["name"], "sam2.1-large");
    assert_eq!(values["incomplete"][0]["bytes"], 77);
    assert!(
        models["advice"]
            .as_str()
            .unwrap()
            .contains("fetch sam2.1-large")
    );
}
