//! Questions about processes, collected and answered by one scan.
//!
//! Whoever wants to know who is left of a session, wants to signal all of it,
//! or wants a sweep, says so here. The next scan answers all of them at once;
//! what is asked while a scan runs waits for another one, because that scan
//! may already have passed the place that matters.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::event_loop::Init;
use super::hunt;
use super::lifecycle::Input;
use super::members::{Blow, Member};
use super::people::{Own, People, tag_of};
use super::scan::{Found, Progress, Scan, SessionOwner};
use super::session::RequestNumber;
use crate::link::message::{Answer, ToServer};
use crate::model::id::SessionId;
use crate::model::signal::Signal;
use crate::sys::process::{self, Pid};
use crate::sys::tag::Tag;

/// Longest work on scans and strikes in one turn of the loop.
const SLICE: Duration = Duration::from_micros(500);
/// Before a scan that could not see is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// Scans in a row that could not begin or see, after which looks are answered
/// without one: a session must not wait for ever for a /proc that is not there.
const FAILURES_MAX: u32 = 100;
/// Process groups killed as such in one round.
const GROUPS_A_ROUND: usize = 32;
/// Looks in a row that find nobody while members die, after which somebody
/// must be there: a chain that is never where the scan is.
const VAGUE_LOOKS_MAX: u32 = 3;

/// Who asks what.
#[derive(Debug, Default)]
struct Wanted {
    looks: Vec<SessionId>,
    blows: Vec<(SessionId, Blow, Option<RequestNumber>)>,
    sweep: Option<Vec<RequestNumber>>,
}

/// One thing to do after a scan.
#[derive(Debug)]
enum Strike {
    Hit(Member, Blow),
    Answer(RequestNumber, SessionId),
}

/// Questions, the running scan, and what follows from the last one.
#[derive(Debug)]
pub struct Inspector {
    own: Own,
    wanted: Wanted,
    running: Option<(Wanted, Scan)>,
    strikes: VecDeque<Strike>,
    /// What the scan that is being answered found of one session.
    fresh: Option<(SessionId, Vec<Found>)>,
    retry_at: Option<Instant>,
    failures: u32,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.looks.is_empty() && self.blows.is_empty() && self.sweep.is_none()
    }

    /// Takes over what `other` wanted.
    fn add(&mut self, other: Self) {
        other.looks.into_iter().for_each(|id| self.look(id));
        self.blows.extend(other.blows);
        if let Some(askers) = other.sweep {
            self.sweep.get_or_insert_default().extend(askers);
        }
    }

    fn look(&mut self, id: SessionId) {
        if !self.looks.contains(&id) {
            self.looks.push(id);
        }
    }

    fn asker_count(&self) -> usize {
        let blows = self.blows.iter().filter(|(_, _, asker)| asker.is_some()).count();
        blows + self.sweep.as_ref().map_or(0, Vec::len)
    }

    fn forget_askers(&mut self) {
        self.blows.iter_mut().for_each(|(_, _, asker)| *asker = None);
        self.sweep.iter_mut().for_each(Vec::clear);
    }
}

impl Inspector {
    /// Without questions.
    pub fn new() -> Self {
        Self {
            own: Own::read(),
            wanted: Wanted::default(),
            running: None,
            strikes: VecDeque::new(),
            fresh: None,
            retry_at: None,
            failures: 0,
        }
    }

    /// Who is left of the session? [`Input::SomeLeft`] or [`Input::NobodyLeft`]
    /// will tell.
    pub fn want_look(&mut self, id: SessionId) {
        self.wanted.look(id);
    }

    /// Every process of the session gets this; then the request is answered.
    pub fn want_blow(&mut self, id: SessionId, blow: Blow, asker: Option<RequestNumber>) {
        self.wanted.blows.push((id, blow, asker));
    }

    /// A sweep, as soon as the one that may be running is over.
    pub fn want_sweep(&mut self, asker: Option<RequestNumber>) {
        self.wanted.sweep.get_or_insert_default().extend(asker);
    }

