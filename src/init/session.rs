//! One session as init holds it: its record, its ring, its terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::cgroup::{Cgroup, Cgroups};
use super::env;
use super::lifecycle::{Machine, Phase, Terminal};
use super::members::SessionKey;
use super::oom_kills::KillCount;
use super::people::tag_of;
use super::separation::Separation;
use crate::config::SessionLimits;
use crate::model::attention::{Attention, Ticket};
use crate::model::id::{SessionId, SessionName};
use crate::model::session::{ExitStatus, Record, Stage, State};
use crate::model::signal::Signal;
use crate::model::spec::{SessionSpec, SpawnFailure, SpawnStage, TerminalSize};
use crate::model::worktree::Worktree;
use crate::ring::layout::Capacity;
use crate::ring::writer::{Filled, RingWriter};
use crate::sys::oom::{self, OomScore};
use crate::sys::process::{self, Pid};
use crate::sys::service::{DescriptorLimit, raise_descriptor_limit};
use crate::sys::spawn::Marks;
use crate::sys::{pty, spawn, terminal};

/// Most bytes taken from one terminal in one turn of the loop, so that a flood
/// delays neither a reap nor another terminal.
const TURN_BUDGET: u64 = 128 * 1024;

/// A read that brings less than this emptied the terminal; trying again would
/// only cost a system call on the way of an echo.
const WORTH_ANOTHER: u64 = 1024;

/// How often a terminal is looked at whose program runs but has closed it.
const CLOSED_REST: Duration = Duration::from_secs(1);

/// While somebody types in another session, the budget of a turn is this.
const TURN_BUDGET_TYPING: u64 = 8 * 1024;

/// A terminal that gives this much within [`FLOW_WINDOW`] floods.
const FLOOD: u64 = 4096;
const FLOW_WINDOW: Duration = Duration::from_millis(2);

/// While somebody types in another session, a flooding terminal is left alone for this
/// long after each burst. The kernel holds its program back meanwhile, and the
/// processor is free for the few microseconds that an echo needs. A flood still
/// gets several MB/s, more than anybody reads; with nobody typing, all it wants.
const FLOOD_REST: Duration = Duration::from_micros(1000);

/// How much sooner the kernel kills a session's processes than ours when
/// memory runs out.
pub(super) const OOM_RAISE: i16 = 500;

/// What every session is started with.
#[derive(Debug)]
pub struct Ground {
    /// The limit of open descriptors that init was started with.
    pub limit: DescriptorLimit,
    /// The place among those killed for memory that init was started with.
    pub oom_score: Option<OomScore>,
    /// Where cgroups can be made, if anywhere.
    pub cgroups: Option<Cgroups>,
    /// The socket at which sessions can say what they need.
    pub notify_socket: Option<PathBuf>,
    /// Who runs as whom.
    pub separation: Separation,
}

impl Ground {
    /// Looks around, and places init itself: its descriptors are many, and as
    /// the container's PID 1 it is to be killed for memory last of all.
    #[must_use]
    pub fn prepare(limits: SessionLimits, notify_socket: Option<PathBuf>, separation: Separation) -> Self {
        let oom_score = OomScore::own().ok();
        oom::keep_own_file();
        if process::own_pid().raw() == 1 {
            // Needs CAP_SYS_RESOURCE, which few containers have.
            let _ = OomScore::NEVER.wear();
        }
        let cgroups = Cgroups::find(limits);
        let shortcoming = cgroups.as_ref().map_or_else(|reason| Some(reason.clone()), Cgroups::shortcoming);
        if let Some(reason) = shortcoming.filter(|_| limits != SessionLimits::default()) {
            warn_of_no_limits(&reason);
        }
        Self { limit: raise_descriptor_limit(), oom_score, cgroups: cgroups.ok(), notify_socket, separation }
    }

    /// The API server's place: just before init where init could leave its
    /// own, else the one both were started with.
    #[must_use]
    pub fn server_oom_score(&self) -> Option<OomScore> {
        if OomScore::own().ok() == self.oom_score { None } else { Some(OomScore::LATE) }
    }
}

fn warn_of_no_limits(reason: &str) {
    tracing::warn!(
        reason,
        "Sessions start without the limits of --session-memory-max and --session-pids-max. Make the container's \
         cgroup (version 2) writable (docker run --security-opt writable-cgroups=true, Docker 28 and later; podman run \
         --security-opt unmask=/sys/fs/cgroup), or leave the flags out"
    );
}

/// A request of the present server that waits for this session.
pub type RequestNumber = u64;

