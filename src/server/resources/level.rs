//! When memory is high, critical, and fine again.
//!
//! One sample decides nothing: a level is entered and left on two in a row. It
//! is left only well below where it was entered, so that a figure that stays
//! near a threshold does not flap.

use std::time::Duration;

use crate::model::resources::MemoryLevel;

/// How far below its threshold a level is left, in points of percent.
const LEAVE_BELOW: f64 = 5.0;
/// Samples in a row that decide.
const IN_A_ROW: u32 = 2;

/// Within so many points of the next threshold samples are taken faster.
const CHECK_FASTER_ABOVE: f64 = 15.0;
/// Nor may the threshold be nearer than this at the speed of the last samples.
const CHECK_FASTER_BEFORE: Duration = Duration::from_secs(10);
/// About what one core can fill in a second: faulting in huge pages.
const FILL_PER_CORE: f64 = 8.0 * 1024.0 * 1024.0 * 1024.0;
/// Between samples when no threshold can be crossed before the next one.
pub const QUIET: Duration = Duration::from_secs(1);
/// Between samples otherwise: two of them are half a second.
pub const FAST: Duration = Duration::from_millis(250);
/// To the sample that confirms a crossing.
pub const CONFIRM: Duration = Duration::from_millis(100);

/// From which shares of the limit the levels begin, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    warn: f64,
    critical: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { warn: 87.0, critical: 93.0 }
    }
}

impl Thresholds {
    /// Thresholds in this order: 0 < `warn` < `critical` <= 100.
    ///
    /// # Errors
    /// A text that says what is wrong and what to give instead.
    pub fn new(warn: f64, critical: f64) -> Result<Self, String> {
        if 0.0 < warn && warn < critical && critical <= 100.0 {
            return Ok(Self { warn, critical });
        }
        Err(format!(
            "memory thresholds of {warn} % (warning) and {critical} % (critical) can't be told apart or reached; \
             give a warning threshold above 0 and a critical one above it, up to 100"
        ))
    }

    /// From where the warning level begins.
    #[must_use]
    pub fn warn(&self) -> f64 {
        self.warn
    }

    /// The same in bytes, of a limit of so many.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
    pub fn warn_bytes(&self, limit: u64) -> u64 {
        (self.warn / 100.0 * limit as f64) as u64
    }

    /// From where memory is critical.
    #[must_use]
    pub fn critical(&self) -> f64 {
        self.critical
    }

    /// The level of one figure by itself.
    #[must_use]
    pub fn level_of(&self, percent: f64) -> MemoryLevel {
        match percent {
            p if p >= self.critical => MemoryLevel::Critical,
            p if p >= self.warn => MemoryLevel::Warning,
            _ => MemoryLevel::Normal,
        }
    }

    /// The level to stay in for one figure, coming from above.
    fn level_left_to(&self, percent: f64) -> MemoryLevel {
        // A low threshold must be left above zero.
        let leave = |threshold: f64| threshold - LEAVE_BELOW.min(threshold / 2.0);
        Self { warn: leave(self.warn), critical: leave(self.critical) }.level_of(percent)
    }
}

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Up, to this level.
    Entered(MemoryLevel),
    /// Down, to this level.
    LeftTo(MemoryLevel),
}

/// Which level memory is in.
#[derive(Clone, Copy, Debug)]
pub struct Levels {
    thresholds: Thresholds,
    level: MemoryLevel,
    /// Samples in a row that were above the level, with the lowest of theirs.
    rising: (u32, MemoryLevel),
    /// Samples in a row that were below it, with the highest of theirs.
    falling: (u32, MemoryLevel),
}

