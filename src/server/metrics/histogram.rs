//! A histogram of durations with fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in seconds, each inclusive; beyond the last one
/// there is only "more".
pub const BOUNDS: [f64; 13] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// The histogram. Observing is two additions.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Observations by bucket, each in one only.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_nanos: AtomicU64,
}

/// A histogram at one moment, as Prometheus wants it.
#[derive(Debug, PartialEq)]
pub struct Observed {
    /// How many observations were at or below each of [`BOUNDS`].
    pub below: [u64; BOUNDS.len()],
    /// How many there were.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Adds an observation.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What was observed so far.
    #[must_use]
    pub fn observed(&self) -> Observed {
        let mut count = 0;
        let mut add = |bucket: &AtomicU64| {
            count += bucket.load(Ordering::Relaxed);
            count
        };
        let below = std::array::from_fn(|at| add(&self.buckets[at]));
        add(&self.buckets[BOUNDS.len()]);
        let sum = Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed)).as_secs_f64();
        Observed { below, count, sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_in_every_bucket_from_its_own_on() {
        let histogram = Histogram::default();
        for micros in [0, 100, 101, 3_000, 1_000_000, 1_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let Observed { below, count, sum } = histogram.observed();
        assert_eq!(below, [2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5]);
        assert_eq!(count, 6);
        assert!((sum - 2.003_202).abs() < 1e-9, "{sum}");
    }
}
