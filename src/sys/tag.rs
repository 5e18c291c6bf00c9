//! A mark that every descendant of a process carries: a number in a resource
//! limit that the kernel keeps and no longer looks at.
//!
//! `RLIMIT_LOCKS` has limited nothing since Linux 2.4.25 (`getrlimit(2)`), but
//! it is inherited over fork, exec and `setsid(2)`, survives a cleared
//! environment and closed descriptors, and can be read of any process in well
//! under a microsecond. A process can lower it and nothing but a privileged
//! one can set it back, so nobody loses it by accident.

use std::io;
use std::ptr;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::sys::process::Pid;

/// The upper bits by which a limit of ours is told from one that somebody set
/// for its old meaning.
const MAGIC: u64 = 0x0514 << 48;
const PAYLOAD: u64 = (1 << 48) - 1;

/// A mark: 48 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(u64);

impl Tag {
    /// The mark made of the lower 48 bits of `bits`.
    #[must_use]
    pub fn new(bits: u64) -> Self {
        Self(MAGIC | bits & PAYLOAD)
    }

    fn of_limit(limit: u64) -> Option<Self> {
        (limit & !PAYLOAD == MAGIC).then_some(Self(limit))
    }

    /// Marks the calling process. One system call, so that a child may do it
    /// before it executes its program.
    ///
    /// # Errors
    /// `EPERM` where a lower hard limit is in force already.
    pub fn wear(self) -> io::Result<()> {
        Ok(setrlimit(Resource::Locks, Rlimit { current: Some(self.0), maximum: Some(self.0) })?)
    }

    /// The mark a process carries, if any; a process that waits to be reaped
    /// still has it.
    #[must_use]
    pub fn worn_by(pid: Pid) -> Option<Self> {
        match read_limit(pid) {
            Ok(limit) => Self::of_limit(limit),
            // prlimit(2) wants the same user ids or CAP_SYS_RESOURCE, which
            // containers do not have, and the server's filter lets it look at
            // nobody; the file wants nothing.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) => Self::of_limit(read_file(pid)?),
            Err(_) => None,
        }
    }
}

fn read_limit(pid: Pid) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit into our own; by libc, because
    // rustix can only set the limit of another process, not ask for it.
    let result = unsafe { libc::prlimit(pid.raw(), libc::RLIMIT_LOCKS, ptr::null(), &raw mut limit) };
    if result == 0 { Ok(limit.rlim_max) } else { Err(io::Error::last_os_error()) }
}

/// The hard limit as `proc_pid_limits(5)` shows it.
fn read_file(pid: Pid) -> Option<u64> {
    let limits = procfs::process::Process::new(pid.raw()).and_then(|p| p.limits()).ok()?;
    match limits.max_file_locks.hard_limit {
        procfs::process::LimitValue::Value(limit) => Some(limit),
        procfs::process::LimitValue::Unlimited => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_told_from_a_limit_that_is_none() {
        let tag = Tag::new(u64::MAX);
        assert_eq!(Tag::of_limit(tag.0), Some(tag));
        for limit in [0, 5, 1 << 48, u64::MAX] {
            assert_eq!(Tag::of_limit(limit), None, "{limit:#x}");
        }
    }

    #[test]
    fn this_process_can_be_read_both_ways() {
        let own = crate::sys::process::own_pid();
        let limit = read_limit(own).unwrap();
        let in_file = read_file(own);
        assert_eq!(in_file.unwrap_or(u64::MAX), limit);
    }
}