impl Levels {
    /// Normal, until samples say otherwise.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Self {
        let none = (0, MemoryLevel::Normal);
        Self { thresholds, level: MemoryLevel::Normal, rising: none, falling: none }
    }

    /// The level now.
    #[must_use]
    pub fn level(&self) -> MemoryLevel {
        self.level
    }

    /// The thresholds it decides by.
    #[must_use]
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Whether one more sample like the last one changes the level.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.rising.0 > 0 || self.falling.0 > 0
    }

    /// Whether a new session may start at this figure: not while memory is
    /// critical by it, nor in the few points below that a critical level lasts.
    #[must_use]
    pub fn admits(&self, percent: f64) -> bool {
        let critical = MemoryLevel::Critical;
        let level = if self.level == critical {
            self.thresholds.level_left_to(percent)
        } else {
            self.thresholds.level_of(percent)
        };
        level < critical
    }

    /// Takes the next sample.
    pub fn feed(&mut self, percent: f64) -> Option<Change> {
        let (up, down) = (self.thresholds.level_of(percent), self.thresholds.level_left_to(percent));
        self.rising = match self.rising {
            _ if up <= self.level => (0, up),
            (0, _) => (1, up),
            (count, lowest) => (count + 1, lowest.min(up)),
        };
        self.falling = match self.falling {
            _ if down >= self.level => (0, down),
            // Further down than the one before: the level between is passed by
            // already, and to tell of it would name a figure that is not high.
            (count, highest) if count == 0 || down < highest => (1, down),
            (count, highest) => (count + 1, highest.max(down)),
        };
        let change = match (self.rising, self.falling) {
            ((IN_A_ROW.., level), _) => Change::Entered(level),
            (_, (IN_A_ROW.., level)) => Change::LeftTo(level),
            _ => return None,
        };
        let (Change::Entered(level) | Change::LeftTo(level)) = change;
        self.level = level;
        // The last sample may be the first one of two for a level further on.
        self.rising = if up > level { (1, up) } else { (0, up) };
        self.falling = if down < level { (1, down) } else { (0, down) };
        Some(change)
    }

    /// How long to wait for the next sample, so that two of them fit into half
    /// a second after any crossing.
    ///
    /// `used` of `limit` bytes are used, `cores` cores may fill more, and the
    /// last samples rose by `slope` bytes a second.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "bytes to estimate a time by")]
    pub fn next_in(&self, used: u64, limit: u64, slope: f64, cores: f64) -> Duration {
        if self.is_undecided() {
            return CONFIRM;
        }
        // Above normal what matters next, up or down, is a few points away.
        if self.level > MemoryLevel::Normal {
            return FAST;
        }
        let free = self.thresholds.warn_bytes(limit) as f64 - used as f64;
        let is_near = free <= CHECK_FASTER_ABOVE / 100.0 * limit as f64;
        let is_steep = free <= slope * CHECK_FASTER_BEFORE.as_secs_f64();
        let is_small = free <= cores * FILL_PER_CORE * QUIET.as_secs_f64();
        if is_near || is_steep || is_small { FAST } else { QUIET }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Change::{Entered, LeftTo};
    use super::MemoryLevel::{Critical, Normal, Warning};
    use super::*;

    const GIB: u64 = 1 << 30;

    fn levels() -> Levels {
        Levels::new(Thresholds::default())
    }

    fn changes(samples: &[f64]) -> Vec<Option<Change>> {
        let mut levels = levels();
        samples.iter().map(|percent| levels.feed(*percent)).collect()
    }

    #[test]
    fn two_samples_in_a_row_decide() {
        assert_eq!(changes(&[86.9, 87.0, 86.9, 87.0]), [None; 4]);
        assert_eq!(changes(&[87.0, 87.0, 90.0]), [None, Some(Entered(Warning)), None]);
        assert_eq!(changes(&[95.0, 93.0]), [None, Some(Entered(Critical))], "straight to critical");
        assert_eq!(changes(&[f64::NAN, f64::NAN]), [None; 2]);
    }

    #[test]
    fn of_two_different_samples_the_lower_level_is_sure() {
        assert_eq!(changes(&[88.0, 94.0, 94.0]), [None, Some(Entered(Warning)), Some(Entered(Critical))]);
        assert_eq!(changes(&[94.0, 88.0, 94.0, 94.0]), [None, Some(Entered(Warning)), None, Some(Entered(Critical))]);
    }

    #[test]
    fn a_level_is_left_five_points_below() {
        assert_eq!(changes(&[88.0, 88.0, 82.0, 82.0]), [None, Some(Entered(Warning)), None, None]);
        assert_eq!(changes(&[88.0, 88.0, 81.9, 81.9]), [None, Some(Entered(Warning)), None, Some(LeftTo(Normal))]);
        assert_eq!(changes(&[95.0, 95.0, 87.9, 87.9]), [None, Some(Entered(Critical)), None, Some(LeftTo(Warning))]);
        assert_eq!(changes(&[95.0, 95.0, 50.0, 50.0]), [None, Some(Entered(Critical)), None, Some(LeftTo(Normal))]);
        let down = [None, Some(Entered(Critical)), None, None, Some(LeftTo(Normal))];
        assert_eq!(changes(&[95.0, 95.0, 85.0, 20.0, 20.0]), down, "20 % is not told to be high");
        let unsteady = [None, Some(Entered(Critical)), None, None, Some(LeftTo(Warning))];
        assert_eq!(changes(&[95.0, 95.0, 85.0, 20.0, 85.0]), unsteady);
    }

    #[test]
    fn admission_follows_the_figure_and_the_level() {
        let mut levels = levels();
        assert!(levels.admits(92.9) && !levels.admits(93.0), "before the level is sure");
        levels.feed(95.0);
        levels.feed(95.0);
        assert!(!levels.admits(92.0) && !levels.admits(88.0), "critical until five points below");
        assert!(levels.admits(87.9));
    }

    #[test]
    fn low_thresholds_can_be_left_too() {
        let mut levels = Levels::new(Thresholds::new(1.0, 2.0).expect("low ones"));
        let found: Vec<_> = [3.0, 3.0, 0.4, 0.4].map(|percent| levels.feed(percent)).into();
        assert_eq!(found, [None, Some(Entered(Critical)), None, Some(LeftTo(Normal))]);
    }

    #[test]
    fn impossible_thresholds_are_refused_with_words() {
        for (warn, critical) in
            [(93.0, 87.0), (87.0, 87.0), (0.0, 50.0), (87.0, 100.1), (f64::NAN, 90.0), (1.0, f64::NAN)]
        {
            let error = Thresholds::new(warn, critical).expect_err("an order that can't work");
            assert!(error.contains("give a warning threshold above 0"), "{error}");
        }
        assert!(Thresholds::new(87.0, 100.0).is_ok());
    }

    #[test]
    fn samples_come_fast_where_a_crossing_is_possible() {
        let quiet = levels();
        assert_eq!(quiet.next_in(GIB, 64 * GIB, 0.0, 2.0), QUIET);
        assert_eq!(quiet.next_in(GIB / 8, GIB / 4, 0.0, 2.0), FAST, "a core fills it before the next second");
        assert_eq!(quiet.next_in(47 * GIB, 64 * GIB, 0.0, 1.0), FAST, "within 15 points");
        let steep = 6.0 * GIB as f64;
        assert_eq!(quiet.next_in(GIB, 64 * GIB, steep, 2.0), FAST, "reached in 10 s");
        assert_eq!(quiet.next_in(GIB, 64 * GIB, -steep, 2.0), QUIET);
        assert_eq!(quiet.next_in(0, 0, 0.0, 1.0), FAST, "no limit is known");
    }

    #[test]
    fn a_crossing_is_confirmed_soon() {
        let mut levels = levels();
        levels.feed(88.0);
        assert_eq!(levels.next_in(88, 100, 0.0, 1.0), CONFIRM);
        levels.feed(88.0);
        assert_eq!(levels.next_in(88, 100, 0.0, 1.0), FAST);
        levels.feed(20.0);
        assert_eq!(levels.next_in(20, 100, 0.0, 1.0), CONFIRM);
        assert!(FAST + CONFIRM < Duration::from_millis(500));
    }

    proptest! {
        #[test]
        fn inside_the_band_nothing_flaps(samples in prop::collection::vec(82.0..93.0, 0..200)) {
            let found = changes(&samples);
            prop_assert!(found.iter().flatten().count() <= 1);
        }

        #[test]
        fn a_single_outlier_changes_nothing(base in 0.0..100.0, outlier in 0.0..100.0) {
            let mut levels = levels();
            for _ in 0..3 {
                levels.feed(base);
            }
            let before = levels.level();
            prop_assert_eq!(levels.feed(outlier), None);
            prop_assert_eq!(levels.feed(base), None);
            prop_assert_eq!(levels.level(), before);
        }

        #[test]
        fn two_samples_are_enough_from_anywhere(samples in prop::collection::vec(0.0..100.0, 0..50), last in 0.0..100.0) {
            let mut levels = levels();
            for percent in samples {
                levels.feed(percent);
            }
            levels.feed(last);
            levels.feed(last);
            let thresholds = *levels.thresholds();
            prop_assert!(levels.level() >= thresholds.level_of(last));
            prop_assert!(levels.level() <= thresholds.level_left_to(last));
        }

        #[test]
        fn each_change_goes_the_way_it_says(samples in prop::collection::vec(70.0..100.0, 0..200)) {
            let mut levels = levels();
            let mut before = Normal;
            for percent in samples {
                match levels.feed(percent) {
                    Some(Entered(level)) => prop_assert!(level > before && level <= levels.thresholds().level_of(percent)),
                    Some(LeftTo(level)) => prop_assert!(level < before && percent < 88.0),
                    None => prop_assert_eq!(levels.level(), before),
                }
                before = levels.level();
            }
        }
    }
}
