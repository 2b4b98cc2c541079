//! Who a request comes from: by a token, as a cookie or in the header `Authorization`.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use masklet_engine::{Project, User, UserId};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use crate::error::{ApiError, Result};
use crate::state::State;

/// The token that was given at start, as a hash, and the cookie's name.
pub(crate) struct Gate {
    owner_token: [u8; 32],
    /// Cookies do not know ports: two servers on one machine need two names.
    cookie: String,
}

/// A token that nobody guesses.
pub(crate) fn random_token() -> String {
    let mut bytes = [0; 16];
    // Seeded and reseeded by the operating system.
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Gate {
    pub(crate) fn new(owner_token: &str, port: u16) -> Self {
        Self {
            owner_token: hash(owner_token),
            cookie: format!("masklet_{port}"),
        }
    }

    /// The user whose token this is.
    pub(crate) fn user(&self, project: &Project, token: &str) -> Result<User> {
        // Of hashes: how long comparing takes says nothing of the token.
        if hash(token) == self.owner_token {
            return Ok(project.owner()?);
        }
        Ok(project.authenticate(token)?)
    }

    /// The header that lets a browser keep a token where no script can read it, and send it with
    /// requests of this server's own pages only.
    pub(crate) fn set_cookie(&self, token: &str) -> HeaderValue {
        let cookie = &self.cookie;
        let text = format!("{cookie}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000");
        HeaderValue::from_str(&text).unwrap_or_else(|_| self.clear_cookie())
    }

    /// The header that makes a browser forget it.
    pub(crate) fn clear_cookie(&self) -> HeaderValue {
        let cookie = &self.cookie;
        let text = format!("{cookie}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
        HeaderValue::from_str(&text).expect("a port has digits alone")
    }

    /// The token of a request.
    pub(crate) fn token<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        if let Some(header) = headers.get(AUTHORIZATION) {
            return header.to_str().ok()?.strip_prefix("Bearer ").map(str::trim);
        }
        let cookies = headers.get_all(COOKIE).into_iter();
        let cookies = cookies.filter_map(|header| header.to_str().ok());
        cookies
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, token)| token)
    }
}

/// Who a request comes from. A handler with this argument answers nobody else.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) User);

impl Caller {
    pub(crate) fn id(&self) -> UserId {
        self.0.id
    }

    /// Refuses everybody but owners.
    pub(crate) fn must_own(&self, action: &'static str) -> Result<()> {
        if self.0.owns() {
            return Ok(());
        }
        let error = masklet_engine::EngineError::Forbidden {
            user: self.0.name.clone(),
            role: self.0.role,
            action,
            needed: "an owner can".to_owned(),
        };
        Err(error.into())
    }
}

impl FromRequestParts<State> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self> {
        let token = state.gate.token(&parts.headers).ok_or_else(|| {
            ApiError::unauthorized(
                "no token came with the request: log in by POST /api/session, or send it as \
                 `Authorization: Bearer TOKEN`",
            )
        })?;
        let token = token.to_owned();
        let user = state.blocking(move |state| state.gate.user(&state.project, &token));
        Ok(Self(user.await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_by_header_or_by_the_own_cookie() {
        let gate = Gate::new("secret", 8765);
        let with = |name, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            gate.token(&headers).map(str::to_owned)
        };
        assert_eq!(with(AUTHORIZATION, "Bearer abc").unwrap(), "abc");
        assert_eq!(with(AUTHORIZATION, "Basic abc"), None);
        assert_eq!(with(COOKIE, "a=b; masklet_8765=abc").unwrap(), "abc");
        assert_eq!(with(COOKIE, "masklet_9999=abc"), None);
    }

    #[test]
    fn random_tokens_differ_and_fit_an_address() {
        let (one, other) = (random_token(), random_token());
        assert_ne!(one, other);
        assert!(one.len() == 32 && one.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
