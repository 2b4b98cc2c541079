//! `masklet annotate`: what it acknowledged is there after it was killed.
#![cfg(unix)]

mod common;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Run, failed, fixture};
use masklet_engine::{EventId, HistoryQuery, Project, TaskQuery};
use masklet_media::{Mask, Rle};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

const TOKEN: &str = "token-of-the-tests";

/// A server in a process of its own.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(run: &Run, more: &[&str]) -> Self {
        let (weights, config) = (fixture("sam2.1/model.pt"), fixture("sam2.1/config.json"));
        let arguments = [
            &["annotate", "lab", "--port", "0", "--no-open"][..],
            &["--weights", &weights, "--config", &config],
            more,
        ];
        let mut process = run
            .prepared(&arguments.concat())
            .env("MASKLET_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        // Who gives a token knows it: it is not printed.
        let address = line.trim_end().strip_suffix('/').expect("the address");
        let address = address.to_owned();
        Self { process, address }
    }

    fn client(&self) -> Client {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Client {
            agent: config.into(),
            address: self.address.clone(),
        }
    }
}

struct Client {
    agent: ureq::Agent,
    address: String,
}

impl Client {
    /// The answer, unless the server was killed before it came.
    fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{}{path}", self.address))
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(body.to_string());
        let mut answer = self.agent.run(request.unwrap()).ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        let value = match text.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(&text).ok()?,
        };
        Some((answer.status().as_u16(), value))
    }
}

/// Somebody who does whatever comes to mind.
struct Monkey {
    random: StdRng,
    client: Client,
    tasks: Vec<Value>,
}

fn square(x: u32, side: u32) -> Value {
    json!(Rle::encode(&Mask::from_fn(208, 152, |px, py| {
        (x..x + side).contains(&px) && (10..10 + side).contains(&py)
    })))
}

impl Monkey {
    /// Does something. The event, if there is one; `None` if the server is gone.
    fn act(&mut self) -> Option<Option<EventId>> {
        let random = &mut self.random;
        if self.tasks.is_empty() || random.random_bool(0.05) {
            let phase = random.random_range(2..=3);
            let body = json!({ "video": 1, "phase": phase, "masklets": [{}, {}] });
            return self.done("/api/tasks", &body);
        }
        let at = random.random_range(0..self.tasks.len());
        let task = self.tasks[at].clone();
        let path = format!("/api/tasks/{}", task["id"]);
        if task["state"] != "done" && task["lease"].is_null() {
            let (_, claimed) = self.client.post(&format!("{path}/claim"), &json!({}))?;
            self.tasks[at] = claimed;
            return Some(None);
        }
        let masklets = task["masklets"].as_array().unwrap();
        let masklet = match masklets.len() {
            0 => json!(0),
            count => masklets[random.random_range(0..count)]["id"].clone(),
        };
        let frame = random.random_range(0..8);
        let click = json!({
            "kind": "click", "positive": true,
            "x": random.random_range(0.0..200.0), "y": random.random_range(0.0..150.0),
        });
        let mask = square(random.random_range(0..100), random.random_range(0..50));
        let scope = format!("task {}", task["id"]);
        let direction = ["forward", "backward"][random.random_range(0..2)];
        let (what, mut body) = match random.random_range(0..16) {
            0..=3 => (
                "prompt",
                json!({ "masklet": masklet, "frame": frame, "prompts": [click] }),
            ),
            4..=6 => {
                let drawn = json!({ "masklet": masklet, "frame": frame, "mask": mask });
                ("masks", json!({ "masks": [drawn], "milliseconds": 5 }))
            }
            7 => (
                "erase",
                json!({ "masklet": masklet, "frames": [frame, frame + 1] }),
            ),
            8..=10 => (
                "propagate",
                json!({ "masklets": [masklet], "from": frame, "direction": direction }),
            ),
            11 => ("masklets", json!({ "name": format!("name {frame}") })),
            12 => ("submit", json!({})),
            13 => (
                "judge",
                json!({ "masklet": masklet, "verdict": "unsatisfactory", "remark": "the edge" }),
            ),
            14 => ("undo", json!({ "scope": scope })),
            _ => ("redo", json!({ "scope": scope })),
        };
        body["seen"] = task["revision"].clone();
        let path = match what {
            "undo" | "redo" => format!("/api/{what}"),
            _ => format!("{path}/{what}"),
        };
        self.done(&path, &body)
    }

