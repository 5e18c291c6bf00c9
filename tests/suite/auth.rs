//! Who is let in: nobody without a token or a cookie made from one.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::{Client, Form};
use crate::support::http::{Api, Reply};
use crate::support::quarterdeck::run;
use crate::support::{Quarterdeck, Setup};

pub const TOKEN: &str = "the-token-of-this-test";

/// One that asks for [`TOKEN`].
pub fn secured() -> Quarterdeck {
    Quarterdeck::launch(&Setup { secured: true, args: &["--token", TOKEN], ..Setup::default() })
}

/// Name and value of the cookie that an answer sets.
pub fn cookie_of(reply: &Reply) -> String {
    let set =
        reply.headers.get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_else(|| panic!("{reply}"));
    set.split(';').next().expect("a cookie").to_owned()
}

/// Logs in, and returns the cookie.
pub fn log_in(api: &Api, token: &str) -> String {
    let reply = api.post("/api/login", &json!({ "token": token }));
    assert_eq!(reply.status, 200, "{reply}");
    cookie_of(&reply)
}

/// What a stranger may ask for, and nothing else.
const OPEN: [&str; 5] = ["/", "/health", "/ready", "/api/login", "/not-there"];

const CLOSED: [(&str, &str); 19] = [
    ("GET", "/metrics"),
    ("GET", "/api/health"),
    ("GET", "/api/resources"),
    ("GET", "/api/resources/history"),
    ("GET", "/api/sessions"),
    ("HEAD", "/api/sessions"),
    ("POST", "/api/sessions"),
    ("GET", "/api/sessions/s"),
    ("GET", "/api/sessions/s/status"),
    ("GET", "/api/sessions/s/output"),
    ("GET", "/api/sessions/s/processes"),
    ("DELETE", "/api/sessions/s"),
    ("POST", "/api/sessions/s/resume"),
    ("POST", "/api/sessions/s/input"),
    ("POST", "/api/sessions/s/signal"),
    ("POST", "/api/sessions/s/resize"),
    ("POST", "/api/sweep"),
    ("GET", "/api/tokens"),
    ("GET", "/ws"),
];

#[test]
fn a_stranger_gets_the_page_and_nothing_else() {
    let quarterdeck = secured();
    quarterdeck.api().bearing(TOKEN).create(&json!({ "name": "s", "command": ["sleep", "1000"] }));
    let stranger = quarterdeck.api();
    for path in OPEN {
        let status = stranger.get(path).status;
        assert!([200, 404].contains(&status), "{path}: {status}");
    }
    for (method, path) in CLOSED {
        let reply = stranger.try_call(method, path, None, &[]).expect("an answer");
        assert_eq!(reply.headers.get("www-authenticate").map(|v| v.as_bytes()), Some(&b"Bearer"[..]), "{reply}");
        if method == "HEAD" {
            assert_eq!(reply.status, 401);
            continue;
        }
        let error = reply.error(401, "UNAUTHORIZED");
        assert!(error["suggestion"].as_str().is_some_and(|text| text.contains("Bearer")), "{error}");
    }
    for path in ["/ws", "/"] {
        let refused = Client::connect_at(quarterdeck.address(), path, Form::Json).err().expect("a refusal");
        assert!(refused.to_string().contains("401"), "{path}: {refused}");
    }
    let sessions = quarterdeck.api().bearing(TOKEN).get("/api/sessions").json_of(200);
    assert_eq!(sessions["sessions"][0]["status"], "active", "{sessions}");
}

#[test]
fn only_the_whole_token_is_the_token() {
    let quarterdeck = secured();
    let api = quarterdeck.api();
    let long = format!("{TOKEN}{}", "x".repeat(5000));
    for wrong in ["", "the-token-of-this-tes", "the-token-of-this-tesT", &long] {
        api.bearing(wrong).get("/api/sessions").error(401, "UNAUTHORIZED");
    }
    for header in [format!("bearer {TOKEN}"), format!("BEARER  {TOKEN}")] {
        assert_eq!(api.with("authorization", &header).get("/api/sessions").status, 200, "{header}");
    }
    for header in [TOKEN.to_owned(), format!("Basic {TOKEN}")] {
        api.with("authorization", &header).get("/api/sessions").error(401, "UNAUTHORIZED");
    }
    // Secrets in an address end in logs and histories.
    api.get(&format!("/api/sessions?token={TOKEN}")).error(401, "UNAUTHORIZED");
    api.get(&format!("/ws?token={TOKEN}")).error(401, "UNAUTHORIZED");
}

#[test]
fn a_login_gives_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let quarterdeck = secured();
    let port = quarterdeck.address().rsplit(':').next().expect("a port").to_owned();
    let api = quarterdeck.api();
    let reply = api.post("/api/login", &json!({ "token": TOKEN }));
    let set = reply.headers["set-cookie"].to_str().expect("text").to_owned();
    assert!(set.starts_with(&format!("quarterdeck_{port}=")), "{set}");
    for word in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age="] {
        assert!(set.contains(word), "{word} in {set}");
    }
    assert!(!set.contains(TOKEN) && !set.contains("Secure"), "{set}");
    let cookie = cookie_of(&reply);
    let browser = api.with("cookie", &format!("other=1; {cookie}; theme=dark"));
    assert_eq!(browser.get("/api/sessions").status, 200);
    assert_eq!(browser.get("/api/login").json_of(200)["loggedIn"], true);
    let socket = Client::connect_as(quarterdeck.address(), Form::Binary, &[("cookie", cookie.as_str())]);
    assert!(socket.is_ok());
    let (_, value) = cookie.split_once('=').expect("a value");
    for forged in [
        format!("quarterdeck_{port}={value}x"),
        format!("quarterdeck_1={value}"),
        format!("quarterdeck_{port}={TOKEN}"),
    ] {
        api.with("cookie", &forged).get("/api/sessions").error(401, "UNAUTHORIZED");
    }
    let out = browser.post("/api/logout", &json!({}));
    assert!(out.headers["set-cookie"].to_str().expect("text").contains("Max-Age=0"), "{out}");
}

