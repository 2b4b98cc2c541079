//! Models by name, against a hub on this machine: what is fetched, what is kept, what is said.
#![cfg(feature = "hub")]

mod hub_server;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use hub_server::{Answers, COMMIT, HubServer};
use masklet::Official;
use masklet::hub::{FetchEvent, Hub, HubError};
use tempfile::TempDir;

fn tiny() -> Official {
    "sam2.1-tiny".parse().unwrap()
}

/// Enough bytes for a connection to break in the middle; not random, and not all alike.
fn content() -> Vec<u8> {
    (0..200_000_u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect()
}

/// A cache folder that starts empty.
struct Cache(TempDir);

impl Cache {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, server: &HubServer) -> Hub {
        Hub::new(self.0.path()).at(server.address())
    }

    fn model(&self, path: &str) -> PathBuf {
        let model = self.0.path().join("models--facebook--sam2.1-hiera-tiny");
        model.join(path)
    }
}

fn fetch(hub: &Hub) -> Result<PathBuf, HubError> {
    hub.fetch(tiny(), |_| {})
}

/// Checks that the message contains each of `words`.
fn says(error: &HubError, words: &[&str]) {
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
}

#[test]
fn an_empty_cache_is_filled_in_the_layout_of_other_tools() {
    let (cache, server) = (Cache::empty(), HubServer::serving(&content()));
    let mut events = Vec::new();
    let hub = cache.at(&server);
    let file = hub.fetch(tiny(), |event| events.push(event)).unwrap();

    let snapshot = format!("snapshots/{COMMIT}/sam2.1_hiera_tiny.pt");
    assert_eq!(file, cache.model(&snapshot));
    assert_eq!(fs::read(&file).unwrap(), content());
    assert_eq!(
        fs::read_to_string(cache.model("refs/main")).unwrap(),
        COMMIT
    );
    let blob = fs::canonicalize(&file).unwrap();
    assert_eq!(
        blob.parent().unwrap(),
        fs::canonicalize(cache.model("blobs")).unwrap()
    );
    assert_eq!(blob.file_name().unwrap().len(), 64);
    #[cfg(unix)]
    assert!(fs::read_link(&file).unwrap().starts_with("../../blobs"));

    let total = content().len() as u64;
    assert!(events.contains(&FetchEvent::Received {
        bytes: total,
        total
    }));
    assert_eq!(events.last(), Some(&FetchEvent::Verifying));
    assert_eq!(
        server.requests()[0].path,
        "/facebook/sam2.1-hiera-tiny/resolve/main/sam2.1_hiera_tiny.pt"
    );
    let contents = hub.contents();
    assert_eq!(contents.models.len(), 1);
    assert_eq!(contents.models[0].bytes, total);
    assert_eq!(contents.incomplete, []);
}

#[test]
fn a_cached_model_is_used_without_any_request() {
    let (cache, server) = (Cache::empty(), HubServer::serving(&content()));
    let hub = cache.at(&server);
    let fetched = fetch(&hub).unwrap();
    let before = server.requests().len();
    assert_eq!(hub.find(tiny()), Some(fetched.clone()));
    assert_eq!(fetch(&hub).unwrap(), fetched);
    assert_eq!(fetch(&hub.offline(true)).unwrap(), fetched);
    assert_eq!(server.requests().len(), before);
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let server = HubServer::start(Answers {
        content: content(),
        breaks: vec![100_000, 40_000],
        ..Answers::default()
    });
    let cache = Cache::empty();
    let mut retries = 0;
    let file = cache
        .at(&server)
        .fetch(tiny(), |event| {
            retries += usize::from(event == FetchEvent::Retrying);
        })
        .unwrap();
    assert_eq!(fs::read(file).unwrap(), content());
    assert_eq!(retries, 2);
    let ranges = server.transfers();
    assert_eq!(ranges[0], "bytes=0-");
    assert_eq!(ranges[1..], ["bytes=100000-", "bytes=140000-"]);
}

