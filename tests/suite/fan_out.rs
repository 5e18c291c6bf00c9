//! Several clients on one session: the slow ones hold up nobody.

use std::thread;

use serde_json::json;

use crate::support::payload::{self, READY, assert_same};
use crate::support::{Bystander, Client, Form, Quarterdeck, eventually, heavy};

/// A session with `written` to stream, told to begin once `client` is attached.
fn flood(quarterdeck: &Quarterdeck, written: &[u8]) -> String {
    let path = payload::file(quarterdeck.dir(), "payload", written);
    quarterdeck.api().run(&payload::stream(&path))
}

fn a_reader_gets_all_beside_one_that_never_reads(form: Form) {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::start();
    // A gap may begin and end inside a character, and this is about bytes.
    let written = payload::ascii(1, 25 << 20);
    let id = flood(&quarterdeck, &written);
    let whole = [READY, &written].concat();

    let mut sleeper = quarterdeck.connect(form);
    sleeper.attach(&id);
    let mut reader = quarterdeck.connect(form);
    reader.attach(&id);
    reader.begin(&id);
    reader.wait_for_exit(&id);
    assert_eq!(reader.view.terminal(&id).gaps, []);
    assert_same(reader.view.bytes(&id), &whole);

    // Awake at last, the sleeper is told what it missed and gets the rest.
    sleeper.wait_for_exit(&id);
    let terminal = sleeper.view.terminal(&id);
    assert!(!terminal.gaps.is_empty(), "it read everything, so nothing was shown");
    assert_same(&terminal.bytes, &without(&whole, &terminal.gaps));
    let (_, end) = terminal.gaps[terminal.gaps.len() - 1];
    // What the ring holds in the end it held whenever the gap was made, but for one read's room above its oldest byte.
    let held = whole.len() as u64 - (4 << 20) + (8 << 10);
    assert!(end <= held, "what the ring still held was not sent: the gap ends at {end} and not before {held}");
}

/// The bytes that are in none of the gaps.
fn without(whole: &[u8], gaps: &[(u64, u64)]) -> Vec<u8> {
    let at = |offset: u64| usize::try_from(offset).expect("an offset");
    let starts = std::iter::once(0).chain(gaps.iter().map(|(_, to)| at(*to)));
    let ends = gaps.iter().map(|(from, _)| at(*from)).chain([whole.len()]);
    starts.zip(ends).flat_map(|(start, end)| whole[start..end].iter().copied()).collect()
}

#[test]
fn a_json_reader_gets_all_beside_one_that_never_reads() {
    a_reader_gets_all_beside_one_that_never_reads(Form::Json);
}

#[test]
fn a_binary_reader_gets_all_beside_one_that_never_reads() {
    a_reader_gets_all_beside_one_that_never_reads(Form::Binary);
}

/// Waits until the session's output has not grown in many looks in a row.
fn wait_for_standstill(quarterdeck: &Quarterdeck, id: &str) {
    const LOOKS: usize = 50;
    let (api, mut seen, mut still) = (quarterdeck.api(), 0, 0);
    eventually("the program stands still", || {
        let now = api.session(id)["outputOffset"].as_u64()?;
        still = if now == seen && now > READY.len() as u64 { still + 1 } else { 0 };
        seen = now;
        (still >= LOOKS).then_some(())
    });
}

#[test]
fn a_lone_slow_client_slows_the_program_and_loses_nothing() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::start();
    let written = payload::binary(2, 25 << 20);
    let id = flood(&quarterdeck, &written);
    let mut slow = quarterdeck.connect(Form::Binary);
    slow.attach(&id);
    slow.begin(&id);
    // Nobody reads now: the program must come to a stand with the ring full.
    wait_for_standstill(&quarterdeck, &id);
    slow.wait_for_exit(&id);
    assert_eq!(slow.view.terminal(&id).gaps, []);
    assert_same(slow.view.bytes(&id), &[READY, &written].concat());
}

#[test]
fn a_hundred_clients_on_one_session_see_equal_bytes() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let written = payload::text(3, 1 << 20);
    let id = flood(&quarterdeck, &written);
    let whole = [READY, &written].concat();

    let forms = [Form::Json, Form::Binary, Form::Acked];
    let mut clients: Vec<_> = (0..100).map(|n| quarterdeck.connect(forms[n % forms.len()])).collect();
    clients.iter_mut().for_each(|client| client.attach(&id));
    assert_eq!(quarterdeck.api().session(&id)["clients"], json!(100));
    clients[0].begin(&id);
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                client.wait_for_exit(&id);
                assert_eq!(client.view.terminal(&id).gaps, []);
                assert_same(client.view.bytes(&id), &whole);
            });
        }
    });
    clients.iter_mut().for_each(Client::close);
    quarterdeck.api().remove(&id);
    bystander.check();
}
