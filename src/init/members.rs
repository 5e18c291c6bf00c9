//! Which processes belong to a session, asked of /proc (`proc(5)`).
//!
//! Only descendants of init are ever considered. What `docker exec` starts has
//! a parent outside the namespace (0), and as a subreaper on a shared host the
//! rest of the machine is not ours: neither can be hit by mistake, whatever
//! terminal number or variable it may have in common with a session.

use std::collections::{HashMap, HashSet};

use procfs::process::{Process, Stat};

use super::env::MARKER;
use crate::model::id::SessionId;
use crate::model::signal::Signal;
use crate::sys::pidfd::Pidfd;
use crate::sys::process::{self, Pid};

/// How the processes of a session are recognised.
#[derive(Clone, Copy, Debug)]
pub struct SessionKey {
    /// Value of the environment marker.
    pub id: SessionId,
    /// Kernel session id, `setsid(2)`.
    pub kernel_session: Option<Pid>,
    /// Whether the leader that made the kernel session still exists. If not,
    /// a leader with that number is a stranger who got the number anew.
    pub leader_lives: bool,
    /// Device of the terminal, as long as our end is open.
    pub device: Option<u64>,
}

/// A process at one moment: the start time tells it from a later one with the
/// same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pid: Pid,
    start: u64,
}

/// One look at /proc.
#[derive(Debug)]
pub struct Census {
    stats: HashMap<i32, Stat>,
    ours: HashSet<i32>,
}

impl Census {
    /// Reads every process; those under `except` (the API server) stay out.
    ///
    /// Processes that vanish meanwhile are simply not there.
    #[must_use]
    pub fn take(except: Option<Pid>) -> Self {
        let all = procfs::process::all_processes().into_iter().flatten().flatten();
        let stats: HashMap<i32, Stat> =
            all.filter_map(|p| p.stat().ok()).filter(is_alive).map(|s| (s.pid, s)).collect();
        let mut ours = descendants(&stats, &[process::own_pid().raw()]);
        if let Some(except) = except {
            ours.remove(&except.raw());
            let below = descendants(&stats, &[except.raw()]);
            ours.retain(|pid| !below.contains(pid));
        }
        Self { stats, ours }
    }

    /// The members of the session `key` describes. Whoever is in the kernel
    /// session of one of the `others`, leaders of other sessions that live, came
    /// from that leader and need not be asked for its environment, which is what
    /// takes time here.
    #[must_use]
    pub fn members(&self, key: &SessionKey, others: &HashSet<Pid>) -> Vec<Member> {
        let is_leader_stale =
            !key.leader_lives && key.kernel_session.is_some_and(|s| self.stats.contains_key(&s.raw()));
        let direct: Vec<i32> = self
            .ours
            .iter()
            .copied()
            .filter(|pid| self.stats.get(pid).is_some_and(|stat| matches(stat, key, is_leader_stale, others)))
            .collect();
        let below = descendants(&self.stats, &direct);
        direct.into_iter().chain(below).collect::<HashSet<_>>().into_iter().filter_map(|p| self.member(p)).collect()
    }

    /// Everybody below init but the API server.
    #[must_use]
    pub fn everybody(&self) -> Vec<Member> {
        self.ours.iter().filter_map(|pid| self.member(*pid)).collect()
    }

    fn member(&self, pid: i32) -> Option<Member> {
        Some(Member { pid: Pid::new(pid)?, start: self.stats.get(&pid)?.starttime })
    }
}

/// A process whose first thread has ended shows as a zombie while its other
/// threads run on.
fn is_alive(stat: &Stat) -> bool {
    !matches!(stat.state, 'Z' | 'X') || stat.num_threads > 1
}

fn matches(stat: &Stat, key: &SessionKey, is_leader_stale: bool, others: &HashSet<Pid>) -> bool {
    let in_session = !is_leader_stale && key.kernel_session.is_some_and(|s| s.raw() == stat.session);
    let on_terminal = key.device.is_some_and(|d| is_device(stat.tty_nr(), d));
    if in_session || on_terminal {
        return true;
    }
    let is_of_another = Pid::new(stat.session).is_some_and(|session| others.contains(&session));
    !is_of_another && is_marked(stat.pid, key.id)
}

fn is_device((major, minor): (i32, i32), device: u64) -> bool {
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    major != 0 && number(major) == libc::major(device) && number(minor) == libc::minor(device)
}

fn is_marked(pid: i32, id: SessionId) -> bool {
    let environment = Process::new(pid).and_then(|p| p.environ());
    environment.is_ok_and(|e| e.get(std::ffi::OsStr::new(MARKER)).is_some_and(|v| *v == *id.to_string()))
}

/// Everybody below `roots`, without them.
fn descendants(stats: &HashMap<i32, Stat>, roots: &[i32]) -> HashSet<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for stat in stats.values() {
        children.entry(stat.ppid).or_default().push(stat.pid);
    }
    let mut found = HashSet::new();
    let mut open: Vec<i32> = roots.to_vec();
    while let Some(parent) = open.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}

impl Member {
    /// Its process id.
    #[must_use]
    pub fn pid(self) -> Pid {
        self.pid
    }

    /// Signals the process, if it is still the same one.
    pub fn signal(self, signal: Signal) {
        match Pidfd::open(self.pid) {
            Ok(handle) if self.is_same() => drop(handle.signal(signal)),
            Ok(_) => {}
            // Only ESRCH means that it is gone; a kernel or a seccomp profile
            // without pidfd leaves kill(2).
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {}
            Err(_) if self.is_same() => drop(process::kill(self.pid, signal)),
            Err(_) => {}
        }
    }

    fn is_same(self) -> bool {
        let stat = Process::new(self.pid.raw()).and_then(|p| p.stat());
        stat.is_ok_and(|s| s.starttime == self.start)
    }
}
