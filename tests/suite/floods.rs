//! More of everything than anybody needs: requests, frames, bytes, depth.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use tungstenite::Message;

use crate::support::attack::{counted, cut, resident, stays_responsive};
use crate::support::metrics::Scrape;
use crate::support::{Bystander, Form, Quarterdeck, eventually, patience};

/// Memory that a flood may cost the server, in bytes.
const COST: u64 = 32 << 20;

fn connect(quarterdeck: &Quarterdeck) -> TcpStream {
    let stream = TcpStream::connect(quarterdeck.address()).expect("a connection");
    stream.set_read_timeout(Some(patience())).expect("SO_RCVTIMEO");
    stream.set_write_timeout(Some(patience())).expect("SO_SNDTIMEO");
    stream
}

fn request(quarterdeck: &Quarterdeck, more: &str) -> String {
    format!("GET /health HTTP/1.1\r\nHost: {}\r\n{more}\r\n", quarterdeck.address())
}

/// Whatever comes until the end, as text.
fn rest_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn too_many_requests_are_429_with_the_time_to_wait() {
    let quarterdeck = Quarterdeck::with(&["--max-requests-per-second", "5"]);
    let api = quarterdeck.api();
    let refused = eventually("it is enough", || {
        let reply = api.get("/health");
        (reply.status != 200).then_some(reply)
    });
    assert!((1..=2).contains(&refused.number("retry-after")), "{refused}");
    assert_eq!(refused.headers["connection"], "close");
    let error = refused.error(429, "RATE_LIMITED");
    assert!(error["details"]["retryAfterSeconds"].is_u64(), "{error}");
    // Others have their own, and after a while so has this one.
    assert!(quarterdeck.command(&["health"]).status.success(), "the Unix socket is not counted");
    let refusals = eventually("a request is taken again", || {
        let reply = api.get("/metrics");
        (reply.status == 200).then(|| String::from_utf8(reply.body).expect("text"))
    });
    assert!(refusals.contains("quarterdeck_refused_requests_total{code=\"RATE_LIMITED\"}"), "{refusals}");
}

#[test]
fn a_pipeline_full_of_requests_is_answered_up_to_the_limit_and_closed() {
    let quarterdeck = Quarterdeck::with(&["--max-requests-per-second", "50"]);
    let mut stream = connect(&quarterdeck);
    let sender = stream.try_clone().expect("a descriptor");
    let pipeline = request(&quarterdeck, "").repeat(5000);
    std::thread::scope(|scope| {
        // The server stops reading, and closes.
        scope.spawn(|| (&sender).write_all(pipeline.as_bytes()));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let (taken, refused) = (answer.matches("HTTP/1.1 200 ").count(), answer.matches("HTTP/1.1 429 ").count());
        // The end may be a reset that takes answers with it.
        assert!(taken < 1000 && refused <= 1, "{taken} taken, {refused} refused");
    });
    let text = eventually("a request is taken again", || {
        let reply = quarterdeck.api().get("/metrics");
        (reply.status == 200).then(|| String::from_utf8(reply.body).expect("text"))
    });
    let refused =
        text.lines().find_map(|line| line.strip_prefix("quarterdeck_refused_requests_total{code=\"RATE_LIMITED\"} "));
    let refused: u32 = refused.expect("a sample").parse().expect("a number");
    assert!((1..1000).contains(&refused), "{refused}, of 5000 in the pipeline");
}

#[test]
fn a_flood_of_requests_leaves_others_alone() {
    let quarterdeck = Quarterdeck::start();
    let mut bystander = Bystander::of(&quarterdeck);
    let pipeline = request(&quarterdeck, "").repeat(200);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let mut stream = connect(&quarterdeck);
                    let _ = stream.write_all(pipeline.as_bytes());
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                    rest_of(stream);
                }
            });
        }
        for _ in 0..20 {
            bystander.exchange();
        }
        // On the address that floods, too, there is a way in that is not counted.
        assert!(quarterdeck.command(&["health"]).status.success());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    bystander.check();
}

