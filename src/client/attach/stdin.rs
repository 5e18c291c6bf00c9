//! Standard input, whatever it is, read without a thread and without changing
//! it for those who share it: `O_NONBLOCK` would outlive us.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;
use tokio::io::Interest;

use crate::sys::watched::{Watched, watch};

/// Most bytes of one read.
pub const READ: usize = 4096;

const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Standard input.
#[derive(Debug)]
pub struct Stdin {
    /// None for a file, which is always ready and no matter for epoll(7).
    readiness: Option<Watched>,
}

impl Stdin {
    /// Starts to look at it.
    ///
    /// # Errors
    /// What `dup(2)` or `epoll_ctl(2)` returns.
    pub fn open() -> io::Result<Self> {
        match watch(stdin().as_fd().try_clone_to_owned()?, Interest::READABLE) {
            Ok(readiness) => Ok(Self { readiness: Some(readiness) }),
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => Ok(Self { readiness: None }),
            Err(e) => Err(e),
        }
    }

    /// What comes next; nothing at the end. May be dropped at any time.
    pub async fn read(&self) -> Vec<u8> {
        let mut buffer = [0; READ];
        loop {
            let mut guard = match &self.readiness {
                Some(readiness) => match readiness.readable().await {
                    Ok(guard) => Some(guard),
                    Err(_) => return Vec::new(),
                },
                None => {
                    tokio::task::yield_now().await;
                    None
                }
            };
            let Some(events) = look() else {
                if let Some(guard) = &mut guard {
                    guard.clear_ready();
                }
                continue;
            };
            match rustix::io::read(stdin(), &mut buffer) {
                // A raw terminal says so when somebody else took it first.
                Ok(0) if is_terminal_and_there(events) => {}
                Ok(n) => return buffer[..n].to_vec(),
                Err(Errno::INTR | Errno::AGAIN) => {}
                // A terminal that hung up.
                Err(_) => return Vec::new(),
            }
        }
    }
}

/// What can be read now, if anything.
fn look() -> Option<PollFlags> {
    let input = stdin();
    let mut fds = [PollFd::new(&input, PollFlags::IN)];
    let ready = poll(&mut fds, Some(&AT_ONCE)).ok()?;
    (ready > 0).then(|| fds[0].revents())
}

fn is_terminal_and_there(events: PollFlags) -> bool {
    !events.intersects(PollFlags::HUP | PollFlags::ERR) && rustix::termios::isatty(stdin())
}
