//! A way to write log lines that can never stall the writer.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::stdio::stderr;

/// Longest line written, in bytes: `PIPE_BUF`, up to which a write to a pipe is
/// atomic and, after `POLLOUT`, does not block (`pipe(7)`).
pub const LINE_MAX: usize = 4096;

/// Standard error, written without ever waiting for its reader.
#[derive(Debug)]
pub struct LogFd {
    /// A file description of our own with `O_NONBLOCK`. Setting that flag on
    /// the inherited one would change it for every process that shares it.
    own: Option<OwnedFd>,
    /// Whether the inherited one never waits either: init gives the API server,
    /// which may not open it, one like that.
    is_ready_made: bool,
}

impl LogFd {
    /// Opens this process's standard error a second time, non-blocking.
    #[must_use]
    pub fn stderr() -> Self {
        let is_ready_made = rustix::fs::fcntl_getfl(stderr()).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK));
        Self { own: Self::open(), is_ready_made }
    }

    /// Another file description of standard error, non-blocking; none if it is a
    /// socket, or not ours to open.
    #[must_use]
    pub fn open() -> Option<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOCTTY;
        rustix::fs::open("/proc/self/fd/2", flags, Mode::empty()).ok()
    }

    /// Writes one line in one `write(2)`.
    ///
    /// # Errors
    /// `WouldBlock` when the reader is behind; the caller counts the line as
    /// dropped. Anything else `write(2)` returns.
    pub fn write_line(&self, line: &[u8]) -> io::Result<()> {
        match &self.own {
            Some(fd) => write_once(fd, line),
            None if self.is_ready_made || writable() => write_once(stderr(), line),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

fn write_once(fd: impl AsFd, line: &[u8]) -> io::Result<()> {
    rustix::io::write(fd, line)?;
    Ok(())
}

/// A socket can't be opened again through /proc; then `poll(2)` has to tell.
fn writable() -> bool {
    let err = stderr();
    let mut fds = [PollFd::new(&err, PollFlags::OUT)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(1)) && fds[0].revents().contains(PollFlags::OUT)
}
