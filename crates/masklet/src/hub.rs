//! Official models by name: found in the Hugging Face cache, or fetched into it.
//!
//! [`Hub::fetch`] gives the checkpoint of an [`Official`] as a file. What is in the cache is used
//! without any request; the cache is that of every Hugging Face tool (`models--facebook--…` with
//! `refs`, `snapshots` and `blobs`), so a model that Python fetched is found here and the other way
//! round. What is not there is fetched from the official repository with the `hf-hub` crate.
//!
//! Around `hf-hub` there is what a checkpoint of hundreds of megabytes needs. It downloads into a
//! folder of its own in the cache; a file moves to its final name only after its SHA-256 is that
//! which the hub states (`X-Linked-Etag`), so nobody ever meets a partial or damaged one. A broken
//! connection is taken up where it broke, also by a later process. One process at a time downloads
//! a model, the others wait for it. A connection on which nothing arrives is given up.
//!
//! ```no_run
//! use masklet::{Compute, Model, Official, hub::Hub};
//!
//! let name: Official = "sam2.1-tiny".parse()?;
//! let file = Hub::from_env()?.fetch(name, |event| println!("{event:?}"))?;
//! let model = Model::open_as(file, Some(name.into()), Compute::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod contents;
mod error;
mod publish;
mod settings;
mod staging;
mod transfer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::{Cache, CacheRepo};
use masklet_model::config::{Official, Size};

pub use contents::{CacheContents, CachedModel, PartialDownload};
pub use error::HubError;
use staging::Staging;

/// Licence of the official checkpoints.
pub const LICENCE: &str = "Apache-2.0";

/// Where models by name come from and where they are kept.
#[derive(Debug, Clone)]
pub struct Hub {
    cache: PathBuf,
    endpoint: String,
    token: Option<String>,
    offline: bool,
    patience: Duration,
}

/// What happens while a model is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent {
    /// Another process is fetching the same model; its result will be used.
    Waiting,
    /// So much of the file is here, what earlier attempts brought included.
    Received {
        /// Bytes on the disk.
        bytes: u64,
        /// Size of the file.
        total: u64,
    },
    /// The connection broke; the rest is asked for.
    Retrying,
    /// The file is complete and its checksum is being computed.
    Verifying,
}

/// The official repository of a model, such as `facebook/sam2.1-hiera-tiny`.
pub fn repository(preset: Official) -> String {
    let (family, size) = family_and_size(preset);
    format!("facebook/{family}-hiera-{}", size.replace('_', "-"))
}

/// The checkpoint's name in the official repository, such as `sam2.1_hiera_tiny.pt`.
pub fn file_name(preset: Official) -> String {
    let (family, size) = family_and_size(preset);
    format!("{family}_hiera_{size}.pt")
}

/// Size of the published checkpoint in millions of bytes, to the nearest.
pub fn published_megabytes(preset: Official) -> u64 {
    match preset.size {
        Size::Tiny => 156,
        Size::Small => 184,
        Size::BasePlus => 324,
        Size::Large => 898,
    }
}

fn family_and_size(preset: Official) -> (&'static str, &'static str) {
    preset
        .name()
        .split_once('-')
        .expect("a model's name is its family and its size")
}

