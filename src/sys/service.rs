//! What a child started as [`super::spawn::Stdio::Service`] does first.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::FdFlags;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::sys::seqpacket;
use crate::sys::spawn::SERVICE_FD;

/// Takes the link that init left at a fixed descriptor number, if this process
/// was started by init. To be called once, before anything opens descriptors.
#[must_use]
pub fn take_link() -> Option<OwnedFd> {
    // SAFETY: the number may be open or not; it is only asked for its flags
    // and type, and the borrow ends here.
    let candidate = unsafe { BorrowedFd::borrow_raw(SERVICE_FD) };
    rustix::io::fcntl_getfd(candidate).ok()?;
    if !seqpacket::is_one(candidate) {
        return None;
    }
    rustix::io::fcntl_setfd(candidate, FdFlags::CLOEXEC).ok()?;
    // SAFETY: open (just asked), and nobody else in this new process knows it.
    Some(unsafe { OwnedFd::from_raw_fd(SERVICE_FD) })
}

/// A limit of open descriptors as this process was started with.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorLimit(pub(super) Rlimit);

impl DescriptorLimit {
    /// Descriptors that may be open; none if any number may.
    #[must_use]
    pub fn soft(self) -> Option<u64> {
        self.0.current
    }
}

/// The present limit of open descriptors.
#[must_use]
pub fn descriptor_limit() -> DescriptorLimit {
    DescriptorLimit(getrlimit(Resource::Nofile))
}

/// Raises the soft limit of open descriptors to the hard one, `getrlimit(2)`:
/// each client is one, each session several. Returns the limit as it was, for
/// children that are to start with it.
pub fn raise_descriptor_limit() -> DescriptorLimit {
    let DescriptorLimit(before) = descriptor_limit();
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    let _ = setrlimit(Resource::Nofile, raised);
    DescriptorLimit(before)
}
