//! When the memory limit will be reached, if memory goes on to grow as it did
//! in the last minute.
//!
//! A forecast that comes and goes with every allocation is worse than none, so
//! it is made only of growth that stands clear of the noise around it and went
//! on through the whole minute.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back the slope is taken from, in seconds.
const WINDOW: f64 = 60.0;
/// Less than so many seconds show no trend.
const SPAN_MIN: f64 = 20.0;
/// Fewer samples show no trend.
const SAMPLES_MIN: usize = 15;
/// Further away nothing is foretold, in seconds.
const HORIZON: f64 = 600.0;
/// How many times its own uncertainty the slope must be.
const CLEAR: f64 = 4.0;
/// Each quarter of the window must have grown by this share of its part: a
/// step or a sawtooth has a slope as a whole, and none in some quarter.
const QUARTER_GROWS: f64 = 1.0 / 3.0;

/// Remembers the last minute, one sample a second.
#[derive(Debug, Default)]
pub struct Forecast {
    /// Seconds and bytes.
    samples: VecDeque<(f64, f64)>,
}

impl Forecast {
    /// Takes the next sample.
    #[allow(clippy::cast_precision_loss, reason = "bytes to estimate by")]
    pub fn add(&mut self, at: Duration, used: u64) {
        let at = at.as_secs_f64();
        if self.samples.back().is_some_and(|(last, _)| last.floor() >= at.floor()) {
            self.samples.pop_back();
        }
        self.samples.push_back((at, used as f64));
        while self.samples.front().is_some_and(|(oldest, _)| at - oldest > WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Bytes a second over the last minute, noise or not.
    #[must_use]
    pub fn slope(&self) -> f64 {
        self.line().map_or(0.0, |line| line.slope)
    }

    /// In how many seconds `limit` will be reached; none if not soon or if it
    /// can't be told.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "bytes to estimate by")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within 0..600")]
    pub fn seconds_to(&self, limit: u64) -> Option<u64> {
        let line = self.line()?;
        let is_long = line.span >= SPAN_MIN && self.samples.len() >= SAMPLES_MIN;
        let is_clear = line.slope > CLEAR * self.uncertainty(&line);
        if !is_long || !is_clear || !self.grows_throughout(&line) {
            return None;
        }
        let seconds = (limit as f64 - line.at(line.end)) / line.slope;
        (seconds < HORIZON).then_some(seconds.max(0.0).round() as u64)
    }

    /// The line of least squares.
    fn line(&self) -> Option<Line> {
        let (first, last) = (self.samples.front()?.0, self.samples.back()?.0);
        let mean_time = self.mean(|(at, _)| at);
        let mean_used = self.mean(|(_, used)| used);
        let spread: f64 = self.samples.iter().map(|(at, _)| (at - mean_time).powi(2)).sum();
        let product: f64 = self.samples.iter().map(|(at, used)| (at - mean_time) * (used - mean_used)).sum();
        let slope = product / spread;
        (spread > 0.0).then_some(Line { slope, mean_time, mean_used, spread, end: last, span: last - first })
    }

    fn mean(&self, value: impl Fn((f64, f64)) -> f64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "about sixty")]
        let count = self.samples.len() as f64;
        self.samples.iter().map(|sample| value(*sample)).sum::<f64>() / count
    }

    /// The slope's standard error. Memory moves in waves, and neighbours that
    /// stray to the same side say less than independent ones would: the error
    /// is widened by their correlation.
    fn uncertainty(&self, line: &Line) -> f64 {
        let strays: Vec<f64> = self.samples.iter().map(|(at, used)| used - line.at(*at)).collect();
        let square: f64 = strays.iter().map(|stray| stray * stray).sum();
        if square <= 0.0 {
            return 0.0;
        }
        let neighbours: f64 = strays.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let correlation = (neighbours / square).clamp(0.0, 0.98);
        #[allow(clippy::cast_precision_loss, reason = "about sixty")]
        let freedom = strays.len().saturating_sub(2).max(1) as f64;
        (square / freedom / line.spread * (1.0 + correlation) / (1.0 - correlation)).sqrt()
    }

