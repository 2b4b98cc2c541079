//! What the tests of the command share: a run in a folder of its own, with the micro model.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A file under `fixtures/`.
pub fn fixture(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    root.join(path).to_str().unwrap().to_owned()
}

/// A run of the command in a folder of its own.
pub struct Run {
    pub folder: TempDir,
}

impl Run {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command with these arguments, to be completed and started.
    pub fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_masklet"));
        command.args(arguments).current_dir(self.folder.path());
        command.env_remove("MASKLET_TOKEN");
        command
    }

    pub fn command(&self, arguments: &[&str]) -> Output {
        self.prepared(arguments).output().unwrap()
    }

    /// Runs with the micro model's checkpoint and configuration.
    pub fn with_model(&self, arguments: &[&str]) -> Output {
        let (weights, config) = (fixture("sam2.1/model.pt"), fixture("sam2.1/config.json"));
        self.command(&[arguments, &["--weights", &weights, "--config", &config]].concat())
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

/// Checks that the command succeeded.
pub fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Checks the exit code and that the message contains each of `words`.
pub fn failed(output: &Output, code: i32, words: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}
