//! What the container uses. Readings on demand; levels, history and
//! admission build on these.

pub mod file;
#[cfg(test)]
mod fixture;
pub mod memory;
pub mod place;
pub mod reading;
pub mod usage;

use std::path::Path;

use crate::model::resources::{MemoryLevel, MemoryReading};

/// Default share of the limit from which people are warned, in percent.
const WARN_PERCENT: f64 = 87.0;
/// Default share of the limit from which memory is critical, in percent.
const CRITICAL_PERCENT: f64 = 93.0;

/// A fresh reading of the container's memory.
#[must_use]
pub fn read_memory() -> MemoryReading {
    reading::Sampler::new(Path::new("/"), None).fresh_memory()
}

/// How full the memory is.
#[must_use]
pub fn level(memory: &MemoryReading) -> MemoryLevel {
    match memory.used_percent() {
        percent if percent >= CRITICAL_PERCENT => MemoryLevel::Critical,
        percent if percent >= WARN_PERCENT => MemoryLevel::Warning,
        _ => MemoryLevel::Normal,
    }
}

/// Resident memory of this process in bytes, `proc_pid_statm(5)`.
#[must_use]
pub fn own_resident_bytes() -> u64 {
    let statm = procfs::process::Process::myself().and_then(|p| p.statm());
    statm.map_or(0, |s| s.resident * procfs::page_size())
}

/// Processes that ended and were not waited for by their parent.
#[must_use]
pub fn zombie_count() -> usize {
    let all = procfs::process::all_processes().into_iter().flatten().flatten();
    all.filter_map(|p| p.stat().ok()).filter(|s| s.state == 'Z' && s.num_threads <= 1).count()
}
