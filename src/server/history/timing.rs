//! When what has come is written: pure.
//!
//! Silence ends a batch, and a second does; half a ring does too, so that much
//! output is recorded whole, unless it comes so fast that the ring is overrun all the same. What a session writes is limited to its
//! history at once and a small part of it each second: more than that would only be
//! written to be dropped again. A flood above it is recorded as the end that the
//! ring still holds, now and then.

use std::time::{Duration, Instant};

/// Output that pauses for so long is written.
const QUIET: Duration = Duration::from_millis(100);

/// Output is written after so long even if it goes on.
const LATEST: Duration = Duration::from_secs(1);

/// The history is written anew at most once in so many seconds, on average.
const TURNOVER_SECONDS: u64 = 32;

/// How much may still be written.
#[derive(Debug)]
pub struct Allowance {
    total: u64,
    left: i64,
    since: Instant,
}

/// What waits to be written.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Bytes that have come and can still be had.
    pub bytes: u64,
    /// Bytes that the ring holds at most.
    pub capacity: u64,
    /// Whether others came before them and are gone.
    pub is_overrun: bool,
    /// Since its first byte was noticed.
    pub waiting: Duration,
    /// Since its last byte came.
    pub quiet: Duration,
}

impl Allowance {
    /// All of the history may be written at once.
    #[must_use]
    pub fn new(total: u64, now: Instant) -> Self {
        Self { total, left: signed(total), since: now }
    }

    /// How long to wait before writing.
    #[must_use]
    pub fn wait(&mut self, pending: Pending, now: Instant) -> Duration {
        self.refill(now);
        let is_much = !pending.is_overrun && pending.bytes >= pending.capacity / 2;
        let gathering = if is_much {
            Duration::ZERO
        } else {
            (QUIET.saturating_sub(pending.quiet)).min(LATEST.saturating_sub(pending.waiting))
        };
        let cost = signed(pending.bytes.min(pending.capacity).min(self.total));
        let missing = u64::try_from(cost - self.left).unwrap_or(0);
        gathering.max(Duration::from_millis(missing.saturating_mul(1000).div_ceil(self.rate())))
    }

    /// So many bytes were written.
    pub fn spend(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(signed(bytes));
    }

    /// Bytes a second.
    fn rate(&self) -> u64 {
        (self.total / TURNOVER_SECONDS).max(1)
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = u64::try_from(now.duration_since(self.since).as_millis()).unwrap_or(u64::MAX);
        let gained = elapsed.saturating_mul(self.rate()) / 1000;
        if gained > 0 {
            self.left = self.left.saturating_add(signed(gained)).min(signed(self.total));
            self.since = now;
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: u64 = 8 << 20;
    const RING: u64 = 4 << 20;

    fn pending(bytes: u64, waiting: u64, quiet: u64) -> Pending {
        let [waiting, quiet] = [waiting, quiet].map(Duration::from_millis);
        Pending { bytes, capacity: RING, is_overrun: bytes > RING, waiting, quiet }
    }

    #[test]
    fn silence_ends_a_batch_and_a_second_does() {
        let now = Instant::now();
        let mut allowance = Allowance::new(TOTAL, now);
        let mut wait = |bytes, waiting, quiet| allowance.wait(pending(bytes, waiting, quiet), now).as_millis();
        assert_eq!(wait(10, 0, 0), 100);
        assert_eq!(wait(10, 60, 30), 70);
        assert_eq!(wait(10, 100, 100), 0);
        assert_eq!(wait(10, 950, 0), 50);
        assert_eq!(wait(10, 1000, 0), 0);
        assert_eq!(wait(RING / 2, 0, 0), 0);
        assert_eq!(wait(RING + 1, 0, 0), 100);
    }

    #[test]
    fn a_flood_writes_the_history_once_and_then_a_small_part_each_second() {
        let start = Instant::now();
        let mut allowance = Allowance::new(TOTAL, start);
        let (mut written, mut now) = (0, start);
        while now < start + Duration::from_secs(320) {
            let wait = allowance.wait(pending(100 * RING, 1000, 0), now);
            now += wait;
            if wait.is_zero() {
                allowance.spend(RING);
                written += RING;
            }
        }
        let most = TOTAL + 320 * TOTAL / TURNOVER_SECONDS;
        assert!(written <= most && written >= most - 2 * RING, "{written} of {most}");
    }

    #[test]
    fn a_ring_larger_than_the_history_does_not_wait_for_ever() {
        let now = Instant::now();
        let mut allowance = Allowance::new(1 << 20, now);
        assert_eq!(allowance.wait(pending(100 << 20, 0, 1000), now), Duration::ZERO);
    }
}
