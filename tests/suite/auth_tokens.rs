//! Tokens for less than everything: what they may not do, and their end.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::auth::{TOKEN, log_in, secured};
use crate::support::client::{Client, Form};
use crate::support::http::{Api, id_of};
use crate::support::{Quarterdeck, Setup, eventually};

const POLICY: u16 = 1008;

/// One with two sessions, `own` and `other`.
fn with_two_sessions() -> (Quarterdeck, String, String) {
    let quarterdeck = secured();
    let api = quarterdeck.api().bearing(TOKEN);
    let [own, other] = ["own", "other"].map(|name| id_of(&api.create(&json!({ "name": name, "command": ["cat"] }))));
    (quarterdeck, own, other)
}

/// Makes a token at the command line, and returns it and its id.
#[track_caller]
fn make(quarterdeck: &Quarterdeck, args: &[&str]) -> (String, String) {
    let output = quarterdeck.command(&[&["token", "new", "--json"], args].concat());
    assert!(output.status.success(), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |name: &str| answer["token"][name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (text("token"), text("id"))
}

fn as_holder_of(quarterdeck: &Quarterdeck, token: &str) -> (Api, Client) {
    try_as_holder_of(quarterdeck, token).expect("a socket")
}

fn try_as_holder_of(quarterdeck: &Quarterdeck, token: &str) -> Option<(Api, Client)> {
    let bearer = format!("Bearer {token}");
    let client = Client::connect_as(quarterdeck.address(), Form::Binary, &[("authorization", bearer.as_str())]);
    Some((quarterdeck.api().bearing(token), client.ok()?))
}

#[track_caller]
fn forbidden(api: &Api, requests: &[(&str, &str)]) {
    for (method, path) in requests {
        let reply = api.try_call(method, path, Some("application/json"), b"{}").expect("an answer");
        let error = reply.error(403, "FORBIDDEN");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("may")), "{method} {path}: {error}");
    }
}

#[test]
fn no_program_waits_for_a_client_that_may_only_look() {
    let args = ["--token", TOKEN, "--scrollback", "128KiB"];
    let quarterdeck = Quarterdeck::launch(&Setup { secured: true, args: &args, ..Setup::default() });
    let api = quarterdeck.api().bearing(TOKEN);
    let id = id_of(&api.create(&json!({ "command": ["sh", "-c", "echo ready; read go; seq 300000; exit 5"] })));
    let (token, _) = make(&quarterdeck, &["--read-only"]);
    let (_, mut looker) = as_holder_of(&quarterdeck, &token);
    // It takes next to nothing, and says at no time that it has it.
    looker.attach_with(&id, json!({ "window": 1 }));
    looker.wait_until("it is attached", |view| !view.bytes(&id).is_empty());
    let begun = Instant::now();
    let _ = api.input(&id, b"\n").json_of(200);
    let ended = api.wait_for(&id, "ended", |session| !session["exitCode"].is_null());
    assert_eq!(ended["exitCode"], json!(5));
    // After this it would have been taken for asleep, and be waited for no longer.
    assert!(begun.elapsed() < Duration::from_secs(30), "the program waited: {:?}", begun.elapsed());
}

#[test]
fn a_read_only_token_sees_everything_and_changes_nothing() {
    let (quarterdeck, own, _) = with_two_sessions();
    let (token, _) = make(&quarterdeck, &["--read-only"]);
    let (api, mut client) = as_holder_of(&quarterdeck, &token);
    for path in [
        "/api/sessions",
        "/api/sessions/own",
        "/api/sessions/own/output",
        "/api/sessions/own/processes",
        "/metrics",
        "/api/health",
        "/api/resources",
        "/api/resources/history",
    ] {
        assert_eq!(api.get(path).status, 200, "{path}");
    }
    forbidden(
        &api,
        &[
            ("POST", "/api/sessions"),
            ("DELETE", "/api/sessions/own"),
            ("POST", "/api/sessions/own/cleanup"),
            ("POST", "/api/sessions/own/input"),
            ("POST", "/api/sessions/own/signal"),
            ("POST", "/api/sessions/own/resize"),
            ("POST", "/api/sessions/own/resume"),
            ("POST", "/api/sweep"),
            ("GET", "/api/tokens"),
            ("POST", "/api/tokens"),
            ("DELETE", "/api/tokens/00000000"),
        ],
    );
    client.attach(&own);
    client.input(&own, "typed by a reader\n");
    let error = client.next_error();
    assert_eq!((&error["code"], &error["sessionId"]), (&json!("FORBIDDEN"), &json!(own)), "{error}");
    for message in [
        json!({ "type": "terminal.input", "sessionId": own, "data": "typed by a reader\n" }),
        json!({ "type": "terminal.interrupt", "sessionId": own }),
        json!({ "type": "terminal.resize", "sessionId": own, "cols": 7, "rows": 7 }),
        json!({ "type": "session.resume", "sessionId": own }),
    ] {
        client.send(&message);
        assert_eq!(client.next_error()["code"], "FORBIDDEN", "{message}");
    }
    // Looking works: what somebody else types comes along.
    let holder = quarterdeck.api().bearing(TOKEN);
    let _ = holder.input(&own, b"typed by another\n").json_of(200);
    client.wait_until("the output came", |view| String::from_utf8_lossy(view.bytes(&own)).contains("typed by another"));
    let session = holder.session(&own);
    assert_eq!((&session["status"], &session["cols"]), (&json!("active"), &json!(80)), "{session}");
    assert!(!String::from_utf8_lossy(&holder.output(&own)).contains("reader"));
}

