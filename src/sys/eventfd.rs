//! `eventfd(2)`: a counter one process rings and another polls.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

/// Makes a non-blocking eventfd that is closed on exec.
///
/// # Errors
/// What `eventfd(2)` returns, e.g. `EMFILE`.
pub fn create() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Wakes whoever polls `fd`.
///
/// The only way this fails on a healthy eventfd is a counter at its maximum,
/// in which case the poller is awake already.
pub fn ring(fd: impl AsFd) {
    let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
}

/// Takes all rings since the last call; true if there was one.
pub fn drain(fd: impl AsFd) -> bool {
    rustix::io::read(fd, &mut [0u8; 8]).is_ok()
}
