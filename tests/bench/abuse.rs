//! How long others wait, and what it costs, while clients misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::rig::Rig;
use crate::{fresh, percentile, row};

/// How long the health is asked for, once everything is as bad as it gets.
const LASTS: Duration = Duration::from_secs(3);

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(5);

/// Crowds of sockets: what they send (see attack.py), and how many are opened.
const CROWDS: [(&str, usize); 3] = [("nothing", 10_000), ("head", 2000), ("body", 2000)];

/// Measures crowds of sockets, and a flood of requests.
pub fn measure() {
    let rig = fresh();
    report(&rig, "nobody", server_kib(&rig), &AtomicBool::new(true));
    for (mode, count) in CROWDS {
        let rig = fresh();
        let before = server_kib(&rig);
        let (mut crowd, open) = (crowd(&rig, mode, count), AtomicBool::new(false));
        let said = crowd.stdout.take().expect("a pipe");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                BufReader::new(said).read_line(&mut String::new()).expect("its word");
                open.store(true, Ordering::Relaxed);
            });
            report(&rig, &format!("{count} sockets, sending {mode}"), before, &open);
        });
        drop(crowd.stdin.take());
        crowd.wait().expect("an end");
    }
    let rig = fresh();
    let before = server_kib(&rig);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| flood(&rig, &over));
        }
        report(&rig, "floods of requests on 4 connections", before, &AtomicBool::new(true));
        over.store(true, Ordering::Relaxed);
    });
}

fn server_kib(rig: &Rig) -> u64 {
    let [_, (server, _)] = rig.memory();
    server
}

fn crowd(rig: &Rig, mode: &str, count: usize) -> Child {
    let (host, port) = rig.address.rsplit_once(':').expect("an address");
    Command::new("python3")
        .args(["-c", include_str!("../suite/support/attack.py"), host, port, &count.to_string(), mode])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3")
}

/// Requests as fast as they go, from an address of their own.
fn flood(rig: &Rig, over: &AtomicBool) {
    let requests = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    while !over.load(Ordering::Relaxed) {
        let Ok(mut stream) = from_elsewhere(rig) else { continue };
        let _ = stream.write_all(requests.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
}

fn from_elsewhere(rig: &Rig) -> std::io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &std::net::SocketAddrV4::new([127, 0, 2, 1].into(), 0))?;
    connect(&socket, &rig.address.parse::<std::net::SocketAddr>().expect("an address"))?;
    Ok(socket.into())
}

/// While it gets bad, and then for as long as [`LASTS`].
fn report(rig: &Rig, what: &str, before: u64, is_bad: &AtomicBool) {
    let (mut times, mut since) = (Vec::new(), Instant::now());
    while since.elapsed() < LASTS {
        times.push(health(rig));
        if !is_bad.load(Ordering::Relaxed) {
            since = Instant::now();
        }
        std::thread::sleep(PAUSE);
    }
    let grown = server_kib(rig).saturating_sub(before);
    let [half, most, all] = [0.5, 0.99, 1.0].map(|share| percentile(&mut times, share));
    row(
        &format!("health beside {what}: p50, p99, max"),
        &format!("{half:.1} ms, {most:.1} ms, {all:.1} ms; {grown} KiB more"),
    );
}

/// One health request on a connection of its own.
fn health(rig: &Rig) -> Duration {
    let start = Instant::now();
    let mut stream = TcpStream::connect(&rig.address).expect("a connection");
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    start.elapsed()
}
