//! Sessions that end before anybody can look.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::support::payload::shell;
use crate::support::{Client, Form, Quarterdeck, heavy};

const SESSIONS: usize = 1000;
const AT_ONCE: usize = 8;

/// One session's life, watched over HTTP.
fn by_http(quarterdeck: &Quarterdeck, n: usize) {
    let api = quarterdeck.api();
    let id = api.shell(&script(n));
    let ended = api.wait_for_exit(&id);
    assert_eq!(ended["exitCode"], json!(n % 256), "{ended}");
    // The exit is told at once, the last output may still be on its way.
    api.wait_for(&id, "drained", |session| session["outputOffset"] == json!(text(n).len()));
    let reply = api.get(&format!("/api/sessions/{id}/output?offset=0"));
    assert_eq!(reply.number("quarterdeck-next-offset"), text(n).len() as u64);
    assert_eq!(String::from_utf8_lossy(&reply.bytes_of(200)), text(n));
    api.remove(&id);
}

/// One session's life, watched over the WebSocket.
fn by_socket(quarterdeck: &Quarterdeck, client: &mut Client, n: usize) {
    let id = quarterdeck.api().shell(&script(n));
    client.attach(&id);
    assert_eq!(client.wait_for_exit(&id)["exitCode"], json!(n % 256));
    assert_eq!(client.view.text(&id), text(n));
    quarterdeck.api().remove(&id);
    client.wait_until("told of the removal", |view| {
        view.of_type("session.destroyed").any(|message| message["sessionId"] == json!(id))
    });
    client.view.messages.clear();
    client.view.terminals.clear();
}

fn script(n: usize) -> String {
    format!("printf 'first of {n}, '; printf 'last of {n}'; exit {}", n % 256)
}

fn text(n: usize) -> String {
    format!("first of {n}, last of {n}")
}

#[test]
fn of_a_thousand_sessions_every_byte_and_exit_code_arrives() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::with(&["--max-sessions", "8"]);
    let before = quarterdeck.settled_descriptor_counts(0);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            let (next, quarterdeck) = (&next, &quarterdeck);
            scope.spawn(move || {
                let mut client = quarterdeck.connect([Form::Json, Form::Acked][worker / 2 % 2]);
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    match n {
                        SESSIONS.. => break client.close(),
                        _ if worker % 2 == 0 => by_http(quarterdeck, n),
                        _ => by_socket(quarterdeck, &mut client, n),
                    }
                }
            });
        }
    });
    assert_eq!(quarterdeck.api().get("/api/sessions").json_of(200)["sessions"], json!([]));
    quarterdeck.wait_for_descriptor_counts(before);
    assert_eq!(crate::support::process::children(quarterdeck.init).len(), 1, "somebody was not reaped");
}

#[test]
fn a_program_that_writes_nothing_and_ends_is_told_at_offset_zero() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().run(&shell("exit 0"));
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach(&id);
    let exit = client.wait_for_exit(&id);
    assert_eq!((exit["exitCode"].clone(), exit["offset"].clone()), (json!(0), json!(0)));
    let session = quarterdeck.api().session(&id);
    assert_eq!((session["status"].as_str(), session["exitCode"].clone()), (Some("stopped"), json!(0)));
}

#[test]
fn death_by_signal_is_told_with_its_name() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().shell("kill -USR1 $$");
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    let exit = client.wait_for_exit(&id);
    assert_eq!(exit["signal"], json!("SIGUSR1"));
    let session = quarterdeck.api().session(&id);
    assert_eq!((session["status"].as_str(), session["signal"].as_str()), (Some("error"), Some("SIGUSR1")));
}
