//! The end: asked for politely, finished in time, nothing left.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::payload::shell;
use crate::support::{Form, Quarterdeck, Setup, eventually};

/// A session that can't be asked to end.
const STUBBORN: &str = "trap '' TERM HUP INT; echo ready; while :; do sleep 0.1; done";

#[test]
fn sigterm_with_four_busy_sessions_ends_with_zero_within_the_grace() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut quarterdeck = Quarterdeck::start();
        let api = quarterdeck.api();
        let mut client = quarterdeck.connect(Form::Binary);
        for command in ["exec yes", "exec cat /dev/zero", "exec perl -e '1 while 1'", "exec bash --norc -i"] {
            let id = api.run(&shell(command));
            client.attach(&id);
        }
        client.wait_until("the floods run", |view| {
            view.terminals.values().filter(|t| t.bytes.len() > 100_000).count() >= 2
        });
        let start = Instant::now();
        quarterdeck.signal(signal);
        client.wait_until("told of the shutdown", |view| view.of_type("server.shutdown").count() == 1);
        let told = client.view.of_type("server.shutdown").next().cloned().unwrap();
        assert_eq!(told["gracePeriodMs"], json!(8000));
        assert!(told["message"].as_str().is_some_and(|text| !text.is_empty()), "{told}");
        assert_eq!(quarterdeck.wait().code(), Some(0), "after {signal}");
        assert!(start.elapsed() < Duration::from_secs(8), "took {:?}", start.elapsed());
    }
}

#[test]
fn while_shutting_down_new_sessions_are_refused_and_a_second_signal_ends_the_grace() {
    let mut quarterdeck = Quarterdeck::with(&["--shutdown-grace", "50s", "--stop-grace", "50s"]);
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let id = api.shell(STUBBORN);
    client.attach(&id);
    client.wait_until("the session is stubborn", |view| view.text(&id).contains("ready"));
    assert_eq!(api.get("/ready").status, 200);

    quarterdeck.signal(Signal::SIGTERM);
    client.wait_until("told of the shutdown", |view| view.of_type("server.shutdown").count() == 1);
    let refused = api.post("/api/sessions", &json!({ "command": shell("exit 0") }));
    refused.error(503, "SHUTTING_DOWN");
    api.post("/api/sessions", &json!({})).error(503, "SHUTTING_DOWN");
    assert_eq!(api.get("/ready").status, 503);
    assert_eq!(api.get("/health").json_of(200), json!({ "status": "ok" }));
    assert_eq!(api.get("/api/health").json_of(200)["isAcceptingNewSessions"], json!(false));

    let start = Instant::now();
    quarterdeck.signal(Signal::SIGTERM);
    assert_eq!(quarterdeck.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(25), "the grace was not shortened: {:?}", start.elapsed());
}

#[test]
fn those_who_ignore_term_are_killed_after_the_grace() {
    let mut quarterdeck = Quarterdeck::with(&["--shutdown-grace", "1s", "--stop-grace", "500ms"]);
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    for _ in 0..4 {
        let id = api.shell(STUBBORN);
        client.attach(&id);
        client.wait_until("the session is stubborn", |view| view.text(&id).contains("ready"));
    }
    assert_eq!(quarterdeck.stop().code(), Some(0));
}

#[test]
fn programs_see_term_and_may_finish_their_work() {
    let mut quarterdeck = Quarterdeck::start();
    let id =
        quarterdeck.api().shell("trap 'echo saved > saved; exit 0' TERM HUP; echo ready; while :; do sleep 0.05; done");
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("ready", |view| view.text(&id).contains("ready"));
    assert_eq!(quarterdeck.stop().code(), Some(0));
    assert_eq!(std::fs::read_to_string(quarterdeck.dir().join("saved")).expect("the saved file"), "saved\n");
}

