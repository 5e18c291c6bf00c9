//! An ended child with what it carried.

use crate::model::session::ExitStatus;
use crate::sys::process::Pid;
use crate::sys::reap;
use crate::sys::tag::Tag;

/// Ended children collected in one turn: where many processors fork there may
/// always be a next one, and signals and sessions are to have their turns.
pub const REAPED_A_TURN: usize = 1024;

/// A child that was reaped.
#[derive(Clone, Copy, Debug)]
pub struct Reaped {
    /// Its process id, free again.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
    /// The tag it carried, if anybody wanted to know.
    pub tag: Option<Tag>,
}

impl Reaped {
    /// The next one, if there is one. Its tag costs two more system calls.
    pub fn next(with_tag: bool) -> Option<Self> {
        if !with_tag {
            return reap::next().map(|(pid, status)| Self { pid, status, tag: None });
        }
        let pid = reap::peek()?;
        let tag = Tag::worn_by(pid);
        Some(Self { pid, status: reap::take(pid)?, tag })
    }
}
