//! The door of a container that runs as an ordinary user: from outside it is as
//! shut as root's.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::signal::Signal;
use nix::unistd::Uid;
use serde_json::json;

use crate::support::client::{Client, Form};
use crate::support::{Quarterdeck, Setup, eventually, process};

/// A user that nobody has.
const AGENT: u32 = 4000;

const POLICY: u16 = 1008;

/// One that runs as an ordinary user and makes its own token.
fn launch() -> (Quarterdeck, u32) {
    let own = Uid::effective();
    // A copy: the way to the one that was built may be closed to that user.
    let before = format!(
        "chown {AGENT} \"$HOME\" && cp \"$0\" \"$HOME/quarterdeck\" && \
         exec setpriv --reuid {AGENT} --regid {AGENT} --clear-groups \"$HOME/quarterdeck\" \"$@\""
    );
    let (before, user) = if own.is_root() { (before.as_str(), AGENT) } else { ("", own.as_raw()) };
    (Quarterdeck::launch(&Setup { secured: true, before, ..Setup::default() }), user)
}

#[test]
fn an_ordinary_users_container_lets_in_who_shows_the_token_and_nobody_else() {
    let (quarterdeck, user) = launch();
    let token = quarterdeck.printed_token();
    for pid in [quarterdeck.init, quarterdeck.server()] {
        assert_eq!(process::status(pid, "Uid"), [user.to_string().as_str(); 4].join("\t"));
    }
    let file = fs::metadata(quarterdeck.dir().join("token")).expect("the token's file");
    assert_eq!((file.uid(), file.mode() & 0o777), (user, 0o600));
    let (stranger, holder) = (quarterdeck.api(), quarterdeck.api().bearing(&token));
    for path in ["/api/sessions", "/metrics", "/ws"] {
        stranger.get(path).error(401, "UNAUTHORIZED");
        holder.with("host", "evil.example").get(path).error(403, "HOST_NOT_ALLOWED");
        holder.with("origin", "http://localhost:5000").get(path).error(403, "ORIGIN_NOT_ALLOWED");
    }
    let refused = Client::connect_as(quarterdeck.address(), Form::Json, &[]).err().expect("a refusal");
    assert_eq!(refused.0, 401);
    stranger.post("/api/sessions", &json!({})).error(401, "UNAUTHORIZED");
    let id = holder.shell("env; echo all; exec sleep 1000");
    eventually("the environment is printed", || {
        let output = String::from_utf8_lossy(&holder.output(&id)).into_owned();
        assert!(!output.contains(&token), "{output}");
        output.contains("all\r\n").then_some(())
    });
}

#[test]
fn an_ordinary_users_tokens_may_do_less_and_end() {
    let (quarterdeck, _) = launch();
    let first = quarterdeck.printed_token();
    let holder = quarterdeck.api().bearing(&first);
    let own = holder.shell("exec cat");
    let other = holder.shell("exec cat");
    let made = holder.post("/api/tokens", &json!({ "readOnly": true, "session": own })).json_of(201);
    let guest = made["token"]["token"].as_str().expect("a token").to_owned();
    let as_guest = quarterdeck.api().bearing(&guest);
    assert_eq!(as_guest.get(&format!("/api/sessions/{own}")).status, 200);
    as_guest.get(&format!("/api/sessions/{other}")).error(404, "NOT_FOUND");
    as_guest.input(&own, b"x").error(403, "FORBIDDEN");
    as_guest.post("/api/sessions", &json!({})).error(403, "FORBIDDEN");
    let watch = |token: &str| {
        let bearer = format!("Bearer {token}");
        Client::connect_as(quarterdeck.address(), Form::Json, &[("authorization", bearer.as_str())]).expect("a socket")
    };
    let mut watching = watch(&guest);
    watching.attach_fails(&other, "NOT_FOUND");
    let id = made["token"]["id"].as_str().expect("an id");
    assert_eq!(holder.delete(&format!("/api/tokens/{id}")).status, 200);
    watching.wait_until("closed", |view| view.closed == Some(POLICY));
    as_guest.get("/api/sessions").error(401, "UNAUTHORIZED");

    let mut watching = watch(&first);
    fs::write(quarterdeck.dir().join("token"), "the-token-that-comes-after-it").expect("the token's file");
    quarterdeck.signal(Signal::SIGHUP);
    watching.wait_until("closed", |view| view.closed == Some(POLICY));
    holder.get("/api/sessions").error(401, "UNAUTHORIZED");
    assert_eq!(quarterdeck.api().bearing("the-token-that-comes-after-it").get("/api/sessions").status, 200);
}
