//! How a server is started.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

/// Characters that a token needs where others can reach the server.
const SHORTEST_TOKEN: usize = 16;

/// How a server is started.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The address to listen on; by default this machine alone can reach it.
    pub host: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The token that stands for the project's owner. One is made if there is none, which is
    /// accepted only where nobody else can reach the server.
    pub token: Option<String>,
    /// Names by which the server is reached, beside addresses and `localhost`.
    pub names: Vec<String>,
    /// What is refused for its size.
    pub limits: Limits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            token: None,
            names: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl ServerOptions {
    /// Checks that strangers are kept out. [`Server::bind`](crate::Server::bind) does so too.
    ///
    /// # Errors
    /// [`StartError::NeedsToken`], [`StartError::BadToken`].
    pub fn check(&self) -> Result<(), StartError> {
        match &self.token {
            Some(token) => {
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                let length = token.chars().count();
                if length < SHORTEST_TOKEN || !token.chars().all(fits) {
                    return Err(StartError::BadToken { length });
                }
                Ok(())
            }
            None if self.host.is_loopback() => Ok(()),
            None => Err(StartError::NeedsToken { host: self.host }),
        }
    }
}

/// What is refused for its size.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limits {
    /// Bytes of a video that is uploaded. The project's setting `max_video_bytes` holds too.
    pub upload_bytes: u64,
    /// Pixels of a video's frame.
    pub frame_pixels: u64,
    /// Bytes of any other request.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes: 4 << 30,
            // 8K.
            frame_pixels: 7680 * 4320,
            body_bytes: 16 << 20,
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Others could reach the server, and nothing would keep them out.
    #[error(
        "{host} can be reached from other machines: give a token of {SHORTEST_TOKEN} characters or \
         more, or listen on 127.0.0.1"
    )]
    NeedsToken {
        /// The address.
        host: IpAddr,
    },
    /// A token that cannot be.
    #[error(
        "the token has {length} characters, or ones that do not fit an address; {SHORTEST_TOKEN} \
         or more letters, digits, - and _ are accepted"
    )]
    BadToken {
        /// Its length.
        length: usize,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {host}:{port}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// The address.
        host: IpAddr,
        /// The port.
        port: u16,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The project cannot be used.
    #[error(transparent)]
    Project(#[from] masklet_engine::EngineError),
    /// The machine refuses threads, files or time.
    #[error("the server cannot run: {0}")]
    Machine(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: Ipv4Addr, token: Option<&str>) -> Result<(), StartError> {
        let options = ServerOptions {
            host: host.into(),
            token: token.map(str::to_owned),
            ..ServerOptions::default()
        };
        options.check()
    }

    #[test]
    fn where_others_can_come_in_a_token_is_needed() {
        let open = Ipv4Addr::UNSPECIFIED;
        let refused = check(open, None);
        assert!(matches!(refused, Err(StartError::NeedsToken { .. })));
        for short in ["short", "with spaces in it and more", ""] {
            for host in [open, Ipv4Addr::LOCALHOST] {
                let refused = check(host, Some(short));
                assert!(
                    matches!(refused, Err(StartError::BadToken { .. })),
                    "{short}"
                );
            }
        }
        assert!(check(open, Some("0123456789abcdef")).is_ok());
        assert!(check(Ipv4Addr::LOCALHOST, None).is_ok());
    }
}
