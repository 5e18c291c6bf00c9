//! Crowds of clients that open connections and do nothing good with them: who
//! minds their own business notices nothing.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::attack::{Attack, counted, cut, resident, stays_responsive, wait_for_connections};
use crate::support::metrics::Scrape;
use crate::support::{Bystander, Form, Quarterdeck, eventually, heavy, patience};

/// Memory that any crowd may cost the server, in bytes: far more than it does,
/// far less than it would with room for all of them.
const COST: u64 = 48 << 20;

#[track_caller]
fn withstands(quarterdeck: &Quarterdeck, count: usize, mode: &str) -> Attack {
    let mut bystander = Bystander::of(quarterdeck);
    let before = resident(quarterdeck);
    let attack = Attack::on(quarterdeck, count, mode);
    stays_responsive(quarterdeck, &format!("{count} times {mode}"));
    bystander.exchange();
    let open = counted(&quarterdeck.api(), "quarterdeck_connections", ("listener", "tcp"));
    assert!(open <= 512.0, "{open} connections");
    let cost = resident(quarterdeck).saturating_sub(before);
    assert!(cost < COST, "{cost} bytes for {count} times {mode}");
    eprintln!("{count} times {mode}: {open} connections stayed, {} KiB of memory", cost / 1024);
    bystander.leave();
    attack
}

/// After the attack everything is as it was.
#[track_caller]
fn recovers(quarterdeck: &Quarterdeck, attack: Attack) {
    drop(attack);
    wait_for_connections(&quarterdeck.api(), 1.0);
    Bystander::of(quarterdeck).check();
}

#[test]
fn ten_thousand_sockets_that_say_nothing_keep_nobody_out() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::start();
    let attack = withstands(&quarterdeck, 10_000, "nothing");
    let api = quarterdeck.api();
    assert!(cut(&api, "evicted") >= 9000.0, "{}", cut(&api, "evicted"));
    assert_eq!(counted(&api, "quarterdeck_refused_connections_total", ("limit", "total")), 0.0);
    recovers(&quarterdeck, attack);
}

#[test]
fn heads_that_trickle_are_cut_off_and_keep_nobody_out() {
    let quarterdeck = Quarterdeck::start();
    let attack = withstands(&quarterdeck, 2000, "head");
    let api = quarterdeck.api();
    eventually("slow heads are cut off", || (cut(&api, "slow_head") > 0.0).then_some(()));
    eventually("that is counted", || {
        (counted(&api, "quarterdeck_refused_requests_total", ("code", "REQUEST_TIMEOUT")) > 0.0).then_some(())
    });
    recovers(&quarterdeck, attack);
}

#[test]
fn bodies_that_trickle_are_cut_off_and_keep_nobody_out() {
    let quarterdeck = Quarterdeck::start();
    let attack = withstands(&quarterdeck, 1500, "body");
    recovers(&quarterdeck, attack);
}

#[test]
fn a_head_that_does_not_come_is_answered_408() {
    let quarterdeck = Quarterdeck::start();
    let start = Instant::now();
    let mut stream = TcpStream::connect(quarterdeck.address()).expect("a connection");
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: ").expect("a connection");
    let answer = all_of(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&body["code"], &body["error"]["code"]), (&json!("REQUEST_TIMEOUT"), &json!("REQUEST_TIMEOUT")));
    assert!(body["error"]["suggestion"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    assert!(start.elapsed() >= Duration::from_secs(9), "{:?}", start.elapsed());
    assert_eq!(cut(&quarterdeck.api(), "slow_head"), 1.0);
}

#[test]
fn a_body_that_pauses_is_answered_408() {
    let quarterdeck = Quarterdeck::start();
    let mut stream = TcpStream::connect(quarterdeck.address()).expect("a connection");
    let head =
        "POST /api/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let head = head.replace("Host: x", &format!("Host: {}", quarterdeck.address()));
    stream.write_all(head.as_bytes()).expect("a connection");
    let answer = all_of(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"REQUEST_TIMEOUT\""), "{answer}");
    assert_eq!(cut(&quarterdeck.api(), "slow_body"), 1.0);
}

fn all_of(stream: &mut impl Read) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and its end");
    answer
}

