//! The net below: kills what a session that is over has left behind, and tells
//! of zombies that nobody waits for.
//!
//! Ending a session ends everything of it, so a sweep finds nothing on most
//! days. It never reaps (SIGCHLD does) and never touches what belongs to a
//! live session, to the main command, or to `docker exec`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use procfs::Current;

use super::event_loop::Init;
use super::lifecycle::Phase;
use super::members::{Blow, Member};
use super::people::{Gone, tag_of};
use super::scan::{Found, Scan, SessionOwner, Zombie};
use super::session::RequestNumber;
use crate::link::message::{Answer, ToServer};
use crate::model::id::SessionId;
use crate::model::signal::Signal;
use crate::model::sweep::{Cleaned, LISTED_MAX, Reason, SweepReport, Totals, ZombieReport};

/// Kills on their way at the same time.
const VICTIMS_MAX: usize = 64;
/// Between looks whether they are carried out, should no SIGCHLD tell.
const VICTIM_TICK: Duration = Duration::from_millis(20);
/// Zombies told of in one turn of the loop: a parent may have left thousands.
const ANNOUNCED_A_TURN: usize = 8;
/// What a whole sweep may take.
const SWEEP_MAX: Duration = Duration::from_secs(5);
/// Sessions remembered after they are removed, to name them by their tag.
const REMOVED_MAX: usize = 1024;

/// A process that was killed and has not ended yet.
#[derive(Debug)]
struct Victim {
    member: Member,
    since: Instant,
    cleaned: Cleaned,
}

/// A sweep between its scan and its report.
#[derive(Debug)]
struct Running {
    askers: Vec<RequestNumber>,
    begun: Instant,
    queue: VecDeque<Found>,
    victims: Vec<Victim>,
    done: Vec<Cleaned>,
    done_count: u32,
    failed_count: u32,
    sessions: BTreeSet<SessionId>,
    examined: u32,
    zombies: Vec<ZombieReport>,
}

/// The sweeper's clock and memory.
#[derive(Debug)]
pub struct Sweeper {
    interval: Duration,
    next_at: Option<Instant>,
    running: Option<Running>,
    zombies: HashMap<Member, Instant>,
    unannounced: VecDeque<ZombieReport>,
    removed: VecDeque<SessionId>,
    pub(super) totals: Totals,
}

impl Sweeper {
    /// The first sweep comes after one interval.
    pub fn new(now: Instant, interval: Duration) -> Self {
        Self {
            interval,
            next_at: now.checked_add(interval),
            running: None,
            zombies: HashMap::new(),
            unannounced: VecDeque::new(),
            removed: VecDeque::new(),
            totals: Totals::default(),
        }
    }

    /// When there is something to do.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let tick = self.running.is_some().then(|| now + VICTIM_TICK);
        let telling = (!self.unannounced.is_empty()).then_some(now);
        tick.into_iter().chain(telling).chain(self.next_at).min()
    }

    /// Whether there are sweeps.
    pub fn is_on(&self) -> bool {
        self.next_at.is_some()
    }

    /// No more sweeps; the one under way goes on to its end.
    pub fn stop(&mut self) {
        self.next_at = None;
    }

    /// The server that asked is gone.
    pub fn forget_askers(&mut self) {
        self.running.iter_mut().for_each(|running| running.askers.clear());
    }

    /// Keeps the id of a session that leaves the table.
    pub fn remember(&mut self, id: SessionId) {
        self.removed.push_back(id);
        while self.removed.len() > REMOVED_MAX {
            self.removed.pop_front();
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        if self.next_at.is_none_or(|at| at > now) {
            return false;
        }
        self.next_at = now.checked_add(self.interval);
        true
    }

    fn name(&self, gone: Gone) -> Option<SessionId> {
        match gone {
            Gone::Marked(id) => Some(id),
            Gone::Tagged(tag) => self.removed.iter().copied().find(|id| tag_of(*id) == tag),
        }
    }

    /// Which zombies there are, and since when, as far as sweeps have seen.
    fn note_zombies(&mut self, seen: Vec<Zombie>) -> Vec<ZombieReport> {
        let now = Instant::now();
        let uptime = procfs::Uptime::current().map_or(0, |uptime| uptime.uptime_duration().as_secs());
        let before = std::mem::take(&mut self.zombies);
        let mut reports = Vec::new();
        for zombie in seen {
            let since = before.get(&zombie.member).copied().unwrap_or(now);
            self.zombies.insert(zombie.member, since);
            let report = report(&zombie, uptime, now.duration_since(since));
            if !before.contains_key(&zombie.member) {
                self.unannounced.push_back(report.clone());
            }
            reports.push(report);
        }
        self.announce_some();
        reports
    }

    fn announce_some(&mut self) {
        let count = self.unannounced.len().min(ANNOUNCED_A_TURN);
        self.unannounced.drain(..count).for_each(|zombie| announce(&zombie));
    }
}

fn report(zombie: &Zombie, uptime: u64, since: Duration) -> ZombieReport {
    let ticks = procfs::ticks_per_second().max(1);
    ZombieReport {
        pid: zombie.member.pid().raw().unsigned_abs(),
        parent_pid: zombie.parent.unsigned_abs(),
        command: zombie.name.clone(),
        session: zombie.session,
        age_seconds: uptime.saturating_sub(zombie.member.start() / ticks),
        zombie_seconds: since.as_secs(),
    }
}