    fn done(&mut self, path: &str, body: &Value) -> Option<Option<EventId>> {
        let (status, answer) = self.client.post(path, body)?;
        assert!(status < 500, "{path} {body}: {answer}");
        let event = (status < 300).then(|| EventId(answer["revision"].as_i64().unwrap()));
        Some(event)
    }

    /// Looks at the tasks as they are.
    fn look(&mut self, project: &Project) {
        let tasks = project.tasks(TaskQuery::default()).unwrap();
        self.tasks = tasks.into_iter().map(|task| json!(task)).collect();
    }
}

/// Works until the server is killed. The last acknowledged event, the state after it, and how many
/// there were.
fn work_until_killed(run: &Run, project: &Project, seed: u64) -> (EventId, String, usize) {
    let mut server = Server::start(run, &[]);
    let mut monkey = Monkey {
        random: StdRng::seed_from_u64(seed),
        client: server.client(),
        tasks: Vec::new(),
    };
    let mut last = (newest(project), project.fingerprint().unwrap());
    let mut count = 0;
    // SIGKILL on Unix: nothing is flushed, nothing is closed. In the middle of whatever it does.
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700 + 137 * (seed % 5)));
        server.process.kill().unwrap();
        server.process.wait().unwrap();
    });
    loop {
        monkey.look(project);
        match monkey.act() {
            None => break,
            Some(None) => {}
            Some(Some(event)) => {
                last = (event, project.fingerprint().unwrap());
                count += 1;
            }
        }
    }
    killer.join().unwrap();
    (last.0, last.1, count)
}

fn newest(project: &Project) -> EventId {
    let query = HistoryQuery {
        limit: Some(1),
        ..HistoryQuery::default()
    };
    project.history(&query).unwrap()[0].id
}

fn every_mask_can_be_read(project: &Project) {
    for task in project.tasks(TaskQuery::default()).unwrap() {
        for masklet in &task.masklets {
            let frames = project.frames(masklet.id).unwrap();
            let places: Vec<_> = frames.iter().map(|entry| entry.mask.clone()).collect();
            let masks = project.read_masks(&places).unwrap();
            assert!(
                frames
                    .iter()
                    .zip(masks)
                    .all(|(entry, mask)| entry.area == mask.area())
            );
        }
    }
}

fn imported() -> Run {
    let run = Run::new();
    let frames = fixture("frames");
    common::succeeded(&run.command(&["engine", "import", "lab", &frames]));
    common::succeeded(&run.command(&["engine", "settings", "lab", "--verify-own-work", "true"]));
    run
}

#[test]
fn acknowledged_actions_survive_a_kill() {
    let run = imported();
    let mut all = 0;
    for round in 0..5 {
        let project = Project::open(run.path("lab")).unwrap();
        let (last, state, count) = work_until_killed(&run, &project, round);
        all += count;
        drop(project);
        let project = Project::open(run.path("lab")).unwrap();
        every_mask_can_be_read(&project);
        // What was complete and not acknowledged yet: one action, or batches of a propagation.
        let owner = project.owner().unwrap().id;
        let events = project.history(&HistoryQuery::default()).unwrap();
        assert!(events.iter().any(|event| event.id == last), "round {round}");
        for event in events.iter().take_while(|event| event.id > last) {
            let reverted = project.revert(owner, event.id, None);
            reverted.expect("the newest events can always be reverted");
        }
        assert!(project.fingerprint().unwrap() == state, "round {round}");
    }
    assert!(all > 25, "{all} actions were acknowledged");
}