#[test]
fn a_session_token_knows_of_its_own_session_alone() {
    let (quarterdeck, own, other) = with_two_sessions();
    let (token, _) = make(&quarterdeck, &["--session", "own"]);
    let (api, mut client) = as_holder_of(&quarterdeck, &token);
    let list = api.get("/api/sessions").json_of(200);
    let names: Vec<_> = list["sessions"].as_array().expect("a list").iter().map(|session| &session["name"]).collect();
    assert_eq!(names, ["own"]);
    for id in ["other", &other, "not-there", "%6fther"] {
        for (method, route) in
            [("GET", ""), ("GET", "/output"), ("POST", "/input"), ("POST", "/signal"), ("GET", "/processes")]
        {
            let path = format!("/api/sessions/{id}{route}");
            let _ = api
                .try_call(method, &path, Some("application/json"), b"{}")
                .expect("an answer")
                .error(404, "NOT_FOUND");
        }
    }
    forbidden(
        &api,
        &[
            ("POST", "/api/sessions"),
            ("DELETE", "/api/sessions/own"),
            ("POST", "/api/sweep"),
            ("GET", "/metrics"),
            ("POST", "/api/tokens"),
        ],
    );
    client.wait_until("the list came", |view| view.of_type("session.list").count() == 1);
    let listed = client.view.of_type("session.list").next().expect("a list")["sessions"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    client.attach_fails(&other, "NOT_FOUND");
    client.attach(&own);
    client.input(&own, "mine\n");
    client.wait_until("the echo came", |view| String::from_utf8_lossy(view.bytes(&own)).contains("mine"));

    // News of others stay away, also those of their end.
    let holder = quarterdeck.api().bearing(TOKEN);
    let third = holder.shell("exit 1");
    holder.wait_for_exit(&third);
    holder.remove(&third);
    holder.remove(&other);
    let _ = holder.post(&format!("/api/sessions/{own}/resize"), &json!({ "cols": 90, "rows": 20 })).json_of(200);
    client.wait_until("its own news came", |view| {
        view.of_type("session.updated").any(|message| message["session"]["cols"] == 90)
    });
    let strange = |message: &&Value| {
        let text = message.to_string();
        text.contains(&other) || text.contains(&third)
    };
    let errors_aside = client.view.messages.iter().filter(|message| message["type"] != "error");
    assert_eq!(errors_aside.filter(strange).count(), 0, "{:?}", client.view.messages);

    holder.remove(&own);
    let error = api.get("/api/sessions").error(403, "FORBIDDEN");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("deleted")), "{error}");
    quarterdeck.api().post("/api/login", &json!({ "token": token })).error(403, "FORBIDDEN");
}

