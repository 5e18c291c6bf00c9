//! What the API server needs to know from init's command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::address::{Host, Origin};
use super::percent::Percent;

/// Form of the log lines on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Least important line that is still written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something may fail soon, or was repaired.
    Warn,
    /// The life of the container.
    Info,
    /// For people who look for a fault.
    Debug,
}

/// How and where to log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSettings {
    /// Least important line that is still written.
    pub level: LogLevel,
    /// Form of the lines on stderr.
    pub format: LogFormat,
    /// Directory for rolling JSON files, if wanted.
    pub dir: Option<PathBuf>,
}

/// Settings init hands to each API server it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Most sessions at once.
    pub max_sessions: u32,
    /// Runs when a request names no command.
    pub session_command: Vec<String>,
    /// Where sessions start when a request names no directory.
    pub workspace: String,
    /// Milliseconds without output after which a session counts as stuck, if any.
    pub stuck_after_ms: Option<u64>,
    /// Where what must outlive the container is kept, if there is such a place.
    pub state_dir: Option<PathBuf>,
    /// When init started, milliseconds since the Unix epoch.
    pub started_at: u64,
    /// Bytes of output kept on disk for each session; 0 for none.
    pub history: u64,
    /// By which names the API may be reached, and from which pages.
    pub doors: DoorSettings,
    /// What clients may use of the server.
    pub limits: LimitSettings,
    /// Bytes that the retained output of all sessions may take in memory.
    pub rings_max: u64,
    /// Logging.
    pub log: LogSettings,
    /// What counts as much memory.
    pub resources: ResourceSettings,
}

/// By which names the API may be reached, and from which pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorSettings {
    /// The address that is listened on.
    pub listen: SocketAddr,
    /// Further names.
    pub hosts: Vec<Host>,
    /// Further pages.
    pub origins: Vec<Origin>,
}

/// What clients may use of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSettings {
    /// Most connections at the API's address.
    pub connections: u32,
    /// Most of them from one client.
    pub connections_per_client: u32,
    /// Most requests a second of one client; 0 for any number.
    pub requests_per_second: u32,
}

/// What counts as much memory, and how often everything is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceSettings {
    /// Bytes that may be used, if that is less than the container's own limit.
    pub memory_limit: Option<u64>,
    /// From where to warn.
    pub warn: Percent,
    /// From where no new session is taken; above `warn`.
    pub critical: Percent,
    /// Milliseconds between two full cycles.
    pub interval_ms: u64,
}
