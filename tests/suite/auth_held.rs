//! Requests whose body comes late: what their sender was allowed at the
//! beginning counts no more if it is not so at the end.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::auth::{TOKEN, secured};
use crate::support::http::{Api, id_of};
use crate::support::{Quarterdeck, Setup, eventually, patience};

const CREATE: &str = r#"{"name":"ghost","command":["cat"]}"#;

/// A request that the server has let in, and whose body is still to come.
struct Held {
    stream: TcpStream,
    body: &'static str,
}

impl Held {
    #[track_caller]
    fn open(quarterdeck: &Quarterdeck, token: &str, path: &str, kind: &str, body: &'static str) -> Self {
        let mut stream = TcpStream::connect(quarterdeck.address()).expect("a connection");
        stream.set_read_timeout(Some(patience())).expect("SO_RCVTIMEO");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            quarterdeck.address(),
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("the head is sent");
        // Said when somebody begins to read the body: the sender is let in.
        let mut told = [0; 25];
        stream.read_exact(&mut told).expect("an answer");
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
        Self { stream, body }
    }

    /// Sends the body; the status and the text of the answer.
    #[track_caller]
    fn finish(mut self) -> (u16, String) {
        self.stream.write_all(self.body.as_bytes()).expect("the body is sent");
        let mut text = String::new();
        self.stream.read_to_string(&mut text).expect("an answer");
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.unwrap_or_else(|| panic!("{text}")), text)
    }
}

fn token_of(api: &Api, wish: &Value) -> (String, String) {
    let made = api.post("/api/tokens", wish).json_of(201);
    let text = |name: &str| made["token"][name].as_str().expect("a text").to_owned();
    (text("token"), text("id"))
}

#[track_caller]
fn assert_nothing_was_made(api: &Api, held: Held, why: &str) {
    let (status, text) = held.finish();
    assert!(status == 401 && text.contains(why), "{text}");
    assert_eq!(api.get("/api/sessions").json_of(200)["sessions"], json!([]));
}

#[test]
fn a_request_that_began_before_its_token_was_revoked_or_expired_does_nothing() {
    let quarterdeck = secured();
    let holder = quarterdeck.api().bearing(TOKEN);
    let create = |token: &str| Held::open(&quarterdeck, token, "/api/sessions", "application/json", CREATE);

    let (token, id) = token_of(&holder, &json!({}));
    let held = create(&token);
    let _ = holder.delete(&format!("/api/tokens/{id}")).json_of(200);
    assert_nothing_was_made(&holder, held, "revoked");

    let (token, _) = token_of(&holder, &json!({ "ttlSeconds": 2 }));
    let held = create(&token);
    let guest = quarterdeck.api().bearing(&token);
    eventually("it has expired", || (guest.get("/api/sessions").status == 401).then_some(()));
    assert_nothing_was_made(&holder, held, "expired");
}

#[test]
fn a_request_that_began_before_the_token_was_changed_does_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("token");
    fs::write(&file, TOKEN).expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a mode");
    let args = ["--token-file", file.to_str().expect("text")];
    let quarterdeck = Quarterdeck::launch(&Setup { secured: true, args: &args, ..Setup::default() });
    let held = Held::open(&quarterdeck, TOKEN, "/api/sessions", "application/json", CREATE);
    fs::write(&file, "the-token-that-comes-after-it").expect("a file");
    quarterdeck.signal(Signal::SIGHUP);
    let holder = quarterdeck.api().bearing("the-token-that-comes-after-it");
    eventually("the new one is good", || (holder.get("/api/sessions").status == 200).then_some(()));
    assert_nothing_was_made(&holder, held, "changed");
}

/// The program takes a part of it, and would take the rest for ten seconds more.
#[test]
fn input_that_waits_for_its_program_ends_with_its_token() {
    const LARGE: &str = match std::str::from_utf8(&[b'x'; 256 * 1024]) {
        Ok(text) => text,
        Err(_) => "",
    };
    let quarterdeck = secured();
    let holder = quarterdeck.api().bearing(TOKEN);
    let session = holder.shell("stty raw -echo; echo ready; exec sleep 1000");
    eventually("it is ready", || holder.output(&session).starts_with(b"ready").then_some(()));
    let (token, id) = token_of(&holder, &json!({}));
    let path = format!("/api/sessions/{session}/input");
    let mut held = Held::open(&quarterdeck, &token, &path, "application/octet-stream", LARGE);
    held.stream.write_all(held.body.as_bytes()).expect("the body is sent");
    held.body = "";
    let _ = holder.delete(&format!("/api/tokens/{id}")).json_of(200);
    let (status, text) = held.finish();
    assert!(status == 401 && text.contains("revoked"), "{text}");
}

/// The attacker asks for their session by name, and waits until another has it.
#[test]
fn a_session_token_gets_at_no_later_session_of_the_same_name() {
    let quarterdeck = secured();
    let holder = quarterdeck.api().bearing(TOKEN);
    let make = || id_of(&holder.create(&json!({ "name": "build", "command": ["cat"] })));
    let first = make();
    let (token, _) = token_of(&holder, &json!({ "session": "build" }));
    let route = |what: &str| format!("/api/sessions/build/{what}");
    let held = [
        Held::open(&quarterdeck, &token, &route("input"), "application/octet-stream", "intruder\n"),
        Held::open(&quarterdeck, &token, &route("signal"), "application/json", r#"{"signal":"KILL"}"#),
        Held::open(&quarterdeck, &token, &route("resize"), "application/json", r#"{"cols":7,"rows":7}"#),
    ];
    holder.remove(&first);
    let second = make();
    for held in held {
        let (status, text) = held.finish();
        assert!(status == 403 && text.contains("deleted"), "{text}");
    }
    let _ = holder.input(&second, b"mine\n").json_of(200);
    eventually("the echo came", || holder.output(&second).ends_with(b"mine\r\nmine\r\n").then_some(()));
    assert_eq!(holder.output(&second), b"mine\r\nmine\r\n");
    let session = holder.session(&second);
    assert_eq!((&session["status"], &session["cols"]), (&json!("active"), &json!(80)), "{session}");
}
