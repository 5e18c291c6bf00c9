//! What trouble costs: a sweep of very many processes, and a server that is
//! killed again and again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::{Arrived, Client};
use crate::contained::Bench;
use crate::rig::Rig;
use crate::{measure, percentile, row};

/// Processes below init for the sweep.
const CROWD: u32 = 20_000;
const SWEEPS: usize = 9;

/// Kills of the server, and the least and the most time between two.
const KILLS: usize = 100;
const BETWEEN: std::ops::Range<u64> = 400..1200;
const STREAMS: usize = 4;

/// A sweep beside many processes, and what an echo feels of it.
pub fn sweep() {
    let mut bench = Bench::prepare();
    let rig = Rig::start(&["--sweep-interval", "24h"]);
    let mut client = Client::connect(&rig.address);
    let typed = rig.session("exec cat");
    let channel = client.attach(&typed);
    let [program, work] = bench.load(&format!("crowd {CROWD}"));
    let crowd = rig.session(&format!("exec {program} '{work}'"));
    assert_eq!(bench.told(), [u64::from(CROWD)]);
    let mut quiet = measure::keys(&mut client, channel, 0, 500);
    let is_over = AtomicBool::new(false);
    let (mut meanwhile, mut sweeps) = std::thread::scope(|scope| {
        let sweeping = scope.spawn(|| {
            let mut sweeps = Vec::new();
            for _ in 0..SWEEPS {
                let answer = rig.ask("POST", "/api/sweep", "{}");
                assert!(answer["examined"].as_u64() > Some(u64::from(CROWD)), "{answer}");
                sweeps.push(Duration::from_millis(answer["elapsedMs"].as_u64().expect("a time")));
            }
            is_over.store(true, Ordering::Relaxed);
            sweeps
        });
        let mut samples = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            samples.extend(measure::keys(&mut client, channel, 500 + samples.len(), 50));
        }
        (samples, sweeping.join().expect("sweeps"))
    });
    row(&format!("sweep of {CROWD} processes, p50"), &format!("{:.0} ms", percentile(&mut sweeps, 0.5)));
    row(&format!("sweep of {CROWD} processes, worst"), &format!("{:.0} ms", percentile(&mut sweeps, 1.0)));
    for (label, share) in [("p50", 0.5), ("p99", 0.99), ("worst", 1.0)] {
        row(&format!("echo beside them, {label}"), &format!("{:.2} ms", percentile(&mut quiet, share)));
        row(&format!("echo during the sweeps, {label}"), &format!("{:.2} ms", percentile(&mut meanwhile, share)));
    }
    let begin = Instant::now();
    rig.ask("DELETE", &format!("/api/sessions/{crowd}"), "");
    row(
        &format!("DELETE of a session of {CROWD} processes"),
        &format!("{:.0} ms", begin.elapsed().as_secs_f64() * 1e3),
    );
}

/// Kills the server at random moments while one client reads streams without
/// end, and checks every byte of them.
pub fn restarts() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed} gives the same moments again");
    let mut random = fastrand::Rng::with_seed(seed);
    let rig = Rig::start(&[]);
    let pattern = Pattern::new();
    let script = format!("stty raw -echo; while :; do cat {}; done", pattern.file.path().display());
    let ids: Vec<String> = (0..STREAMS).map(|_| rig.session(&script)).collect();
    let is_over = AtomicBool::new(false);
    let (mut silences, bytes, mut answers, cut) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| follow(&rig.address, &ids, &pattern, &is_over));
        let (mut answers, mut cut) = (Vec::new(), 0);
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(random.u64(BETWEEN)));
            let pid = rig.ask("GET", "/api/health", "")["pid"].as_i64().expect("the server's pid");
            let begin = Instant::now();
            kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), Signal::SIGKILL).expect("the server");
            while !answers_health(&rig.address) {
                cut += 1;
            }
            answers.push(begin.elapsed());
        }
        std::thread::sleep(Duration::from_secs(1));
        is_over.store(true, Ordering::Relaxed);
        let (silences, bytes) = reading.join().expect("every byte was right");
        (silences, bytes, answers, cut)
    });
    assert_eq!(silences.len(), KILLS, "the client lost its connection at each kill and at no other time");
    for (label, share) in [("p50", 0.5), ("p99", 0.99), ("worst", 1.0)] {
        row(&format!("kill -9: time without output, {label}"), &format!("{:.1} ms", percentile(&mut silences, share)));
        row(&format!("kill -9: time to answer again, {label}"), &format!("{:.1} ms", percentile(&mut answers, share)));
    }
    row("kill -9: connections refused", "0");
    row("kill -9: connections that the killed server had taken already", &cut.to_string());
    row("kill -9: bytes read by the client, all right", &format!("{:.0} MB", bytes as f64 / 1e6));
}

/// One request; false if the connection was cut. None may be refused: the
/// socket that listens belongs to init.
fn answers_health(address: &str) -> bool {
    let mut stream = TcpStream::connect(address).expect("connections are never refused");
    let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok() && stream.read_to_string(&mut answer).is_ok_and(|n| n > 0)
}

/// Bytes that tell their place: all but a stretch of the period is different
/// from any other.
struct Pattern {
    file: tempfile::NamedTempFile,
    bytes: Vec<u8>,
}

impl Pattern {
    fn new() -> Self {
        let line = |n: u32| format!("{n} {:x}\n", n.wrapping_mul(2_654_435_761));
        let bytes: Vec<u8> = (0..100_000).flat_map(|n| line(n).into_bytes()).collect();
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(&bytes).expect("a pattern");
        Self { file, bytes }
    }

    fn is_at(&self, offset: u64, mut seen: &[u8]) -> bool {
        let mut at = usize::try_from(offset % self.bytes.len() as u64).expect("64 bits");
        while !seen.is_empty() {
            let length = seen.len().min(self.bytes.len() - at);
            if seen[..length] != self.bytes[at..at + length] {
                return false;
            }
            (at, seen) = (0, &seen[length..]);
        }
        true
    }
}

/// Reads all sessions until it is over; the silence at each loss of the
/// connection, and the number of bytes.
fn follow(address: &str, ids: &[String], pattern: &Pattern, is_over: &AtomicBool) -> (Vec<Duration>, u64) {
    let mut next = vec![0u64; ids.len()];
    let (mut silences, mut last) = (Vec::new(), Instant::now());
    for connection in 0.. {
        let Some(mut client) = Client::try_connect(address) else { continue };
        let mut channels = std::collections::HashMap::new();
        let mut is_silent = connection > 0;
        let asked = ids.iter().zip(&next).all(|(id, offset)| client.try_attach(id, *offset));
        while asked && let Some(arrived) = client.try_next() {
            match arrived {
                Arrived::Control(message) if message["type"] == "session.attached" => {
                    let at = ids.iter().position(|id| message["sessionId"] == **id).expect("one of ours");
                    channels.insert(message["channel"].as_u64(), at);
                }
                Arrived::Control(message) => assert_ne!(message["type"], "terminal.gap", "nothing may be lost"),
                Arrived::Output(channel, offset, bytes) => {
                    let at = channels[&Some(u64::from(channel))];
                    assert!(offset == next[at] && pattern.is_at(offset, &bytes), "wrong bytes at {offset}");
                    next[at] += bytes.len() as u64;
                    if std::mem::take(&mut is_silent) {
                        silences.push(last.elapsed());
                    }
                    last = Instant::now();
                }
            }
            if is_over.load(Ordering::Relaxed) {
                return (silences, next.iter().sum());
            }
        }
    }
    unreachable!("connections are tried without end");
}
