//! A session as init knows it: the record that outlives every API server.

use serde::{Deserialize, Serialize};

use super::attention::{Attention, Ticket};
use super::id::{SessionId, SessionName};
use super::spec::{SessionSpec, TerminalSize};
use super::worktree::Worktree;

/// Milliseconds since the Unix epoch, UTC (`CLOCK_REALTIME`).
pub type UnixMillis = u64;

/// How a program ended, in the terms of `wait(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It called `exit(3)` with this code.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
}

/// The end of one life of a session (a resumed session has several).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Which life ended; the first is 1.
    pub life: u32,
    /// How the session leader ended.
    pub status: ExitStatus,
    /// When it was reaped.
    pub at: UnixMillis,
    /// Whether a client or the shutdown asked for the end.
    pub requested: bool,
    /// Whether it ran until the container was shut down.
    pub at_shutdown: bool,
    /// Whether the kernel killed it because memory ran out.
    pub out_of_memory: bool,
    /// The offset behind the last byte of output, once the terminal is
    /// drained; until then more output may follow.
    pub drained_at: Option<u64>,
}

/// Where a session is in its life, as far as anybody outside init cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Forked; the kernel has not yet accepted the program.
    Starting,
    /// The program runs as this process, the session leader.
    Running {
        /// The leader's process id, as init sees it.
        pid: u32,
    },
    /// The leader is gone; [`State::last_exit`] says how.
    Ended,
    /// Known from before the container was started; nothing of it has run since.
    Idle {
        /// When anything last happened in it, as far as that was saved.
        last_activity: UnixMillis,
    },
}

/// The part of a session that changes while it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The terminal's present size.
    pub size: TerminalSize,
    /// How often its program was started; the first life is 1.
    pub life: u32,
    /// When the kernel accepted the program of the latest life.
    pub started_at: Option<UnixMillis>,
    /// Present stage.
    pub stage: Stage,
    /// The latest end of a life, if one has ended.
    pub last_exit: Option<Exit>,
    /// What the present life wants of people.
    pub attention: Attention,
}

/// Everything about a session that must outlive the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Identity.
    pub id: SessionId,
    /// Name, unique among the sessions of one init.
    pub name: SessionName,
    /// What a resume starts again.
    pub spec: SessionSpec,
    /// Its own working tree of the workspace's repository, if it has one.
    pub worktree: Option<Worktree>,
    /// When the session was first asked for.
    pub created_at: UnixMillis,
    /// By what its processes prove whose they are.
    pub ticket: Ticket,
    /// What changes.
    pub state: State,
}