#[test]
fn it_imports_serves_and_ends_when_asked() {
    let run = Run::new();
    let frames = fixture("frames");
    let left = run.path("lab/.upload-left");
    // The second time the video is there already, and that is no reason not to start.
    for _ in 0..2 {
        let mut server = Server::start(&run, &["--import", &frames]);
        let client = server.client();
        let (status, session) = client
            .post("/api/session", &json!({ "token": TOKEN }))
            .unwrap();
        assert_eq!(status, 200, "{session}");
        assert_eq!(session["model"]["name"], "model");
        let body = json!({ "video": 1 });
        assert_eq!(client.post("/api/tasks", &body).unwrap().0, 200);
        end(&mut server.process);
        assert!(!left.exists(), "what a killed server left is removed");
        fs::create_dir(&left).unwrap();
    }
    let project = Project::open(run.path("lab")).unwrap();
    assert_eq!(project.videos().unwrap().len(), 1);
    assert_eq!(project.tasks(TaskQuery::default()).unwrap().len(), 2);
}

/// Asks a process to end, and waits for that.
fn end(process: &mut Child) {
    let id = process.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let begun = Instant::now();
    loop {
        match process.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success(), "{status}");
                return;
            }
            None => assert!(begun.elapsed() < Duration::from_secs(60), "it does not end"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_new_token_is_printed() {
    let run = Run::new();
    let mut process = run
        .prepared(&["annotate", "lab", "--port", "0", "--no-open", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(process.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let (_, token) = told["url"]
        .as_str()
        .unwrap()
        .split_once("/#token=")
        .unwrap();
    assert_eq!(token.len(), 32);
    end(&mut process);
}

/// Other users see the arguments of all programs, and logs are read by others.
#[test]
fn a_given_token_is_in_no_argument_and_is_not_printed() {
    let run = Run::new();
    fs::write(run.path("owner_token"), format!("{TOKEN}\n")).unwrap();
    // A browser that notes what it is given.
    let script = "#!/bin/sh\necho \"$@\" > arguments.part\nmv arguments.part arguments\n";
    fs::create_dir(run.path("bin")).unwrap();
    for name in ["xdg-open", "open"] {
        let program = run.path("bin").join(name);
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    let mut process = run
        .prepared(&[
            "annotate",
            "lab",
            "--port",
            "0",
            "--token-file",
            "owner_token",
        ])
        .env("PATH", format!("{}:{path}", run.path("bin").display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut out = BufReader::new(process.stdout.take().unwrap());
    out.read_line(&mut said).unwrap();
    let begun = Instant::now();
    while !run.path("arguments").exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no browser is opened"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let arguments = fs::read_to_string(run.path("arguments")).unwrap();
    let page = PathBuf::from(arguments.trim_end());
    let leads_to = format!("url={}#token={TOKEN}\"", said.trim_end());
    assert!(fs::read_to_string(&page).unwrap().contains(&leads_to));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&page), 0o600);
    assert_eq!(mode(page.parent().unwrap()), 0o700);

    end(&mut process);
    assert!(!page.exists());
    out.read_to_string(&mut said).unwrap();
    let mut errors = process.stderr.take().unwrap();
    errors.read_to_string(&mut said).unwrap();
    assert!(said.contains("model: lite"), "{said}");
    assert!(!(said + &arguments).contains(TOKEN));
}

#[test]
fn it_does_not_start_where_others_could_come_in() {
    let run = Run::new();
    let with = |more: &[&str]| run.with_model(&[&["annotate", "lab", "--no-open"], more].concat());
    failed(
        &with(&["--host", "0.0.0.0", "--port", "0"]),
        2,
        &["token", "127.0.0.1"],
    );
    failed(&with(&["--token", "short", "--port", "0"]), 2, &["16"]);
    fs::write(run.path("owner_token"), "short\n").unwrap();
    for (file, word) in [("owner_token", "16"), ("nothing", "cannot read the token")] {
        let output = with(&["--token-file", file, "--port", "0"]);
        failed(&output, 2, &[word]);
    }
    failed(&with(&["--import", "nothing.mp4"]), 2, &["nothing.mp4"]);
    assert!(!run.path("lab").exists());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    failed(&with(&["--port", &port]), 1, &["another port"]);
}
