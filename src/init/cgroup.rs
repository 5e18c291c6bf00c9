//! A cgroup for each session, where init may make one (`cgroups(7)`, version 2).
//!
//! A process can't leave it without the right to write there, and one write
//! kills all of it at once (`cgroup.kill`). Most containers see their cgroups
//! read-only; there the other means of belonging have to do.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use procfs::process::Process;
use rustix::fs::{AtFlags, Mode, OFlags};

use super::members::Member;
use crate::model::id::SessionId;

/// Begins the names of ours.
const PREFIX: &str = "quarterdeck-";

/// Where sessions' cgroups are made: the cgroup of init.
#[derive(Debug)]
pub struct Cgroups(OwnedFd);

/// The cgroup of one life of a session, removed when dropped, if it is empty
/// then.
#[derive(Debug)]
pub struct Cgroup {
    parent: OwnedFd,
    name: String,
    dir: OwnedFd,
}

impl Cgroups {
    /// Finds init's own cgroup, if it can be written, and clears away what an
    /// init before this one left there.
    #[must_use]
    pub fn find() -> Option<Self> {
        let path = own_path()?;
        let dir = open_dir(&path).ok()?;
        // Access and not a try: a read-only mount fails here already.
        rustix::fs::accessat(&dir, "cgroup.procs", rustix::fs::Access::WRITE_OK, AtFlags::EACCESS).ok()?;
        remove_stale(&path, &dir);
        Some(Self(dir))
    }

    /// Makes a cgroup for one life of a session.
    ///
    /// # Errors
    /// What `mkdir(2)` returns: no right, or the limit of cgroups is reached.
    pub fn create(&self, id: SessionId) -> io::Result<Cgroup> {
        let name = format!("{PREFIX}{id}");
        let parent = self.0.try_clone()?;
        match rustix::fs::mkdirat(&parent, name.as_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let dir = rustix::fs::openat(&parent, name.as_str(), DIRECTORY, Mode::empty())
            .inspect_err(|_| remove(&parent, &name))?;
        Ok(Cgroup { parent, name, dir })
    }
}

impl Cgroup {
    /// Kills every process in it (Linux 5.14 and later).
    pub fn kill(&self) {
        let file = rustix::fs::openat(&self.dir, "cgroup.kill", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        if let Ok(file) = file {
            let _ = rustix::io::write(file, b"1");
        }
    }

    /// The processes in it, as far as one read tells.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let mut text = [0; 4096];
        let file = rustix::fs::openat(&self.dir, "cgroup.procs", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let length = file.and_then(|file| rustix::io::read(file, &mut text)).unwrap_or(0);
        // A number that the end of the buffer cut off is another one.
        let whole = text[..length].iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let text = std::str::from_utf8(&text[..whole]).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).filter_map(Member::find).collect()
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        remove(&self.parent, &self.name);
    }
}

/// Succeeds only where no process is left.
fn remove(parent: &OwnedFd, name: &str) {
    let _ = rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, DIRECTORY, Mode::empty())?)
}

/// Init's cgroup as a directory: its path in the hierarchy, seen through the
/// mount, which may show only a part of it.
fn own_path() -> Option<PathBuf> {
    let own = Process::myself().ok()?;
    let in_hierarchy = own.cgroups().ok()?.into_iter().find(|c| c.hierarchy == 0)?.pathname;
    let mounts = own.mountinfo().ok()?;
    mounts.into_iter().filter(|mount| mount.fs_type == "cgroup2").find_map(|mount| {
        let below = Path::new(&in_hierarchy).strip_prefix(&mount.root).ok()?;
        Some(mount.mount_point.join(below))
    })
}

/// Removing succeeds only where no process is left.
fn remove_stale(path: &Path, dir: &OwnedFd) {
    let names = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
    for name in names.filter(|name| name.to_str().is_some_and(|name| name.starts_with(PREFIX))) {
        let _ = rustix::fs::unlinkat(dir, &name, AtFlags::REMOVEDIR);
    }
}
