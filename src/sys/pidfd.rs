//! Handles of processes that can't be mistaken, `pidfd_open(2)`.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{PidfdFlags, pidfd_open};

use crate::model::signal::Signal;
use crate::sys::process::Pid;

/// A process, however often its id may be reused after its end.
#[derive(Debug)]
pub struct Pidfd(OwnedFd);

impl Pidfd {
    /// Opens a handle of whichever process has this id now. Whether it is the
    /// one that was meant is for the caller to check, after the call.
    ///
    /// # Errors
    /// `ESRCH` when there is none; `ENOSYS` before Linux 5.3.
    pub fn open(pid: Pid) -> io::Result<Self> {
        let raw = rustix::process::Pid::from_raw(pid.raw()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self(pidfd_open(raw, PidfdFlags::empty())?))
    }

    /// Sends a signal, `pidfd_send_signal(2)`.
    ///
    /// # Errors
    /// `ESRCH` when the process has ended, `EPERM` when it is not ours.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        // SAFETY: integers and a null siginfo_t, which the call allows; by
        // number, because rustix knows no real-time signals.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal.number(),
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