fn announce(zombie: &ZombieReport) {
    tracing::warn!(
        pid = zombie.pid,
        sessionId = zombie.session.map(tracing::field::display),
        parentPid = zombie.parent_pid,
        ageSeconds = zombie.age_seconds,
        command = zombie.command,
        "Zombie process detected: PID {}",
        zombie.pid
    );
}

impl Init {
    /// The clock of the sweeps, and of the one that is under way.
    pub(super) fn sweep_on(&mut self, now: Instant) {
        if self.sweeper.is_due(now) {
            self.inspector.want_sweep(None);
        }
        self.check_victims();
        self.sweeper.announce_some();
    }

    /// A scan for a sweep is complete.
    pub(super) fn begin_sweep(&mut self, askers: Vec<RequestNumber>, scan: Scan) {
        if self.sweeper.running.is_some() {
            // Its kills are still being carried out: look again afterwards.
            askers.into_iter().for_each(|asker| self.inspector.want_sweep(Some(asker)));
            return;
        }
        let zombies = self.sweeper.note_zombies(scan.zombies);
        let queue = scan.found.into_iter().filter(|found| self.reason(found.owner).is_some()).collect();
        self.sweeper.running = Some(Running {
            askers,
            begun: scan.begun,
            queue,
            victims: Vec::new(),
            done: Vec::new(),
            done_count: 0,
            failed_count: 0,
            sessions: BTreeSet::new(),
            examined: scan.examined,
            zombies,
        });
        self.check_victims();
    }

    /// Why a process of this session is to be killed, if it is.
    fn reason(&self, owner: SessionOwner) -> Option<Reason> {
        match owner {
            SessionOwner::Gone(_) => Some(Reason::SessionGone),
            SessionOwner::Known(id) => {
                let has_ended = self.table.get(id).is_some_and(|session| session.machine.phase == Phase::Ended);
                has_ended.then_some(Reason::SessionEnded)
            }
        }
    }

    /// Notes which kills are carried out, and goes on with the next ones.
    pub(super) fn check_victims(&mut self) {
        let Some(mut running) = self.sweeper.running.take() else { return };
        for victim in std::mem::take(&mut running.victims) {
            if victim.member.lives() && victim.since.elapsed() < SWEEP_MAX {
                running.victims.push(victim);
            } else {
                self.note_end(&mut running, victim);
            }
        }
        while running.victims.len() < VICTIMS_MAX
            && let Some(found) = running.queue.pop_front()
        {
            running.victims.extend(self.kill_leftover(&found));
        }
        if !running.victims.is_empty() {
            self.sweeper.running = Some(running);
            return;
        }
        self.finish_sweep(running);
    }

    fn note_end(&mut self, running: &mut Running, victim: Victim) {
        let pid = victim.cleaned.pid;
        if victim.member.lives() {
            running.failed_count += 1;
            tracing::error!(pid, "A process of a session that is over could not be killed; the next sweep tries again");
            return;
        }
        let elapsed = u64::try_from(victim.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(pid, elapsedMs = elapsed, "Zombie process cleaned: PID {pid}");
        self.sweeper.totals.swept += 1;
        running.done_count += 1;
        running.sessions.extend(victim.cleaned.session);
        self.server.send(&ToServer::Cleaned(victim.cleaned.clone()), &[]);
        if running.done.len() < LISTED_MAX {
            running.done.push(victim.cleaned);
        }
    }

    fn kill_leftover(&self, found: &Found) -> Option<Victim> {
        // Its session may have been resumed since the scan.
        let reason = self.reason(found.owner)?;
        let session = match found.owner {
            SessionOwner::Known(id) => Some(id),
            SessionOwner::Gone(gone) => self.sweeper.name(gone),
        };
        let stat = found.member.look()?;
        let pid = found.member.pid().raw().unsigned_abs();
        tracing::warn!(
            pid,
            sessionId = session.map(tracing::field::display),
            command = stat.comm,
            "Zombie process detected: PID {pid}"
        );
        found.member.strike(Blow::Signal(Signal::KILL));
        let cleaned = Cleaned { pid, session, command: stat.comm, reason };
        Some(Victim { member: found.member, since: Instant::now(), cleaned })
    }

    fn finish_sweep(&mut self, mut running: Running) {
        for id in &running.sessions {
            tracing::warn!(sessionId = %id, "Cleaned up zombie process for session {id}");
        }
        self.sweeper.totals.sweeps += 1;
        let zombie_count = u32::try_from(running.zombies.len()).unwrap_or(u32::MAX);
        running.zombies.truncate(LISTED_MAX);
        let report = SweepReport {
            examined: running.examined,
            cleaned_count: running.done_count,
            cleaned: running.done,
            failed_count: running.failed_count,
            zombie_count,
            zombies: running.zombies,
            elapsed_ms: u64::try_from(running.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            totals: self.sweeper.totals,
        };
        tracing::debug!(examined = report.examined, elapsedMs = report.elapsed_ms, "Sweep finished");
        // Before the answers: who has one may ask for the totals next.
        self.server.send(&ToServer::Swept(report.totals), &[]);
        for asker in running.askers {
            let answer = Answer::Swept(Box::new(report.clone()));
            self.server.send(&ToServer::Reply(asker, Ok(answer)), &[]);
        }
    }
}
