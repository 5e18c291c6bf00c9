//! `poll(2)` over the descriptors of one turn of the loop.

use std::io;
use std::time::Duration;

use rustix::event::Timespec;
pub use rustix::event::{PollFd, PollFlags};

/// Waits until a descriptor is ready or `timeout` is over; none waits for ever.
///
/// A signal that interrupts the wait counts as "nothing ready": signals are
/// read from their own descriptor.
///
/// # Errors
/// What `poll(2)` returns, `EINTR` excepted.
pub fn wait(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout
        .map(|t| Timespec { tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX), tv_nsec: t.subsec_nanos().into() });
    match rustix::event::poll(fds, timeout.as_ref()) {
        Ok(_) => Ok(()),
        Err(rustix::io::Errno::INTR) => {
            fds.iter_mut().for_each(PollFd::clear_revents);
            Ok(())
        }
        Err(e) => Err(e.into()),
    }
}