/// As nginx does it with `auth_basic`: the browser sends the proxy's password
/// with every request, and nginx passes it on.
#[test]
fn a_password_that_a_proxy_asks_for_is_no_wrong_token() {
    let quarterdeck = secured();
    let proxied = quarterdeck.api().with("authorization", "Basic YWxhZGRpbjpvcGVu");
    let browser = proxied.with("cookie", &log_in(&proxied, TOKEN));
    for _ in 0..9 {
        proxied.get("/api/sessions").error(401, "UNAUTHORIZED");
        assert_eq!(browser.get("/api/sessions").status, 200);
    }
    let wrong = quarterdeck.log().entries().iter().any(|entry| entry["message"] == "A wrong token was shown");
    assert!(!wrong, "it counts as no guess");
    // A token that is wrong stays wrong, whatever cookie comes with it.
    for header in ["Bearer guessed", "bearer", "Bearer "] {
        browser.with("authorization", header).get("/api/sessions").error(401, "UNAUTHORIZED");
    }
}

#[test]
fn the_cookie_of_a_page_over_tls_is_never_sent_without() {
    let quarterdeck = Quarterdeck::launch(&Setup {
        secured: true,
        args: &["--token", TOKEN, "--allow-host", "deck.example.com"],
        ..Setup::default()
    });
    let proxied = quarterdeck.api().with("host", "deck.example.com").with("origin", "https://deck.example.com");
    let reply = proxied.post("/api/login", &json!({ "token": TOKEN }));
    assert!(reply.headers["set-cookie"].to_str().expect("text").ends_with("; Secure"), "{reply}");
    assert_eq!(proxied.with("cookie", &cookie_of(&reply)).get("/api/sessions").status, 200);
    // What a proxy may or may not have written is not believed.
    let lied = quarterdeck.api().with("x-forwarded-proto", "https").post("/api/login", &json!({ "token": TOKEN }));
    assert!(!lied.headers["set-cookie"].to_str().expect("text").contains("Secure"), "{lied}");
}

#[test]
fn repeated_wrong_tokens_are_slowed_and_others_do_not_notice() {
    let quarterdeck = secured();
    let login = |token: &str| quarterdeck.api().post("/api/login", &json!({ "token": token }));
    let cookie = log_in(&quarterdeck.api(), TOKEN);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..24).map(|n| scope.spawn(move || login(&format!("guess-{n}")))).collect();
        let replies: Vec<Reply> = guesses.into_iter().map(|guess| guess.join().expect("an answer")).collect();
        let late: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 429).collect();
        assert!(late.len() >= 10, "{} of 24 were sent away", late.len());
        for reply in late {
            assert!(reply.number("retry-after") >= 1, "{reply}");
        }
        assert!(replies.iter().all(|reply| [401, 429].contains(&reply.status)));
    });
    assert!(start.elapsed() >= Duration::from_millis(250), "nothing was slowed");
    // Who is logged in is not asked for a token, and another address is another
    // matter; on this machine 127.0.0.2 is one.
    assert_eq!(quarterdeck.api().with("cookie", &cookie).get("/api/sessions").status, 200);
    assert_eq!(status_from([127, 0, 0, 2], quarterdeck.address(), TOKEN), 200);
}

/// Asks for the sessions from this address.
fn status_from(from: [u8; 4], to: &str, token: &str) -> u16 {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::os::fd::OwnedFd;

    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

    let socket: OwnedFd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddr::from((from, 0))).expect("a loopback address");
    connect(&socket, &to.parse::<SocketAddr>().expect("an address")).expect("a connection");
    let mut stream = TcpStream::from(socket);
    let head = format!(
        "GET /api/sessions HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[test]
fn no_auth_beyond_loopback_has_to_be_meant() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let refused = run(["init", "--no-auth", "--listen", listen]);
        let line = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{line}");
        assert!(line.lines().count() == 1 && line.contains("--no-auth=i-know"), "{line}");
    }
    for args in [["--token", "x"], ["--token-file", "/x"]] {
        let refused = run(["init", "--no-auth", "--listen", "127.0.0.1:0"].into_iter().chain(args));
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
    }
    let meant = Quarterdeck::launch(&Setup {
        secured: true,
        args: &["--no-auth=i-know", "--listen", "0.0.0.0:0"],
        ..Setup::default()
    });
    let warned = meant.log().wait_for("the warning", |entry| entry["level"] == "warn" && entry["address"].is_string());
    assert!(warned["message"].as_str().is_some_and(|text| text.contains("gets a shell")), "{warned}");
    let here = meant.address().replace("0.0.0.0", "127.0.0.1");
    assert_eq!(Api::at(&here).get("/api/sessions").status, 200);
}
