//! Four sessions flood at once, and every byte arrives once and in order.

use std::thread;

use serde_json::json;

use crate::support::payload::{self, READY, assert_same};
use crate::support::{Client, Form, Quarterdeck, heavy};

const EACH: usize = 25 << 20;
const SESSIONS: u64 = 4;

/// The sessions' payloads and ids, ready to be told to begin.
fn prepare(quarterdeck: &Quarterdeck, make: fn(u64, usize) -> Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let start = |seed: u64| {
        let written = make(seed, EACH);
        let path = payload::file(quarterdeck.dir(), &format!("payload-{seed}"), &written);
        (quarterdeck.api().run(&payload::stream(&path)), written)
    };
    (1..=SESSIONS).map(start).collect()
}

#[track_caller]
fn finish(client: &mut Client, id: &str, written: &[u8]) {
    let exit = client.wait_for_exit(id);
    assert_eq!(exit["exitCode"], json!(7));
    assert_eq!(exit["offset"], json!(READY.len() + written.len()));
    let terminal = client.view.terminal(id);
    assert_eq!(terminal.gaps, []);
    assert_same(&terminal.bytes[READY.len()..], written);
}

/// All four on one connection.
fn one_client(form: Form, make: fn(u64, usize) -> Vec<u8>) {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::start();
    let sessions = prepare(&quarterdeck, make);
    let mut client = quarterdeck.connect(form);
    for (id, _) in &sessions {
        client.attach(id);
    }
    for (id, _) in &sessions {
        client.begin(id);
    }
    for (id, written) in &sessions {
        finish(&mut client, id, written);
    }
}

#[test]
fn four_floods_arrive_whole_as_json() {
    one_client(Form::Json, payload::text);
}

#[test]
fn four_floods_arrive_whole_as_binary_without_acks() {
    one_client(Form::Binary, payload::binary);
}

#[test]
fn four_floods_arrive_whole_as_binary_with_acks() {
    one_client(Form::Acked, payload::binary);
}

#[test]
fn four_floods_arrive_whole_at_four_clients() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::start();
    let sessions = prepare(&quarterdeck, payload::text);
    let forms = [Form::Json, Form::Binary, Form::Acked, Form::Json];
    thread::scope(|scope| {
        for ((id, written), form) in sessions.iter().zip(forms) {
            let quarterdeck = &quarterdeck;
            scope.spawn(move || {
                let mut client = quarterdeck.connect(form);
                client.attach(id);
                client.begin(id);
                finish(&mut client, id, written);
            });
        }
    });
}

#[test]
fn a_window_bounds_what_is_in_flight_until_it_is_acknowledged() {
    let quarterdeck = Quarterdeck::start();
    let written = payload::binary(9, 1 << 20);
    let path = payload::file(quarterdeck.dir(), "payload", &written);
    let id = quarterdeck.api().run(&payload::stream(&path));
    let window = 64 * 1024;

    let mut bounded = quarterdeck.connect(Form::Binary);
    bounded.attach_with(&id, json!({ "window": window }));
    let mut free = quarterdeck.connect(Form::Binary);
    free.attach(&id);
    free.begin(&id);
    finish(&mut free, &id, &written);

    // Everything is written and the other client has it all, so whatever may
    // be sent is on its way; the round trip flushes it out.
    bounded.wait_until("the window is used", |view| view.bytes(&id).len() >= window);
    bounded.round_trip();
    assert_eq!(bounded.view.bytes(&id).len(), window);
    bounded.send(&json!({ "type": "terminal.ack", "sessionId": id, "offset": 1000 }));
    bounded.wait_until("a part was acknowledged", |view| view.bytes(&id).len() >= window + 1000);
    bounded.round_trip();
    assert_eq!(bounded.view.bytes(&id).len(), window + 1000);
}
