//! A session as clients see it: the JSON of the API.

use serde::Serialize;

use super::resource_view::tenths;
use super::resources::sessions::Usage;
use super::session::Session;
use crate::logging::iso_time;
use crate::model::id::SessionId;
use crate::model::session::{Exit, ExitStatus, Record, Stage, UnixMillis};
use crate::model::signal::Signal;
use crate::model::sweep::Reason;

/// What a session is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The program runs.
    Active,
    /// It runs and needs a person.
    Waiting,
    /// Known from before the container was started, and not resumed since.
    Idle,
    /// It ended by a signal or with a code other than 0.
    Error,
    /// It ended with 0 or by request.
    Stopped,
}

impl Status {
    /// Whether the present life of the program is over.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Error | Self::Stopped)
    }

    /// The status a record amounts to.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        match (record.state.stage, record.state.last_exit) {
            (Stage::Running { .. }, _) if record.state.attention.need.is_some() => Self::Waiting,
            (Stage::Starting | Stage::Running { .. }, _) => Self::Active,
            (Stage::Idle { .. }, _) => Self::Idle,
            (Stage::Ended, Some(exit)) if exit.requested || exit.status == ExitStatus::Code(0) => Self::Stopped,
            (Stage::Ended, _) => Self::Error,
        }
    }
}

/// The JSON object `Session`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are the contract's, described in docs/protocol.md")]
pub struct SessionView {
    pub id: SessionId,
    pub name: String,
    pub status: Status,
    pub command: Vec<String>,
    pub working_directory: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pty_pid: Option<u32>,
    pub cols: u16,
    pub rows: u16,
    pub created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    pub last_activity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_reason: Option<String>,
    pub needs_input: bool,
    /// What a person is needed for, in the program's words where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_input_message: Option<String>,
    pub is_stuck: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Percent of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_count: Option<usize>,
    /// Processes that the kernel killed because memory ran out, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
    pub output_offset: u64,
    pub oldest_offset: u64,
    /// Whether the program has ended and its last byte is in the output.
    pub output_complete: bool,
    pub clients: usize,
}

impl SessionView {
    /// The view of `session` with the record of one snapshot.
    #[must_use]
    pub fn of(record: &Record, session: &Session) -> Self {
        let pty_pid = match record.state.stage {
            Stage::Running { pid } => Some(pid),
            Stage::Starting | Stage::Ended | Stage::Idle { .. } => None,
        };
        let started_at = record.state.started_at.filter(|_| record.state.stage != Stage::Starting);
        let exit = shown_exit(record);
        let is_idle = matches!(record.state.stage, Stage::Idle { .. });
        let usage = *session.usage();
        let used = if pty_pid.is_some() { usage } else { Usage::default() };
        Self {
            id: record.id,
            name: record.name.to_string(),
            status: Status::of(record),
            command: record.spec.command.clone(),
            working_directory: record.spec.cwd.clone(),
            branch: record.worktree.as_ref().and_then(|worktree| worktree.branch.as_ref()).map(ToString::to_string),
            worktree_path: record.worktree.as_ref().map(|worktree| worktree.path.clone()),
            pty_pid,
            cols: record.state.size.cols(),
            rows: record.state.size.rows(),
            created_at: iso_time(record.created_at),
            started_at: started_at.map(iso_time),
            last_activity: last_activity(record, session),
            exit_code: exit.and_then(exit_code),
            signal: exit.and_then(exit_signal),
            exit_reason: exit.map(|e| exit_reason(&e)),
            needs_input: record.state.attention.need.is_some(),
            needs_input_message: record.state.attention.need.clone(),
            is_stuck: record.state.attention.is_stuck,
            memory_bytes: used.memory,
            cpu_percent: used.cpu_percent.map(tenths),
            process_count: used.processes,
            oom_kills: Some(usage.oom_kills).filter(|kills| *kills > 0),
            output_offset: session.head(),
            oldest_offset: session.oldest(),
            output_complete: is_idle || exit.is_some_and(|e| e.drained_at.is_some()),
            clients: session.client_count(),
        }
    }
}

/// The end of the present life. A running program has not ended, and one that was
/// killed with the container left no word: what a predecessor did is history.
fn shown_exit(record: &Record) -> Option<Exit> {
    let exit = record.state.last_exit?;
    let is_over = match record.state.stage {
        Stage::Starting | Stage::Running { .. } => false,
        Stage::Ended => true,
        Stage::Idle { .. } => exit.life == record.state.life,
    };
    is_over.then_some(exit)
}

/// When anything last happened: output, start or end.
#[must_use]
pub fn last_activity(record: &Record, session: &Session) -> String {
    iso_time(last_activity_ms(record, session.last_output_ms()))
}

/// The same in milliseconds, with output last at `output`, 0 for never.
#[must_use]
pub fn last_activity_ms(record: &Record, output: UnixMillis) -> UnixMillis {
    let known = match record.state.stage {
        Stage::Idle { last_activity } => last_activity,
        Stage::Starting | Stage::Running { .. } | Stage::Ended => 0,
    };
    let ended = record.state.last_exit.map_or(0, |e| e.at);
    output.max(known).max(record.state.started_at.unwrap_or(0)).max(ended).max(record.created_at)
}

/// The exit code, if the program had one.
#[must_use]
pub fn exit_code(exit: Exit) -> Option<u8> {
    match exit.status {
        ExitStatus::Code(code) => Some(code),
        ExitStatus::Signal(_) => None,
    }
}

/// The name of the signal that ended the program, if one did.
#[must_use]
pub fn exit_signal(exit: Exit) -> Option<String> {
    match exit.status {
        ExitStatus::Code(_) => None,
        ExitStatus::Signal(number) => {
            Some(Signal::try_from(number).map_or_else(|_| format!("SIG{number}"), |s| s.to_string()))
        }
    }
}

/// Why the program ended, for a person.
#[must_use]
pub fn exit_reason(exit: &Exit) -> String {
    let how = match (exit_code(*exit), exit_signal(*exit)) {
        _ if exit.out_of_memory => "killed by the kernel: out of memory".to_owned(),
        (Some(code), _) => format!("ended with code {code}"),
        (None, signal) => format!("killed by {}", signal.unwrap_or_default()),
    };
    match (exit.at_shutdown, exit.requested) {
        (true, _) => format!("stopped with the container ({how})"),
        (false, true) => format!("stopped on request ({how})"),
        (false, false) => how,
    }
}

/// Why the sweep killed a process, in words.
#[must_use]
pub fn cleaning_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::SessionEnded => "its session has ended",
        Reason::SessionGone => "its session is gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(status: ExitStatus, requested: bool) -> Exit {
        Exit { life: 1, status, at: 0, requested, at_shutdown: false, out_of_memory: false, drained_at: None }
    }

    #[test]
    fn ends_are_told_in_words() {
        assert_eq!(exit_reason(&exit(ExitStatus::Code(3), false)), "ended with code 3");
        assert_eq!(exit_reason(&exit(ExitStatus::Signal(9), false)), "killed by SIGKILL");
        assert_eq!(exit_reason(&exit(ExitStatus::Signal(1), true)), "stopped on request (killed by SIGHUP)");
        let at_shutdown = Exit { at_shutdown: true, ..exit(ExitStatus::Signal(15), true) };
        assert_eq!(exit_reason(&at_shutdown), "stopped with the container (killed by SIGTERM)");
        let for_memory = Exit { out_of_memory: true, ..exit(ExitStatus::Signal(9), false) };
        assert_eq!(exit_reason(&for_memory), "killed by the kernel: out of memory");
    }
}
