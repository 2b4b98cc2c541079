//! What the tests share: a server with the micro model of the fixtures, and clients.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use masklet::{Compute, Model};
use masklet_engine::{ModelFacts, Project, VideoImport};
use masklet_media::video_writer::{SegmentWriter, Timing, VideoQuality, mux};
use masklet_media::{FrameRate, Mask, RgbImage, Rle};
use masklet_model::LoadedModel;
use masklet_model::weights::Checkpoint;
use masklet_server::{Server, ServerOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

/// The owner's token.
pub const TOKEN: &str = "token-of-the-tests";
/// Frames of the fixtures' clip that are taken.
pub const FRAMES: u32 = 8;
/// Its width and height.
pub const SIZE: (u32, u32) = (208, 152);

/// A file under `fixtures/`.
pub fn fixture(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(path)
}

/// The micro model.
pub fn model() -> Model {
    let compute = Compute::default();
    let config = std::fs::read(fixture("sam2.1/config.json")).unwrap();
    let config = serde_json::from_slice(&config).unwrap();
    let checkpoint = Checkpoint::open(fixture("sam2.1/model.pt")).unwrap();
    let loaded = LoadedModel::from_checkpoint(&checkpoint, &config, &compute).unwrap();
    Model::from_loaded(loaded, compute)
}

/// Pictures of the clip; `from` makes it another one.
pub fn clip(folder: &Path, from: u32) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    for frame in from..from + FRAMES {
        let name = format!("{frame:05}.png");
        std::fs::copy(fixture("frames").join(&name), folder.join(&name)).unwrap();
    }
    folder.to_owned()
}

/// A square of `side` pixels at (`x`, `y`) as JSON.
pub fn square(x: u32, y: u32, side: u32) -> Value {
    json!(Rle::encode(&Mask::from_fn(SIZE.0, SIZE.1, |px, py| {
        (x..x + side).contains(&px) && (y..y + side).contains(&py)
    })))
}

/// A click as JSON.
pub fn click(x: f32, y: f32) -> Value {
    json!({ "kind": "click", "x": x, "y": y, "positive": true })
}

/// A server that runs, with one video.
pub struct Lab {
    pub folder: TempDir,
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lab {
    pub fn new() -> Self {
        Self::with(ServerOptions::default())
    }

    pub fn with(options: ServerOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::create(folder.path().join("project"), "Lab", "Olga").unwrap();
        let owner = project.owner().unwrap().id;
        let video = VideoImport::of(&clip(&folder.path().join("clip"), 0)).unwrap();
        project.import_video(owner, &video, &mut |_| ()).unwrap();
        project
            .change_settings(owner, None, |settings| settings.verify_own_work = true)
            .unwrap();
        Self::start(folder, project, options)
    }

    fn start(folder: TempDir, project: Project, options: ServerOptions) -> Self {
        let facts = ModelFacts {
            name: "micro".to_owned(),
            sha256: None,
        };
        let options = ServerOptions {
            token: Some(TOKEN.to_owned()),
            ..options
        };
        let server = Server::bind(project, &model(), facts, &options).unwrap();
        let address = server.address();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            server.run(move || stopped.load(Ordering::SeqCst)).unwrap();
        });
        Self {
            folder,
            address,
            stop,
            thread: Some(thread),
        }
    }

    /// Ends the server and starts it again.
    pub fn restarted(mut self) -> Self {
        self.end();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let project = Project::open(folder.path().join("project")).unwrap();
        Self::start(folder, project, ServerOptions::default())
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// The owner.
    pub fn owner(&self) -> Client {
        self.client(TOKEN)
    }

    pub fn client(&self, token: &str) -> Client {
        Client::new(self.address, token)
    }

    /// A new user.
    pub fn user(&self, name: &str, role: &str) -> Client {
        let owner = self.owner();
        let user = owner.post("/api/users", json!({ "name": name, "role": role }));
        let path = format!("/api/users/{}/token", user["id"]);
        let token = owner.post(&path, json!({}));
        self.client(token["token"].as_str().unwrap())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.end();
    }
}

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    pub address: SocketAddr,
    pub token: String,
}

impl Client {
    pub fn new(address: SocketAddr, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        Self {
            agent: config.into(),
            address,
            token: token.to_owned(),
        }
    }

