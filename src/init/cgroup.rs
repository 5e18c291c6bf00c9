//! A cgroup for each session, where init may make one (`cgroups(7)`, version 2).
//!
//! A process can't leave it without the right to write there, and one write
//! kills all of it at once (`cgroup.kill`). Most containers see their cgroups
//! read-only; there the other means of belonging have to do.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::delegation::Controllers;
use super::members::Member;
use super::oom_kills::KillCount;
use crate::cgroups::place;
use crate::config::SessionLimits;
use crate::model::id::SessionId;
use crate::sys::process;

/// Begins the names of ours.
const PREFIX: &str = "quarterdeck-";

/// Groups of one session that are looked into. Its own processes may make some
/// below it, and hide there.
const GROUPS_MAX: usize = 64;

/// How often, and how far apart, init tries to remove groups when it ends.
const LAST_TRIES: u32 = 20;
const LAST_PAUSE: Duration = Duration::from_millis(5);

/// Where sessions' cgroups are made: the cgroup of the container.
#[derive(Debug)]
pub struct Cgroups {
    path: PathBuf,
    controllers: Controllers,
    limits: SessionLimits,
    leftovers: Rc<Leftovers>,
}

/// The cgroup of one life of a session, removed when dropped, or later if it is
/// not empty then.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    leftovers: Rc<Leftovers>,
    dir: OwnedFd,
    /// Processes killed in it because memory ran out.
    oom_kills: Option<KillCount>,
}

/// Groups that could not be removed yet: a process that was reaped may be in
/// its group for a moment longer.
#[derive(Debug, Default)]
struct Leftovers(RefCell<Vec<PathBuf>>);

impl Leftovers {
    fn add(&self, group: &Path) {
        if !remove(group) {
            self.0.borrow_mut().push(group.to_owned());
        }
    }

    /// Whether none is left.
    fn try_again(&self) -> bool {
        let mut groups = self.0.borrow_mut();
        groups.retain(|group| !remove(group));
        groups.is_empty()
    }
}

impl Drop for Leftovers {
    /// The container ends: nobody else will come for them.
    fn drop(&mut self) {
        for _ in 0..LAST_TRIES {
            if self.try_again() {
                return;
            }
            std::thread::sleep(LAST_PAUSE);
        }
    }
}

impl Cgroups {
    /// Finds the container's cgroup, makes it divisible, and clears away what
    /// an init before this one left there.
    ///
    /// # Errors
    /// Why sessions can't have cgroups of their own.
    pub fn find(limits: SessionLimits) -> Result<Self, String> {
        if process::own_pid().raw() != 1 {
            return Err("init is not PID 1, so the cgroup it runs in is not its to divide".to_owned());
        }
        let path = place::unified_group(Path::new("/"))
            .ok_or("no mounted cgroup version 2 shows the group that init is in".to_owned())?;
        let failed = |e: io::Error| format!("{} cannot be written: {e}", path.display());
        let dir = open_dir(&path).map_err(failed)?;
        // Access and not a try: a read-only mount fails here already.
        rustix::fs::accessat(&dir, "cgroup.procs", rustix::fs::Access::WRITE_OK, AtFlags::EACCESS)
            .map_err(|e| failed(e.into()))?;
        remove_stale(&path);
        let controllers = Controllers::delegate(&path);
        if let Some(reason) = &controllers.failure {
            tracing::info!(cgroup = %path.display(), reason, "The container's cgroup could not be divided");
        }
        Ok(Self { path, controllers, limits, leftovers: Rc::default() })
    }

    /// Why one of the limits asked for can't be set.
    #[must_use]
    pub fn shortcoming(&self) -> Option<String> {
        let wanted = [("memory", self.limits.memory.is_some()), ("pids", self.limits.pids.is_some())];
        let (missing, _) = wanted.into_iter().find(|(name, is_wanted)| *is_wanted && !self.controllers.has(name))?;
        let path = self.path.display();
        Some(match &self.controllers.failure {
            Some(reason) => format!("the cgroup {path} could not be divided: {reason}"),
            None => format!("the cgroup {path} has no {missing} controller"),
        })
    }

