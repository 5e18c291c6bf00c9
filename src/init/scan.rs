//! One look at /proc in small steps: who is there, and whose is it.
//!
//! Reading every process takes from a millisecond to half a second, and the
//! loop has terminals to read meanwhile. So a scan advances until a given
//! moment and goes on in the next turn.
//!
//! /proc lists processes in the order of their ids, so a parent nearly always
//! comes before its children, and a process is judged as it is read: by what
//! its parent is, else by what it carries itself. The few whose parent is not
//! known yet are judged at the end.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use procfs::ProcError;
use procfs::process::{ProcessesIter, Stat};

use super::members::{Member, is_dead, read_stat};
use super::people::{Gone, Own, Owner, People};
use crate::model::id::SessionId;
use crate::sys::process::Pid;

/// Passes over those whose parent was unknown; a longer chain of them is a
/// case nobody has seen, and is judged without its parents.
const SETTLING_PASSES: usize = 8;

/// No slice: a look in one go.
const LONG: Duration = Duration::from_secs(3600);

/// A process that runs and belongs, or belonged, to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The session.
    pub owner: SessionOwner,
    /// The process.
    pub member: Member,
    /// Its process group.
    pub group: Option<Pid>,
}

/// The session side of [`Owner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOwner {
    /// One in the table.
    Known(SessionId),
    /// One that is not, or no longer.
    Gone(Gone),
}

/// A process that has ended and whose living parent has not waited for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zombie {
    /// The process.
    pub member: Member,
    /// Who should wait for it.
    pub parent: i32,
    /// Name of the program, `comm` in `proc_pid_stat(5)`.
    pub name: String,
    /// The session it was of, if any.
    pub session: Option<SessionId>,
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Time was over first.
    More,
    /// Everybody was seen.
    Done,
}

/// A look at every process.
pub struct Scan {
    listing: Option<ProcessesIter>,
    owners: HashMap<i32, Owner>,
    unsettled: Vec<Stat>,
    settling: Vec<Stat>,
    passes: usize,
    /// Running processes of sessions.
    pub found: Vec<Found>,
    /// Ended ones that wait for their parent.
    pub zombies: Vec<Zombie>,
    /// Everybody that runs below init, the server and its children excepted.
    pub below: Vec<Member>,
    /// How many processes were seen.
    pub examined: u32,
    /// What kept the scan from seeing some of them, if anything did.
    pub blind: Option<String>,
    /// When it began.
    pub begun: Instant,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("examined", &self.examined).finish_non_exhaustive()
    }
}

impl Scan {
    /// Opens /proc.
    ///
    /// # Errors
    /// What `open(2)` returns: no descriptor left, or no /proc.
    pub fn begin(now: Instant) -> io::Result<Self> {
        let listing = procfs::process::all_processes().map_err(|e| io::Error::other(e.to_string()))?;
        Ok(Self {
            listing: Some(listing),
            owners: HashMap::new(),
            unsettled: Vec::new(),
            settling: Vec::new(),
            passes: 0,
            found: Vec::new(),
            zombies: Vec::new(),
            below: Vec::new(),
            examined: 0,
            blind: None,
            begun: now,
        })
    }

    /// Goes on until everybody is seen or `until` is past.
    pub fn advance(&mut self, people: &People, until: Instant) -> Progress {
        while let Some(listing) = &mut self.listing {
            match listing.next() {
                Some(process) => match process.and_then(|p| p.stat()) {
                    Ok(stat) => self.see(stat, people),
                    Err(error) => self.miss(&error),
                },
                None => self.listing = None,
            }
            if Instant::now() >= until {
                return Progress::More;
            }
        }
        self.settle(people, until)
    }

    /// A process that vanished meanwhile is simply not there; any other reason
    /// means that the scan does not see.
    fn miss(&mut self, error: &ProcError) {
        let is_gone = match error {
            ProcError::NotFound(_) => true,
            ProcError::Io(error, _) => error.raw_os_error() == Some(libc::ESRCH),
            _ => false,
        };
        if !is_gone {
            self.blind.get_or_insert_with(|| error.to_string());
        }
    }

    fn see(&mut self, stat: Stat, people: &People) {
        self.examined += 1;
        match people.place(&stat).or_else(|| self.owners.get(&stat.ppid).copied()) {
            Some(parent) => self.judge(&stat, parent, people),
            None => self.unsettled.push(stat),
        }
    }

    fn settle(&mut self, people: &People, until: Instant) -> Progress {
        loop {
            while let Some(stat) = self.settling.pop() {
                self.settle_one(&stat, people);
                if Instant::now() >= until {
                    return Progress::More;
                }
            }
            if self.unsettled.is_empty() {
                return Progress::Done;
            }
            self.passes += 1;
            self.settling = std::mem::take(&mut self.unsettled);
        }
    }

    fn settle_one(&mut self, stat: &Stat, people: &People) {
        // Its parent may have ended since, which gave it another one.
        let Some(stat) = read_stat(stat.pid).filter(|now| now.starttime == stat.starttime) else { return };
        match self.owners.get(&stat.ppid) {
            Some(parent) => self.judge(&stat, *parent, people),
            None if self.passes < SETTLING_PASSES => self.unsettled.push(stat),
            None => self.judge(&stat, Owner::Stranger, people),
        }
    }

    fn judge(&mut self, stat: &Stat, parent: Owner, people: &People) {
        let owner = people.owner(stat, parent);
        self.owners.insert(stat.pid, owner);
        let Some(pid) = Pid::new(stat.pid) else { return };
        let member = Member::new(pid, stat.starttime);
        if is_dead(stat) {
            // On a shared host the zombies of strangers are not ours to report.
            let is_here = owner != Owner::Stranger || people.init() == 1;
            if is_here && stat.ppid != people.init() && stat.state == 'Z' {
                let session = owner.session();
                self.zombies.push(Zombie { member, parent: stat.ppid, name: stat.comm.clone(), session });
            }
            return;
        }
        if !matches!(owner, Owner::Init | Owner::Server | Owner::Stranger) {
            self.below.push(member);
        }
        let owner = match owner {
            Owner::Session(id) => SessionOwner::Known(id),
            Owner::Gone(gone) => SessionOwner::Gone(gone),
            Owner::Init | Owner::Server | Owner::Main | Owner::Ours | Owner::Stranger => return,
        };
        self.found.push(Found { owner, member, group: Pid::new(stat.pgrp) });
    }
}

/// Everybody that runs below this process, but not the server: for the end,
/// when nothing is left that a look in one go could delay.
#[must_use]
pub fn everybody(server: Option<Pid>) -> Vec<Member> {
    let people = People::new(Own::read(), server, None, std::iter::empty(), std::iter::empty());
    let now = Instant::now();
    let Ok(mut scan) = Scan::begin(now) else { return Vec::new() };
    while scan.advance(&people, now + LONG) == Progress::More {}
    scan.below
}

/// Whether a process with this id exists.
#[must_use]
pub fn exists(pid: i32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}
