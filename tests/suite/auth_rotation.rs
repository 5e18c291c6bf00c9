//! Where the token comes from, and what a new one does to logins with the old.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use serde_json::json;

use super::auth::{TOKEN, log_in, secured};
use crate::support::client::{Client, Form};
use crate::support::{Quarterdeck, Setup, eventually};

const POLICY: u16 = 1008;

fn as_it_comes() -> Setup<'static> {
    Setup { secured: true, ..Setup::default() }
}

#[test]
fn a_token_is_made_printed_once_and_kept_over_a_restart() {
    let mut quarterdeck = Quarterdeck::launch(&as_it_comes());
    let token = quarterdeck.printed_token();
    assert!(token.len() >= 43, "256 bits: {token}");
    assert_eq!(quarterdeck.api().bearing(&token).get("/api/sessions").status, 200);
    let file = quarterdeck.dir().join("token");
    assert_eq!(fs::metadata(&file).expect("the token's file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&file).expect("the token's file").trim(), token);
    let printed =
        |quarterdeck: &Quarterdeck| quarterdeck.log().lines().iter().filter(|line| line.contains(&token)).count();
    assert_eq!(printed(&quarterdeck), 1, "{:?}", quarterdeck.log().lines());
    quarterdeck.stop();
    quarterdeck.start_again(&as_it_comes());
    assert_eq!(quarterdeck.printed_token(), token);
}

#[test]
fn a_token_that_was_given_is_not_printed() {
    let quarterdeck = secured();
    assert_eq!(quarterdeck.api().bearing(TOKEN).get("/api/sessions").status, 200);
    assert!(!quarterdeck.log().lines().iter().any(|line| line.contains(TOKEN) || line.contains("#token")));
    assert!(!quarterdeck.dir().join("token").exists());
}

#[test]
fn without_a_place_for_the_token_it_still_starts_and_says_so() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("file");
    fs::write(&file, "").expect("a file where a directory should be");
    let state = file.join("state");
    let quarterdeck = Quarterdeck::launch(&Setup {
        secured: true,
        args: &["--state-dir", state.to_str().expect("text")],
        ..Setup::default()
    });
    let token = quarterdeck.printed_token();
    let warning = "The token cannot be kept; it is another one after a restart of the container";
    quarterdeck.log().wait_for_message(warning);
    assert_eq!(quarterdeck.api().bearing(&token).get("/api/sessions").status, 200);
}

#[test]
fn a_login_survives_the_death_of_the_server() {
    let quarterdeck = secured();
    let cookie = log_in(&quarterdeck.api(), TOKEN);
    quarterdeck.kill_server();
    let browser = quarterdeck.api().with("cookie", &cookie);
    eventually("the next server answers", || browser.try_call("GET", "/health", None, &[]).ok().map(drop));
    assert_eq!(browser.get("/api/sessions").status, 200);
    assert!(Client::connect_as(quarterdeck.address(), Form::Json, &[("cookie", cookie.as_str())]).is_ok());
}

#[test]
fn a_new_token_ends_everything_that_the_old_one_opened() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("token");
    fs::write(&file, "the-first-token-there-was\n").expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a mode");
    let path = file.to_str().expect("text");
    let quarterdeck = Quarterdeck::launch(&Setup { secured: true, args: &["--token-file", path], ..Setup::default() });
    let api = quarterdeck.api();
    let first = api.bearing("the-first-token-there-was");
    let session = first.shell("cat");
    let cookie = log_in(&api, "the-first-token-there-was");
    let by_cookie = [("cookie", cookie.as_str())];
    let by_token = [("authorization", "Bearer the-first-token-there-was")];
    let mut clients = [
        Client::connect_as(quarterdeck.address(), Form::Json, &by_cookie).expect("a socket"),
        Client::connect_as(quarterdeck.address(), Form::Binary, &by_token).expect("a socket"),
    ];
    clients.iter_mut().for_each(|client| client.attach(&session));
    let generation = first.get("/api/sessions").json_of(200)["generation"].clone();

    // Nothing in it, or nothing there: the old one stays.
    for bad in ["", "two words"] {
        fs::write(&file, bad).expect("a file");
        let told = warnings(&quarterdeck);
        quarterdeck.signal(Signal::SIGHUP);
        eventually("that is told", || (warnings(&quarterdeck) > told).then_some(()));
        assert_eq!(first.get("/api/sessions").status, 200, "{bad:?}");
    }
    assert!(clients.iter().all(|client| client.view.closed.is_none()));

    std::thread::scope(|scope| {
        let path = format!("/api/sessions?waitBeyond={generation}");
        let waiting = scope.spawn(move || first.get(&path).status);
        fs::write(&file, "the-second-token").expect("a file");
        quarterdeck.signal(Signal::SIGHUP);
        for client in &mut clients {
            client.wait_until("closed", |view| view.closed == Some(POLICY));
        }
        // It may have come before or after the change.
        assert_eq!(waiting.join().expect("an answer"), 401);
    });
    for old in [api.bearing("the-first-token-there-was"), api.with("cookie", &cookie)] {
        old.get("/api/sessions").error(401, "UNAUTHORIZED");
    }
    let refused = Client::connect_as(quarterdeck.address(), Form::Json, &by_cookie).err().expect("a refusal");
    assert_eq!(refused.0, 401);
    assert_eq!(api.bearing("the-second-token").session(&session)["status"], "active", "the session goes on");
    // A server that comes later knows the new one, too.
    quarterdeck.kill_server();
    eventually("the next server answers", || api.try_call("GET", "/health", None, &[]).ok().map(drop));
    assert_eq!(api.bearing("the-second-token").get("/api/sessions").status, 200);
}

fn warnings(quarterdeck: &Quarterdeck) -> usize {
    let message = "The token file cannot be used; the token stays as it was";
    quarterdeck.log().entries().iter().filter(|entry| entry["message"] == message).count()
}

#[test]
fn a_bad_token_or_file_is_told_at_the_start_without_showing_it() {
    let place = tempfile::tempdir().expect("a directory");
    let at = place.path().to_str().expect("text").to_owned();
    let missing = format!("{at}/not-there");
    let usual = ["init", "--listen", "127.0.0.1:0", "--state-dir", &at, "--workspace", &at];
    for (args, code, named) in [
        (["--token-file", missing.as_str()], 1, "not-there"),
        (["--token-file", &at], 1, "not a file"),
        (["--token", "s3cret with spaces"], 2, "--token"),
        (["--token", ""], 2, "--token"),
    ] {
        let socket = format!("{at}/api.sock");
        let output = crate::support::quarterdeck::run(usual.iter().copied().chain(["--socket", &socket]).chain(args));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(named) && !text.contains("s3cret"), "{args:?}: {text}");
    }
}

#[test]
fn the_login_says_what_it_is() {
    let quarterdeck = secured();
    let api = quarterdeck.api();
    assert_eq!(
        api.get("/api/login").json_of(200),
        json!({ "loginRequired": true, "loggedIn": false, "socketAllowed": true })
    );
    let cookie = log_in(&api, TOKEN);
    let told = api.with("cookie", &cookie).get("/api/login").json_of(200);
    assert_eq!((&told["loggedIn"], &told["readOnly"]), (&json!(true), &json!(false)), "{told}");
    let open = Quarterdeck::start();
    let told = open.api().get("/api/login").json_of(200);
    assert_eq!(told, json!({ "loginRequired": false, "loggedIn": true, "readOnly": false, "socketAllowed": true }));
}
