//! Models by name on the command line, against a hub on this machine.

#[path = "../../masklet/tests/hub_server/mod.rs"]
#[allow(dead_code, reason = "the library's tests use more of it")]
mod hub_server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use hub_server::{Answers, COMMIT, HubServer};
use serde_json::Value;
use tempfile::TempDir;

const MODEL: &str = "models--facebook--sam2.1-hiera-tiny";

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(path)
}

/// The micro model's checkpoint: not what the hub says it is, but a real file.
fn content() -> Vec<u8> {
    fs::read(fixture("sam2.1/model.pt")).unwrap()
}

/// A home folder for models, and a hub.
struct Setup {
    home: TempDir,
    endpoint: String,
}

impl Setup {
    fn with(server: &HubServer) -> Self {
        Self::at(server.address())
    }

    fn at(endpoint: &str) -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            endpoint: endpoint.to_owned(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_masklet"));
        command.args(arguments).current_dir(self.home.path());
        for name in [
            "HF_HUB_CACHE",
            "HF_TOKEN",
            "HF_HUB_OFFLINE",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            command.env_remove(name);
        }
        command
            .env("HF_HOME", self.home.path())
            .env("HF_ENDPOINT", &self.endpoint)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn file(&self) -> PathBuf {
        let snapshot = format!("hub/{MODEL}/snapshots/{COMMIT}/sam2.1_hiera_tiny.pt");
        self.home.path().join(snapshot)
    }

    /// The download that is not finished.
    fn partial(&self) -> Option<PathBuf> {
        let blobs = format!("hub/{MODEL}/incomplete/{MODEL}/blobs");
        let entries = fs::read_dir(self.home.path().join(blobs)).ok()?;
        entries.map(|entry| entry.unwrap().path()).find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "part")
        })
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

/// Checks the exit code and that the message contains each of `words`.
fn failed(output: &Output, code: i32, words: &[&str]) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

const FETCH: [&str; 3] = ["models", "fetch", "sam2.1-tiny"];

fn segment<'a>(picture: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let image = [
        "image",
        picture,
        "--point",
        "9,9",
        "-o",
        "out",
        "--model",
        "sam2.1-tiny",
    ];
    [&image, more].concat()
}

#[test]
fn a_model_is_fetched_once_and_its_path_is_printed() {
    let server = HubServer::serving(&content());
    let setup = Setup::with(&server);
    let output = setup.run(&FETCH);
    succeeded(&output);
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(Path::new(printed.trim_end()), setup.file());
    assert!(
        stderr(&output).contains(server.address()),
        "says from where"
    );
    assert_eq!(fs::read(setup.file()).unwrap(), content());

    let before = server.requests().len();
    succeeded(&setup.run(&FETCH));
    succeeded(&setup.run(&[&FETCH[..], &["--offline"]].concat()));
    assert_eq!(server.requests().len(), before);
}

#[test]
fn quiet_prints_the_path_only_and_json_an_object() {
    let server = HubServer::serving(&content());
    let setup = Setup::with(&server);
    let output = setup.run(&[&FETCH[..], &["--quiet", "--json"]].concat());
    succeeded(&output);
    assert_eq!(stderr(&output), "");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["name"], "sam2.1-tiny");
    assert_eq!(printed["file"], setup.file().to_str().unwrap());
}

