//! When the API may be late, and by how much.
//!
//! A server that was killed is back within a second. The fifth end within ten
//! seconds lets init wait before the next start, and some faults take away what
//! a start needs; all of that is known here, so that nothing else is excused.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the API owes its clients.
pub const ANSWER: Duration = Duration::from_secs(1);
const CRASHES_MAX: usize = 5;
const CRASH_WINDOW: Duration = Duration::from_secs(10);
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Known {
    /// Ends of the server that init counts.
    ends: Vec<Instant>,
    /// How long init waits if the server keeps ending.
    backoff: Option<Duration>,
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

    /// Says that the server is ended now, and gives the time until which init
    /// may wait before it starts another.
    pub fn server_ends(&self, now: Instant) -> Instant {
        self.with(|known| {
            known.ends.retain(|end| now - *end <= CRASH_WINDOW);
            known.ends.push(now);
            let mut until = now;
            if known.ends.len() >= CRASHES_MAX || known.backoff.is_some() {
                let backoff = known.backoff.unwrap_or(BACKOFF_FIRST);
                until += backoff;
                known.backoff = Some(backoff * 2);
            }
            known.spans.push((now, until));
            until
        })
    }

    /// Says that the API may be silent for this time from now on.
    pub fn silence(&self, time: Duration) {
        let now = Instant::now();
        self.with(|known| known.spans.push((now, now + time)));
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

    /// The API answered.
    pub fn answered(&self) {
        self.with(|known| known.backoff = None);
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
