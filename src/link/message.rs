//! The closed set of messages.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::attention::Attention;
use crate::model::id::{SessionId, SessionName};
use crate::model::secret::Secret;
use crate::model::session::{ExitStatus, Record, State};
use crate::model::settings::Settings;
use crate::model::signal::Signal;
use crate::model::spec::{SessionSpec, SpawnFailure, TerminalSize};
use crate::model::sweep::{Cleaned, SweepReport, Totals};
use crate::model::worktree::Worktree;

/// Changed whenever a message changes its meaning or shape.
pub const VERSION: u16 = 7;

/// Without a push for so long, the server's alarm rings.
pub const LIFE_SIGN: Duration = Duration::from_secs(3);

/// What init tells the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToServer {
    /// First message, after the server has introduced itself. Descriptors: the
    /// nudge eventfd, the alarm to push ahead by [`LIFE_SIGN`], then the
    /// listening sockets: TCP, and those of `unix`, then those of `directories`.
    Hello {
        /// [`VERSION`] of the init that speaks.
        version: u16,
        /// How many servers this init has started before this one.
        restarts: u32,
        /// The Unix sockets there are.
        unix: UnixSockets,
        /// Whether the sessions of the container's earlier life are all known
        /// to init; until then the server reads them from the state file.
        is_restored: bool,
        /// What clients must show; none where nothing is asked for.
        token: Option<Secret>,
        /// The directories that come open, as `O_PATH`.
        directories: HeldDirectories,
        /// The command line, as far as the server needs it.
        settings: Box<Settings>,
    },
    /// A session that is new to this server, or has a new terminal.
    /// Descriptors: ring memfd, hint memfd, data eventfd, and the PTY master
    /// unless the terminal is closed.
    Session(Box<Record>),
    /// The greeting is complete.
    HelloDone,
    /// The changeable part of a session changed.
    Changed(SessionId, State),
    /// The session and everything of it is gone.
    Removed(SessionId),
    /// The answer to the request of this number.
    Reply(u64, Result<Answer, Refusal>),
    /// The tool of the request with this number was started. Descriptors: the
    /// pipes with its output and its error output, not blocking.
    ToolStarted(u64),
    /// A process that outlived its session was killed.
    Cleaned(Cleaned),
    /// A sweep is finished; what init has done so far.
    Swept(Totals),
    /// Somebody asked for a whole look at the resources now.
    Cycle,
    /// Log files may have been moved away: open them again.
    ReopenLogs,
    /// From now on clients must show this one, and no other is good any more.
    TokenChanged(Secret),
    /// Say [`ToInit::Pong`], to show that you work.
    Ping,
    /// The shutdown has begun; sessions get this long.
    ShuttingDown {
        /// Milliseconds.
        grace_ms: u64,
    },
    /// Everything is ended: save the state, flush and exit.
    Goodbye,
}

/// Which listening Unix sockets come with a hello, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnixSockets {
    /// For the API's clients.
    pub api: bool,
    /// For what sessions say of themselves.
    pub notify: bool,
}

/// Which directories come with a hello, in this order. Another one lies on a path
/// that is not there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDirectories {
    /// What must outlive the container.
    pub state: bool,
    /// Log files.
    pub log: bool,
    /// Whether the server before could not use that of the state.
    pub had_trouble: bool,
}

/// What the server tells init.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToInit {
    /// Every session of the state file was offered with [`Request::Restore`].
    /// From now on init's table is the truth, also for later servers: what is
    /// deleted now must not come back from the file.
    Restored,
    /// The server accepts connections.
    Serving,
    /// A wish, with a number of the server's choice that the reply repeats.
    Request(u64, Request),
    /// The answer to [`ToServer::Ping`].
    Pong,
    /// The state directory can't be used: see whether it can be made, or is
    /// another one by now. The server that finds it is the next one.
    StateTrouble,
    /// The container's count of OOM kills up to which each is explained: by a
    /// session leader's end, or by that of a process that was no leader.
    OomKills(u64),
    /// What this life of a session wants of people, from now on.
    Attention(SessionId, u32, Attention),
}

/// What became of a wish that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done, to this session.
    Session(SessionId),
    /// The outcome of a sweep.
    Swept(Box<SweepReport>),
    /// The tool has ended.
    Tool {
        /// How.
        status: ExitStatus,
        /// Whether that was because it had used up its time.
        is_overdue: bool,
    },
}

/// A wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Make a session.
    Create {
        /// Its name; the lowest free `session-N` when absent.
        name: Option<SessionName>,
        /// What to run and where.
        spec: SessionSpec,
        /// The terminal's size.
        size: TerminalSize,
        /// The worktree that was made for it.
        worktree: Option<Worktree>,
    },
    /// Take in a session of the container's earlier life, without a program.
    /// Granted as well when init has it already.
    Restore {
        /// As the state file has it; [`Stage::Idle`](crate::model::session::Stage).
        record: Box<Record>,
        /// Where its output goes on: behind every byte it was seen to write.
        output_end: u64,
    },
    /// Run the command of an ended or idle session again.
    Resume(SessionId),
    /// End a session and forget it; answered when nothing of it is left.
    Remove(SessionId),
    /// Send a signal.
    Signal(SessionId, Signal, Scope),
    /// Change the terminal's size.
    Resize(SessionId, TerminalSize),
    /// Compare /proc with the session table now, instead of at the next
    /// interval; answered with a report.
    Sweep,
    /// Run a short program as sessions run, without a terminal, and answer when
    /// it has ended. Only git is one. Its environment is init's affair.
    RunTool {
        /// Program name and arguments.
        argv: Vec<String>,
        /// Absolute working directory.
        cwd: String,
    },
}

/// Who gets a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// The terminal's foreground process group, as a typed Ctrl-C would.
    Foreground,
    /// Every process that belongs to the session.
    Session,
}

/// Why init did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The session limit is reached.
    MaxSessions(u32),
    /// Another session has this name.
    NameTaken(SessionName),
    /// No session has this id.
    NotFound,
    /// The session has no process, so there is nothing to signal.
    NotRunning,
    /// The session runs, so there is nothing to resume.
    AlreadyRunning,
    /// The program could not be started.
    SpawnFailed(SpawnFailure),
    /// The container is shutting down.
    ShuttingDown,
    /// The request itself can't be met; the text says why.
    Invalid(String),
    /// Processes of the session can't be ended: their ids.
    Unkillable(String),
    /// Too many tools wait for their turn already.
    TooManyTools,
    /// Too many requests wait for the same already.
    TooManyWaiting,
    /// The kernel refused; its `errno(3)`.
    Kernel(i32),
}
