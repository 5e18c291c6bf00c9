//! Log lines that an attacker could have written by the thousand.

use std::time::{Duration, Instant};

/// Between two lines about the same.
const PAUSE: Duration = Duration::from_secs(60);

/// Lets one in a while through.
#[derive(Debug, Default)]
pub struct Rarely {
    last: Option<Instant>,
    times: u64,
}

impl Rarely {
    /// Whether to tell of it: then how often it happened since the last time.
    pub fn ask(&mut self) -> Option<u64> {
        self.ask_at(Instant::now())
    }

    fn ask_at(&mut self, now: Instant) -> Option<u64> {
        self.times += 1;
        if self.last.is_some_and(|last| now < last + PAUSE) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_then_one_a_minute_with_the_sum() {
        let (mut rarely, start) = (Rarely::default(), Instant::now());
        assert_eq!(rarely.ask_at(start), Some(1));
        assert_eq!([1, 30, 59].map(|s| rarely.ask_at(start + Duration::from_secs(s))), [None; 3]);
        assert_eq!(rarely.ask_at(start + PAUSE), Some(4));
        assert_eq!(rarely.ask_at(start + PAUSE), None);
    }
}
