//! Which names the API answers to, and which pages may speak to it.
//!
//! A page of another site can have a browser send requests to us. It can't lie
//! about its own `Origin`, and it can't choose the `Host`, unless its own name
//! suddenly means our address (DNS rebinding): then both headers name it, agree,
//! and are still not on the list. docs/decisions/0017 has the whole argument.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::auth::origin_of_login;
use super::error::ApiError;
use crate::logging::unix_millis;
use crate::model::address::{Host, HostName, Origin, Scheme};
use crate::model::settings::DoorSettings;
use crate::server::App;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Routes that reveal nothing, which a kubelet asks for by the pod's address.
const PROBES: [&str; 2] = ["/health", "/ready"];

/// Between two log lines about refused pages, in milliseconds.
const TELL_PAUSE: u64 = 10_000;

/// Passes on what was sent to a name of ours, by a page that may.
pub async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    match look(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn look(app: &App, request: &Request) -> Result<(), ApiError> {
    let doors = &app.settings.doors;
    let headers = request.headers();
    let shown = || text(headers.get(header::HOST));
    let host = named(headers).ok_or_else(|| ApiError::host_not_allowed(&shown()))?;
    let is_probe = PROBES.contains(&request.uri().path());
    for host in [Some(host.clone()), authority(request.uri())?].into_iter().flatten() {
        let is_probed_address = is_probe && matches!(host.name, HostName::Address(_));
        if !is_probed_address && !is_ours(doors, &host) {
            return Err(ApiError::host_not_allowed(&host.to_string()));
        }
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) if is_of_another_page(headers) => {
            Err(ApiError::origin_not_allowed("another page", "that page's origin"))
        }
        (None, _) => Ok(()),
        (Some(origin), None) => page(app, headers, &host, origin),
        (Some(_), Some(_)) => Err(ApiError::origin_not_allowed("several origins", "one of them")),
    }
}

/// The host that a request names; none if it names none, several, or nonsense.
pub fn named(headers: &HeaderMap) -> Option<Host> {
    let mut all = headers.get_all(header::HOST).iter();
    let host = all.next()?.to_str().ok()?.parse().ok()?;
    if all.next().is_some() { None } else { Some(host) }
}

/// The host of a request line with a whole URL, which RFC 9112 sets above the
/// header.
fn authority(uri: &Uri) -> Result<Option<Host>, ApiError> {
    let Some(authority) = uri.authority() else { return Ok(None) };
    authority.as_str().parse().map(Some).map_err(|_| ApiError::host_not_allowed(authority.as_str()))
}

fn is_ours(doors: &DoorSettings, host: &Host) -> bool {
    let is_listed = |entry: &Host| entry.name == host.name && entry.port.is_none_or(|port| host.port == Some(port));
    host.name.is_loopback() || is_listen_address(doors.listen, host) || doors.hosts.iter().any(is_listed)
}

/// Where every address of the machine is listened on, each is the listen
/// address: DNS has no say in what an address means.
fn is_listen_address(listen: SocketAddr, host: &Host) -> bool {
    let HostName::Address(address) = host.name else { return false };
    let port = host.port.unwrap_or(Scheme::Http.port());
    (address == listen.ip() || listen.ip().is_unspecified()) && port == listen.port()
}

fn page(app: &App, headers: &HeaderMap, host: &Host, value: &HeaderValue) -> Result<(), ApiError> {
    let shown = text(Some(value));
    let origin = value.to_str().ok().and_then(|text| text.parse::<Origin>().ok());
    if let Some(origin) = &origin
        && may_speak(&app.settings.doors, host, origin, headers)
    {
        return Ok(());
    }
    // Somebody showed a token there, and the browser said that it was our page.
    if origin.is_some() && is_own_page(host, origin.as_ref()) && origin_of_login(app, headers) == origin {
        return Ok(());
    }
    tell_of_refusal(&shown, host);
    Err(ApiError::origin_not_allowed(&shown, &shown))
}

