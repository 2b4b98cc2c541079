//! Why a model cannot be had by its name.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use masklet_model::config::Official;
use thiserror::Error;

/// Why a model cannot be had by its name.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// Nothing says where the cache is.
    #[error(
        "there is no home folder to keep models in: set HF_HOME or HF_HUB_CACHE to a folder for them"
    )]
    NoCacheFolder,
    /// An environment variable of no use.
    #[error("the environment variable {name} is `{value}`: it must be {accepted}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        accepted: &'static str,
    },
    /// Not in the cache, and downloads are switched off.
    #[error(
        "{model} is not in the model cache {} and downloads are switched off (--offline or \
         HF_HUB_OFFLINE): fetch it once with a network, or copy the cache from a machine that has it",
        cache.display()
    )]
    Offline {
        /// The model.
        model: Official,
        /// The cache folder.
        cache: PathBuf,
    },
    /// No connection.
    #[error(
        "{url} cannot be reached ({cause}): check the network, and HTTPS_PROXY and HF_ENDPOINT if they are needed"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// What the system said.
        cause: String,
    },
    /// The connection broke and did not come back.
    #[error(
        "the download of {url} broke off after {received} of {total} bytes ({cause}): what has been \
         received is kept; run again to continue"
    )]
    BrokenOff {
        /// The address.
        url: String,
        /// Bytes on the disk.
        received: u64,
        /// Size of the file.
        total: u64,
        /// What the system said.
        cause: String,
    },
    /// Nothing arrives.
    #[error(
        "nothing has come from {url} for {seconds} seconds: what has been received before is kept; \
         run again to continue, or set HF_HUB_DOWNLOAD_TIMEOUT to more seconds"
    )]
    Stalled {
        /// The address.
        url: String,
        /// How long was waited.
        seconds: f64,
    },
    /// The hub wants to know who is asking, or does not let them.
    #[error("{url} may not be read ({status}): {}", if *.token_sent {
        "the token from HF_TOKEN or the login does not allow it"
    } else {
        "set HF_TOKEN to a token of an account that may"
    })]
    Denied {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// Whether a token was sent.
        token_sent: bool,
    },
    /// The hub does not have the file.
    #[error(
        "{url} does not exist (404): if HF_ENDPOINT names a mirror, it does not have this model"
    )]
    NotFound {
        /// The address.
        url: String,
    },
    /// The hub has trouble.
    #[error("{url} was answered with HTTP status {status}: try again later")]
    Server {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Something else answered: a captive portal, a proxy, another kind of server.
    #[error(
        "{url} was not answered as by a Hugging Face hub ({what}): check HF_ENDPOINT, and whether a \
         proxy or the network's login page answers instead"
    )]
    NotAHub {
        /// The address.
        url: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// The file is not what the hub says it is.
    #[error(
        "what was received from {url} has SHA-256 {found}, the hub states {expected}: the file has \
         been removed; run again, and if it happens again something on the way changes files"
    )]
    Checksum {
        /// The address.
        url: String,
        /// As stated by the hub, in hexadecimal digits.
        expected: String,
        /// As received.
        found: String,
    },
    /// The cache cannot be used.
    #[error(
        "the model cache cannot be used at {} ({source}): HF_HUB_CACHE names another folder for it",
        path.display()
    )]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl HubError {
    pub(super) fn setting(name: &'static str, value: &OsStr, accepted: &'static str) -> Self {
        Self::Setting {
            name,
            value: value.to_string_lossy().into_owned(),
            accepted,
        }
    }

    /// Trouble with a file of the cache, for `map_err`.
    pub(super) fn cache(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Cache { path, source }
    }
}
