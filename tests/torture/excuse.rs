//! When the API may be late, and by how much.
//!
//! A server that was killed is back within a second, in a crash loop too: there
//! init waits for milliseconds at first. Some faults take away what a start needs,
//! or what an answer needs; that is known here, so that nothing else is excused.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the API owes its clients.
pub const ANSWER: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Known {
    /// From when to when there need be no answer.
    spans: Vec<(Instant, Instant)>,
    /// While something is missing that new processes or connections need.
    starved: Vec<(Instant, Instant)>,
    /// When, and for how long, this very program was kept from running: a
    /// machine that does not run us does not run the server either.
    stalls: Vec<(Instant, Duration)>,
}

/// All excuses of a run.
#[derive(Default)]
pub struct Excuses {
    known: Mutex<Known>,
}

impl Excuses {
    fn with<T>(&self, act: impl FnOnce(&mut Known) -> T) -> T {
        act(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that the server is ended now.
    pub fn server_ends(&self, now: Instant) {
        self.with(|known| known.spans.push((now, now)));
    }

    /// Says that the API may be silent for this time from now on.
    pub fn silence(&self, time: Duration) {
        let now = Instant::now();
        self.with(|known| known.spans.push((now, now + time)));
    }

    /// Whether it may have been at any time since `from`.
    pub fn is_silenced(&self, from: Instant) -> bool {
        self.with(|known| known.spans.iter().any(|(begin, until)| begin < until && *until + ANSWER >= from))
    }

    /// Says that what new processes and connections need is short from now on.
    pub fn starve(&self, time: Duration) {
        let now = Instant::now();
        self.with(|known| known.starved.push((now, now + time)));
    }

    /// Whether it was at any time since `from`.
    pub fn is_starved(&self, from: Instant) -> bool {
        self.with(|known| known.starved.iter().any(|(_, until)| *until >= from))
    }

    /// By when a question asked at `asked` must be answered.
    pub fn due(&self, asked: Instant) -> Instant {
        self.with(|known| {
            let mut due = asked + ANSWER;
            // One excuse may lead into the next.
            known.spans.sort();
            for (from, until) in &known.spans {
                if *from <= due {
                    due = due.max(*until + ANSWER);
                }
            }
            due
        })
    }

    /// Says that the machine kept us waiting until now.
    pub fn stall(&self, time: Duration) {
        self.with(|known| known.stalls.push((Instant::now(), time)));
    }

    /// How long it did since `from`.
    pub fn stalled_since(&self, from: Instant) -> Duration {
        self.with(|known| known.stalls.iter().filter(|(at, _)| *at >= from).map(|(_, time)| *time).sum())
    }
}
