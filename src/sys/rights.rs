//! What a process may do, and what others may see of it: users,
//! `capabilities(7)`, `PR_SET_NO_NEW_PRIVS` and `PR_SET_DUMPABLE` of `prctl(2)`.
//!
//! What a child does here before it executes its program is one system call
//! each, of this thread alone, without memory of the heap.

use std::io;

use rustix::fs::{Gid, Uid};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// A user as the kernel knows one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Identity {
    /// This user, in this group and these supplementary ones.
    #[must_use]
    pub fn new(uid: u32, gid: u32, groups: &[u32]) -> Self {
        let groups = groups.iter().copied().map(Gid::from_raw).collect();
        Self { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), groups }
    }

    /// The user's number.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The group's number.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid.as_raw()
    }

    /// Becomes this user for good. Three system calls. Capabilities go with it,
    /// unless the user is root.
    ///
    /// # Errors
    /// `EPERM` without `CAP_SETUID` and `CAP_SETGID`, `EINVAL` for a number that
    /// this user namespace does not have.
    pub fn assume(&self) -> io::Result<()> {
        set_thread_groups(&self.groups)?;
        set_thread_res_gid(self.gid, self.gid, self.gid)?;
        Ok(set_thread_res_uid(self.uid, self.uid, self.uid)?)
    }
}

/// Highest number that a set of capabilities has room for.
const CAPABILITIES: u64 = 64;

/// Takes away what the calling process could ever regain by executing a
/// program. To be called while it still has the right to that, which is
/// `CAP_SETPCAP`; without it `no_new_privs` alone has to do.
pub fn bound_capabilities() {
    for number in 0..CAPABILITIES {
        // The first number that the kernel does not know ends the list.
        if remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)).is_err() {
            break;
        }
    }
}

/// Takes every capability from the calling process, and with `no_new_privs`
/// every way to get one.
///
/// # Errors
/// What `prctl(2)` or `capset(2)` returns.
pub fn drop_capabilities() -> io::Result<()> {
    // Unknown before Linux 4.3, where there is nothing to clear.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(set_no_new_privs(true)?)
}

/// Leaves no core file, which would hold what is secret.
pub fn forbid_core_files() {
    // Lowering can't fail.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Keeps others of the same user from this process's memory, descriptors and
/// environment (`ptrace(2)`, `proc_pid_fd(5)`), and the kernel from writing a
/// core file. Lasts until a program is executed.
///
/// # Errors
/// What `prctl(2)` returns.
pub fn forbid_inspection() -> io::Result<()> {
    // The library asks once, and from here on might get no answer.
    let _ = rustix::param::page_size();
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// What init needs to have others run as another user: to become one, to give
/// files away, and to signal it afterwards. The first that is missing, by name.
#[must_use]
pub fn missing_to_separate() -> Option<&'static str> {
    let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let needed = [
        (CapabilitySet::SETUID, "CAP_SETUID"),
        (CapabilitySet::SETGID, "CAP_SETGID"),
        (CapabilitySet::KILL, "CAP_KILL"),
        (CapabilitySet::CHOWN, "CAP_CHOWN"),
    ];
    needed.into_iter().find(|(capability, _)| !held.contains(*capability)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_rights_gets_none_back() {
        // A thread has capabilities of its own.
        let dropped = std::thread::spawn(|| {
            bound_capabilities();
            drop_capabilities().unwrap();
            let sets = rustix::thread::capabilities(None).unwrap();
            (sets.effective | sets.permitted | sets.inheritable, rustix::thread::no_new_privs().unwrap())
        });
        assert_eq!(dropped.join().unwrap(), (CapabilitySet::empty(), true));
    }
}
