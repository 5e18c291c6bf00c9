//! What the ring still holds, what it does not, and how one is told.

use serde_json::json;

use crate::support::payload::{self, assert_same};
use crate::support::{Api, Form, Quarterdeck};

const SCROLLBACK: usize = 128 << 10;
const WRITTEN: usize = 1 << 20;

/// A session that wrote more than its ring holds while nobody was attached.
fn overrun(quarterdeck: &Quarterdeck) -> (String, Vec<u8>, usize) {
    let written = payload::binary(5, WRITTEN);
    let path = payload::file(quarterdeck.dir(), "payload", &written);
    let api = quarterdeck.api();
    let id = api.run(&payload::cat(&path));
    // The exit on the WebSocket comes behind the last byte: from then on the
    // ring changes no more.
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach_with(&id, json!({ "offset": "live" }));
    client.wait_for_exit(&id);
    let session = api.session(&id);
    assert_eq!(session["outputOffset"], json!(WRITTEN));
    let oldest = session["oldestOffset"].as_u64().expect("an offset");
    (id, written, usize::try_from(oldest).expect("an offset"))
}

fn small() -> Quarterdeck {
    Quarterdeck::with(&["--scrollback", "128KiB", "--history", "0"])
}

#[test]
fn the_ring_keeps_the_newest_bytes_up_to_its_size() {
    let quarterdeck = small();
    let (_, _, oldest) = overrun(&quarterdeck);
    let kept = WRITTEN - oldest;
    assert!((SCROLLBACK / 2..=SCROLLBACK).contains(&kept), "{kept} bytes kept");
}

#[test]
fn attaching_at_what_is_gone_tells_the_gap_and_sends_the_rest() {
    let quarterdeck = small();
    let (id, written, oldest) = overrun(&quarterdeck);
    for (form, asked) in [(Form::Json, 10), (Form::Binary, 0), (Form::Acked, oldest - 1)] {
        let mut client = quarterdeck.connect(form);
        client.attach_with(&id, json!({ "offset": asked }));
        let exit = client.wait_for_exit(&id);
        let terminal = client.view.terminal(&id);
        assert_eq!(terminal.attached[0]["offset"], json!(oldest));
        assert_eq!(terminal.attached[0]["oldest"], json!(oldest));
        assert_eq!(terminal.gaps, [(asked as u64, oldest as u64)]);
        assert_eq!(exit["offset"], json!(WRITTEN));
        if form != Form::Json {
            assert_same(&terminal.bytes, &written[oldest..]);
        }
    }
    // Asked for the oldest there is, nothing is missing that was asked for.
    for fields in [json!({}), json!({ "offset": "oldest" }), json!({ "offset": oldest })] {
        let mut client = quarterdeck.connect(Form::Binary);
        client.attach_with(&id, fields);
        client.wait_for_exit(&id);
        let terminal = client.view.terminal(&id);
        assert_eq!(terminal.gaps, []);
        assert_same(&terminal.bytes, &written[oldest..]);
    }
}

#[test]
fn coming_back_too_late_tells_exactly_what_is_gone() {
    let quarterdeck = small();
    let written = payload::binary(6, WRITTEN);
    let path = payload::file(quarterdeck.dir(), "payload", &written);
    let api = quarterdeck.api();
    let id = api.run(&payload::stream(&path));
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach(&id);
    client.begin(&id);
    client.wait_until("some output came", |view| view.bytes(&id).len() > 1000);
    client.cut();
    // Its place is held for a while, then the program runs free.
    api.wait_for_exit(&id);
    client.reconnect(Form::Binary);
    client.wait_for_exit(&id);
    let whole = [payload::READY, &written].concat();
    let terminal = client.view.terminal(&id);
    let [(from, to)] = terminal.gaps[..] else { panic!("one gap expected: {:?}", terminal.gaps) };
    let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
    assert_same(&terminal.bytes, &[&whole[..from], &whole[to..]].concat());
}

fn range(api: &Api, id: &str, query: &str) -> (u64, u64, u64, Vec<u8>) {
    let reply = api.get(&format!("/api/sessions/{id}/output{query}"));
    let numbers = ["quarterdeck-offset", "quarterdeck-next-offset", "quarterdeck-oldest-offset"];
    let [offset, next, oldest] = numbers.map(|header| reply.number(header));
    (offset, next, oldest, reply.bytes_of(200))
}

#[test]
fn output_is_read_by_offset_over_http() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let written = payload::binary(7, 200_000);
    let id = api.run(&payload::cat(&payload::file(quarterdeck.dir(), "payload", &written)));
    api.wait_for(&id, "drained", |session| session["outputOffset"] == json!(200_000));

    assert_eq!(range(&api, &id, "?offset=0&limit=10"), (0, 10, 0, written[..10].to_vec()));
    assert_eq!(range(&api, &id, "?offset=199990&limit=1000"), (199_990, 200_000, 0, written[199_990..].to_vec()));
    assert_eq!(range(&api, &id, "?offset=200000"), (200_000, 200_000, 0, Vec::new()));
    let (mut at, mut read) = (0, Vec::new());
    while at < 200_000 {
        let (offset, next, _, bytes) = range(&api, &id, &format!("?offset={at}&limit=65536"));
        assert_eq!((offset, next), (at, at + bytes.len() as u64));
        assert!(!bytes.is_empty() && bytes.len() <= 65_536);
        read.extend_from_slice(&bytes);
        at = next;
    }
    assert_same(&read, &written);
}

#[test]
fn output_outside_what_is_retained_is_416_with_the_oldest_offset() {
    let quarterdeck = small();
    let (id, written, oldest) = overrun(&quarterdeck);
    let api = quarterdeck.api();
    for offset in [0, oldest - 1, WRITTEN + 1, usize::MAX] {
        let reply = api.get(&format!("/api/sessions/{id}/output?offset={offset}"));
        assert_eq!(reply.number("quarterdeck-oldest-offset"), oldest as u64, "{reply}");
        let error = reply.error(416, "OFFSET_OUT_OF_RANGE");
        assert!(error.to_string().contains(&oldest.to_string()), "the oldest offset is not told: {error}");
    }
    let (offset, next, _, bytes) = range(&api, &id, &format!("?offset={oldest}&limit=100"));
    assert_eq!((offset, next), (oldest as u64, oldest as u64 + 100));
    assert_same(&bytes, &written[oldest..oldest + 100]);
}

#[test]
fn a_list_can_wait_for_the_next_change() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let generation = |api: &Api| api.get("/api/sessions").json_of(200)["generation"].as_u64().expect("a generation");
    let before = generation(&api);
    let waiting = std::thread::spawn({
        let api = api.clone();
        move || api.get(&format!("/api/sessions?waitBeyond={before}")).json_of(200)
    });
    let id = api.shell("exec sleep 1000");
    let seen = waiting.join().expect("an answer");
    assert!(seen["generation"].as_u64() > Some(before), "{seen}");
    // One already passed is answered at once.
    let now = api.get(&format!("/api/sessions?waitBeyond={before}")).json_of(200);
    assert_eq!(now["sessions"][0]["id"], json!(id));
    api.remove(&id);
    assert!(generation(&api) > now["generation"].as_u64().unwrap());
}
