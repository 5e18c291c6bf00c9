//! The last hour and the last day, for graphs, in memory fixed at the start.
//!
//! Time is kept monotonic and turned into the wall clock's only when asked
//! for, so that a clock that jumps neither reorders nor shifts anything.
//! Where nothing was sampled there is simply no entry.

use std::collections::VecDeque;
use std::time::Duration;

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;
const COARSE_STEP: u32 = 30;

/// A point in time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since any start that stays the same.
    pub monotonic: Duration,
    /// Milliseconds since the Unix epoch.
    pub unix_millis: u64,
}

/// What is remembered of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Memory used, bytes.
    pub used: u64,
    /// The same as a share of the limit, percent.
    pub percent: f32,
    /// CPU, percent of one core.
    pub cpu: f32,
    /// Sessions there were.
    pub sessions: u16,
}

/// A remembered point and its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Past {
    /// Milliseconds since the Unix epoch, by the clock of the question.
    pub unix_millis: u64,
    /// The most memory and the mean CPU of the step that begins then.
    pub point: Point,
}

/// Samples of the last hour by the second, of the last day by half minutes.
#[derive(Debug)]
pub struct History {
    hour: Series,
    day: Series,
}

impl Default for History {
    fn default() -> Self {
        Self { hour: Series::new(1, HOUR), day: Series::new(COARSE_STEP, DAY) }
    }
}

impl History {
    /// Remembers `point`.
    pub fn add(&mut self, at: Duration, point: Point) {
        self.hour.add(at, point);
        self.day.add(at, point);
    }

    /// The last `seconds`, oldest first, in the finest steps that reach back
    /// so far.
    #[must_use]
    pub fn query(&self, seconds: u32, now: Moment) -> Vec<Past> {
        let series = if seconds <= HOUR { &self.hour } else { &self.day };
        series.query(seconds, now)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    step: u32,
    point: Point,
}

#[derive(Debug)]
struct Series {
    step_seconds: u32,
    entries: VecDeque<Entry>,
    capacity: usize,
    /// Samples merged into the newest entry.
    merged: u16,
}

impl Series {
    fn new(step_seconds: u32, reach_seconds: u32) -> Self {
        let capacity = usize::try_from(reach_seconds / step_seconds).unwrap_or(0);
        Self { step_seconds, entries: VecDeque::with_capacity(capacity), capacity, merged: 0 }
    }

    fn step_of(&self, at: Duration) -> u32 {
        u32::try_from(at.as_secs() / u64::from(self.step_seconds)).unwrap_or(u32::MAX)
    }

    fn add(&mut self, at: Duration, point: Point) {
        let step = self.step_of(at);
        if let Some(newest) = self.entries.back_mut().filter(|newest| newest.step >= step) {
            self.merged = self.merged.saturating_add(1);
            newest.point = merge(newest.point, point, self.merged);
            return;
        }
        if self.entries.len() == self.capacity {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { step, point });
        self.merged = 1;
    }

    fn query(&self, seconds: u32, now: Moment) -> Vec<Past> {
        let oldest = self.step_of(now.monotonic.saturating_sub(Duration::from_secs(seconds.into())));
        let first = self.entries.partition_point(|entry| entry.step < oldest);
        self.entries.range(first..).map(|entry| self.past(*entry, now)).collect()
    }