    /// How many requests wait for a scan to come, and how many for the present one.
    #[must_use]
    pub fn asker_count(&self) -> usize {
        self.wanted.asker_count() + self.running.as_ref().map_or(0, |(wanted, _)| wanted.asker_count())
    }

    /// The server that asked is gone, and its numbers mean nothing any more.
    pub fn forget_askers(&mut self) {
        self.wanted.forget_askers();
        self.running.iter_mut().for_each(|(wanted, _)| wanted.forget_askers());
        self.strikes.retain(|strike| matches!(strike, Strike::Hit(..)));
    }

    /// When there is something to do.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        if self.running.is_some() || !self.strikes.is_empty() {
            return Some(now);
        }
        (!self.wanted.is_empty()).then(|| self.retry_at.unwrap_or(now))
    }
}

impl Init {
    /// Works on scans and strikes for one slice of time.
    pub(super) fn inspect(&mut self) {
        let until = Instant::now() + SLICE;
        while self.inspector.due(until).is_some_and(|due| due <= Instant::now().max(until)) && Instant::now() < until {
            if self.inspector.strikes.is_empty() {
                self.scan_on(until);
            } else {
                self.strike_on(until);
            }
            if self.inspector.retry_at.is_some_and(|at| at > until) {
                return;
            }
        }
    }

    fn strike_on(&mut self, until: Instant) {
        while let Some(strike) = self.inspector.strikes.pop_front() {
            match strike {
                Strike::Hit(member, blow) => member.strike(blow),
                Strike::Answer(number, id) => self.server.send(&ToServer::Reply(number, Ok(Answer::Session(id))), &[]),
            }
            if Instant::now() >= until {
                return;
            }
        }
    }

    fn scan_on(&mut self, until: Instant) {
        if self.inspector.running.is_none() && !self.begin_scan() {
            return;
        }
        let people = self.people();
        let Some((_, scan)) = &mut self.inspector.running else { return };
        if scan.advance(&people, until) == Progress::Done
            && let Some((wanted, scan)) = self.inspector.running.take()
        {
            self.conclude(wanted, scan);
        }
    }

    fn people(&self) -> People {
        let keys = self.table.iter().map(super::session::Session::key);
        let main = self.main.as_ref().and_then(super::main_command::MainCommand::pid);
        let helpers = self.server.tags().chain(self.tools.tags());
        People::new(self.inspector.own, self.server.pid(), main, keys, helpers)
    }

    fn begin_scan(&mut self) -> bool {
        let now = Instant::now();
        if self.inspector.wanted.is_empty() || self.inspector.retry_at.is_some_and(|at| at > now) {
            return false;
        }
        match Scan::begin(now) {
            Ok(scan) => {
                self.table.iter_mut().for_each(|session| session.died_before_scan = session.died);
                self.inspector.retry_at = None;
                self.inspector.running = Some((std::mem::take(&mut self.inspector.wanted), scan));
                true
            }
            Err(error) => {
                self.scan_later(Wanted::default(), &error.to_string());
                false
            }
        }
    }

    /// A scan without sight answers nothing: what was asked is asked again.
    fn scan_later(&mut self, wanted: Wanted, reason: &str) {
        if self.inspector.failures == 0 {
            tracing::error!(reason, "Cannot read /proc to see which processes there are; trying on");
        }
        self.inspector.failures += 1;
        self.inspector.wanted.add(wanted);
        self.inspector.retry_at = Some(Instant::now() + RETRY);
        if self.inspector.failures.is_multiple_of(FAILURES_MAX) {
            tracing::error!(reason, "Still cannot read /proc: ending sessions without a look at what they leave");
            for id in std::mem::take(&mut self.inspector.wanted.looks) {
                self.feed(id, Input::NobodyLeft);
            }
        }
    }