/// A session.
#[derive(Debug)]
pub struct Session {
    /// What the world may know of it.
    pub record: Record,
    /// The stage to go back to when a start fails.
    pub resting: Stage,
    /// Where its program is in its life.
    pub machine: Machine,
    /// Its output.
    pub ring: RingWriter,
    /// The session leader until it is reaped.
    pub leader: Option<Pid>,
    /// Outcome of fork and exec, while it is not known.
    pub report: Option<OwnedFd>,
    /// The PTY master while the terminal is open.
    pub master: Option<OwnedFd>,
    /// When the lifecycle's timer runs out.
    pub deadline: Option<Instant>,
    /// Whether somebody asked for the end of this life.
    pub stop_requested: bool,
    /// Whether we sent the leader of this life a KILL.
    pub is_kill_sent: bool,
    /// The request that started this life, until it is answered.
    pub starter: Option<RequestNumber>,
    /// The request to start the next life as soon as this one has ended.
    pub resumer: Option<RequestNumber>,
    /// Whether the session goes away once it has ended.
    pub is_being_removed: bool,
    /// Requests answered when it is gone.
    pub removers: Vec<RequestNumber>,
    /// The head at the last look of a drain, to see whether output still comes.
    pub drain_mark: u64,
    /// When the drain began.
    pub drain_since: Option<Instant>,
    /// How often KILL was sent in this life.
    pub kill_rounds: u32,
    /// Members reaped after the leader, ever.
    pub died: u64,
    /// The same when the present scan began.
    pub died_before_scan: u64,
    /// Looks in a row that found nobody and proved nothing.
    pub vague_looks: u32,
    /// Where its processes are born, if that is a place of their own.
    pub cgroup: Option<Cgroup>,
    /// Until when a flooding terminal is left alone.
    pub rest_until: Option<Instant>,
    /// Bytes taken since the moment beside it.
    flow: (u64, Instant),
    /// Kernel session id, which is the leader's process id.
    kernel_session: Option<Pid>,
}

impl Session {
    /// Makes a session without a program; [`Self::launch`] gives it one.
    ///
    /// # Errors
    /// What making the ring returns.
    pub fn new(
        name: SessionName,
        spec: SessionSpec,
        size: TerminalSize,
        worktree: Option<Worktree>,
        capacity: Capacity,
        now: u64,
    ) -> io::Result<Self> {
        let attention = Attention::default();
        let state = State { size, life: 0, started_at: None, stage: Stage::Ended, last_exit: None, attention };
        let (id, ticket) = (SessionId::random(), Ticket::random());
        Self::of(Record { id, name, spec, worktree, created_at: now, ticket, state }, capacity, 0)
    }

    /// Takes in a session of the container's earlier life, whose output goes on
    /// at `start`. No more of that life is going to come.
    ///
    /// # Errors
    /// What making the ring returns.
    pub fn restored(mut record: Record, capacity: Capacity, start: u64) -> io::Result<Self> {
        record.ticket = Ticket::random();
        record.state.attention = Attention::default();
        if let Some(exit) = &mut record.state.last_exit {
            exit.drained_at = Some(exit.drained_at.map_or(start, |at| at.min(start)));
        }
        Self::of(record, capacity, start)
    }

    fn of(record: Record, capacity: Capacity, start: u64) -> io::Result<Self> {
        Ok(Self {
            resting: record.state.stage,
            record,
            machine: Machine { phase: Phase::Ended, terminal: Terminal::Closed },
            ring: RingWriter::create(capacity, start)?,
            leader: None,
            report: None,
            master: None,
            deadline: None,
            stop_requested: false,
            is_kill_sent: false,
            starter: None,
            resumer: None,
            is_being_removed: false,
            removers: Vec::new(),
            drain_mark: 0,
            drain_since: None,
            kill_rounds: 0,
            died: 0,
            died_before_scan: 0,
            vague_looks: 0,
            cgroup: None,
            rest_until: None,
            flow: (0, Instant::now()),
            kernel_session: None,
        })
    }

