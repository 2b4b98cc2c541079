//! The download: `hf-hub` does it, in a thread that is watched; here are patience and persistence.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError, Metadata};
use masklet_model::config::Official;

use super::staging::Staging;
use super::{FetchEvent, Hub, HubError, file_name, repository};

/// After a connection broke it is tried again this often before giving up, as long as nothing
/// arrives; whatever arrives starts the count again.
const ATTEMPTS: u32 = 5;

/// Before the first new attempt; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A file that has arrived, not verified yet.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Where it is; `None` if the cache has it already under its checksum.
    pub(super) file: Option<PathBuf>,
    /// SHA-256 that the hub states.
    pub(super) sha256: String,
    /// Commit of the repository.
    pub(super) commit: String,
    /// Name in the repository.
    pub(super) name: String,
}

/// Downloads a model's checkpoint into `staging`. The caller holds its lock.
pub(super) fn transfer(
    hub: &Hub,
    preset: Official,
    staging: &Staging,
    on_event: &mut impl FnMut(FetchEvent),
) -> Result<Arrival, HubError> {
    let url = hub.url(preset);
    let (mut received, mut total) = (0, 0);
    let mut failures = 0;
    loop {
        let before = received;
        let attempt = Attempt {
            hub: hub.clone(),
            preset,
            staging: staging.clone(),
        };
        let outcome = watched(attempt, hub.patience, |bytes, size| {
            (received, total) = (bytes, size);
            on_event(FetchEvent::Received { bytes, total: size });
        });
        let cause = match outcome {
            Ok(arrival) => return Ok(arrival),
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Connection(cause)) => cause,
        };
        failures = if received > before { 1 } else { failures + 1 };
        if total == 0 {
            return Err(HubError::Unreachable { url, cause });
        }
        if failures > ATTEMPTS {
            return Err(HubError::BrokenOff {
                url,
                received,
                total,
                cause,
            });
        }
        on_event(FetchEvent::Retrying);
        thread::sleep(FIRST_PAUSE * 2_u32.pow(failures - 1));
    }
}

/// Why an attempt failed.
enum Trouble {
    /// Trying again is of no use.
    Final(HubError),
    /// The connection is at fault.
    Connection(String),
}

/// Bytes that are here, and bytes of the whole file.
type Amount = (u64, u64);

/// Runs an attempt in a thread of its own and gives it up when it is silent for too long: `hf-hub`
/// sets no time limits, and a network that swallows packets would hang forever.
fn watched(
    attempt: Attempt,
    patience: Duration,
    mut on_amount: impl FnMut(u64, u64),
) -> Result<Arrival, Trouble> {
    let url = attempt.hub.url(attempt.preset);
    let (sender, amounts) = mpsc::channel();
    let worker = thread::spawn(move || attempt.run(sender));
    loop {
        match amounts.recv_timeout(patience) {
            Ok((bytes, size)) => on_amount(bytes, size),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                return Err(Trouble::Final(HubError::Stalled {
                    url,
                    seconds: patience.as_secs_f64(),
                }));
            }
        }
    }
    worker.join().unwrap_or_else(|_| {
        let what = "the answer is malformed".to_owned();
        Err(Trouble::Final(HubError::NotAHub { url, what }))
    })
}

/// One connection's worth of download.
struct Attempt {
    hub: Hub,
    preset: Official,
    staging: Staging,
}

