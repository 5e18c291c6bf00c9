//! Files and sockets, `landlock(7)`: read what the kernel tells of processes and
//! groups, write in our own directories, nothing else; no new TCP connection or
//! listener; no abstract socket and no signal to anybody outside.

use std::os::fd::BorrowedFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope,
};

use crate::cgroups::place::mount_points;

/// The newest version that this was written for; older kernels do what they can.
const KNOWN: ABI = ABI::V6;

/// Where the kernel tells of processes.
const PROC: &str = "/proc";

/// Where random numbers come from in a static binary, which can't look for
/// `getrandom(3)` while it runs.
const RANDOM: [&str; 2] = ["/dev/urandom", "/dev/random"];

/// How much of it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Full,
    /// What this kernel's version of Landlock has.
    Partial,
}

/// Restricts this thread and those it starts.
///
/// # Errors
/// Why nothing is restricted.
pub fn restrict(writable: &[BorrowedFd<'_>]) -> Result<Extent, String> {
    match try_restrict(writable) {
        Ok(RulesetStatus::FullyEnforced) => Ok(Extent::Full),
        Ok(RulesetStatus::PartiallyEnforced) => Ok(Extent::Partial),
        Ok(RulesetStatus::NotEnforced) => Err("this kernel does not have it, or does not allow it here".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn try_restrict(writable: &[BorrowedFd<'_>]) -> Result<RulesetStatus, RulesetError> {
    let (all, read) = (AccessFs::from_all(KNOWN), AccessFs::ReadFile | AccessFs::ReadDir);
    let mut rules = Ruleset::default()
        .handle_access(all)?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    for readable in std::iter::once(PROC.into()).chain(mount_points(Path::new("/"))) {
        // What is not there needs no rule.
        if let Ok(opened) = PathFd::new(&readable) {
            rules = rules.add_rule(PathBeneath::new(opened, read))?;
        }
    }
    for device in RANDOM {
        if let Ok(opened) = PathFd::new(device) {
            rules = rules.add_rule(PathBeneath::new(opened, AccessFs::ReadFile))?;
        }
    }
    // Files of any kind: what lies under the state file's name is set aside.
    let own: BitFlags<AccessFs> = all & !(AccessFs::Execute | AccessFs::IoctlDev);
    for directory in writable {
        rules = rules.add_rule(PathBeneath::new(directory, own))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}
