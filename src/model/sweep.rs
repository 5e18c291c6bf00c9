//! What a sweep found, `proc(5)` against the session table.

use serde::{Deserialize, Serialize};

use super::id::SessionId;

/// Most entries a report lists by name; the counts beside the lists are whole.
pub const LISTED_MAX: usize = 100;

/// A process that ran on although its session was over, and was killed for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaned {
    /// Its process id, as init sees it.
    pub pid: u32,
    /// The session it was of, if that can still be told.
    pub session: Option<SessionId>,
    /// Name of the program, at most 15 bytes (`comm` in `proc_pid_stat(5)`).
    pub command: String,
    /// Why.
    pub reason: Reason,
}

/// Why a process was killed by the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Its session is in the table, and has ended.
    SessionEnded,
    /// Its session is no longer in the table, or never was.
    SessionGone,
}

/// A process that has ended and whose parent, alive and not init, has not
/// waited for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZombieReport {
    /// Its process id, as init sees it.
    pub pid: u32,
    /// Who should wait for it.
    pub parent_pid: u32,
    /// Name of the program, at most 15 bytes.
    pub command: String,
    /// The session it was of, if any.
    pub session: Option<SessionId>,
    /// Seconds since it was started.
    pub age_seconds: u64,
    /// Seconds since a sweep first saw it as a zombie; the kernel does not keep
    /// the moment of its end.
    pub zombie_seconds: u64,
}

/// What init has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Children reaped, adopted orphans among them.
    pub reaped: u64,
    /// Processes killed by sweeps.
    pub swept: u64,
    /// Sweeps finished.
    pub sweeps: u64,
}

/// The outcome of one sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Processes seen.
    pub examined: u32,
    /// How many were killed.
    pub cleaned_count: u32,
    /// The first [`LISTED_MAX`] of them.
    pub cleaned: Vec<Cleaned>,
    /// How many could not be killed.
    pub failed_count: u32,
    /// How many zombies there are.
    pub zombie_count: u32,
    /// The first [`LISTED_MAX`] of them.
    pub zombies: Vec<ZombieReport>,
    /// From the beginning of the look at /proc to the last kill carried out.
    pub elapsed_ms: u64,
    /// Since init started.
    pub totals: Totals,
}