#[test]
fn the_list_tells_which_models_are_here() {
    let server = HubServer::serving(&content());
    let setup = Setup::with(&server);
    let list = || -> Vec<Value> {
        let output = setup.run(&["models", "--json"]);
        succeeded(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let before = list();
    assert_eq!(before.len(), 9);
    assert_eq!(before[0]["name"], "lite");
    assert!(before[0]["repository"].is_null(), "it is not fetched");
    assert!(before.iter().all(|entry| entry["file"].is_null()));
    assert_eq!(server.requests().len(), 0, "listing asks nobody");

    succeeded(&setup.run(&FETCH));
    let after = list();
    let here: Vec<_> = after
        .iter()
        .filter(|entry| !entry["file"].is_null())
        .collect();
    assert_eq!(here.len(), 1);
    assert_eq!(here[0]["name"], "sam2.1-tiny");
    assert_eq!(here[0]["bytes"], content().len());
    assert_eq!(here[0]["repository"], "facebook/sam2.1-hiera-tiny");
    let text = String::from_utf8(setup.run(&["models"]).stdout).unwrap();
    assert_eq!(text.matches("not fetched").count(), 7);
    assert_eq!(text.matches("Apache-2.0").count(), 8);
}

#[test]
fn segmenting_by_name_fetches_the_model_and_checks_that_it_is_the_one() {
    let server = HubServer::serving(&content());
    let setup = Setup::with(&server);
    let picture = fixture("pictures/0.png");
    let output = setup.run(&segment(picture.to_str().unwrap(), &[]));
    // What this hub calls sam2.1-tiny is the micro model, and that is found out after the download.
    assert!(setup.file().exists());
    let file = setup.file();
    failed(
        &output,
        1,
        &[
            "model cache",
            file.to_str().unwrap(),
            "sam2.1-tiny",
            "remove",
        ],
    );
}

#[test]
fn a_file_that_is_given_is_used_and_nothing_is_fetched() {
    let server = HubServer::serving(&content());
    let setup = Setup::with(&server);
    let picture = fixture("pictures/0.png");
    let weights = fixture("sam2.1/model.pt");
    let more = ["--weights", weights.to_str().unwrap()];
    failed(
        &setup.run(&segment(picture.to_str().unwrap(), &more)),
        1,
        &["model.pt"],
    );
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn processes_at_the_same_time_share_one_download() {
    let server = HubServer::serving(&content());
    let setup = Setup::with(&server);
    let processes: Vec<Child> = (0..3).map(|_| setup.start(&FETCH)).collect();
    for process in processes {
        succeeded(&process.wait_with_output().unwrap());
    }
    assert_eq!(fs::read(setup.file()).unwrap(), content());
    assert_eq!(server.transfers().len(), 1);
}

#[test]
fn a_download_that_was_killed_is_continued() {
    let arrived = content().len() / 2;
    let server = HubServer::start(Answers {
        content: content(),
        breaks: vec![arrived],
        stalls: true,
        ..Answers::default()
    });
    let setup = Setup::with(&server);
    let mut process = setup.start(&FETCH);
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    while setup.partial().map_or(0, size) < arrived as u64 {
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(10));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!setup.file().exists());

    succeeded(&setup.run(&FETCH));
    assert_eq!(fs::read(setup.file()).unwrap(), content());
    assert_eq!(
        server.transfers(),
        ["bytes=0-".to_owned(), format!("bytes={arrived}-")]
    );
    assert_eq!(setup.partial(), None);
}

#[test]
fn a_wrong_checksum_is_a_failure_that_names_both() {
    let stated = "cd".repeat(32);
    let server = HubServer::start(Answers {
        content: content(),
        stated_sha256: Some(stated.clone()),
        ..Answers::default()
    });
    let setup = Setup::with(&server);
    failed(&setup.run(&FETCH), 1, &[&stated, "SHA-256", "removed"]);
    assert!(!setup.file().exists());
}

#[test]
fn without_a_network_the_message_says_how_to_do_without() {
    // Nobody listens on the discard port of this machine.
    let setup = Setup::at("http://127.0.0.1:9");
    let address = "http://127.0.0.1:9/facebook/sam2.1-hiera-tiny/resolve/main/sam2.1_hiera_tiny.pt";
    let by_hand =
        "https://huggingface.co/facebook/sam2.1-hiera-tiny/resolve/main/sam2.1_hiera_tiny.pt";
    let words = ["cannot be reached", address, by_hand, "--weights FILE"];
    failed(&setup.run(&FETCH), 1, &words);
    let picture = fixture("pictures/0.png");
    failed(
        &setup.run(&segment(picture.to_str().unwrap(), &[])),
        1,
        &words,
    );
}

#[test]
fn offline_is_respected_as_flag_and_as_variable() {
    let server = HubServer::serving(&content());
    let setup = Setup::with(&server);
    let words = ["not in the model cache", "switched off", "--weights FILE"];
    let picture = fixture("pictures/0.png");
    let picture = picture.to_str().unwrap();
    failed(&setup.run(&segment(picture, &["--offline"])), 1, &words);
    let mut command = setup.command(&FETCH);
    failed(
        &command.env("HF_HUB_OFFLINE", "1").output().unwrap(),
        1,
        &words,
    );
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn wrong_use_is_told_from_failure() {
    let setup = Setup::at("http://127.0.0.1:9");
    failed(
        &setup.run(&["models", "fetch", "sam3"]),
        2,
        &["sam3", "sam2.1-large"],
    );
    let mut command = setup.command(&FETCH);
    let output = command.env("HF_ENDPOINT", "mirror").output().unwrap();
    failed(&output, 2, &["HF_ENDPOINT", "`mirror`", "https://"]);
}