/// Whether a page of the address that a request names may open the WebSocket,
/// about which browsers say less than about requests. Whether it came over TLS
/// is not known here.
pub fn may_open_socket(app: &App, headers: &HeaderMap) -> bool {
    let Some(host) = named(headers) else { return true };
    let page = |scheme: Scheme| Origin { scheme, name: host.name.clone(), port: host.port.unwrap_or(scheme.port()) };
    [Scheme::Http, Scheme::Https].map(page).iter().any(|origin| {
        may_speak(&app.settings.doors, &host, origin, &HeaderMap::new())
            || is_own_page(&host, Some(origin)) && origin_of_login(app, headers).as_ref() == Some(origin)
    })
}

/// Somebody may look for the reason in the log. A page can be refused a thousand
/// times a second; one line in ten seconds will do.
fn tell_of_refusal(origin: &str, host: &Host) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = unix_millis();
    let last = LAST.load(Ordering::Relaxed);
    if now.abs_diff(last) >= TELL_PAUSE
        && LAST.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        tracing::warn!(origin, host = %host, "A page was refused: its origin is not allowed");
    }
}

fn may_speak(doors: &DoorSettings, host: &Host, origin: &Origin, headers: &HeaderMap) -> bool {
    doors.origins.contains(origin)
        || is_loopback_page(doors.listen, origin)
        || doors.hosts.iter().any(|entry| is_page_of(entry, doors.listen.port(), origin))
        || is_own_page(host, Some(origin))
            && (is_listen_address(doors.listen, host)
                || headers.get(SEC_FETCH_SITE).is_some_and(|v| v == "same-origin"))
}

/// A page of the port that is listened on, by a name that leads there. The same
/// port of another loopback address may be somebody else's.
fn is_loopback_page(listen: SocketAddr, origin: &Origin) -> bool {
    let leads_here = match &origin.name {
        HostName::Name(_) => origin.name.is_loopback() && (listen.ip().is_loopback() || listen.ip().is_unspecified()),
        HostName::Address(address) => {
            *address == listen.ip() && address.is_loopback()
                || listen.ip().is_unspecified() && ["127.0.0.1", "::1"].contains(&address.to_string().as_str())
        }
    };
    leads_here && origin.scheme == Scheme::Http && origin.port == listen.port()
}

/// A page of a host from the list. Without a port that is one over TLS, as a
/// reverse proxy serves it, or one of our own port.
fn is_page_of(entry: &Host, listen_port: u16, origin: &Origin) -> bool {
    let is_port = match (entry.port, origin.scheme) {
        (Some(port), _) => origin.port == port,
        (None, Scheme::Https) => origin.port == Scheme::Https.port(),
        (None, Scheme::Http) => origin.port == listen_port,
    };
    entry.name == origin.name && is_port
}

/// A page of just the host and port that the request names. That alone says
/// nothing: a name that was turned to us agrees with itself. It counts together
/// with a host that DNS has no say in, and with what only a browser can say.
fn is_own_page(host: &Host, origin: Option<&Origin>) -> bool {
    let is_address = matches!(host.name, HostName::Address(_)) || host.name.is_loopback();
    let port = host.port.unwrap_or(Scheme::Http.port());
    is_address
        && origin.is_some_and(|origin| origin.name == host.name && origin.port == port && origin.scheme == Scheme::Http)
}

/// A browser does not name the origin of a plain read; it says that it is not
/// ours. A link that is followed is fine: no page gets to see what it leads to.
fn is_of_another_page(headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, words: &[&str]| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| words.contains(&value))
    };
    is(&SEC_FETCH_SITE, &["same-site", "cross-site"]) && !is(&SEC_FETCH_MODE, &["navigate"])
}

