//! What the environment says about the hub.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use hf_hub::Cache;

use super::{Hub, HubError};

/// The public hub.
pub(super) const PUBLIC_ENDPOINT: &str = "https://huggingface.co";

/// A connection without data for so long is given up, unless the environment says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

impl Hub {
    /// [`Hub::from_env`], with the variables looked up by `lookup`.
    pub(super) fn from_variables(
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, HubError> {
        // An empty variable counts as none, as shells have it.
        let variable = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &'static str| {
            let as_text = |value: OsString| {
                let wrong = |value: OsString| HubError::setting(name, &value, "text in UTF-8");
                value.into_string().map_err(wrong)
            };
            variable(name).map(as_text).transpose()
        };
        let home = variable("HF_HOME").map(PathBuf::from).or_else(|| {
            let caches = variable("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
            caches.map(|caches| caches.join("huggingface"))
        });
        let cache = variable("HF_HUB_CACHE")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join("hub")))
            .ok_or(HubError::NoCacheFolder)?;

        let mut hub = Self::new(cache);
        if let Some(endpoint) = text("HF_ENDPOINT")? {
            if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                let accepted = "an address such as https://huggingface.co";
                return Err(HubError::setting(
                    "HF_ENDPOINT",
                    endpoint.as_ref(),
                    accepted,
                ));
            }
            hub = hub.at(endpoint);
        }
        let login = || Cache::new(home?.join("hub")).token();
        hub.token = text("HF_TOKEN")?.or_else(login);
        hub.offline = text("HF_HUB_OFFLINE")?.is_some_and(|value| {
            ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
        });
        if let Some(seconds) = text("HF_HUB_DOWNLOAD_TIMEOUT")? {
            hub.patience = match seconds.parse() {
                Ok(whole @ 1..=86_400) => Duration::from_secs(whole),
                _ => {
                    let name = "HF_HUB_DOWNLOAD_TIMEOUT";
                    let accepted = "whole seconds, at least 1";
                    return Err(HubError::setting(name, seconds.as_ref(), accepted));
                }
            };
        }
        Ok(hub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(variables: &[(&str, &str)]) -> Result<Hub, HubError> {
        let variables: std::collections::HashMap<_, _> = variables.iter().copied().collect();
        Hub::from_variables(|name| variables.get(name).map(OsString::from))
    }

    #[test]
    fn the_cache_is_where_other_tools_look_for_it() {
        let cache = |variables: &[(&str, &str)]| hub(variables).unwrap().cache;
        assert_eq!(cache(&[("HF_HOME", "/h")]), PathBuf::from("/h/hub"));
        assert_eq!(
            cache(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]),
            PathBuf::from("/c")
        );
        assert_eq!(
            cache(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "")]),
            PathBuf::from("/x/huggingface/hub")
        );
    }

    #[test]
    fn endpoint_token_offline_and_patience_are_read() {
        let hub = hub(&[
            ("HF_HOME", "/h"),
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_TOKEN", "secret"),
            ("HF_HUB_OFFLINE", "True"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "7"),
        ])
        .unwrap();
        assert_eq!(hub.endpoint, "http://mirror");
        assert_eq!(hub.token.as_deref(), Some("secret"));
        assert!(hub.offline);
        assert_eq!(hub.patience, Duration::from_secs(7));
    }

    #[test]
    fn offline_is_off_for_zero() {
        assert!(!hub(&[("HF_HUB_OFFLINE", "0")]).unwrap().offline);
    }

    #[test]
    fn the_token_of_a_login_is_found_beside_the_cache() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "from-login\n").unwrap();
        let home = home.path().to_str().unwrap();
        let found = hub(&[("HF_HOME", home), ("HF_HUB_CACHE", "/elsewhere")]).unwrap();
        assert_eq!(found.token.as_deref(), Some("from-login"));
        let named = hub(&[("HF_HOME", home), ("HF_TOKEN", "other")]).unwrap();
        assert_eq!(named.token.as_deref(), Some("other"));
    }

    #[test]
    fn a_value_of_no_use_is_named() {
        for (name, value) in [
            ("HF_ENDPOINT", "mirror.org"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "0"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "soon"),
        ] {
            let message = hub(&[(name, value)]).unwrap_err().to_string();
            assert!(
                message.contains(name) && message.contains(value),
                "{message}"
            );
        }
    }
}
