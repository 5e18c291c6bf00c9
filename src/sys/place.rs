//! Where a program goes that uses the terminal and the descriptors of the
//! process that starts it. Runs between fork and exec: async-signal-safe calls
//! only, nothing allocated.

use std::ffi::c_int;

use crate::sys::process::own_pid;
use crate::sys::terminal::set_foreground;

/// Where a program that uses our terminal is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a process group of its own, in the foreground if standard input is our
    /// controlling terminal.
    Foreground,
    /// In a kernel session of its own, with standard input as its controlling
    /// terminal if that is a free one.
    Session,
    /// Where this process is.
    Here,
}

/// A program without a terminal, or with one that others hold, is better than
/// none: only what can't fail is checked.
pub(super) fn take(place: Place) -> Result<(), c_int> {
    match place {
        Place::Here => {}
        Place::Foreground => {
            // SAFETY: setpgid(2) with integers; 0 is the child itself.
            check(unsafe { libc::setpgid(0, 0) })?;
            // SIGTTOU, which this may raise, is still blocked or ignored.
            set_foreground(own_pid());
        }
        Place::Session => {
            // SAFETY: setsid(2) takes nothing. The child is no group leader yet.
            check(unsafe { libc::setsid() })?;
            // SAFETY: TIOCSCTTY takes an integer; 0 means not to steal it.
            unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) };
        }
    }
    Ok(())
}

/// Closes the standard descriptors that came closed: the language runtime has
/// put /dev/null in their place.
pub(super) fn close_again(closed: u32) {
    for fd in (0..3).filter(|fd| closed & (1 << fd) != 0) {
        // SAFETY: close(2) of a number that nothing in this child uses.
        unsafe { libc::close(fd) };
    }
}

fn check(result: c_int) -> Result<(), c_int> {
    if result == -1 { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)) } else { Ok(()) }
}
