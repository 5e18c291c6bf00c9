//! Signals as descriptors, `signalfd(2)`.
//!
//! A signalfd and not a handler: nothing ever runs asynchronously in this
//! process, no call returns `EINTR`, and a forked child can't write into its
//! parent's self-pipe in the moment before it execs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use crate::model::signal::Signal;
use crate::sys::inherited::{Inherited, KernelAction, SIGNALS};
use crate::sys::process::own_pid;

/// A set of signals in the kernel's form: bit 0 is signal 1. The C library's
/// sets leave out signals 32 and 33.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// Every signal. That KILL and STOP can't be blocked is the kernel's affair.
    pub const ALL: Self = Self(u64::MAX);

    /// All but what the processor raises for a fault of ours, and what a person
    /// at a terminal sends to stop us.
    pub const NO_FAULT_NO_STOP: Self = Self::ALL
        .without(&[libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT, libc::SIGSYS])
        .without(&[libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU]);

    /// This set less some signals.
    #[must_use]
    pub const fn without(self, signals: &[i32]) -> Self {
        let (mut bits, mut at) = (self.0, 0);
        while at < signals.len() {
            bits &= !(1 << (signals[at] - 1));
            at += 1;
        }
        Self(bits)
    }
}

/// The signals a process waits for on a descriptor.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
    own: u32,
}

/// What a signal means to init itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
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

impl Meaning {
    /// What `signal` means, if anything.
    #[must_use]
    pub fn of(signal: Signal) -> Option<Self> {
        match signal.number() {
            libc::SIGCHLD => Some(Self::Child),
            libc::SIGTERM | libc::SIGINT | libc::SIGQUIT => Some(Self::Shutdown),
            libc::SIGHUP => Some(Self::Hangup),
            libc::SIGUSR1 => Some(Self::Sweep),
            libc::SIGUSR2 => Some(Self::Replace),
            _ => None,
        }
    }
}

impl Signals {
    /// Blocks the signals of `set` for this process, and no others, and opens
    /// the descriptor.
    ///
    /// # Errors
    /// What `sigprocmask(2)` or `signalfd(2)` returns.
    pub fn watch(set: SignalSet) -> io::Result<Self> {
        // Inherited as ignored, SIGCHLD would make the kernel reap our children
        // itself and tell nobody (wait(2)).
        set_disposition(libc::SIGCHLD, false);
        let bits = &raw const set.0;
        // SAFETY: the kernel reads the eight bytes of our set.
        let done = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, bits, ptr::null::<u64>(), 8) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: as above; -1 asks for a new descriptor.
        let fd = unsafe { libc::syscall(libc::SYS_signalfd4, -1, bits, 8, flags) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: just made, and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, own: own_pid().raw().unsigned_abs() })
    }

    /// The next signal, if one is pending. Of real-time signals the oldest of
    /// the lowest number, as the kernel would deliver them.
    ///
    /// What this process sent itself is left out: the kernel answers a write to
    /// a pipe that nobody reads with SIGPIPE, and giving up a terminal with
    /// SIGHUP and SIGCONT. Nobody meant anything by those.
    pub fn take(&mut self) -> Option<Signal> {
        loop {
            let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
            rustix::io::read(&self.fd, &mut info).ok().filter(|n| *n == info.len())?;
            // ssi_signo, ssi_errno, ssi_code, ssi_pid.
            let word = |at: usize| u32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
            let is_ours = word(8).cast_signed() == libc::SI_USER && word(12) == self.own;
            let signal = u8::try_from(word(0)).ok().and_then(|number| Signal::try_from(number).ok());
            if !is_ours && signal.is_some() {
                return signal;
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Ignores a signal, or gives it its default disposition.
///
/// By number, because the C library refuses the two signals it uses itself.
/// Async-signal-safe. KILL and STOP fail, which changes nothing.
pub fn set_disposition(signal: i32, is_ignored: bool) {
    let handler = if is_ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    let action: KernelAction = [handler as u64, 0, 0, 0];
    // SAFETY: the kernel reads its own form of a sigaction, at most 32 bytes,
    // with no code of ours in it.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), ptr::null_mut::<u8>(), 8) };
}

/// Gives this process the signal state of another one. Dispositions first, so
/// that what waits behind the mask meets the right ones. Async-signal-safe.
pub(super) fn restore(inherited: &Inherited) {
    for signal in 1..=SIGNALS {
        set_disposition(signal, inherited.ignored & (1 << (signal - 1)) != 0);
    }
    let mask = &raw const inherited.mask;
    // SAFETY: the kernel reads the eight bytes of the mask.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask, ptr::null::<u64>(), 8) };
}
