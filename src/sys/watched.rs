//! Descriptors in the server's event loop.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that tasks can wait for.
pub type Watched = AsyncFd<OwnedFd>;

/// Registers `fd` with the runtime.
///
/// # Errors
/// What `epoll_ctl(2)` returns.
pub fn watch(fd: OwnedFd, interest: Interest) -> io::Result<Watched> {
    // SAFETY: an OwnedFd stays open and the same until it is dropped, and the
    // registration owns it from here on.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(io::Error::from)
}
