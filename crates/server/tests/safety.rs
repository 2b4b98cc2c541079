//! Strangers, other sites' pages, and files that are made to harm.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use common::{Lab, TOKEN, fixture};
use masklet_server::{Limits, ServerOptions};
use serde_json::{Value, json};

fn small() -> Lab {
    Lab::with(ServerOptions {
        limits: Limits {
            upload_bytes: 100_000,
            frame_pixels: 64 * 64,
            body_bytes: 10_000,
        },
        ..ServerOptions::default()
    })
}

/// Sends a request as it is written, and returns the answer as it comes.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn status(answer: &str) -> u16 {
    let word = answer.split(' ').nth(1);
    word.unwrap_or_else(|| panic!("{answer:?}"))
        .parse()
        .unwrap()
}

/// All files of a folder, with what is in them.
fn files(folder: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((path.display().to_string(), path.metadata().unwrap().len())),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn strangers_get_nothing() {
    let lab = Lab::new();
    let stranger = lab.client("wrong-token-of-the-tests");
    let openapi = stranger.get("/api/openapi.json");
    let mut asked = 0;
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if operation["security"] == json!([]) {
                continue;
            }
            let mut path = path.clone();
            while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
                path.replace_range(from..=to, "1");
            }
            let method = method.to_uppercase();
            let (status, answer) = stranger.call(&method, &path, None);
            assert_eq!(status, 401, "{method} {path}: {answer}");
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
    let bad = json!({ "token": "wrong-token-of-the-tests" });
    stranger.refused("POST", "/api/session", bad, "unauthorized");
}

#[test]
fn a_token_becomes_a_cookie_that_no_script_reads() {
    let lab = Lab::new();
    let body = json!({ "token": TOKEN }).to_string();
    let request = format!(
        "POST /api/session HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        lab.address,
        body.len()
    );
    let answer = raw(lab.address, &request);
    assert_eq!(status(&answer), 200);
    let cookie = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap();
    let with = |cookie: &str| {
        let request = format!(
            "GET /api/session HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n",
            lab.address
        );
        raw(lab.address, &request)
    };
    let answer = with(cookie);
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("\"role\":\"owner\""), "{answer}");
    assert_eq!(status(&with("other=1")), 401);
    for header in [
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
    ] {
        assert!(answer.contains(header), "{answer}");
    }
}

#[test]
fn pages_of_other_sites_and_names_of_others_are_refused() {
    let lab = Lab::new();
    let port = lab.address.port();
    let ask = |method: &str, host: &str, more: &str| {
        let request = format!(
            "{method} /api/tasks HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\
             {more}Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        raw(lab.address, &request)
    };
    let own = format!("127.0.0.1:{port}");
    assert_eq!(status(&ask("GET", &own, "")), 200);
    assert_eq!(status(&ask("GET", &format!("localhost:{port}"), "")), 200);
    assert_eq!(
        status(&ask("GET", &own, &format!("Origin: http://{own}\r\n"))),
        200
    );
    let foreign = [
        ask("GET", &format!("evil.example:{port}"), ""),
        ask("POST", &own, "Origin: http://evil.example\r\n"),
        ask("POST", &own, "Origin: null\r\n"),
        ask("GET", &own, "Sec-Fetch-Site: cross-site\r\n"),
    ];
    for answer in foreign {
        assert_eq!(status(&answer), 403, "{answer}");
        assert!(answer.contains("forbidden-origin"), "{answer}");
    }
    // A WebSocket is no exception, though browsers would let any page open it.
    let socket = |origin: &str| {
        let request = format!(
            "GET /api/live HTTP/1.1\r\nHost: {own}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Origin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut stream = TcpStream::connect(lab.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert_eq!(socket(&format!("http://{own}")), "HTTP/1.1 101");
    assert_eq!(socket("http://evil.example"), "HTTP/1.1 403");
}

#[test]
fn what_is_too_large_is_refused() {
    let lab = small();
    let owner = lab.owner();
    let before = files(lab.folder.path());
    let refused = |path: &str, body: Vec<u8>, code: &str| {
        let (status, answer) = owner.send("POST", path, &[], body);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(status >= 400, "{answer}");
        assert_eq!(answer["error"]["code"], code, "{answer}");
    };
    refused("/api/videos?name=large.mp4", vec![0; 100_001], "too-large");
    refused("/api/tasks", vec![b' '; 10_001], "too-large");
    // 208 x 152 pixels are more than 64 x 64.
    let gif = fs::read(fixture("frames/00000.png")).unwrap();
    let (_, answer) = owner.send("POST", "/api/videos?name=a.png", &[], gif);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["error"]["code"], "refused", "{answer}");
    assert_eq!(files(lab.folder.path()), before, "nothing is left behind");
    let (status, _) = owner.call("GET", "/api/tasks", None);
    assert_eq!(status, 200);
}

#[test]
fn a_video_with_large_frames_is_refused_before_it_is_decoded() {
    let lab = small();
    let video = common::video_file();
    let (status, answer) = lab
        .owner()
        .send("POST", "/api/videos?name=a.mp4", &[], video);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        (status, &answer["error"]["code"]),
        (422, &json!("refused")),
        "{answer}"
    );
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("pixels"),
        "{answer}"
    );
}

