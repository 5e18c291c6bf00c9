//! A token bucket: so many at once, so many a second.

use std::time::{Duration, Instant};

/// Tokens that come back with time.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    most: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full one that holds what comes back in `span`.
    #[must_use]
    pub fn new(per_second: f64, span: Duration, now: Instant) -> Self {
        let most = per_second * span.as_secs_f64();
        Self { per_second, most, tokens: most, at: now }
    }

    fn refill(&mut self, now: Instant) {
        let back = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + back).min(self.most);
        self.at = now;
    }

    /// Takes one, if there is one.
    ///
    /// # Errors
    /// How long until there is.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.refill(now);
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / self.per_second));
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// Takes `count`, on credit if need be. For as long as is returned, nothing
    /// more is to be taken.
    pub fn spend(&mut self, count: f64, now: Instant) -> Duration {
        self.refill(now);
        self.tokens -= count;
        Duration::from_secs_f64((-self.tokens).max(0.0) / self.per_second)
    }

    /// Whether a new one would be the same.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= self.most
    }

    /// When it was last used.
    #[must_use]
    pub fn used_at(&self) -> Instant {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_taken_comes_back_with_time_and_not_beyond_the_brim() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, SECOND, start);
        for _ in 0..10 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        let wait = bucket.take(start).unwrap_err();
        assert!((wait.as_secs_f64() - 0.1).abs() < 1e-6, "{wait:?}");
        assert_eq!(bucket.take(start + SECOND / 2), Ok(()));
        assert!(!bucket.is_full(start + SECOND));
        assert!(bucket.is_full(start + SECOND * 100));
        for _ in 0..10 {
            assert_eq!(bucket.take(start + SECOND * 100), Ok(()));
        }
        assert!(bucket.take(start + SECOND * 100).is_err());
    }

    #[test]
    fn credit_is_paid_back_first() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, SECOND, start);
        assert_eq!(bucket.spend(10.0, start), Duration::ZERO);
        assert_eq!(bucket.spend(20.0, start), SECOND * 2);
        assert!(bucket.take(start + SECOND * 2).is_err());
        assert_eq!(bucket.take(start + SECOND * 3), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let start = Instant::now() + SECOND * 10;
        let mut bucket = Bucket::new(1.0, SECOND, start);
        assert_eq!(bucket.take(start), Ok(()));
        assert!(bucket.take(start - SECOND * 5).is_err());
    }
}
