//! Signals as descriptors, `signalfd(2)`.
//!
//! A signalfd and not a handler: nothing ever runs asynchronously in this
//! process, no call returns `EINTR`, and a forked child can't write into its
//! parent's self-pipe in the moment before it execs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal as NixSignal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals a process waits for on a descriptor.
#[derive(Debug)]
pub struct Signals(SignalFd);

/// A signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// A child ended (several may have: SIGCHLD coalesces).
    Child,
    /// End the container.
    Shutdown,
    /// Read the configuration again, reopen logs.
    Hangup,
    /// Sweep and monitor now.
    Sweep,
    /// Replace the API server.
    Replace,
}

/// What signals mean. The others that can be caught are taken and ignored: none
/// may end init.
const MEANING: [(NixSignal, Arrived); 7] = [
    (NixSignal::SIGCHLD, Arrived::Child),
    (NixSignal::SIGTERM, Arrived::Shutdown),
    (NixSignal::SIGINT, Arrived::Shutdown),
    (NixSignal::SIGQUIT, Arrived::Shutdown),
    (NixSignal::SIGHUP, Arrived::Hangup),
    (NixSignal::SIGUSR1, Arrived::Sweep),
    (NixSignal::SIGUSR2, Arrived::Replace),
];

/// Left alone: what the processor raises for a fault of ours can't be waited
/// for, and a person at a terminal may stop and continue us.
const LEFT_ALONE: [NixSignal; 10] = [
    NixSignal::SIGSEGV,
    NixSignal::SIGBUS,
    NixSignal::SIGFPE,
    NixSignal::SIGILL,
    NixSignal::SIGTRAP,
    NixSignal::SIGABRT,
    NixSignal::SIGSYS,
    NixSignal::SIGTSTP,
    NixSignal::SIGTTIN,
    NixSignal::SIGTTOU,
];

impl Signals {
    /// Blocks the watched signals for this process and opens the descriptor.
    ///
    /// SIGPIPE is ignored by the language runtime already; children get it back
    /// at its default before they exec.
    ///
    /// # Errors
    /// What `sigprocmask(2)` or `signalfd(2)` returns.
    pub fn watch() -> io::Result<Self> {
        // Inherited as ignored, SIGCHLD would make the kernel reap our children
        // itself and tell nobody (wait(2)).
        // SAFETY: the default disposition runs no code of ours.
        unsafe { nix::sys::signal::signal(NixSignal::SIGCHLD, SigHandler::SigDfl) }?;
        let mut set = SigSet::all();
        LEFT_ALONE.iter().for_each(|signal| set.remove(*signal));
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None)?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal with a meaning, if one is pending.
    pub fn take(&mut self) -> Option<Arrived> {
        loop {
            let info = self.0.read_signal().ok().flatten()?;
            let arrived = MEANING.iter().find(|(signal, _)| *signal as u32 == info.ssi_signo);
            if let Some((_, arrived)) = arrived {
                return Some(*arrived);
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