#[test]
fn a_later_call_continues_what_an_earlier_one_began() {
    let cache = Cache::empty();
    let failing = HubServer::start(Answers {
        content: content(),
        breaks: vec![120_000],
        transfer_status: Some(503),
        ..Answers::default()
    });
    let hub = cache.at(&failing);
    let error = fetch(&hub).unwrap_err();
    assert!(matches!(error, HubError::Server { status: 503, .. }));
    assert_eq!(hub.find(tiny()), None);
    let incomplete = hub.contents().incomplete;
    assert_eq!(incomplete.len(), 1);
    assert_eq!(incomplete[0].bytes, 120_000);

    let working = HubServer::serving(&content());
    let hub = cache.at(&working);
    assert_eq!(fs::read(fetch(&hub).unwrap()).unwrap(), content());
    assert_eq!(working.transfers(), ["bytes=120000-"]);
    assert_eq!(hub.contents().incomplete, []);
}

/// Puts `bytes` where a download of `content` that was cut short has left them.
fn leave_partial(cache: &Cache, bytes: &[u8]) -> PathBuf {
    let failing = HubServer::start(Answers {
        content: content(),
        breaks: vec![1],
        transfer_status: Some(503),
        ..Answers::default()
    });
    let hub = cache.at(&failing);
    fetch(&hub).unwrap_err();
    let partial = hub.contents().incomplete.remove(0).file;
    fs::write(&partial, bytes).unwrap();
    partial
}

#[test]
fn a_download_that_was_complete_but_not_published_is_not_repeated() {
    // The process may have ended before and after the file got its whole name.
    for named in [false, true] {
        let cache = Cache::empty();
        let partial = leave_partial(&cache, &content());
        if named {
            fs::rename(&partial, partial.with_extension("")).unwrap();
        }
        let server = HubServer::serving(&content());
        let file = fetch(&cache.at(&server)).unwrap();
        assert_eq!(fs::read(file).unwrap(), content());
        assert_eq!(server.transfers(), [""; 0]);
    }
}

#[test]
fn a_server_that_cannot_continue_is_asked_for_the_whole() {
    let cache = Cache::empty();
    leave_partial(&cache, &content()[..50_000]);
    let server = HubServer::start(Answers {
        content: content(),
        ignores_ranges: true,
        ..Answers::default()
    });
    assert_eq!(
        fs::read(fetch(&cache.at(&server)).unwrap()).unwrap(),
        content()
    );
    assert_eq!(server.transfers(), ["bytes=50000-", "bytes=0-"]);
}

#[test]
fn a_file_with_another_checksum_is_removed_and_both_are_named() {
    let cache = Cache::empty();
    let stated = "ab".repeat(32);
    let server = HubServer::start(Answers {
        content: content(),
        stated_sha256: Some(stated.clone()),
        ..Answers::default()
    });
    let hub = cache.at(&server);
    let error = fetch(&hub).unwrap_err();
    let HubError::Checksum { found, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(found.len(), 64);
    says(&error, &[&stated, found, server.address(), "removed"]);
    assert_eq!(hub.find(tiny()), None);
    assert_eq!(hub.contents().incomplete, []);
    assert_eq!(files_below(cache.0.path()), ["lock"]);

    let honest = HubServer::serving(&content());
    assert_eq!(
        fs::read(fetch(&cache.at(&honest)).unwrap()).unwrap(),
        content()
    );
}

/// Names of the files below a folder; links count too.
fn files_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            names.extend(files_below(&entry.path()));
        } else {
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    names
}

#[test]
fn a_partial_file_that_was_damaged_does_not_get_into_the_cache() {
    let cache = Cache::empty();
    leave_partial(&cache, &[7; 1000]);
    let server = HubServer::serving(&content());
    let hub = cache.at(&server);
    assert!(matches!(fetch(&hub), Err(HubError::Checksum { .. })));
    assert_eq!(fs::read(fetch(&hub).unwrap()).unwrap(), content());
}

#[test]
fn a_blob_that_the_cache_has_is_linked_from_a_newer_commit() {
    let (cache, server) = (Cache::empty(), HubServer::serving(&content()));
    let hub = cache.at(&server);
    let file = fetch(&hub).unwrap();
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    fs::write(cache.model("refs/main"), "f".repeat(40)).unwrap();
    let before = server.transfers().len();
    assert_eq!(fs::read(fetch(&hub).unwrap()).unwrap(), content());
    assert_eq!(server.transfers().len(), before);
}

