//! Process ids, signals by id, and what a process can set for itself.

use std::io;

use crate::model::signal::Signal;

/// A process or process group id; never 0 or negative, so that no kill can
/// ever mean "my group" or "everybody" (`kill(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pid(rustix::process::Pid);

impl Pid {
    /// The id `raw`, if it can be one of a process.
    #[must_use]
    pub fn new(raw: i32) -> Option<Self> {
        if raw < 1 {
            return None;
        }
        rustix::process::Pid::from_raw(raw).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn raw(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }
}

impl From<rustix::process::Pid> for Pid {
    fn from(pid: rustix::process::Pid) -> Self {
        Self(pid)
    }
}

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.raw().fmt(f)
    }
}

/// This process's id.
#[must_use]
pub fn own_pid() -> Pid {
    Pid(rustix::process::getpid())
}

/// True if this process has the effective user id 0.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user this process runs as.
#[must_use]
pub fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Sends a signal to one process.
///
/// # Errors
/// `ESRCH` when it is gone, `EPERM` when it is not ours to signal.
pub fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    raw_kill(pid.raw(), signal)
}

/// Sends a signal to a process group.
///
/// # Errors
/// As [`kill`].
pub fn kill_group(group: Pid, signal: Signal) -> io::Result<()> {
    raw_kill(-group.raw(), signal)
}

fn raw_kill(target: i32, signal: Signal) -> io::Result<()> {
    // SAFETY: kill takes two integers and touches no memory. libc and not
    // rustix, because real-time signals must pass too.
    let result = unsafe { libc::kill(target, signal.number()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes orphaned descendants reparent to this process,
/// `PR_SET_CHILD_SUBREAPER` of `prctl(2)`.
///
/// # Errors
/// What `prctl(2)` returns; kernels before 3.4 don't know it.
pub fn become_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Makes this process get `signal` when its parent ends, `PR_SET_PDEATHSIG` of
/// `prctl(2)`.
///
/// # Errors
/// What `prctl(2)` returns.
pub fn signal_at_parents_death(signal: Signal) -> io::Result<()> {
    // SAFETY: prctl(2) with two integers. libc and not rustix, because real-time
    // signals must pass too.
    let done = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal.number()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends a signal to this process itself.
pub fn signal_own(signal: Signal) {
    let _ = kill(own_pid(), signal);
}

/// Whether this process is a child subreaper already.
#[must_use]
pub fn is_subreaper() -> bool {
    rustix::process::child_subreaper().is_ok_and(|pid| pid.is_some())
}

/// Sets the calling process's name as `ps` shows it, `PR_SET_NAME`.
pub fn set_name(name: &std::ffi::CStr) {
    let _ = rustix::thread::set_name(name);
}
