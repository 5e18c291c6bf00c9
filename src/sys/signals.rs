//! Signals as descriptors, `signalfd(2)`.
//!
//! A signalfd and not a handler: nothing ever runs asynchronously in this
//! process, no call returns `EINTR`, and a forked child can't write into its
//! parent's self-pipe in the moment before it execs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal as NixSignal, sigprocmask};
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

const WATCHED: [(NixSignal, Arrived); 6] = [
    (NixSignal::SIGCHLD, Arrived::Child),
    (NixSignal::SIGTERM, Arrived::Shutdown),
    (NixSignal::SIGINT, Arrived::Shutdown),
    (NixSignal::SIGHUP, Arrived::Hangup),
    (NixSignal::SIGUSR1, Arrived::Sweep),
    (NixSignal::SIGUSR2, Arrived::Replace),
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
        let set: SigSet = WATCHED.iter().map(|(signal, _)| *signal).collect();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None)?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal, if one is pending.
    pub fn take(&mut self) -> Option<Arrived> {
        loop {
            let info = self.0.read_signal().ok().flatten()?;
            let arrived = WATCHED.iter().find(|(signal, _)| *signal as u32 == info.ssi_signo);
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
