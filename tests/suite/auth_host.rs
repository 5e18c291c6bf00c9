//! DNS rebinding and pages of other ports, as an attacker's page would send
//! them: with and without a login.

use serde_json::json;

use super::auth::{TOKEN, cookie_of, log_in, secured};
use crate::support::client::{Client, Form};
use crate::support::http::Api;
use crate::support::{Quarterdeck, Setup};

fn port_of(quarterdeck: &Quarterdeck) -> String {
    quarterdeck.address().rsplit(':').next().expect("a port").to_owned()
}

/// Every kind of route there is.
const ROUTES: [(&str, &str); 8] = [
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/api/login"),
    ("POST", "/api/login"),
    ("GET", "/api/sessions"),
    ("POST", "/api/sessions"),
    ("GET", "/metrics"),
    ("GET", "/not-there"),
];

fn all_refused(api: &Api, code: &str) {
    for (method, path) in ROUTES {
        let reply = api.try_call(method, path, None, &[]).expect("an answer");
        let error = reply.error(403, code);
        assert!(error["suggestion"].as_str().is_some_and(|text| text.contains("--allow-")), "{path}: {error}");
    }
}

#[test]
fn a_name_that_was_turned_to_us_is_refused_on_every_route() {
    for quarterdeck in [Quarterdeck::start(), secured()] {
        let port = port_of(&quarterdeck);
        let api = quarterdeck.api().bearing(TOKEN);
        for host in ["evil.example", &format!("evil.example:{port}"), "localhost.evil.example", "10.0.0.1"] {
            let rebound = api.with("host", host);
            if host == "10.0.0.1" {
                // A kubelet asks by address; that reveals nothing, and DNS has
                // no say in it.
                assert_eq!(rebound.get("/health").status, 200);
                rebound.get("/api/sessions").error(403, "HOST_NOT_ALLOWED");
                continue;
            }
            all_refused(&rebound, "HOST_NOT_ALLOWED");
            // The page at that name is of the same origin as its requests.
            all_refused(
                &rebound.with("origin", &format!("http://{host}")).with("sec-fetch-site", "same-origin"),
                "HOST_NOT_ALLOWED",
            );
            let headers = [("host", host), ("authorization", &format!("Bearer {TOKEN}"))];
            let (status, body) =
                Client::connect_as(quarterdeck.address(), Form::Json, &headers).err().expect("a refusal");
            assert_eq!((status, body["code"].as_str()), (403, Some("HOST_NOT_ALLOWED")));
        }
        for host in [format!("localhost:{port}"), "localhost:8080".into(), "[::1]:1".into(), "127.0.0.1".into()] {
            assert_eq!(api.with("host", &host).get("/api/sessions").status, 200, "{host}");
        }
    }
}

#[test]
fn a_page_of_another_port_can_neither_open_the_socket_nor_make_a_session() {
    for quarterdeck in [Quarterdeck::start(), secured()] {
        let port = port_of(&quarterdeck);
        let cookie = log_in_if_asked(&quarterdeck);
        for origin in [
            "http://localhost:5000",
            "http://127.0.0.1:5000",
            "https://evil.example",
            "null",
            &format!("https://localhost:{port}"),
            &format!("http://evil.example:{port}"),
            "nonsense",
        ] {
            for api in [quarterdeck.api(), quarterdeck.api().with("cookie", &cookie), quarterdeck.api().bearing(TOKEN)]
            {
                all_refused(&api.with("origin", origin).with("sec-fetch-site", "same-site"), "ORIGIN_NOT_ALLOWED");
                all_refused(&api.with("origin", origin), "ORIGIN_NOT_ALLOWED");
            }
            let headers = [("origin", origin), ("cookie", cookie.as_str())];
            let (status, body) =
                Client::connect_as(quarterdeck.address(), Form::Json, &headers).err().expect("a refusal");
            assert_eq!((status, body["code"].as_str()), (403, Some("ORIGIN_NOT_ALLOWED")), "{origin}");
        }
        // A plain read does not name its origin; the browser tells all the same.
        let read = quarterdeck.api().with("cookie", &cookie).with("sec-fetch-site", "same-site");
        read.get("/api/sessions").error(403, "ORIGIN_NOT_ALLOWED");
        let sessions = quarterdeck.api().bearing(TOKEN).get("/api/sessions").json_of(200);
        assert_eq!(sessions["sessions"], json!([]), "nothing was made");
        // Our own page may.
        for origin in [format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}")] {
            let own = quarterdeck.api().with("cookie", &cookie).with("origin", &origin);
            assert_eq!(own.get("/api/sessions").status, 200, "{origin}");
            let headers = [("origin", origin.as_str()), ("cookie", cookie.as_str())];
            assert!(Client::connect_as(quarterdeck.address(), Form::Binary, &headers).is_ok());
        }
    }
}

/// Where nobody is asked the cookie is of another time.
fn log_in_if_asked(quarterdeck: &Quarterdeck) -> String {
    let reply = quarterdeck.api().post("/api/login", &json!({ "token": TOKEN }));
    if reply.headers.contains_key("set-cookie") { cookie_of(&reply) } else { "quarterdeck=old".into() }
}

