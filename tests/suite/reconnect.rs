//! Connections come and go; the stream has no seam.

use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::support::payload::{self, READY, assert_same};
use crate::support::{Form, Quarterdeck, heavy};

const LEGS: usize = 200;

/// A new seed each run; a failed run prints its own, to be put here.
fn seed() -> u64 {
    let fixed: Option<u64> = std::env::var("QUARTERDECK_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let seed = fixed.unwrap_or(u64::from(now.subsec_nanos()));
    eprintln!("seed: QUARTERDECK_TEST_SEED={seed}");
    seed
}

#[test]
fn two_hundred_reconnects_under_load_lose_and_double_nothing() {
    let _alone = heavy();
    let mut random = fastrand::Rng::with_seed(seed());
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let noise = api.run(&payload::shell("exec yes 'the load beside'"));
    let written = payload::text(random.u64(..), 24 << 20);
    let path = payload::file(quarterdeck.dir(), "payload", &written);
    let id = api.run(&payload::stream(&path));

    let (over, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let end = end;
            let mut listener = quarterdeck.connect(Form::Binary);
            listener.attach(&noise);
            // Ends when the other end is dropped, in whatever way.
            while end.try_recv() == Err(TryRecvError::Empty) {
                listener.pump().expect("the neighbour's connection");
                listener.view.terminal(&noise).bytes.clear();
            }
        });
        let over = over;
        let mut client = quarterdeck.connect(Form::Json);
        client.attach(&id);
        client.begin(&id);
        for _ in 0..LEGS {
            let target = (client.view.bytes(&id).len() + random.usize(..200 << 10)).min(READY.len() + written.len());
            client.wait_until("this leg's bytes came", |view| view.bytes(&id).len() >= target);
            if random.bool() {
                client.close();
            }
            client.reconnect(*random.choice(&[Form::Json, Form::Binary, Form::Acked]).expect("a form"));
        }
        let exit = client.wait_for_exit(&id);
        drop(over);
        assert_eq!(exit["exitCode"], json!(7));
        assert_eq!(client.view.terminal(&id).gaps, []);
        assert_same(client.view.bytes(&id), &[READY, &written].concat());
    });
}

#[test]
fn attaching_at_an_offset_starts_exactly_there() {
    let quarterdeck = Quarterdeck::start();
    let written = payload::binary(4, 300_000);
    let id = quarterdeck.api().run(&payload::cat(&payload::file(quarterdeck.dir(), "payload", &written)));
    quarterdeck.api().wait_for_exit(&id);
    for offset in [0, 1, 4095, 4096, 65_536, 299_999, 300_000] {
        let mut client = quarterdeck.connect(Form::Binary);
        client.attach_with(&id, json!({ "offset": offset }));
        client.wait_for_exit(&id);
        let terminal = client.view.terminal(&id);
        assert_eq!(terminal.attached[0]["offset"], json!(offset));
        assert_eq!(terminal.attached[0]["head"], json!(written.len()));
        assert_same(&terminal.bytes, &written[offset..]);
    }
}

#[test]
fn attaching_live_starts_at_the_head() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("stty raw -echo; printf before; head -c 1 >/dev/null; printf after");
    api.wait_for(&id, "at its prompt", |session| session["outputOffset"] == json!(6));
    let mut live = quarterdeck.connect(Form::Json);
    live.attach_with(&id, json!({ "offset": "live" }));
    let mut oldest = quarterdeck.connect(Form::Json);
    oldest.attach_with(&id, json!({ "offset": "oldest" }));
    let _ = api.input(&id, b"!").json_of(200);
    live.wait_for_exit(&id);
    assert_eq!(live.view.text(&id), "after");
    oldest.wait_for_exit(&id);
    assert_eq!(oldest.view.text(&id), "beforeafter");
}