    /// Opens a terminal and forks `command` into it.
    ///
    /// # Errors
    /// The stage that failed; the session is as before.
    pub fn launch(&mut self, command: &[String], ground: &Ground) -> Result<(), SpawnFailure> {
        let failed = |stage, errno: Option<i32>| SpawnFailure { stage, errno: errno.unwrap_or(libc::EIO) };
        let id = self.record.id;
        let mut program =
            env::program(command, &self.record, ground).map_err(|_| failed(SpawnStage::Exec, Some(libc::EINVAL)))?;
        let cgroup = ground.cgroups.as_ref().and_then(|cgroups| cgroups.create(id).ok());
        program.marks = Marks {
            tag: Some(tag_of(id)),
            oom_score: ground.oom_score.map(|own| own.raised_by(OOM_RAISE)),
            cgroup: cgroup.as_ref().and_then(|cgroup| cgroup.as_fd().try_clone_to_owned().ok()),
        };
        let size = self.record.state.size;
        let pty = pty::open(size.cols(), size.rows()).map_err(|e| failed(SpawnStage::Pty, e.raw_os_error()))?;
        if let (Some(user), Some(sessions)) = (&program.user, &ground.separation.sessions) {
            let given = pty::give(&pty.slave, user, sessions.terminal_group);
            given.map_err(|e| failed(SpawnStage::Pty, e.raw_os_error()))?;
        }
        let child = spawn::spawn(&program, spawn::Stdio::Terminal(pty.slave.as_fd()))?;
        self.machine = Machine::forked();
        self.cgroup = cgroup;
        self.leader = Some(child.pid);
        self.kernel_session = Some(child.pid);
        self.report = Some(child.report);
        self.master = Some(pty.master);
        self.deadline = None;
        self.stop_requested = false;
        self.is_kill_sent = false;
        self.drain_since = None;
        self.kill_rounds = 0;
        self.rest_until = None;
        self.resting = std::mem::replace(&mut self.record.state.stage, Stage::Starting);
        Ok(())
    }

    /// Whether the leader, which ended with `status`, was killed because memory
    /// ran out; `in_container` counts such kills in all of the container.
    pub fn ended_for_memory(&mut self, status: ExitStatus, in_container: Option<&mut KillCount>) -> bool {
        let is_killed = status == ExitStatus::Signal(Signal::KILL.into());
        if !is_killed || self.is_kill_sent {
            return false;
        }
        let own = self.cgroup.as_mut().and_then(Cgroup::oom_kills);
        let Some(in_container) = in_container else { return own.is_some_and(|kills| kills > 0) };
        let explained = own.unwrap_or_else(|| in_container.open_kills().unwrap_or(0).min(1));
        in_container.account(explained);
        explained > 0
    }

    /// How to recognise this session's processes.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        SessionKey {
            id: self.record.id,
            kernel_session: self.kernel_session,
            leader_lives: self.leader.is_some(),
            on_terminal: self.master.as_ref().and_then(terminal::kernel_session),
        }
    }

    /// Whether to poll the terminal for output now.
    pub fn wants_output(&mut self, now: Instant) -> bool {
        self.rest_until = self.rest_until.filter(|until| *until > now);
        self.rest_until.is_none() && self.master.is_some() && (self.is_being_removed || !self.ring.must_wait())
    }

    /// Takes what the terminal has, up to the turn's budget, which is smaller for
    /// one that yields to a person who types elsewhere. True when the
    /// terminal is at its end.
    pub fn take_output(&mut self, now_ms: u64, yields: bool) -> bool {
        let start = self.ring.head();
        let budget = if yields { TURN_BUDGET_TYPING } else { TURN_BUDGET };
        let is_closed = self.read_terminal(start + budget, now_ms);
        if yields {
            self.rest_if_flooding(self.ring.head() - start);
        }
        if is_closed && self.leader.is_some() {
            // The program may open its terminal again; until it does, poll(2)
            // would report the hang-up without end.
            self.rest_until = Some(Instant::now() + CLOSED_REST);
            return false;
        }
        is_closed
    }

    fn rest_if_flooding(&mut self, taken: u64) {
        let now = Instant::now();
        if now.duration_since(self.flow.1) > FLOW_WINDOW {
            self.flow = (0, now);
        }
        self.flow.0 += taken;
        if self.flow.0 >= FLOOD {
            self.flow = (0, now);
            self.rest_until = Some(now + FLOOD_REST);
        }
    }

    fn read_terminal(&mut self, stop_at: u64, now_ms: u64) -> bool {
        while self.ring.head() < stop_at && (self.is_being_removed || !self.ring.must_wait()) {
            let Some(master) = &self.master else { return false };
            match self.ring.fill_from(master, now_ms) {
                Ok(Filled::Bytes(n)) if n < WORTH_ANOTHER => return false,
                Ok(Filled::Bytes(_)) => {}
                Ok(Filled::Empty) => return false,
                Ok(Filled::Closed) => return true,
                Err(error) => {
                    tracing::error!(sessionId = %self.record.id, %error, "Reading a terminal failed; closing it");
                    return true;
                }
            }
        }
        false
    }

    /// Closes our end of the terminal.
    pub fn close_terminal(&mut self) {
        self.master = None;
    }

    /// The descriptors a server needs, in the order of the link message.
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let mut fds = self.ring.fds().to_vec();
        fds.extend(self.master.as_ref().map(AsFd::as_fd));
        fds
    }
}