#[test]
fn being_equal_to_the_host_is_not_enough() {
    let quarterdeck = secured();
    let cookie = log_in(&quarterdeck.api(), TOKEN);
    let same = quarterdeck.api().with("host", "localhost:5000").with("origin", "http://localhost:5000");
    same.with("cookie", &cookie).get("/api/sessions").error(403, "ORIGIN_NOT_ALLOWED");
}

#[test]
fn a_published_port_works_for_who_has_logged_in_there() {
    let quarterdeck = secured();
    let published = quarterdeck.api().with("host", "localhost:8080").with("origin", "http://localhost:8080");
    // The browser says that it is the page's own address; no page can say that.
    let browser = published.with("sec-fetch-site", "same-origin");
    let cookie = log_in(&browser, TOKEN);
    assert!(cookie.starts_with("quarterdeck_8080="), "the port that the browser knows: {cookie}");
    assert_eq!(browser.with("cookie", &cookie).get("/api/sessions").status, 200);
    // Browsers say nothing of the kind about a WebSocket.
    let socket = |origin: &str, host: &str| {
        let headers = [("host", host), ("origin", origin), ("cookie", cookie.as_str())];
        Client::connect_as(quarterdeck.address(), Form::Json, &headers).map(drop).map_err(|(status, _)| status)
    };
    assert_eq!(socket("http://localhost:8080", "localhost:8080"), Ok(()));
    // A page that can't connect is told that this is why.
    let told = |api: &Api| api.get("/api/login").json_of(200)["socketAllowed"].clone();
    let read = quarterdeck.api().with("host", "localhost:8080");
    assert_eq!((told(&read), told(&read.with("cookie", &cookie))), (json!(false), json!(true)));
    assert_eq!(
        socket("http://localhost:5000", "localhost:8080"),
        Err(403),
        "a page of another port has the cookie, too"
    );
    assert_eq!(socket("http://localhost:8080", "localhost:5000"), Err(403));
}

#[test]
fn names_and_pages_can_be_allowed() {
    let args = ["--allow-host", "deck.example.com", "--allow-origin", "http://localhost:8080"];
    let quarterdeck = Quarterdeck::launch(&Setup {
        args: &args,
        env: &[("QUARTERDECK_ALLOW_HOST", "not.used"), ("QUARTERDECK_ALLOW_ORIGIN", "http://not.used")],
        ..Setup::default()
    });
    let api = quarterdeck.api();
    assert_eq!(api.with("host", "deck.example.com").get("/api/sessions").status, 200);
    assert_eq!(api.with("host", "deck.example.com:444").get("/api/sessions").status, 200);
    api.with("host", "not.used").get("/api/sessions").error(403, "HOST_NOT_ALLOWED");
    for origin in ["http://localhost:8080", "https://deck.example.com"] {
        assert_eq!(api.with("origin", origin).get("/api/sessions").status, 200, "{origin}");
    }
    let listed = Quarterdeck::launch(&Setup {
        env: &[("QUARTERDECK_ALLOW_HOST", "one.example,two.example:81")],
        ..Setup::default()
    });
    assert_eq!(listed.api().with("host", "one.example").get("/health").status, 200);
    assert_eq!(listed.api().with("host", "two.example:81").get("/health").status, 200);
    listed.api().with("host", "two.example").get("/health").error(403, "HOST_NOT_ALLOWED");
}

#[test]
fn a_request_without_one_clear_host_is_refused() {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    let quarterdeck = Quarterdeck::start();
    let own = quarterdeck.address();
    for head in [
        "GET /api/sessions HTTP/1.0\r\n\r\n".to_owned(),
        format!("GET /api/sessions HTTP/1.1\r\nHost: {own}\r\nHost: {own}\r\nConnection: close\r\n\r\n"),
        format!("GET http://evil.example/api/sessions HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"),
        "GET /api/sessions HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n".to_owned(),
        "GET /api/sessions HTTP/1.1\r\nHost: localhost, evil\r\nConnection: close\r\n\r\n".to_owned(),
        format!(
            "GET /api/sessions HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\nOrigin: http://evil\r\nConnection: close\r\n\r\n"
        ),
    ] {
        let mut stream = TcpStream::connect(own).expect("a connection");
        stream.write_all(head.as_bytes()).expect("a connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(["400", "403"].contains(&status.as_str()), "{head:?}: {answer}");
    }
}

#[test]
fn every_answer_tells_the_browser_to_keep_others_out() {
    let quarterdeck = secured();
    let api = quarterdeck.api();
    for reply in [api.get("/"), api.get("/api/sessions"), api.get("/nope"), api.with("host", "evil").get("/")] {
        for (name, wanted) in [
            ("content-security-policy", "frame-ancestors 'none'"),
            ("content-security-policy", "default-src 'none'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=()"),
        ] {
            let value = reply.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            assert!(value.contains(wanted), "{name}: {value:?} in {reply}");
        }
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{reply}");
    }
}