    /// Makes a cgroup for one life of a session.
    ///
    /// # Errors
    /// What `mkdir(2)` returns: no right, or the limit of cgroups is reached.
    pub fn create(&self, id: SessionId) -> io::Result<Cgroup> {
        self.leftovers.try_again();
        let path = self.path.join(format!("{PREFIX}{id}"));
        match fs::create_dir(&path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let dir = open_dir(&path).inspect_err(|_| self.leftovers.add(&path))?;
        self.limit(id, &dir);
        let oom_kills = KillCount::open(path.join("memory.events"));
        Ok(Cgroup { path, leftovers: Rc::clone(&self.leftovers), dir, oom_kills })
    }

    /// A session that can't be limited starts all the same.
    fn limit(&self, id: SessionId, dir: &OwnedFd) {
        for (file, value) in self.settings() {
            if let Err(error) = write(dir, file, &value) {
                tracing::warn!(sessionId = %id, file, value, %error, "A limit of a session could not be set");
            }
        }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if self.controllers.has("memory") {
            // A shell whose programs vanish one by one is no session any more;
            // and the kernel stops at the border of the group.
            settings.push(("memory.oom.group", "1".to_owned()));
            settings.extend(self.limits.memory.map(|bytes| ("memory.max", bytes.to_string())));
            // Else the limit would only move what is above it to the disk.
            settings.extend(self.limits.memory.map(|_| ("memory.swap.max", "0".to_owned())));
        }
        if self.controllers.has("pids") {
            settings.extend(self.limits.pids.map(|count| ("pids.max", count.to_string())));
        }
        settings
    }
}

impl Cgroup {
    /// Kills every process in it (Linux 5.14 and later).
    pub fn kill(&self) {
        let _ = write(&self.dir, "cgroup.kill", "1");
    }

    /// How many processes in it the kernel killed because memory ran out; none
    /// if it does not say.
    pub fn oom_kills(&mut self) -> Option<u64> {
        self.oom_kills.as_mut()?.open_kills()
    }

    /// The processes in it, as far as one read of each of its groups tells.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        tree(&self.path).iter().flat_map(|group| members_of(group)).collect()
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.leftovers.add(&self.path);
    }
}

/// A group and those below it, each after the one around it.
fn tree(top: &Path) -> Vec<PathBuf> {
    let mut groups = vec![top.to_owned()];
    let mut seen = 0;
    while seen < groups.len() && groups.len() < GROUPS_MAX {
        let entries = fs::read_dir(&groups[seen]).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        groups.extend(below.map(|entry| entry.path()));
        seen += 1;
    }
    groups.truncate(GROUPS_MAX);
    groups
}

fn members_of(group: &Path) -> Vec<Member> {
    let mut text = [0; 4096];
    let length = File::open(group.join("cgroup.procs")).and_then(|mut file| file.read(&mut text)).unwrap_or(0);
    // A number that the end of the buffer cut off is another one.
    let whole = text[..length].iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let text = std::str::from_utf8(&text[..whole]).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter_map(Member::find).collect()
}

/// Whether it is gone: only where no process is left.
fn remove(group: &Path) -> bool {
    for group in tree(group).iter().rev() {
        let _ = fs::remove_dir(group);
    }
    !group.exists()
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, DIRECTORY, Mode::empty())?)
}

fn write(dir: &OwnedFd, file: &str, value: &str) -> io::Result<()> {
    let file = rustix::fs::openat(dir, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(file, value.as_bytes())?;
    Ok(())
}

fn remove_stale(path: &Path) {
    let names = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
    for name in names.filter(|name| name.to_str().is_some_and(|name| name.starts_with(PREFIX))) {
        remove(&path.join(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_not_empty_yet_is_removed_later() {
        let dir = tempfile::tempdir().unwrap();
        let (group, process) = (dir.path().join("group"), dir.path().join("group/process"));
        let make = || fs::create_dir(&group).and_then(|()| fs::write(&process, "")).unwrap();
        make();
        let leftovers = Leftovers::default();
        leftovers.add(&group);
        assert!(!leftovers.try_again() && group.exists());
        fs::remove_file(&process).unwrap();
        assert!(leftovers.try_again() && !group.exists());

        make();
        leftovers.add(&group);
        fs::remove_file(&process).unwrap();
        drop(leftovers);
        assert!(!group.exists());
    }
}