#[test]
fn heads_that_are_too_large_are_431_and_long_addresses_414() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let ask = |more: &str| {
        let mut stream = connect(&quarterdeck);
        stream
            .write_all(request(&quarterdeck, &format!("{more}Connection: close\r\n")).as_bytes())
            .expect("a connection");
        rest_of(stream)
    };
    let fields = |count: usize| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    assert!(ask(&fields(98)).starts_with("HTTP/1.1 200 "));
    let refused = ask(&fields(99));
    assert!(refused.starts_with("HTTP/1.1 431 ") && refused.contains("\"HEADERS_TOO_LARGE\""), "{refused}");
    let refused = ask(&format!("X: {}\r\n", "y".repeat(16 << 10)));
    assert!(refused.starts_with("HTTP/1.1 431 ") && refused.contains("\"HEADERS_TOO_LARGE\""), "{refused}");
    // What is absurd is not even read to its end.
    for absurd in [fields(1000), format!("X: {}\r\n", "y".repeat(200 << 10))] {
        let mut stream = connect(&quarterdeck);
        let sender = stream.try_clone().expect("a descriptor");
        let text = request(&quarterdeck, &absurd);
        let mut answer = [0; 13];
        std::thread::scope(|scope| {
            scope.spawn(|| (&sender).write_all(text.as_bytes()));
            stream.read_exact(&mut answer).expect("an answer");
        });
        assert_eq!(&answer, b"HTTP/1.1 431 ");
    }
    let api = quarterdeck.api();
    eventually("both are counted", || (cut(&api, "malformed") == 2.0).then_some(()));
    api.get(&format!("/health?{}", "x".repeat(9000))).error(414, "URI_TOO_LONG");
    bystander.check();
}

#[test]
fn packed_bodies_are_not_unpacked_and_deep_ones_not_followed() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let before = resident(&quarterdeck);
    for (path, encoding) in
        [("/api/sessions", "gzip"), ("/api/sessions/bystander/input", "br"), ("/api/sessions", "zstd")]
    {
        let mut stream = connect(&quarterdeck);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\n\
             Content-Length: 3\r\nConnection: close\r\n\r\n\x1f\x0b\x08",
            quarterdeck.address()
        );
        stream.write_all(head.as_bytes()).expect("a connection");
        let answer = rest_of(stream);
        assert!(answer.starts_with("HTTP/1.1 415 ") && answer.contains("\"UNSUPPORTED_MEDIA_TYPE\""), "{answer}");
    }
    let api = quarterdeck.api();
    // One word that would be much: 30 MB of the same.
    let same = format!("{{\"name\":\"{}\"}}", "a".repeat(30_000_000));
    api.post_bytes("/api/sessions", Some("application/json"), same.as_bytes()).error(413, "PAYLOAD_TOO_LARGE");
    for deep in ["[".repeat(10_000) + &"]".repeat(10_000), "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000)] {
        api.post_bytes("/api/sessions", Some("application/json"), deep.as_bytes()).error(400, "INVALID_REQUEST");
        let mut client = quarterdeck.connect(Form::Json);
        for text in [deep.clone(), format!("{{\"type\":\"heartbeat\",\"timestamp\":{deep}}}")] {
            client.send_raw(Message::text(text)).expect("a connection");
            assert_eq!(client.next_error()["code"], json!("INVALID_REQUEST"));
        }
        client.round_trip();
        client.close();
    }
    let cost = resident(&quarterdeck).saturating_sub(before);
    assert!(cost < COST, "{cost} bytes");
    bystander.check();
}

#[test]
fn output_that_nobody_takes_does_not_pile_up() {
    let quarterdeck = Quarterdeck::with(&["--scrollback", "16MiB"]);
    let api = quarterdeck.api();
    let id = api.shell("head -c 16000000 /dev/zero; exec cat");
    api.wait_for(&id, "silent", |session| session["outputOffset"] == json!(16_000_000));
    let ask = format!("GET /api/sessions/{id}/output HTTP/1.1\r\nHost: {}\r\n\r\n", quarterdeck.address());
    let takers: Vec<_> = (0..12)
        .map(|_| {
            let mut stream = connect(&quarterdeck);
            stream.write_all(ask.as_bytes()).expect("a connection");
            stream
        })
        .collect();
    // As much as there is room for is held, and no more.
    let refusals = || Scrape::of(&api).get("quarterdeck_refused_requests_total", &[("code", "BUSY")]);
    eventually("the others are refused", || (refusals() == Some(8.0)).then_some(()));
    assert!(resident(&quarterdeck) < 160 << 20, "{} bytes", resident(&quarterdeck));
    drop(takers);
    let whole = eventually("there is room again", || {
        let reply = api.get(&format!("/api/sessions/{id}/output"));
        (reply.status == 200).then_some(reply.body)
    });
    assert_eq!(whole.len(), 16_000_000);
    api.remove(&id);
}