impl Hub {
    /// A hub with the given cache folder, the public endpoint, no token, and downloads allowed.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            endpoint: settings::PUBLIC_ENDPOINT.to_owned(),
            token: None,
            offline: false,
            patience: settings::PATIENCE,
        }
    }

    /// The hub that the environment describes, with the variables of all Hugging Face tools:
    /// `HF_HUB_CACHE`, `HF_HOME` and `XDG_CACHE_HOME` (where the cache is; by default
    /// `~/.cache/huggingface/hub`), `HF_ENDPOINT` (a mirror), `HF_TOKEN` (or the file `token` in
    /// `HF_HOME`), `HF_HUB_OFFLINE` (`1`: use the cache only) and `HF_HUB_DOWNLOAD_TIMEOUT`
    /// (seconds without data after which a download is given up).
    ///
    /// # Errors
    /// If a variable has no usable value, or nothing says where the cache is.
    pub fn from_env() -> Result<Self, HubError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// The same hub; with `true` nothing is ever requested from the network.
    pub fn offline(self, offline: bool) -> Self {
        Self { offline, ..self }
    }

    /// The same hub at another address, such as `https://hub.example.org`.
    pub fn at(self, endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into().trim_end_matches('/').to_owned();
        Self { endpoint, ..self }
    }

    /// The same hub, sending an access token.
    pub fn with_token(self, token: Option<String>) -> Self {
        Self { token, ..self }
    }

    /// The same hub, giving a connection up after so long without data.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The cache folder.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Whether downloads are switched off.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// The address of a model's checkpoint.
    pub fn url(&self, preset: Official) -> String {
        let (repository, file) = (repository(preset), file_name(preset));
        format!("{}/{repository}/resolve/main/{file}", self.endpoint)
    }

    /// The checkpoint of a model if it is in the cache. Nothing is requested.
    pub fn find(&self, preset: Official) -> Option<PathBuf> {
        self.cached(preset).get(&file_name(preset))
    }

    /// The checkpoint of a model: from the cache if it is there, else fetched and verified.
    ///
    /// `on_event` hears of the download; nothing is said of a model that is in the cache.
    ///
    /// # Errors
    /// If the model is not in the cache and cannot be fetched. Each message names the address that
    /// was tried. What has been received is kept, and the next call takes it up.
    pub fn fetch(
        &self,
        preset: Official,
        mut on_event: impl FnMut(FetchEvent),
    ) -> Result<PathBuf, HubError> {
        if let Some(file) = self.find(preset) {
            return Ok(file);
        }
        if self.offline {
            return Err(HubError::Offline {
                model: preset,
                cache: self.cache.clone(),
            });
        }
        let staging = Staging::of(self, preset);
        let _lock = staging.lock(|| on_event(FetchEvent::Waiting))?;
        // Whoever held the lock before may have brought it.
        if let Some(file) = self.find(preset) {
            return Ok(file);
        }
        let arrival = transfer::transfer(self, preset, &staging, &mut on_event)?;
        let cached = self.cached(preset);
        let published = publish::publish(&cached, &arrival, &mut on_event, &self.url(preset));
        // A damaged file is of no more use than what a finished download leaves.
        if matches!(published, Ok(_) | Err(HubError::Checksum { .. })) {
            staging.clear();
        }
        published
    }

    fn cached(&self, preset: Official) -> CacheRepo {
        Cache::new(self.cache.clone()).model(repository(preset))
    }

    /// The folder of a model's repository in the cache.
    fn folder(&self, preset: Official) -> PathBuf {
        let repository = hf_hub::Repo::model(repository(preset));
        self.cache.join(repository.folder_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_official_repositories() {
        let official = |name: &str| {
            let preset = name.parse().unwrap();
            (repository(preset), file_name(preset))
        };
        let expected = |repository: &str, file: &str| (repository.to_owned(), file.to_owned());
        assert_eq!(
            official("sam2-tiny"),
            expected("facebook/sam2-hiera-tiny", "sam2_hiera_tiny.pt")
        );
        assert_eq!(
            official("sam2.1-base_plus"),
            expected(
                "facebook/sam2.1-hiera-base-plus",
                "sam2.1_hiera_base_plus.pt"
            )
        );
    }

    #[test]
    fn the_address_is_the_one_that_hf_hub_asks() {
        let preset = "sam2.1-large".parse().unwrap();
        let api = hf_hub::api::sync::ApiBuilder::from_cache(Cache::new("cache".into()))
            .build()
            .unwrap();
        let theirs = api.model(repository(preset)).url(&file_name(preset));
        assert_eq!(Hub::new("cache").url(preset), theirs);
    }
}