    fn past(&self, entry: Entry, now: Moment) -> Past {
        let begin = Duration::from_secs(u64::from(entry.step) * u64::from(self.step_seconds));
        let age = u64::try_from(now.monotonic.saturating_sub(begin).as_millis()).unwrap_or(u64::MAX);
        Past { unix_millis: now.unix_millis.saturating_sub(age), point: entry.point }
    }
}

/// `newest` taken into what was `known` of the step; it is the `count`th.
/// A peak of memory must not vanish in a mean; a peak of CPU means little.
fn merge(known: Point, newest: Point, count: u16) -> Point {
    let peak = if newest.used >= known.used { newest } else { known };
    Point { cpu: known.cpu + (newest.cpu - known.cpu) / f32::from(count), sessions: newest.sessions, ..peak }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_700_000_000_000;

    fn point(used: u64) -> Point {
        Point { used, percent: 1.0, cpu: 10.0, sessions: 1 }
    }

    fn at(seconds: u64) -> Moment {
        Moment { monotonic: Duration::from_secs(seconds), unix_millis: NOON + seconds * 1000 }
    }

    fn filled(seconds: u64) -> History {
        let mut history = History::default();
        (0..seconds).for_each(|second| history.add(Duration::from_secs(second), point(second)));
        history
    }

    fn used(past: &[Past]) -> Vec<u64> {
        past.iter().map(|past| past.point.used).collect()
    }

    #[test]
    fn it_never_takes_more_than_300_kb() {
        let capacities = |history: &History| [history.hour.entries.capacity(), history.day.entries.capacity()];
        let at_start = capacities(&History::default());
        let bytes = at_start.iter().sum::<usize>() * size_of::<Entry>() + size_of::<History>();
        assert!(bytes <= 300_000, "{bytes} bytes");
        assert_eq!(capacities(&filled(2 * u64::from(DAY))), at_start);
    }

    #[test]
    fn the_last_hour_is_by_the_second() {
        let past = filled(5000).query(60, at(4999));
        assert_eq!(used(&past), (4939..5000).collect::<Vec<_>>());
        assert_eq!(past[0].unix_millis, NOON + 4939 * 1000);
        let hour = filled(5000).query(HOUR, at(4999));
        assert_eq!((hour.len(), hour[0].point.used), (3600, 1400));
    }

    #[test]
    fn the_last_day_is_by_half_minutes() {
        let history = filled(2 * u64::from(DAY));
        let now = at(2 * u64::from(DAY) - 1);
        let past = history.query(HOUR + 1, now);
        assert_eq!(past.len(), 121);
        assert!(past.windows(2).all(|pair| pair[1].unix_millis - pair[0].unix_millis == 30_000));
        assert_eq!(history.query(DAY, now).len(), 2880);
        assert_eq!(history.query(u32::MAX, now).len(), 2880, "more than there is");
    }

    #[test]
    fn a_step_keeps_its_peak_and_the_mean_of_cpu() {
        let mut history = History::default();
        for (millis, used, cpu) in [(0, 5, 0.0), (250, 9, 10.0), (500, 2, 20.0), (750, 3, 30.0), (1000, 1, 50.0)] {
            let percent = f32::from(u8::try_from(used).expect("a small figure"));
            history.add(Duration::from_millis(millis), Point { used, percent, cpu, sessions: 4 });
        }
        let past = history.query(60, at(1));
        assert_eq!(past[0].point, Point { used: 9, percent: 9.0, cpu: 15.0, sessions: 4 });
        assert_eq!(past[1].point.used, 1);
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let mut history = filled(10);
        history.add(Duration::from_secs(1000), point(7));
        assert_eq!(used(&history.query(100, at(1000))), [7]);
        let past = history.query(HOUR, at(1000));
        assert_eq!((past.len(), past[10].unix_millis - past[9].unix_millis), (11, 991_000));
        assert_eq!(history.query(60, at(2_000_000)), [], "nothing since long ago");
    }

    #[test]
    fn a_clock_that_jumps_back_moves_all_alike() {
        let history = filled(100);
        let set_back = Moment { monotonic: Duration::from_secs(99), unix_millis: 50_000 };
        let past = history.query(60, set_back);
        assert_eq!(past.last().map(|past| past.unix_millis), Some(50_000));
        assert_eq!(past[0].unix_millis, 0, "clamped at the epoch");
        assert!(past.windows(2).all(|pair| pair[0].unix_millis <= pair[1].unix_millis));
    }
}
