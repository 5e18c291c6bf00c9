//! What the container uses as clients see it: the JSON of the API.

use serde::Serialize;

use super::resources::history::Past;
use super::resources::monitor::{Now, Warning};
use crate::logging::{iso_time, unix_millis};
use crate::model::resources::{MemoryLevel, Source};

/// The JSON object `ResourceState`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are the contract's, described in docs/protocol.md")]
pub struct ResourceState {
    pub memory_used_bytes: u64,
    pub memory_limit_bytes: u64,
    pub memory_usage_percent: f64,
    pub memory_current_bytes: u64,
    pub memory_working_set_bytes: u64,
    pub memory_cache_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap_bytes: Option<u64>,
    pub memory_level: MemoryLevel,
    pub warn_percent: f64,
    pub critical_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_pressure_some10: Option<f64>,
    /// Seconds, if at the present pace the limit is reached within ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_reached_in_seconds: Option<u64>,
    /// Percent of one core, over the time between two samples.
    pub cpu_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_limit_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_current: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u64>,
    pub oom_kills: u64,
    pub session_count: usize,
    pub max_sessions: u32,
    pub is_accepting_new_sessions: bool,
    pub zombie_process_count: usize,
    pub source: Source,
    pub sampled_at: String,
}

/// What the state says of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Sessions {
    /// Sessions there are.
    pub count: usize,
    /// Sessions there may be.
    pub max: u32,
    /// Whether one more would be taken now.
    pub is_accepting: bool,
}

impl ResourceState {
    /// The state of one moment.
    #[must_use]
    pub fn of(now: &Now, sessions: Sessions) -> Self {
        let (sample, memory) = (&now.sample, &now.sample.memory);
        Self {
            memory_used_bytes: memory.used(),
            memory_limit_bytes: memory.limit,
            memory_usage_percent: memory.used_percent(),
            memory_current_bytes: memory.current,
            memory_working_set_bytes: memory.working_set(),
            memory_cache_bytes: memory.cache(),
            memory_swap_bytes: memory.swap,
            memory_level: now.level,
            warn_percent: now.thresholds.warn(),
            critical_percent: now.thresholds.critical(),
            memory_pressure_some10: sample.pressure_some10,
            limit_reached_in_seconds: now.limit_reached_in,
            cpu_percent: tenths(sample.cpu_percent.unwrap_or(0.0)),
            cpu_limit_percent: sample.cpu_limit_percent.map(tenths),
            pids_current: sample.pids.map(|pids| pids.current),
            pids_max: sample.pids.and_then(|pids| pids.max),
            oom_kills: sample.oom.map_or(0, |oom| oom.kills),
            session_count: sessions.count,
            max_sessions: sessions.max,
            is_accepting_new_sessions: sessions.is_accepting,
            zombie_process_count: now.zombies,
            source: memory.source,
            sampled_at: iso_time(unix_millis()),
        }
    }
}

/// A remembered sample.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "described in docs/protocol.md")]
pub struct PastSample {
    pub time: String,
    pub memory_used_bytes: u64,
    pub memory_usage_percent: f64,
    pub cpu_percent: f64,
    pub session_count: u16,
}

impl From<Past> for PastSample {
    fn from(past: Past) -> Self {
        Self {
            time: iso_time(past.unix_millis),
            memory_used_bytes: past.point.used,
            memory_usage_percent: tenths(past.point.percent.into()),
            cpu_percent: tenths(past.point.cpu.into()),
            session_count: past.point.sessions,
        }
    }
}

/// What clients are told at a change of level.
#[must_use]
pub fn warning_text(warning: &Warning) -> String {
    let percent = warning.percent;
    match warning.level {
        MemoryLevel::Normal => format!("Memory usage back to normal ({percent:.0}%)."),
        MemoryLevel::Warning => format!("High memory usage ({percent:.0}%). Consider closing idle sessions."),
        MemoryLevel::Critical => {
            format!("Memory critical ({percent:.0}%). Cannot create new sessions until memory is freed.")
        }
    }
}

/// When the limit will be reached, in words, if that can be told.
#[must_use]
pub fn forecast_text(warning: &Warning) -> Option<String> {
    warning.limit_reached_in.map(|seconds| format!("Limit reached in about {seconds} s"))
}

/// Rounded to one decimal.
#[must_use]
pub fn tenths(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(level: MemoryLevel, percent: f64, limit_reached_in: Option<u64>) -> Warning {
        Warning { level, percent, limit_reached_in }
    }

    #[test]
    fn warnings_are_told_to_the_letter() {
        let text = |level, percent| warning_text(&warning(level, percent, None));
        assert_eq!(text(MemoryLevel::Warning, 87.0), "High memory usage (87%). Consider closing idle sessions.");
        assert_eq!(
            text(MemoryLevel::Critical, 93.4),
            "Memory critical (93%). Cannot create new sessions until memory is freed."
        );
        assert_eq!(text(MemoryLevel::Normal, 12.6), "Memory usage back to normal (13%).");
    }

    #[test]
    fn a_forecast_is_told_only_if_there_is_one() {
        let foretold = warning(MemoryLevel::Warning, 87.0, Some(42));
        assert_eq!(forecast_text(&foretold).as_deref(), Some("Limit reached in about 42 s"));
        assert_eq!(forecast_text(&warning(MemoryLevel::Warning, 87.0, None)), None);
    }
}