    fn conclude(&mut self, wanted: Wanted, scan: Scan) {
        if let Some(reason) = &scan.blind {
            return self.scan_later(wanted, reason);
        }
        self.inspector.failures = 0;
        // Who died while the scan ran tells whether it may have missed some.
        self.reap_all();
        for (id, blow, asker) in wanted.blows {
            let hits = members_of(&scan, id).map(|found| Strike::Hit(found.member, blow));
            self.inspector.strikes.extend(hits);
            self.inspector.strikes.extend(asker.map(|number| Strike::Answer(number, id)));
        }
        for id in wanted.looks {
            self.answer_look(id, members_of(&scan, id).copied().collect());
        }
        if let Some(askers) = wanted.sweep {
            self.begin_sweep(askers, scan);
        }
    }

    fn answer_look(&mut self, id: SessionId, mut found: Vec<Found>) {
        let Some(session) = self.table.get_mut(id) else { return };
        let in_cgroup = session.cgroup.iter().flat_map(super::cgroup::Cgroup::members);
        let known: HashSet<Member> = found.iter().map(|found| found.member).collect();
        let owner = SessionOwner::Known(id);
        found.extend(in_cgroup.filter(|member| !known.contains(member)).map(|member| Found {
            owner,
            member,
            group: None,
        }));
        // One that died meanwhile may have left a child behind the place where
        // the scan was; its own end is the only trace.
        let is_vague = found.is_empty() && session.died != session.died_before_scan;
        session.vague_looks = if is_vague { session.vague_looks + 1 } else { 0 };
        if is_vague && session.vague_looks < VAGUE_LOOKS_MAX {
            return self.inspector.want_look(id);
        }
        if found.is_empty() && !is_vague {
            // If the question was asked anew, its answer is still to come.
            if !self.inspector.wanted.looks.contains(&id) {
                self.feed(id, Input::NobodyLeft);
            }
            return;
        }
        self.inspector.fresh = Some((id, found));
        self.feed(id, Input::SomeLeft);
        self.inspector.fresh = None;
    }

    /// Strikes every process of a session: those the scan has just found, or
    /// those the next one will find.
    pub(super) fn strike_session(&mut self, id: SessionId, blow: Blow) {
        match &self.inspector.fresh {
            Some((fresh, found)) if *fresh == id => {
                let hits: Vec<Strike> = found.iter().map(|found| Strike::Hit(found.member, blow)).collect();
                self.inspector.strikes.extend(hits);
            }
            _ => self.inspector.want_blow(id, blow, None),
        }
    }

    /// KILL, by everything that reaches several processes at once before the
    /// single ones: what forks while it is killed must not get away.
    pub(super) fn kill_session(&mut self, id: SessionId) {
        let found = match &self.inspector.fresh {
            Some((fresh, found)) if *fresh == id => found.clone(),
            _ => Vec::new(),
        };
        self.count_kill_round(id, &found);
        let tag = tag_of(id);
        kill_groups(&found, tag);
        let Some(session) = self.table.get_mut(id) else { return };
        session.is_kill_sent = true;
        if let Some(cgroup) = &session.cgroup {
            cgroup.kill();
        }
        if session.kill_rounds > 1 {
            hunt::newborn(tag, Instant::now() + SLICE);
        }
        self.strike_session(id, Blow::Signal(Signal::KILL));
    }
}

fn members_of(scan: &Scan, id: SessionId) -> impl Iterator<Item = &Found> {
    scan.found.iter().filter(move |found| found.owner == SessionOwner::Known(id))
}

/// Process groups never reach over the border of a kernel session, and one
/// that a tagged process is in was made by the session's own processes.
fn kill_groups(found: &[Found], tag: Tag) {
    let mut done: HashSet<Pid> = HashSet::new();
    for Found { member, group, .. } in found {
        if done.len() == GROUPS_A_ROUND {
            return;
        }
        let Some(group) = group.filter(|group| !done.contains(group)) else { continue };
        let is_there = member.look().is_some_and(|stat| stat.pgrp == group.raw());
        if is_there && Tag::worn_by(member.pid()) == Some(tag) {
            let _ = process::kill_group(group, Signal::KILL);
        }
        done.insert(group);
    }
}
