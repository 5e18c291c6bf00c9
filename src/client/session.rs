//! A session as the API describes it, as far as tables and attachments need it.

use serde::Deserialize;
use serde_json::Value;

use super::failure::Failure;

/// The fields that are looked at. Those that a server may leave out have
/// defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are the contract's, described in docs/protocol.md")]
pub struct Session {
    pub id: String,
    pub name: String,
    pub status: String,
    pub command: Vec<String>,
    #[serde(default)]
    pub branch: Option<String>,
    #[serde(default)]
    pub pty_pid: Option<u32>,
    #[serde(default)]
    pub started_at: Option<String>,
    pub last_activity: String,
    #[serde(default)]
    pub exit_code: Option<u8>,
    #[serde(default)]
    pub signal: Option<String>,
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    #[serde(default)]
    pub cpu_percent: Option<f64>,
    #[serde(default)]
    pub process_count: Option<u64>,
    pub output_offset: u64,
    pub oldest_offset: u64,
}

impl Session {
    /// Reads the JSON object.
    ///
    /// # Errors
    /// It is no session.
    pub fn of(value: Value) -> Result<Self, Failure> {
        serde_json::from_value(value).map_err(|e| Failure::new(format!("quarterdeck's answer is no session: {e}")))
    }

    /// Reads the answer of the list route.
    ///
    /// # Errors
    /// It is no list of sessions.
    pub fn list(mut answer: Value) -> Result<Vec<Self>, Failure> {
        serde_json::from_value(answer["sessions"].take())
            .map_err(|e| Failure::new(format!("quarterdeck's answer is no list of sessions: {e}")))
    }

    /// Whether its program has ended, as opposed to runs or was never started.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.pty_pid.is_none() && (self.exit_code.is_some() || self.signal.is_some())
    }
}