fn refused(status: u16) -> (HubServer, Cache) {
    let server = HubServer::start(Answers {
        content: content(),
        status: Some(status),
        ..Answers::default()
    });
    (server, Cache::empty())
}

#[test]
fn a_missing_file_is_reported_with_its_address() {
    let (server, cache) = refused(404);
    let hub = cache.at(&server);
    let error = fetch(&hub).unwrap_err();
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
    says(&error, &[&hub.url(tiny()), "404"]);
}

#[test]
fn a_refusal_tells_what_to_do_about_the_token() {
    for status in [401, 403] {
        let (server, cache) = refused(status);
        let hub = cache.at(&server);
        says(
            &fetch(&hub).unwrap_err(),
            &["set HF_TOKEN", server.address()],
        );
        let hub = hub.with_token(Some("secret".to_owned()));
        let error = fetch(&hub).unwrap_err();
        says(&error, &["does not allow", &status.to_string()]);
        assert!(!error.to_string().contains("secret"));
        let authorization = server.requests().pop().unwrap().authorization;
        assert_eq!(authorization.as_deref(), Some("Bearer secret"));
    }
}

#[test]
fn a_server_in_trouble_is_reported_with_its_status() {
    let (server, cache) = refused(500);
    says(&fetch(&cache.at(&server)).unwrap_err(), &["500", "later"]);
}

#[test]
fn offline_without_a_cached_model_asks_nobody() {
    let (cache, server) = (Cache::empty(), HubServer::serving(&content()));
    let hub = cache.at(&server).offline(true);
    let error = fetch(&hub).unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }), "{error}");
    says(
        &error,
        &["sam2.1-tiny", cache.0.path().to_str().unwrap(), "--offline"],
    );
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn an_endpoint_where_nobody_listens_is_named() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let cache = Cache::empty();
    let hub = Hub::new(cache.0.path()).at(&address);
    let error = fetch(&hub).unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    says(&error, &[&hub.url(tiny()), "check the network"]);
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let server = HubServer::start(Answers {
        silent: true,
        ..Answers::default()
    });
    let cache = Cache::empty();
    let hub = cache.at(&server).with_patience(Duration::from_millis(100));
    let error = fetch(&hub).unwrap_err();
    assert!(matches!(error, HubError::Stalled { .. }), "{error}");
    says(&error, &["0.1 seconds", "HF_HUB_DOWNLOAD_TIMEOUT"]);
}

#[test]
fn a_login_page_is_not_taken_for_a_hub() {
    let server = HubServer::start(Answers {
        login_page: true,
        ..Answers::default()
    });
    let cache = Cache::empty();
    let error = fetch(&cache.at(&server)).unwrap_err();
    assert!(matches!(error, HubError::NotAHub { .. }), "{error}");
    says(&error, &["login page", "HF_ENDPOINT"]);
}

#[test]
fn a_file_without_a_checksum_is_not_fetched() {
    let server = HubServer::start(Answers {
        content: content(),
        stated_sha256: Some("../../outside".to_owned()),
        ..Answers::default()
    });
    let cache = Cache::empty();
    let error = fetch(&cache.at(&server)).unwrap_err();
    says(&error, &["SHA-256", "../../outside"]);
    assert_eq!(server.transfers(), [""; 0]);
}

#[test]
fn of_several_at_the_same_time_one_downloads_and_the_others_use_it() {
    let (cache, server) = (Cache::empty(), HubServer::serving(&content()));
    thread::scope(|scope| {
        let fetches: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| fetch(&cache.at(&server)).unwrap()))
            .collect();
        for fetched in fetches {
            assert_eq!(fs::read(fetched.join().unwrap()).unwrap(), content());
        }
    });
    assert_eq!(server.transfers().len(), 1);
}

#[test]
fn a_cache_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let server = HubServer::serving(&content());
    let hub = Hub::new(file.path()).at(server.address());
    let error = fetch(&hub).unwrap_err();
    says(&error, &[file.path().to_str().unwrap(), "HF_HUB_CACHE"]);
    assert_eq!(server.requests().len(), 0);
}