    /// Sends a request with these headers beside the token, and returns status and body.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, Vec<u8>) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let mut answer = match body.is_empty() {
            true => self.agent.run(request.body(()).unwrap()),
            false => self.agent.run(request.body(body).unwrap()),
        }
        .unwrap();
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_vec();
        (status, body.unwrap())
    }

    /// The same with JSON.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let (status, body) = self.send(method, path, &[], body);
        let value = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body)
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&body))),
        };
        (status, value)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, value) = self.call("GET", path, None);
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Value {
        let (status, value) = self.call("POST", path, Some(&body));
        assert!((200..300).contains(&status), "{path}: {value}");
        value
    }

    /// A request that is refused with this code.
    #[track_caller]
    pub fn refused(&self, method: &str, path: &str, body: Value, code: &str) -> Value {
        let takes_body = !matches!(method, "GET" | "DELETE");
        let (status, value) = self.call(method, path, takes_body.then_some(&body));
        assert!(status >= 400, "{path}: {value}");
        assert_eq!(value["error"]["code"], code, "{path}: {value}");
        value["error"].clone()
    }

    /// A new task in a phase with so many objects, held: its number and theirs.
    pub fn task(&self, phase: u8, objects: usize) -> Task {
        let masklets = vec![json!({}); objects];
        let body = json!({ "video": 1, "phase": phase, "masklets": masklets });
        let task = self.post("/api/tasks", body)["task"].clone();
        let id = task["id"].as_u64().unwrap();
        let masklets = task["masklets"].as_array().unwrap().iter();
        let masklets = masklets
            .map(|masklet| masklet["id"].as_u64().unwrap())
            .collect();
        self.post(&format!("/api/tasks/{id}/claim"), json!({}));
        Task { id, masklets }
    }

    pub fn revision(&self, task: &Task) -> Value {
        self.get(&task.path(""))["revision"].clone()
    }

    /// Has the model segment an object.
    #[track_caller]
    pub fn prompt(&self, task: &Task, masklet: u64, frame: u32, prompts: &[Value]) -> Value {
        let body = json!({
            "seen": self.revision(task),
            "masklet": masklet,
            "frame": frame,
            "prompts": prompts,
        });
        self.post(&task.path("/prompt"), body)
    }

    /// Stores a mask that was drawn.
    #[track_caller]
    pub fn draw(&self, task: &Task, masklet: u64, frame: u32, mask: &Value) -> Value {
        let masks = [json!({ "masklet": masklet, "frame": frame, "mask": mask })];
        let body = json!({ "seen": self.revision(task), "masks": masks });
        self.post(&task.path("/masks"), body)
    }

    #[track_caller]
    pub fn propagate(&self, task: &Task, masklets: &[u64], from: u32, direction: &str) -> Value {
        let body = json!({
            "seen": self.revision(task),
            "masklets": masklets,
            "from": from,
            "direction": direction,
        });
        self.post(&task.path("/propagate"), body)
    }

    /// All masks of an object, by frame.
    pub fn masks(&self, task: &Task, masklet: u64) -> Vec<(u32, Value)> {
        let path = format!("/masks?from=0&to=500&masklet={masklet}");
        let masks = self.get(&task.path(&path));
        let masks = masks["masks"].as_array().unwrap().iter();
        masks
            .map(|on| (on["frame"].as_u64().unwrap() as u32, on["mask"].clone()))
            .collect()
    }

    #[track_caller]
    pub fn undo(&self, task: &Task) -> Value {
        let scope = format!("task {}", task.id);
        self.post(
            "/api/undo",
            json!({ "scope": scope, "seen": self.revision(task) }),
        )
    }

    /// The WebSocket.
    pub fn live(&self) -> Live {
        let mut request = format!("ws://{}/api/live", self.address)
            .into_client_request()
            .unwrap();
        let token = format!("Bearer {}", self.token).parse().unwrap();
        request.headers_mut().insert("authorization", token);
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        let (socket, _) = tungstenite::client(request, stream).unwrap();
        let mut live = Live(socket);
        assert_eq!(live.next()["type"], "hello");
        live
    }
}

/// A task of a test.
#[derive(Clone, Debug)]
pub struct Task {
    pub id: u64,
    pub masklets: Vec<u64>,
}

impl Task {
    pub fn path(&self, more: &str) -> String {
        format!("/api/tasks/{}{more}", self.id)
    }
}

/// A WebSocket that is open.
pub struct Live(WebSocket<TcpStream>);

impl Live {
    pub fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).unwrap();
    }

    pub fn next(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Messages up to the first of a type, that one included.
    pub fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            heard.push(self.next());
            let last = heard.last().unwrap();
            if last["type"] == kind {
                return heard;
            }
            assert!(last["type"] != "error", "{last}");
        }
    }

    /// Whether the server ends it, before it was asked some times whether somebody is there.
    pub fn ends(mut self) -> bool {
        (0..4).any(|_| match self.0.read() {
            Ok(Message::Close(_)) => true,
            Ok(_) => false,
            Err(tungstenite::Error::Io(error)) => {
                assert!(
                    error.kind() == std::io::ErrorKind::ConnectionReset,
                    "{error}"
                );
                true
            }
            Err(_) => true,
        })
    }

    pub fn close(mut self) {
        self.0.close(None).unwrap();
        while self.0.read().is_ok() {}
    }
}

/// The bytes of a small video file.
pub fn video_file() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let segment = folder.path().join("0.h264");
    let mut writer = SegmentWriter::create(&segment, (96, 80), VideoQuality::default()).unwrap();
    for level in [0, 60, 120, 180] {
        writer
            .push(&RgbImage::filled(96, 80, [level, 90, 200 - level]).unwrap())
            .unwrap();
    }
    writer.finish().unwrap();
    let rate = Timing::Constant(FrameRate::new(25, 1).unwrap());
    mux(&[segment], (96, 80), rate, &path).unwrap();
    std::fs::read(path).unwrap()
}
