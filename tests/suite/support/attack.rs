//! Many clients that mean no good, and what to hold against them.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::metrics::Scrape;
use super::quarterdeck::Quarterdeck;
use super::{Api, eventually, process};

/// A process with many sockets; ends when dropped.
pub struct Attack {
    child: Child,
    lifeline: Option<ChildStdin>,
}

impl Attack {
    /// Opens `count` sockets that behave as `mode` says (see attack.py), and
    /// returns when they are open.
    pub fn on(quarterdeck: &Quarterdeck, count: usize, mode: &str) -> Self {
        let (host, port) = quarterdeck.address().rsplit_once(':').expect("an address");
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", include_str!("attack.py"), host, port, &count.to_string(), mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("/usr/bin/python3");
        let lifeline = child.stdin.take();
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        let attack = Self { child, lifeline };
        let ready = said.lines().map_while(Result::ok).any(|line| line == "ready");
        assert!(ready, "the attack failed");
        attack
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.child.wait();
    }
}

/// Sums of a counter over its labels.
pub fn counted(api: &Api, name: &str, label: (&str, &str)) -> f64 {
    Scrape::of(api).value(name, &[label])
}

/// Connections that the server ended for this reason so far.
pub fn cut(api: &Api, reason: &str) -> f64 {
    counted(api, "quarterdeck_cut_connections_total", ("reason", reason))
}

/// Resident memory of the server in bytes.
pub fn resident(quarterdeck: &Quarterdeck) -> u64 {
    let text = process::status(quarterdeck.server(), "VmRSS");
    text.trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
}

/// Longest that nine of ten answers may take for an attack.
const ANSWERED: Duration = Duration::from_millis(100);

/// Asks for the health again and again, each time on a new connection, while
/// `what` goes on; prints how long the answers took.
///
/// The attackers need the same processors. What that costs is told by another
/// quarterdeck, which nobody attacks and which is asked in turn. One round of
/// some must be good: the rest of the machine comes and goes, an attack stays.
#[track_caller]
pub fn stays_responsive(quarterdeck: &Quarterdeck, what: &str) {
    const ROUNDS: usize = 5;
    let left_alone = Quarterdeck::start();
    let rounds = (0..ROUNDS).map(|_| Round::ask(&quarterdeck.api(), &left_alone.api()));
    let good = rounds.inspect(|round| eprintln!("{what}: {round:?}")).any(|round| round.is_good());
    assert!(good, "during {what} the answers took too long in each of {ROUNDS} rounds");
}

/// Answers in turn of one that is attacked and one that is not.
#[derive(Debug)]
struct Round {
    nine_tenths: Duration,
    slowest_not_attacked: Duration,
}

impl Round {
    fn ask(attacked: &Api, left_alone: &Api) -> Self {
        const ASKED: usize = 50;
        let time = |api: &Api| {
            let start = Instant::now();
            assert_eq!(api.get("/health").status, 200);
            start.elapsed()
        };
        let (mut times, mut usual): (Vec<_>, Vec<_>) = (0..ASKED).map(|_| (time(attacked), time(left_alone))).unzip();
        times.sort_unstable();
        usual.sort_unstable();
        Self { nine_tenths: times[ASKED * 9 / 10], slowest_not_attacked: usual[ASKED - 1] }
    }

    fn is_good(&self) -> bool {
        self.nine_tenths < ANSWERED + 2 * self.slowest_not_attacked
    }
}

/// Waits until no more connections than `wanted` are open.
#[track_caller]
pub fn wait_for_connections(api: &Api, wanted: f64) {
    eventually("the connections are gone", || {
        (counted(api, "quarterdeck_connections", ("listener", "tcp")) <= wanted).then_some(())
    });
}
