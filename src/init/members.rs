//! Processes that can't be mistaken for another one, and signals to them.

use std::io;

use procfs::process::{Process, Stat};

use crate::model::id::SessionId;
use crate::model::signal::Signal;
use crate::sys::pidfd::Pidfd;
use crate::sys::process::{self, Pid};

/// How the processes of a session are recognised.
#[derive(Clone, Copy, Debug)]
pub struct SessionKey {
    /// Value of the environment marker; the tag is made of it.
    pub id: SessionId,
    /// Kernel session id, `setsid(2)`.
    pub kernel_session: Option<Pid>,
    /// Whether the leader that made the kernel session still exists.
    pub leader_lives: bool,
    /// The kernel session that the terminal controls now, as long as our end is
    /// open. Not the terminal's device number: other instances of devpts, that
    /// of the host among them, give out the same ones.
    pub on_terminal: Option<i32>,
}

/// A process at one moment: the start time tells it from a later one with the
/// same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pid: Pid,
    start: u64,
}

/// What to do to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// SIGHUP and SIGCONT: what a vanished terminal means.
    Hangup,
    /// The same before SIGTERM, for a program whose terminal is there still:
    /// SIGHUP only to who has a handler for it, or ignores SIGTERM as some
    /// interactive shells do. Whoever cleans up on SIGTERM alone gets to do so.
    Nudge,
    /// One signal.
    Signal(Signal),
}

/// `/proc/PID/stat` of a process, if it is there.
#[must_use]
pub fn read_stat(pid: i32) -> Option<Stat> {
    Process::new(pid).and_then(|p| p.stat()).ok()
}

/// A process whose first thread has ended shows as a zombie while its other
/// threads run on.
#[must_use]
pub fn is_dead(stat: &Stat) -> bool {
    matches!(stat.state, 'Z' | 'X') && stat.num_threads <= 1
}

impl Member {
    /// The process `pid` that started at `start`, in clock ticks after boot.
    #[must_use]
    pub fn new(pid: Pid, start: u64) -> Self {
        Self { pid, start }
    }

    /// Whoever has this number now.
    #[must_use]
    pub fn find(pid: i32) -> Option<Self> {
        Some(Self { pid: Pid::new(pid)?, start: read_stat(pid)?.starttime })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(self) -> Pid {
        self.pid
    }

    /// When it started, in clock ticks after boot.
    #[must_use]
    pub fn start(self) -> u64 {
        self.start
    }

    /// A handle of the process and its present state, if it is still the same.
    ///
    /// The order matters: the handle is opened first and the start time read
    /// after, so that a number that was reused in between is noticed.
    ///
    /// # Errors
    /// What `pidfd_open(2)` returns; `NotFound` for another process.
    pub fn hold(self) -> io::Result<(Pidfd, Stat)> {
        let handle = Pidfd::open(self.pid)?;
        match self.look() {
            Some(stat) => Ok((handle, stat)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Its present state, if it is still the same process.
    #[must_use]
    pub fn look(self) -> Option<Stat> {
        read_stat(self.pid.raw()).filter(|stat| stat.starttime == self.start)
    }

    /// Whether it still runs.
    #[must_use]
    pub fn lives(self) -> bool {
        self.look().is_some_and(|stat| !is_dead(&stat))
    }

    /// Strikes the process, if it is still the same one.
    pub fn strike(self, blow: Blow) {
        match blow {
            Blow::Signal(signal) => self.signal(&[signal]),
            Blow::Nudge if !self.minds_hangup() => self.signal(&[Signal::CONT]),
            Blow::Hangup | Blow::Nudge => self.signal(&[Signal::HUP, Signal::CONT]),
        }
    }

    /// By the signal masks of `/proc/PID/status`, `proc_pid_status(5)`.
    fn minds_hangup(self) -> bool {
        let Ok(status) = Process::new(self.pid.raw()).and_then(|process| process.status()) else { return false };
        let has = |mask: u64, signal: Signal| mask >> (signal.number() - 1) & 1 == 1;
        has(status.sigcgt, Signal::HUP) || has(status.sigign, Signal::TERM)
    }

    fn signal(self, signals: &[Signal]) {
        match self.hold() {
            Ok((handle, _)) => signals.iter().for_each(|signal| drop(handle.signal(*signal))),
            Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ESRCH) => {}
            // A kernel or a seccomp profile without pidfd leaves kill(2).
            Err(_) if self.look().is_some() => {
                signals.iter().for_each(|signal| drop(process::kill(self.pid, *signal)));
            }
            Err(_) => {}
        }
    }
}