    fn grows_throughout(&self, line: &Line) -> bool {
        let quarter = line.span / 4.0;
        let begin = line.end - line.span;
        let means: [Option<f64>; 4] = [0.0, 1.0, 2.0, 3.0].map(|at| {
            let from = begin + at * quarter;
            let to = if at < 3.0 { from + quarter } else { f64::INFINITY };
            let within = self.samples.iter().filter(|(time, _)| (from..to).contains(time));
            let (count, sum) = within.fold((0.0, 0.0), |(count, sum), (_, used)| (count + 1.0, sum + used));
            (count > 0.0).then(|| sum / count)
        });
        means.windows(2).all(|pair| match pair {
            [Some(before), Some(after)] => after - before >= QUARTER_GROWS * line.slope * quarter,
            _ => false,
        })
    }
}

#[derive(Debug)]
struct Line {
    slope: f64,
    mean_time: f64,
    mean_used: f64,
    /// Sum of the squared distances from the mean time.
    spread: f64,
    end: f64,
    span: f64,
}

impl Line {
    fn at(&self, time: f64) -> f64 {
        self.mean_used + self.slope * (time - self.mean_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1024.0 * 1024.0;
    const LIMIT: f64 = 1000.0 * MIB;

    /// The forecast after `seconds` of `used` MiB by the second.
    fn after(seconds: u32, mut used: impl FnMut(f64) -> f64) -> Option<u64> {
        let mut forecast = Forecast::default();
        for second in 0..seconds {
            let bytes = used(f64::from(second)) * MIB;
            forecast.add(Duration::from_secs(second.into()), as_bytes(bytes));
        }
        forecast.seconds_to(as_bytes(LIMIT))
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test figures")]
    fn as_bytes(value: f64) -> u64 {
        value as u64
    }

    /// Normal enough: the sum of twelve uniform ones.
    fn noise(random: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
    }

    #[test]
    fn a_rising_line_is_foretold() {
        assert_eq!(after(61, |t| 500.0 + 2.0 * t), Some(190));
        assert_eq!(after(500, |t| 2.0 * t), Some(1), "the window moves");
        assert_eq!(after(61, |t| 500.0 + 0.5 * t), None, "more than ten minutes away");
        assert_eq!(after(61, |t| 990.0 + t), Some(0), "already there");
    }

    #[test]
    fn it_needs_twenty_seconds() {
        assert_eq!(after(20, |t| 500.0 + 10.0 * t), None);
        assert_eq!(after(21, |t| 500.0 + 10.0 * t), Some(30));
        assert_eq!(after(0, |t| t), None);
    }

    #[test]
    fn samples_a_quarter_second_apart_count_once_a_second() {
        let mut forecast = Forecast::default();
        for quarter in 0..=400_u32 {
            let used = as_bytes((500.0 + f64::from(quarter) / 4.0) * MIB);
            forecast.add(Duration::from_millis(250) * quarter, used);
        }
        assert!(forecast.samples.len() <= 62, "{}", forecast.samples.len());
        assert_eq!(forecast.seconds_to(as_bytes(LIMIT)), Some(400));
        assert!((forecast.slope() - MIB).abs() < 1.0);
    }

    #[test]
    fn growth_is_seen_through_noise() {
        let mut random = fastrand::Rng::with_seed(4);
        let mut close = 0;
        for _ in 0..200 {
            let found = after(61, |t| 500.0 + 2.0 * t + 8.0 * noise(&mut random));
            close += u32::from(found.is_some_and(|seconds| (170..=212).contains(&seconds)));
        }
        assert!(close > 180, "{close} of 200");
    }

    #[test]
    fn noise_alone_foretells_nothing() {
        let mut random = fastrand::Rng::with_seed(5);
        for run in 0..2000 {
            assert_eq!(after(61, |_| 900.0 + 10.0 * noise(&mut random)), None, "run {run}");
        }
    }

    #[test]
    fn a_sawtooth_foretells_nothing() {
        for period in [4.0, 7.0, 10.0, 15.0, 20.0, 25.0, 30.0] {
            for phase in 0..30 {
                let found = after(61, |t| 700.0 + 10.0 * ((t + f64::from(phase)) % period));
                assert_eq!(found, None, "period {period}, phase {phase}");
            }
        }
    }

    #[test]
    fn a_step_foretells_nothing() {
        for step in 1..60 {
            assert_eq!(after(61, |t| if t < f64::from(step) { 300.0 } else { 800.0 }), None, "at {step}");
        }
    }

    #[test]
    fn falling_and_flat_foretell_nothing() {
        assert_eq!(after(61, |t| 990.0 - t), None);
        assert_eq!(after(61, |_| 999.0), None);
        assert_eq!(after(61, |t| if t < 45.0 { 500.0 + 8.0 * t } else { 500.0 }), None, "it was freed");
    }
}
