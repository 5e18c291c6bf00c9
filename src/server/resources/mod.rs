//! What the container uses: readings, levels, history and forecast.

pub mod alarm;
pub mod forecast;
pub mod history;
#[cfg(test)]
mod kinds;
pub mod level;
pub mod memory;
pub mod monitor;
pub mod reading;
pub mod room;
pub mod sessions;
pub mod usage;
pub mod zombies;

#[cfg(test)]
use crate::cgroups::fixture;
use crate::cgroups::{file, place};

/// Resident memory of this process in bytes, `proc_pid_statm(5)`.
#[must_use]
pub fn own_resident_bytes() -> u64 {
    let statm = procfs::process::Process::myself().and_then(|p| p.statm());
    statm.map_or(0, |s| s.resident * procfs::page_size())
}