fn text(value: Option<&HeaderValue>) -> String {
    value.map_or_else(String::new, |value| String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(listen: &str, hosts: &[&str], origins: &[&str]) -> DoorSettings {
        DoorSettings {
            listen: listen.parse().unwrap(),
            hosts: hosts.iter().map(|text| text.parse().unwrap()).collect(),
            origins: origins.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    fn answers(doors: &DoorSettings, host: &str) -> bool {
        is_ours(doors, &host.parse().unwrap())
    }

    fn speaks(doors: &DoorSettings, host: &str, origin: &str, fetch_site: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(site) = fetch_site {
            headers.insert(SEC_FETCH_SITE, site.parse().unwrap());
        }
        may_speak(doors, &host.parse().unwrap(), &origin.parse().unwrap(), &headers)
    }

    #[test]
    fn hosts_are_loopback_names_the_listen_address_and_those_listed() {
        let local = doors("127.0.0.1:3000", &["deck.example.com", "other:8443"], &[]);
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:3000",
            "127.9.9.9",
            "[::1]:1",
            "DECK.example.com.:444",
            "other:8443",
        ] {
            assert!(answers(&local, host), "{host}");
        }
        for host in
            ["evil.com", "evil.com:3000", "localhost.evil.com", "other", "other:8444", "10.0.0.1:3000", "0.0.0.0:3000"]
        {
            assert!(!answers(&local, host), "{host}");
        }
        let everywhere = doors("0.0.0.0:3000", &[], &[]);
        assert!(answers(&everywhere, "10.0.0.1:3000") && answers(&everywhere, "localhost:8080"));
        assert!(!answers(&everywhere, "10.0.0.1:3001") && !answers(&everywhere, "evil.com:3000"));
        assert!(!answers(&doors("10.0.0.1:3000", &[], &[]), "10.0.0.2:3000"));
    }

    #[test]
    fn a_page_of_our_own_port_may_speak_and_one_of_another_port_may_not() {
        let local = doors("127.0.0.1:3000", &[], &[]);
        for origin in ["http://localhost:3000", "http://127.0.0.1:3000"] {
            assert!(speaks(&local, "localhost:3000", origin, None), "{origin}");
        }
        for origin in [
            "http://localhost:5000",
            "https://localhost:3000",
            "http://127.0.0.2:3000",
            "http://[::1]:3000",
            "http://evil.com:3000",
            "http://localhost",
            "http://a.localhost:3000",
        ] {
            assert!(!speaks(&local, "localhost:3000", origin, None), "{origin}");
            assert!(!speaks(&local, "localhost:3000", origin, Some("same-origin")), "{origin} with a lie of its own");
        }
    }

    #[test]
    fn being_equal_to_the_host_is_not_enough() {
        let local = doors("0.0.0.0:3000", &[], &[]);
        assert!(!speaks(&local, "evil.com:3000", "http://evil.com:3000", Some("same-origin")));
        assert!(!speaks(&local, "localhost:8080", "http://localhost:8080", None));
        assert!(!speaks(&local, "localhost:8080", "http://localhost:8080", Some("same-site")));
        assert!(speaks(&local, "localhost:8080", "http://localhost:8080", Some("same-origin")), "a published port");
        assert!(speaks(&local, "10.0.0.1:3000", "http://10.0.0.1:3000", None), "an address of this machine");
        assert!(!speaks(&local, "10.0.0.1:3000", "http://10.0.0.2:3000", None), "the same port of another machine");
    }

    #[test]
    fn listed_names_bring_their_pages() {
        let listed = doors("0.0.0.0:3000", &["deck.example.com", "other:8443"], &["http://localhost:8080"]);
        for origin in
            ["https://deck.example.com", "http://deck.example.com:3000", "https://other:8443", "http://localhost:8080"]
        {
            assert!(speaks(&listed, "deck.example.com", origin, None), "{origin}");
        }
        for origin in [
            "http://deck.example.com",
            "https://deck.example.com:444",
            "https://other",
            "https://sub.deck.example.com",
            "https://localhost:8080",
        ] {
            assert!(!speaks(&listed, "deck.example.com", origin, None), "{origin}");
        }
    }
}
