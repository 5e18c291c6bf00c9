//! The terminal on standard input, from the side of a program that was given
//! one (`tcsetpgrp(3)`, `ioctl_tty(2)`).

use std::os::fd::{AsFd, AsRawFd};

use rustix::stdio::stdin;

use crate::sys::process::Pid;

/// What standard input is to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardInput {
    /// No terminal.
    Other,
    /// The terminal that controls this process's session.
    Controlling,
    /// A terminal that does not: of another session, or of none yet.
    Stray,
}

/// Looks at standard input.
#[must_use]
pub fn standard_input() -> StandardInput {
    if kernel_session(stdin()).is_some() {
        StandardInput::Controlling
    } else if rustix::termios::isatty(stdin()) {
        StandardInput::Stray
    } else {
        StandardInput::Other
    }
}

/// The kernel session that a terminal controls, `TIOCGSID`: of the caller's own
/// terminal, or of the other end of a PTY master.
///
/// 0 is one outside the PID namespace, such as that of the shell which started
/// us there; rustix takes that for impossible.
#[must_use]
pub fn kernel_session(terminal: impl AsFd) -> Option<i32> {
    let mut session = 0;
    // SAFETY: the kernel writes one process id into our own.
    let done = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGSID, &raw mut session) };
    (done == 0).then_some(session)
}

/// The process group in the foreground of standard input, if it is a terminal
/// of ours.
#[must_use]
pub fn foreground() -> Option<Pid> {
    rustix::termios::tcgetpgrp(stdin()).ok().map(Pid::from)
}

/// Puts a process group into the foreground, if standard input is a terminal of
/// ours. The caller blocks or ignores SIGTTOU, else it stops.
pub fn set_foreground(group: Pid) {
    if let Some(group) = rustix::process::Pid::from_raw(group.raw()) {
        let _ = rustix::termios::tcsetpgrp(stdin(), group);
    }
}

/// Gives up the controlling terminal, so that a child's session can have it.
///
/// # Errors
/// `ENOTTY` if standard input is none.
pub fn detach() -> std::io::Result<()> {
    // SAFETY: TIOCNOTTY takes no argument.
    let done = unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCNOTTY) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
