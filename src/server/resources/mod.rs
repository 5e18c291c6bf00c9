//! What the container uses: readings, levels, history and forecast.

pub mod file;
#[cfg(test)]
mod fixture;
pub mod forecast;
pub mod history;
#[cfg(test)]
mod kinds;
pub mod level;
pub mod memory;
pub mod place;
pub mod reading;
pub mod usage;
pub mod zombies;

use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::model::resources::{MemoryLevel, MemoryReading};
use level::Thresholds;
use reading::Sampler;
use zombies::ZombieCount;

/// A fresh reading of the container's memory.
#[must_use]
pub fn read_memory() -> MemoryReading {
    Sampler::new(Path::new("/"), None).fresh_memory()
}

/// How full the memory is.
#[must_use]
pub fn level(memory: &MemoryReading) -> MemoryLevel {
    Thresholds::default().level_of(memory.used_percent())
}

/// Resident memory of this process in bytes, `proc_pid_statm(5)`.
#[must_use]
pub fn own_resident_bytes() -> u64 {
    let statm = procfs::process::Process::myself().and_then(|p| p.statm());
    statm.map_or(0, |s| s.resident * procfs::page_size())
}

/// Processes that ended and were not waited for by their parent, as of the
/// last seconds.
#[must_use]
pub fn zombie_count() -> usize {
    static COUNT: LazyLock<Mutex<ZombieCount>> = LazyLock::new(|| Mutex::new(ZombieCount::new(Path::new("/"))));
    COUNT.lock().unwrap_or_else(PoisonError::into_inner).get()
}
