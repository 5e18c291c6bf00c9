//! How long a key takes to come back: from a client's input to the first
//! output behind it that the same client is sent.
//!
//! One stopwatch for each session on each connection, shared by the half that
//! reads and the half that writes. Both run in one task, so its lock is always
//! free. What runs already is not started anew: of several keys typed before
//! anything comes back, the first is timed, which is the one that waits longest.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After this long without output the program had nothing to say to the input
/// (a password, say), and what it prints later is no echo.
const GIVE_UP: Duration = Duration::from_secs(10);

/// The stopwatch.
#[derive(Debug, Default)]
pub struct Stopwatch(Mutex<Option<Typed>>);

#[derive(Clone, Copy, Debug)]
struct Typed {
    at: Instant,
    /// The end of the session's output then.
    head: u64,
}

impl Stopwatch {
    fn typed(&self) -> MutexGuard<'_, Option<Typed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Input arrived while the session's output ended at `head`.
    pub fn start(&self, at: Instant, head: u64) {
        let mut typed = self.typed();
        if typed.is_none_or(|before| at.duration_since(before.at) > GIVE_UP) {
            *typed = Some(Typed { at, head });
        }
    }

    /// Output below `end` is about to be sent: since when it was waited for, if
    /// some of it came after the input.
    #[must_use]
    pub fn stop(&self, end: u64) -> Option<Instant> {
        self.typed().take_if(|typed| end > typed.head).map(|typed| typed.at)
    }
}

/// The time from `since` to `now`, unless that is too long for an echo.
#[must_use]
pub fn elapsed(since: Instant, now: Instant) -> Option<Duration> {
    Some(now.duration_since(since)).filter(|elapsed| *elapsed <= GIVE_UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_output_behind_the_input_stops_it() {
        let (watch, now) = (Stopwatch::default(), Instant::now());
        assert_eq!(watch.stop(9), None, "nobody typed");
        watch.start(now, 10);
        assert_eq!(watch.stop(10), None, "all of that was there before");
        assert_eq!(watch.stop(11), Some(now));
        assert_eq!(watch.stop(12), None, "once for each start");
    }

    #[test]
    fn the_first_of_several_keys_is_timed() {
        let (watch, now) = (Stopwatch::default(), Instant::now());
        watch.start(now, 10);
        watch.start(now + Duration::from_millis(1), 10);
        assert_eq!(watch.stop(11), Some(now));
    }

    #[test]
    fn input_without_an_answer_is_forgotten() {
        let (watch, now) = (Stopwatch::default(), Instant::now());
        let later = now + GIVE_UP + Duration::from_millis(1);
        watch.start(now, 10);
        watch.start(later, 10);
        assert_eq!(watch.stop(11), Some(later));
        assert_eq!(elapsed(now, later), None);
        assert_eq!(elapsed(now, now + GIVE_UP), Some(GIVE_UP));
    }
}