#[test]
fn names_never_become_paths() {
    let lab = Lab::new();
    let owner = lab.owner();
    let outside = files(lab.folder.path())
        .into_iter()
        .filter(|(path, _)| !path.contains("/project/"))
        .collect::<Vec<_>>();
    let video = common::video_file();
    let name = "..%2F..%2F..%2Fescaped%00.mp4";
    let (status, answer) = owner.send(
        "POST",
        &format!("/api/videos?name={name}"),
        &[],
        video.clone(),
    );
    assert_eq!(status, 400, "{}", String::from_utf8_lossy(&answer));
    let name = "..%2F..%2F..%2Fescaped.mp4";
    let (status, answer) = owner.send("POST", &format!("/api/videos?name={name}"), &[], video);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["name"], "../../../escaped");
    let now = files(lab.folder.path())
        .into_iter()
        .filter(|(path, _)| !path.contains("/project/"))
        .collect::<Vec<_>>();
    assert_eq!(now, outside);
    for path in [
        "/..%2f..%2fetc%2fpasswd",
        "/../../Cargo.toml",
        "/api/exports/..%2f..%2fproject.sqlite/zip",
        "/project.sqlite",
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n",
            lab.address
        );
        let answer = raw(lab.address, &request);
        assert_eq!(self::status(&answer), 404, "{path}: {answer}");
    }
}

#[test]
fn hostile_videos_get_an_error_and_the_server_goes_on() {
    let lab = Lab::new();
    let owner = lab.owner();
    let good = common::video_file();
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty.mp4", vec![0]),
        ("text.mp4", b"not a video at all".repeat(50)),
        ("cut.mp4", good[..good.len() / 2].to_vec()),
        (
            "playlist.m3u8",
            b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n".to_vec(),
        ),
        (
            "list.txt",
            b"ffconcat version 1.0\nfile '/etc/passwd'\n".to_vec(),
        ),
    ];
    // Lengths of boxes that lead nowhere.
    for at in [0, 4, 32, 40, good.len() / 3] {
        let mut broken = good.clone();
        for byte in broken.iter_mut().skip(at).take(4) {
            *byte = 0xff;
        }
        cases.push(("broken.mp4", broken));
    }
    // Lists that would have a decoder read files of the server's.
    let other = lab.folder.path().join("other.mp4");
    fs::write(&other, &good).unwrap();
    let other = other.display();
    for list in [
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n"),
        format!("ffconcat version 1.0\nfile '{other}'\n"),
        "ffconcat version 1.0\nfile other.mp4\n".to_owned(),
    ] {
        let (status, answer) = owner.send("POST", "/api/videos?name=a.mp4", &[], list.into_bytes());
        assert_eq!(status, 422, "{}", String::from_utf8_lossy(&answer));
    }
    let folder = lab.folder.path().display().to_string();
    for (name, bytes) in cases {
        let path = format!("/api/videos?name={name}");
        let (status, answer) = owner.send("POST", &path, &[], bytes);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        if status != 200 {
            assert!((400..500).contains(&status), "{name}: {status} {answer}");
            assert!(!answer.to_string().contains(&folder), "{name}: {answer}");
        }
        assert!(!answer.to_string().contains("root:"), "{name}: {answer}");
    }
    let ann = lab.user("Ann", "annotator");
    let (status, _) = ann.send("POST", "/api/videos?name=a.mp4", &[], good);
    assert_eq!(status, 403, "owners take videos in");
    owner.get("/api/videos");
}
