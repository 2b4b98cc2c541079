//! Keeps other sites' pages away from the server: their requests (cross-site request forgery), and
//! names of theirs that lead here (DNS rebinding).

use std::net::IpAddr;

use axum::extract::{Request, State as Shared};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::ApiError;

/// What the page may load and do: its own files and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; \
    img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Under which names the server answers.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    names: Vec<String>,
    loopback_only: bool,
}

impl Guard {
    /// A guard of a server that listens on `host`, and is known under `names` too.
    pub(crate) fn new(host: IpAddr, names: &[String]) -> Self {
        Self {
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            loopback_only: host.is_loopback(),
        }
    }

    /// Whether a request came by an address or name of this server. A name of somebody else's can
    /// be made to lead here, an address cannot.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        match address.parse::<IpAddr>() {
            Ok(address) => !self.loopback_only || address.is_loopback(),
            Err(_) => name == "localhost" || self.names.contains(&name),
        }
    }

    /// Why a request is refused. `opens_the_page` is whether that is all it asks for.
    fn check(&self, headers: &HeaderMap, opens_the_page: bool) -> Result<(), String> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let Some(host) = host.filter(|host| self.knows(host)) else {
            return Err(format!(
                "the server is not known as {:?}: use the address that it printed, or start it with \
                 --name",
                host.unwrap_or_default()
            ));
        };
        let refused = |site: &str| {
            format!("a page of {site:?} sent the request, and only the server's own page may")
        };
        if let Some(origin) = headers.get(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let site = origin.split_once("://").map(|(_, site)| site);
            if !site.is_some_and(|site| site.eq_ignore_ascii_case(host)) {
                return Err(refused(origin));
            }
        } else if let Some(site) = headers.get("sec-fetch-site") {
            // Browsers leave `Origin` out of some requests, such as those for pictures. `none` is
            // the address bar.
            let site = site.to_str().unwrap_or_default();
            // A link may lead here, as that of the file which `masklet annotate` opens does: no cookie
            // comes with it, and its site sees nothing.
            if !opens_the_page && !matches!(site, "same-origin" | "none") {
                return Err(refused(site));
            }
        }
        Ok(())
    }
}

/// A host without `:port`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether a browser asks for the page, for a window of its own.
fn opens_the_page(request: &Request) -> bool {
    let says = |name: &str, value: &str| {
        let header = request.headers().get(name);
        header.is_some_and(|header| header.as_bytes() == value.as_bytes())
    };
    request.method() == Method::GET
        && request.uri().path() == "/"
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// Refuses what the guard does, and tells browsers what the answers may be used for.
pub(crate) async fn keep(Shared(guard): Shared<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.check(request.headers(), opens_the_page(&request)) {
        Ok(()) => next.run(request).await,
        Err(why) => ApiError::new(StatusCode::FORBIDDEN, "forbidden-origin", why).into_response(),
    };
    let headers: [(HeaderName, &str); 4] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn check(guard: &Guard, pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        guard.check(&headers, false).is_ok()
    }

    #[test]
    fn only_own_names_are_known() {
        let local = Guard::new(Ipv4Addr::LOCALHOST.into(), &[]);
        for host in [
            "127.0.0.1:8765",
            "localhost:8765",
            "[::1]:8765",
            "LocalHost",
        ] {
            assert!(check(&local, &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example:8765",
            "127.0.0.1.evil.example",
            "192.168.1.5:8765",
            "",
        ] {
            assert!(!check(&local, &[("host", host)]), "{host}");
        }
        assert!(!check(&local, &[]));
        let open = Guard::new(Ipv4Addr::UNSPECIFIED.into(), &["Lab.example".to_owned()]);
        for host in ["192.168.1.5:8765", "lab.example:8765"] {
            assert!(check(&open, &[("host", host)]), "{host}");
        }
        assert!(!check(&open, &[("host", "evil.example:8765")]));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let local = Guard::new(Ipv4Addr::LOCALHOST.into(), &[]);
        let host = ("host", "127.0.0.1:8765");
        assert!(check(&local, &[host, ("origin", "http://127.0.0.1:8765")]));
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:9999",
            "http://localhost:8765",
            "null",
        ] {
            assert!(!check(&local, &[host, ("origin", origin)]), "{origin}");
        }
        assert!(check(&local, &[host, ("sec-fetch-site", "same-origin")]));
        assert!(check(&local, &[host, ("sec-fetch-site", "none")]));
        for site in ["cross-site", "same-site"] {
            assert!(!check(&local, &[host, ("sec-fetch-site", site)]), "{site}");
        }
    }

    #[test]
    fn links_may_lead_to_the_page_and_to_nothing_else() {
        let request = |method: Method, path: &str, mode: &str, dest: &str| {
            let request = Request::builder().method(method).uri(path);
            let request = request
                .header("host", "127.0.0.1:8765")
                .header("sec-fetch-site", "cross-site")
                .header("sec-fetch-mode", mode)
                .header("sec-fetch-dest", dest)
                .body(axum::body::Body::empty())
                .unwrap();
            let guard = Guard::new(Ipv4Addr::LOCALHOST.into(), &[]);
            let opens = opens_the_page(&request);
            guard.check(request.headers(), opens).is_ok()
        };
        assert!(request(Method::GET, "/", "navigate", "document"));
        for (method, path, mode, dest) in [
            (Method::POST, "/", "navigate", "document"),
            (Method::GET, "/api/session", "navigate", "document"),
            (Method::GET, "/", "navigate", "iframe"),
            (Method::GET, "/", "no-cors", "image"),
        ] {
            assert!(!request(method, path, mode, dest), "{path} {mode} {dest}");
        }
    }
}
