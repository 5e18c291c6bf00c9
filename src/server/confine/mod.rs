//! What this process gives up before it takes in anything from outside.
//!
//! Init has started it as a user of its own, where it could, and without
//! capabilities. What is left is given up here, before the first thread is
//! started and the first connection accepted: files by [`landlock`], system
//! calls by [`seccomp`]. Each holds for every thread and can't be taken back.

mod landlock;
mod seccomp;
mod takeover;

use std::os::fd::BorrowedFd;

pub use takeover::rehearse;

/// What became of it, to be told when there is a log.
#[derive(Debug)]
pub struct Confinement {
    files: Result<landlock::Extent, String>,
    calls: Result<(), String>,
}

/// Confines this thread and all that it will start. The directories given are
/// all that can be written in.
pub fn confine(writable: &[BorrowedFd<'_>]) -> Confinement {
    let files = landlock::restrict(writable);
    Confinement { files, calls: seccomp::restrict() }
}

impl Confinement {
    /// Says in the log what does not protect this process.
    pub fn tell(&self) {
        match &self.files {
            Ok(extent) => tracing::debug!(?extent, "The API server's files are confined by Landlock"),
            Err(reason) => tracing::info!(
                reason,
                "The API server's files are not confined by Landlock; the rights of its user are its only limit"
            ),
        }
        if let Err(reason) = &self.calls {
            tracing::warn!(reason, "The API server's system calls are not filtered by seccomp");
        }
    }
}
