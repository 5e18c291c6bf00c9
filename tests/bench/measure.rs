//! The measurements.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::{Arrived, Client};
use crate::rig::Rig;
use crate::{fresh, percentile, row};

/// Keys typed for the echo figures, and the pause between them.
const KEYS: usize = 1000;
const KEY_PAUSE: Duration = Duration::from_millis(3);

/// Bytes of each throughput stream.
const STREAM: u64 = 100 * 1000 * 1000;

/// How long nothing happens for the cost of watching.
const QUIET: Duration = Duration::from_secs(60);

/// From exec to listening, and to the first answer.
pub fn start_to_listening() {
    let mut listening = Vec::new();
    let mut answered = Vec::new();
    for _ in 0..20 {
        let begin = Instant::now();
        let rig = fresh();
        listening.push(rig.start);
        rig.ask("GET", "/health", "");
        answered.push(begin.elapsed());
    }
    row("exec to listening, p50", &format!("{:.1} ms", percentile(&mut listening, 0.5)));
    row("exec to first answer, p50", &format!("{:.1} ms", percentile(&mut answered, 0.5)));
}

/// Resident memory, idle and with four sessions that have filled their rings.
pub fn memory() {
    let rig = fresh();
    let show = |when: &str, rig: &Rig| {
        for (who, (all, shared)) in ["init", "server"].iter().zip(rig.memory()) {
            let own = (all - shared) as f64 / 1024.0;
            row(&format!("{who} resident beyond the rings, {when}"), &format!("{own:.1} MiB"));
        }
    };
    show("idle", &rig);
    let mut client = Client::connect(&rig.address);
    let ids: Vec<String> = (0..4).map(|_| rig.session("stty raw; head -c 20000000 /dev/zero; exec cat")).collect();
    let mut left: std::collections::HashMap<u16, u64> = ids.iter().map(|id| (client.attach(id), 20_000_000)).collect();
    while !left.is_empty() {
        if let Arrived::Output(channel, offset, bytes) = client.next()
            && offset + bytes.len() as u64 >= 20_000_000
        {
            left.remove(&channel);
        }
    }
    show("4 sessions after 20 MB each", &rig);
}

/// From the POST to the first byte of output at an attached client.
pub fn post_to_first_byte() {
    let rig = fresh();
    let mut samples = Vec::new();
    for _ in 0..50 {
        let begin = Instant::now();
        let id = rig.session("echo x; exec cat");
        let mut client = Client::connect(&rig.address);
        client.attach(&id);
        while !matches!(client.next(), Arrived::Output(..)) {}
        samples.push(begin.elapsed());
        rig.ask("DELETE", &format!("/api/sessions/{id}"), "");
    }
    row("POST to first byte, p50", &format!("{:.1} ms", percentile(&mut samples, 0.5)));
    row("POST to first byte, p99", &format!("{:.1} ms", percentile(&mut samples, 0.99)));
}

/// From a key to its echo by the terminal, beside `floods` sessions that print
/// without end to the same client.
pub fn echo(name: &str, floods: usize) {
    let rig = fresh();
    let mut client = Client::connect(&rig.address);
    let typed = rig.session("exec cat");
    let channel = client.attach(&typed);
    for _ in 0..floods {
        let id = rig.session("exec yes a line of a flood that never ends");
        client.attach(&id);
    }
    let begin = Instant::now();
    let mut samples = Vec::new();
    let mut flooded = 0u64;
    for key in 0..KEYS {
        let due = begin + KEY_PAUSE * u32::try_from(key).expect("few keys");
        // With floods the client must keep reading until the key is due.
        while Instant::now() < due {
            if floods == 0 {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            } else if let Arrived::Output(_, _, bytes) = client.next() {
                flooded += bytes.len() as u64;
            }
        }
        let sent = Instant::now();
        client.input(channel, key as u64 + 1, if key % 50 == 49 { b"\n" } else { b"x" });
        loop {
            match client.next() {
                Arrived::Output(from, _, _) if from == channel => break,
                Arrived::Output(_, _, bytes) => flooded += bytes.len() as u64,
                Arrived::Control(_) => {}
            }
        }
        samples.push(sent.elapsed());
    }
    let mbs = flooded as f64 / 1e6 / begin.elapsed().as_secs_f64();
    for (label, share) in [("p50", 0.5), ("p99", 0.99), ("worst", 1.0)] {
        row(&format!("echo {name}, {label}"), &format!("{:.2} ms", percentile(&mut samples, share)));
    }
    if floods > 0 {
        row(&format!("output {name} meanwhile"), &format!("{mbs:.0} MB/s"));
    }
}