/// A frame's first bytes, with a mask of zeros.
fn frame_head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first, 0x80 | 127];
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(&[0; 4]);
    head
}

#[test]
fn frames_that_announce_too_much_close_with_1009() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let before = resident(&quarterdeck);
    for length in [(1 << 20) + 1, u64::from(u32::MAX), (1 << 63) - 1, 1 << 63, u64::MAX] {
        let mut client = quarterdeck.connect(Form::Binary);
        client.send_bytes(&frame_head(0x82, length));
        client.wait_until("the server closes", |view| view.closed.is_some());
        assert!(matches!(client.view.closed, Some(1009 | 1002)), "{length}: {:?}", client.view.closed);
    }
    // The parts of one message count together.
    let mut client = quarterdeck.connect(Form::Binary);
    let part = [frame_head(0x00, 64 << 10), vec![b' '; 64 << 10]].concat();
    client.send_bytes(&[frame_head(0x01, 64 << 10), vec![b' '; 64 << 10]].concat());
    for _ in 0..16 {
        client.send_bytes(&part);
    }
    client.wait_until("the server closes", |view| view.closed.is_some());
    assert_eq!(client.view.closed, Some(1009));
    let cost = resident(&quarterdeck).saturating_sub(before);
    assert!(cost < COST, "{cost} bytes");
    bystander.check();
}

#[test]
fn floods_of_pings_and_empty_fragments_are_read_slowly_and_disturb_nobody() {
    let quarterdeck = Quarterdeck::start();
    let mut bystander = Bystander::of(&quarterdeck);
    let before = resident(&quarterdeck);
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    let fragment = [0x00, 0x80, 0, 0, 0, 0];
    let start = [0x01, 0x80, 0, 0, 0, 0];
    let stop = std::sync::atomic::AtomicBool::new(false);
    let api = quarterdeck.api();
    std::thread::scope(|scope| {
        for frames in [ping.repeat(4000), [start.to_vec(), fragment.repeat(4000)].concat()] {
            for _ in 0..2 {
                let (mut client, more) = (quarterdeck.connect(Form::Binary), frames[frames.len() - 24_000..].to_vec());
                let (stop, frames) = (&stop, frames.clone());
                scope.spawn(move || {
                    client.send_bytes(&frames);
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) && client.try_send_bytes(&more) {}
                });
            }
        }
        eventually("pings are read slowly", || {
            (Scrape::of(&api).value("quarterdeck_throttled_messages_total", &[]) > 0.0).then_some(())
        });
        stays_responsive(&quarterdeck, "a flood of frames");
        for _ in 0..10 {
            bystander.exchange();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let cost = resident(&quarterdeck).saturating_sub(before);
    assert!(cost < COST, "{cost} bytes");
    bystander.check();
}

#[test]
fn a_session_takes_only_so_many_clients() {
    let quarterdeck = Quarterdeck::with(&["--max-connections-per-client", "400"]);
    let api = quarterdeck.api();
    let id = api.shell("exec cat");
    let mut clients: Vec<_> = (0..256)
        .map(|_| {
            let mut client = quarterdeck.connect(Form::Binary);
            client.attach(&id);
            client
        })
        .collect();
    let mut late = quarterdeck.connect(Form::Binary);
    late.attach_fails(&id, "TOO_MANY_CLIENTS");
    assert_eq!(counted(&api, "quarterdeck_refused_requests_total", ("code", "TOO_MANY_CLIENTS")), 1.0);
    clients.pop().expect("a client").close();
    eventually("its place is free", || (api.session(&id)["clients"] == json!(255)).then_some(()));
    late.attach(&id);
    api.remove(&id);
}

#[test]
fn rings_that_would_fill_the_memory_are_warned_of_at_the_start() {
    let warned = |args: &[&str]| {
        let quarterdeck = Quarterdeck::with(args);
        // It is said before this.
        quarterdeck.log().wait_for_message("API server started");
        quarterdeck.log().lines().iter().any(|line| line.contains("lower --scrollback or --max-sessions"))
    };
    assert!(warned(&["--max-sessions", "32", "--scrollback", "4MiB", "--memory-limit", "200MiB"]));
    assert!(!warned(&["--max-sessions", "16", "--scrollback", "4MiB", "--memory-limit", "200MiB"]));
}