#[test]
fn a_shutdown_while_the_server_is_dead_ends_all_the_same() {
    let mut quarterdeck = Quarterdeck::start();
    quarterdeck.api().shell("exec yes");
    quarterdeck.kill_server();
    assert_eq!(quarterdeck.stop().code(), Some(0));
}

#[test]
fn the_port_and_the_socket_are_free_afterwards() {
    let mut quarterdeck = Quarterdeck::start();
    let address = quarterdeck.address().to_owned();
    assert!(quarterdeck.dir().join("api.sock").exists());
    quarterdeck.stop();
    eventually("the port is free", || std::net::TcpListener::bind(&address).ok());
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[test]
fn the_end_goes_step_by_step_and_what_ran_is_idle_afterwards() {
    let mut quarterdeck = Quarterdeck::with(&["--stop-grace", "1s"]);
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let busy = "while :; do :; done";
    for command in
        [STUBBORN.to_owned(), format!("echo ready; {busy}"), "yes ready".into(), format!("echo ready; {busy}")]
    {
        let id = api.shell(&command);
        client.attach(&id);
        client.wait_until("it is busy", |view| view.text(&id).contains("ready"));
    }
    let start = Instant::now();
    quarterdeck.signal(Signal::SIGTERM);
    client.wait_until("told of the shutdown", |view| view.of_type("server.shutdown").count() == 1);
    api.post("/api/sessions", &json!({})).error(503, "SHUTTING_DOWN");
    assert_eq!(quarterdeck.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(8), "took {:?}", start.elapsed());

    quarterdeck.log().wait_for_message("Shutdown complete");
    let entries = quarterdeck.log().entries();
    let places = |message: &str| {
        let places = entries.iter().enumerate().filter(|(_, entry)| entry["message"] == message).map(|(at, _)| at);
        places.collect::<Vec<_>>()
    };
    let once = |message: &str| {
        let found = places(message);
        assert_eq!(found.len(), 1, "{message:?} in {entries:#?}");
        found[0]
    };
    let order = ["Shutting down", "Resource monitoring stopped", "State saved", "API server ends", "Shutdown complete"];
    let order = order.map(once);
    assert!(order.is_sorted(), "{order:?}");
    let exits = places("Session leader exited");
    assert_eq!(exits.len(), 4);
    assert!(exits.iter().all(|exit| (order[0]..order[2]).contains(exit)), "{exits:?} in {order:?}");

    quarterdeck.start_again(&Setup::default());
    let list = quarterdeck.api().get("/api/sessions").json_of(200);
    let told =
        |field: &str| list["sessions"].as_array().expect("a list").iter().map(|s| s[field].clone()).collect::<Vec<_>>();
    assert_eq!(told("status"), vec![json!("idle"); 4]);
    let signals = told("signal");
    assert_eq!(signals[0], json!("SIGKILL"), "it ignores TERM: {signals:?}");
    assert!(told("exitReason").iter().all(|reason| reason.as_str().is_some_and(|r| r.contains("with the container"))));
}

#[test]
fn a_second_signal_does_not_cost_the_state() {
    let mut quarterdeck = Quarterdeck::with(&["--shutdown-grace", "50s", "--stop-grace", "50s"]);
    let mut client = quarterdeck.connect(Form::Json);
    let id = quarterdeck.api().shell(STUBBORN);
    client.attach(&id);
    client.wait_until("the session is stubborn", |view| view.text(&id).contains("ready"));
    quarterdeck.signal(Signal::SIGTERM);
    client.wait_until("told of the shutdown", |view| view.of_type("server.shutdown").count() == 1);
    quarterdeck.signal(Signal::SIGTERM);
    assert_eq!(quarterdeck.wait().code(), Some(0));
    quarterdeck.log().wait_for_message("State saved");
    quarterdeck.start_again(&Setup::default());
    let session = quarterdeck.api().session(&id);
    assert_eq!((&session["status"], &session["signal"]), (&json!("idle"), &json!("SIGKILL")));
}