/// Types `count` keys into a quiet terminal, the first of them numbered; the
/// time from each to its echo.
pub fn keys(client: &mut Client, channel: u16, first: usize, count: usize) -> Vec<Duration> {
    let type_one = |number: usize| {
        std::thread::sleep(KEY_PAUSE);
        let sent = Instant::now();
        client.input(channel, number as u64 + 1, if number % 50 == 49 { b"\n" } else { b"x" });
        while !matches!(client.next(), Arrived::Output(from, _, _) if from == channel) {}
        sent.elapsed()
    };
    (first..first + count).map(type_one).collect()
}

/// MB/s of `count` sessions that each print one file of 100 MB.
pub fn throughput(count: usize) {
    let rig = fresh();
    let file = std::env::temp_dir().join(format!("quarterdeck-bench-{}-stream", std::process::id()));
    let line = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";
    let lines = usize::try_from(STREAM).expect("64 bits") / line.len();
    std::fs::write(&file, line.repeat(lines)).expect("a file of 100 MB");
    let size = (lines * line.len()) as u64;
    let mut client = Client::connect(&rig.address);
    let script = format!("stty -opost; read go; exec cat {}", file.display());
    let ids: Vec<String> = (0..count).map(|_| rig.session(&script)).collect();
    let channels: Vec<u16> = ids.iter().map(|id| client.attach(id)).collect();
    let begin = Instant::now();
    for channel in &channels {
        client.input(*channel, 1, b"\n");
    }
    let mut exits = 0;
    let mut total = 0u64;
    while exits < count {
        match client.next() {
            Arrived::Output(_, _, bytes) => total += bytes.len() as u64,
            Arrived::Control(message) if message["type"] == "terminal.exit" => exits += 1,
            Arrived::Control(message) => assert_ne!(message["type"], "terminal.gap", "nothing may be lost"),
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let _ = std::fs::remove_file(&file);
    assert!(total >= size * count as u64, "{total} bytes of {}", size * count as u64);
    let name = if count == 1 { "cat of 100 MB".to_owned() } else { format!("{count} x cat of 100 MB at once") };
    row(&name, &format!("{:.0} MB/s", total as f64 / 1e6 / seconds));
}

/// What watching costs while nothing happens: four sessions with a few
/// processes each, below a limit that a burst could reach within a second.
/// Needs root and a version 1 memory hierarchy for a cgroup of its own.
pub fn quiet() {
    let group = Path::new("/sys/fs/cgroup/memory").join(format!("quarterdeck-bench-{}", std::process::id()));
    std::fs::create_dir(&group).expect("a cgroup of one's own");
    std::fs::write(group.join("memory.limit_in_bytes"), "2G").expect("a limit");
    let rig = Rig::start_in(&group, &[]);
    for _ in 0..4 {
        rig.session("sleep 1000 & sleep 1000 & cat");
    }
    std::thread::sleep(Duration::from_secs(3));
    let before = rig.processor_time();
    std::thread::sleep(QUIET);
    let after = rig.processor_time();
    for (name, (before, after)) in ["init", "server"].into_iter().zip(before.into_iter().zip(after)) {
        let share = (after - before).as_secs_f64() / QUIET.as_secs_f64() * 100.0;
        row(&format!("{name} in a quiet minute, share of a core"), &format!("{share:.3} %"));
    }
    drop(rig);
    // Sessions' processes end a moment after init, outside of our sight.
    while std::fs::remove_dir(&group).is_err() {
        std::thread::sleep(Duration::from_millis(50));
    }
}