#[test]
fn a_token_that_is_taken_back_or_has_expired_ends_at_once() {
    let (quarterdeck, ..) = with_two_sessions();
    let (token, id) = make(&quarterdeck, &["--read-only", "--session", "own"]);
    let (api, mut client) = as_holder_of(&quarterdeck, &token);
    let cookie = log_in(&quarterdeck.api(), &token);
    let browser = quarterdeck.api().with("cookie", &cookie);
    assert_eq!((api.get("/api/sessions").status, browser.get("/api/sessions").status), (200, 200));
    assert!(quarterdeck.command(&["token", "rm", &id]).status.success());
    client.wait_until("closed", |view| view.closed == Some(POLICY));
    api.get("/api/sessions").error(401, "UNAUTHORIZED");
    browser.get("/api/sessions").error(401, "UNAUTHORIZED");
    assert!(!quarterdeck.command(&["token", "rm", &id]).status.success(), "it is gone");

    // On a slow machine the shortest are over before anybody comes with them.
    let (api, mut client) = ["2s", "8s", "32s"]
        .iter()
        .find_map(|ttl| try_as_holder_of(&quarterdeck, &make(&quarterdeck, &["--ttl", ttl]).0))
        .expect("a socket");
    client.wait_until("closed", |view| view.closed == Some(POLICY));
    let error = api.get("/api/sessions").error(401, "UNAUTHORIZED");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("expired")), "{error}");
}

#[test]
fn tokens_are_kept_as_digests_over_restarts() {
    let setup = || Setup { secured: true, args: &["--token", TOKEN], ..Setup::default() };
    let mut quarterdeck = Quarterdeck::launch(&setup());
    let (token, id) = make(&quarterdeck, &["--read-only", "--ttl", "1h"]);
    let file = quarterdeck.dir().join("tokens.json");
    let text = fs::read_to_string(&file).expect("the list");
    assert!(!text.contains(token.rsplit('_').next().expect("its secret")), "{text}");
    quarterdeck.kill_server();
    eventually("the next server answers", || quarterdeck.api().try_call("GET", "/health", None, &[]).ok().map(drop));
    assert_eq!(quarterdeck.api().bearing(&token).get("/api/sessions").status, 200);
    quarterdeck.stop();
    quarterdeck.start_again(&setup());
    assert_eq!(quarterdeck.api().bearing(&token).get("/api/sessions").status, 200);
    let listed = quarterdeck.command(&["token", "ls"]);
    let table = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(table.contains(&id) && table.contains("look") && !table.contains(&token), "{table}");
    let listed = quarterdeck.api().bearing(TOKEN).get("/api/tokens").json_of(200);
    assert_eq!((&listed["tokens"][0]["id"], &listed["tokens"][0]["token"]), (&json!(id), &Value::Null), "{listed}");
}

#[test]
fn only_who_may_do_everything_makes_tokens() {
    let quarterdeck = secured();
    let holder = quarterdeck.api().bearing(TOKEN);
    let made = holder.post("/api/tokens", &json!({ "readOnly": false })).json_of(201);
    let guest = quarterdeck.api().bearing(made["token"]["token"].as_str().expect("a token"));
    assert_eq!(guest.post("/api/sessions", &json!({ "command": ["cat"] })).status, 201, "it may do the rest");
    forbidden(&guest, &[("POST", "/api/tokens"), ("GET", "/api/tokens"), ("DELETE", "/api/tokens/00000000")]);
    for bad in
        [json!({ "ttlSeconds": 0 }), json!({ "ttlSeconds": -1 }), json!({ "readonly": true }), json!({ "session": 7 })]
    {
        holder.post("/api/tokens", &bad).error(400, "INVALID_REQUEST");
    }
    holder.post("/api/tokens", &json!({ "session": "not-there" })).error(404, "NOT_FOUND");
    for id in ["x", "0000000g", "00000000", "%00"] {
        holder.delete(&format!("/api/tokens/{id}")).error(404, "NOT_FOUND");
    }
    let open = Quarterdeck::start();
    open.api().post("/api/tokens", &json!({})).error(409, "NO_AUTH");
}

#[test]
fn a_damaged_list_lets_nobody_in_and_is_set_aside() {
    let setup = || Setup { secured: true, args: &["--token", TOKEN], ..Setup::default() };
    let mut quarterdeck = Quarterdeck::launch(&setup());
    let (token, _) = make(&quarterdeck, &[]);
    quarterdeck.stop();
    fs::write(quarterdeck.dir().join("tokens.json"), "{\"version\":1,\"tok").expect("the list");
    quarterdeck.start_again(&setup());
    quarterdeck.api().bearing(&token).get("/api/sessions").error(401, "UNAUTHORIZED");
    assert_eq!(quarterdeck.api().bearing(TOKEN).get("/api/sessions").status, 200);
    let names = fs::read_dir(quarterdeck.dir()).expect("the state directory");
    let aside =
        names.filter_map(Result::ok).filter(|e| e.file_name().to_string_lossy().starts_with("tokens.json.damaged-"));
    assert_eq!(aside.count(), 1);
}
