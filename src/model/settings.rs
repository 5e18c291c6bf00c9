//! What the API server needs to know from init's command line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
    /// When init started, milliseconds since the Unix epoch.
    pub started_at: u64,
    /// Logging.
    pub log: LogSettings,
}