impl Attempt {
    fn run(self, amounts: Sender<Amount>) -> Result<Arrival, Trouble> {
        let name = file_name(self.preset);
        let api = ApiBuilder::from_cache(self.staging.cache())
            .with_endpoint(self.hub.endpoint.clone())
            .with_token(self.hub.token.clone())
            .with_user_agent("masklet", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(|error| self.trouble(error))?;
        let remote = api.model(repository(self.preset));
        let metadata = api
            .metadata(&remote.url(&name))
            .map_err(|error| self.trouble(error))?;
        let arrival = self.announced(&metadata)?;
        let size = metadata.size() as u64;

        let known = self.hub.cached(self.preset).blob_path(&arrival.sha256);
        if length(&known) == Some(size) {
            return Ok(arrival);
        }
        let staged = self.staged(&arrival.sha256);
        let growing = staged.with_extension("part");
        // Complete, but the process ended before it was named, verified or moved.
        for complete in [&staged, &growing] {
            if length(complete) == Some(size) {
                return Ok(Arrival {
                    file: Some(complete.clone()),
                    ..arrival
                });
            }
        }
        if length(&growing).is_some_and(|bytes| bytes > size) {
            fs::remove_file(&growing).map_err(|error| self.cache_trouble(&growing, error))?;
        }
        let folder = self.staging.folder();
        self.staging
            .forget_links(&repository(self.preset))
            .map_err(|error| self.cache_trouble(folder, error))?;
        let link = remote
            .download_with_progress(&name, Reporter::new(amounts))
            .map_err(|error| self.trouble(error))?;
        let file = fs::canonicalize(&link).map_err(|error| self.cache_trouble(&link, error))?;
        match length(&file) {
            // A connection may end early without an error if the server did not announce a length.
            Some(bytes) if bytes < size => {
                fs::rename(&file, &growing).map_err(|error| self.cache_trouble(&file, error))?;
                Err(Trouble::Connection("the connection was closed".to_owned()))
            }
            // Asked for the rest, some servers send the whole, which now follows the beginning.
            Some(bytes) if bytes > size => {
                fs::remove_file(&file).map_err(|error| self.cache_trouble(&file, error))?;
                Err(Trouble::Connection(
                    "more was sent than asked for".to_owned(),
                ))
            }
            _ => Ok(Arrival {
                file: Some(file),
                ..arrival
            }),
        }
    }

    /// Checks what the hub says of the file before anything is named after it.
    fn announced(&self, metadata: &Metadata) -> Result<Arrival, Trouble> {
        let is_hex = |text: &str, digits| {
            text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let (sha256, commit) = (metadata.etag(), metadata.commit_hash());
        if !is_hex(sha256, 64) {
            return Err(self.not_a_hub(format!("it states no SHA-256 but `{sha256}`")));
        }
        if !is_hex(commit, 40) {
            return Err(self.not_a_hub(format!("it names no commit but `{commit}`")));
        }
        Ok(Arrival {
            file: None,
            sha256: sha256.to_ascii_lowercase(),
            commit: commit.to_owned(),
            name: file_name(self.preset),
        })
    }

    /// Where `hf-hub` puts the complete file; it grows under this name with `.part`.
    fn staged(&self, sha256: &str) -> PathBuf {
        let staged = self.staging.cache().model(repository(self.preset));
        staged.blob_path(sha256)
    }

    fn trouble(&self, error: ApiError) -> Trouble {
        let url = self.hub.url(self.preset);
        Trouble::Final(match error {
            ApiError::RequestError(error) => match *error {
                ureq::Error::StatusCode(status @ (401 | 403)) => HubError::Denied {
                    url,
                    status,
                    token_sent: self.hub.token.is_some(),
                },
                ureq::Error::StatusCode(404) => HubError::NotFound { url },
                ureq::Error::StatusCode(status) => HubError::Server { url, status },
                ureq::Error::Protocol(error) => return self.not_a_hub(error.to_string()),
                ureq::Error::Io(error) => return Trouble::Connection(error.to_string()),
                error => return Trouble::Connection(error.to_string()),
            },
            ApiError::IoError(error) if is_of_the_disk(&error) => {
                return self.cache_trouble(self.staging.folder(), error);
            }
            ApiError::IoError(error) => return Trouble::Connection(error.to_string()),
            ApiError::LockAcquisition(path) => {
                let source = io::Error::other("another program holds it");
                HubError::Cache { path, source }
            }
            ApiError::TooManyRetries(error) => return self.trouble(*error),
            error => return self.not_a_hub(error.to_string()),
        })
    }

    fn not_a_hub(&self, what: String) -> Trouble {
        let url = self.hub.url(self.preset);
        Trouble::Final(HubError::NotAHub { url, what })
    }

    fn cache_trouble(&self, path: &Path, source: io::Error) -> Trouble {
        Trouble::Final(HubError::cache(path)(source))
    }
}

/// Whether reading or writing the file failed, and not the connection: `hf-hub` tells both as one.
fn is_of_the_disk(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        StorageFull
            | QuotaExceeded
            | FileTooLarge
            | ReadOnlyFilesystem
            | PermissionDenied
            | NotFound
            | NotADirectory
            | IsADirectory
            | AlreadyExists
    )
}

fn length(file: &Path) -> Option<u64> {
    fs::metadata(file).ok().map(|metadata| metadata.len())
}

/// Tells the watching thread what arrives.
struct Reporter {
    amounts: Sender<Amount>,
    bytes: u64,
    total: u64,
}

impl Reporter {
    fn new(amounts: Sender<Amount>) -> Self {
        Self {
            amounts,
            bytes: 0,
            total: 0,
        }
    }

    fn tell(&self) {
        // Nobody listens any more once the attempt has been given up.
        let _ = self.amounts.send((self.bytes, self.total));
    }
}

impl Progress for Reporter {
    fn init(&mut self, size: usize, _file: &str) {
        (self.bytes, self.total) = (0, size as u64);
    }

    fn update(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.tell();
    }

    fn finish(&mut self) {}
}
