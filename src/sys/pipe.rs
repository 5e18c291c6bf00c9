//! Pipes for what a program prints.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

/// A pipe, closed on exec: the end to read from, which never blocks, and the
/// one to write to, which does, as programs expect.
///
/// # Errors
/// What `pipe2(2)` and `fcntl(2)` return.
pub fn for_output() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((ours, theirs))
}

/// Reads what is there. Zero is the end.
///
/// # Errors
/// `WouldBlock` when nothing is there now, else what `read(2)` returns.
pub fn read(pipe: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut *buffer))?)
}