#[test]
fn connections_that_do_nothing_end() {
    let quarterdeck = Quarterdeck::with(&["--scrollback", "16MiB"]);
    let api = quarterdeck.api();
    let id = api.shell("head -c 16000000 /dev/zero; exec cat");
    api.wait_for(&id, "silent", |session| session["outputOffset"] == json!(16_000_000));
    // One that takes nothing of what it asked for.
    let mut unread = TcpStream::connect(quarterdeck.address()).expect("a connection");
    let request = format!("GET /api/sessions/{id}/output HTTP/1.1\r\nHost: {}\r\n\r\n", quarterdeck.address());
    unread.write_all(request.as_bytes()).expect("a connection");
    // One that keeps its connection after an answer, one that never pongs.
    let mut kept = TcpStream::connect(quarterdeck.address()).expect("a connection");
    let request = format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", quarterdeck.address());
    kept.write_all(request.as_bytes()).expect("a connection");
    kept.set_read_timeout(Some(patience() * 3)).expect("SO_RCVTIMEO");
    // Nothing reads for it, so nothing answers its pings.
    let silent = quarterdeck.connect(Form::Json);
    let answer = all_of(&mut kept);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(cut(&api, "idle"), 1.0);
    eventually("the silent one is cut off", || (cut(&api, "silent") == 1.0).then_some(()));
    eventually("the one that takes nothing is cut off", || (cut(&api, "unread") == 1.0).then_some(()));
    wait_for_connections(&api, 1.0);
    drop((silent, unread));
    api.remove(&id);
}

#[test]
fn a_client_with_all_its_connections_in_use_is_refused_and_others_are_not() {
    let quarterdeck = Quarterdeck::with(&["--max-connections", "8", "--max-connections-per-client", "6"]);
    let mut clients: Vec<_> = (0..6).map(|_| quarterdeck.connect(Form::Json)).collect();
    let mut refused = TcpStream::connect(quarterdeck.address()).expect("a connection");
    let answer = all_of(&mut refused);
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    assert!(answer.contains("\"TOO_MANY_CONNECTIONS\"") && answer.contains("--max-connections-per-client"), "{answer}");
    // From another address two more are taken, and then no other.
    let port = quarterdeck.address().rsplit(':').next().expect("a port").parse().expect("a port");
    let busy: Vec<_> = (0..2).map(|_| waiting_for_news(port)).collect();
    let mut late = from("127.0.0.3", port);
    let answer = all_of(&mut late);
    assert!(answer.contains("\"TOO_MANY_CONNECTIONS\"") && answer.contains("--max-connections."), "{answer}");
    for client in &mut clients {
        client.round_trip();
        client.close();
    }
    let api = quarterdeck.api();
    eventually("places are free again", || {
        (api.try_call("GET", "/health", None, &[]).ok()?.status == 200).then_some(())
    });
    let refusals = |limit| counted(&api, "quarterdeck_refused_connections_total", ("limit", limit));
    assert!(refusals("client") >= 1.0 && refusals("total") >= 1.0);
    assert_eq!(counted(&api, "quarterdeck_connections_limit", ("listener", "tcp")), 8.0);
    drop(busy);
}

/// A connection from another loopback address.
fn from(source: &str, port: u16) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let address = |host: &str, port: u16| SocketAddrV4::new(host.parse().expect("an address"), port);
    bind(&socket, &address(source, 0)).expect("a loopback address");
    connect(&socket, &address("127.0.0.1", port)).expect("a connection");
    TcpStream::from(socket)
}

/// A connection that the server has not answered yet, and that it knows of.
fn waiting_for_news(port: u16) -> TcpStream {
    let mut stream = from("127.0.0.2", port);
    stream.set_read_timeout(Some(patience())).expect("SO_RCVTIMEO");
    // One question with an answer and one that is not answered for long, at once: who answers the first has the second.
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let both = ask("/api/sessions") + &ask("/api/sessions?waitBeyond=9007199254740991");
    stream.write_all(both.as_bytes()).expect("a connection");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    stream
}

#[test]
fn the_unix_sockets_are_bounded_and_do_not_use_up_the_servers_descriptors() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    for (file, listener) in [("api.sock", "unix"), ("api.notify.sock", "notify")] {
        let before = Scrape::of(&api).value("quarterdeck_cut_connections_total", &[("reason", "evicted")]);
        let limit = counted(&api, "quarterdeck_connections_limit", ("listener", listener));
        let sockets: Vec<_> =
            (0..500).map(|_| UnixStream::connect(quarterdeck.dir().join(file)).expect("a connection")).collect();
        let evicted = 500.0 - limit;
        eventually("there are only as many as may be", || (cut(&api, "evicted") >= before + evicted).then_some(()));
        assert!(counted(&api, "quarterdeck_connections", ("listener", listener)) <= limit);
        assert!(quarterdeck.command(&["health"]).status.success(), "locked out of {file}");
        drop(sockets);
    }
    eventually("they are gone", || {
        let open = |listener| counted(&api, "quarterdeck_connections", ("listener", listener));
        (open("unix") + open("notify") == 0.0).then_some(())
    });
}
