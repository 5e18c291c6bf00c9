//! What each session uses, and whom the kernel killed when memory ran out.
//!
//! Only processes that belong to sessions are looked at, and none at all while
//! no session runs. A session with a cgroup of its own is asked as a whole.

mod blame;
pub(crate) mod command;
mod group;
mod listing;
mod meter;
pub(crate) mod process;
mod tally;
mod tree;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::monitor::{Monitor, SessionWarning};
use crate::link::message::ToInit;
use crate::logging::unix_millis;
use crate::model::id::SessionId;
use crate::model::resources::MemoryLevel;
use crate::model::session::Stage;
use crate::server::link::Link;
use crate::server::registry::{Entry, Registry, Snapshot};
use blame::{Evidence, Loss, Verdict};
pub use listing::{Listed, Processes};
pub use meter::Usage;
use meter::{Meter, boot_ticks};
use tally::Moment;
pub use tree::Running;
use tree::Walker;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// The same while memory is short.
const HURRIED: Duration = Duration::from_millis(500);
/// To read a process takes some 25 µs: with this much time for each, all looks
/// together take about a thousandth of a core at most, however many there are.
const PER_PROCESS: Duration = Duration::from_millis(25);

/// A group costs as much as so many processes.
const PROCESSES_OF_GROUP: usize = 2;

/// Between the start of the first session and the first look at it.
const STARTING: Duration = Duration::from_millis(100);

/// A killed process takes a moment to be gone.
const SETTLING: Duration = Duration::from_millis(300);
/// After this long nobody will turn up any more who lost a process.
const PATIENCE: Duration = Duration::from_secs(5);
/// The counter is read once a second: what was missed before that was not
/// missed for this kill.
const BACKWARDS: Duration = Duration::from_secs(2);

/// Looks at the sessions again and again.
#[derive(Debug)]
pub struct Watch {
    registry: Arc<Registry>,
    monitor: Arc<Monitor>,
    link: Arc<Link>,
    walker: Walker,
    meters: HashMap<SessionId, Meter>,
    /// When the look before began.
    earlier: Moment,
    losses: Vec<Loss>,
    /// Memory of the largest process at the last look.
    largest: u64,
    counted: Vec<(SessionId, u64)>,
    /// Lives whose end is somebody's already.
    settled: HashMap<SessionId, u32>,
    /// The container's counter up to which every kill is somebody's.
    accounted: u64,
    /// Since when there are kills above that.
    open_since: Option<Instant>,
}

impl Watch {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(registry: Arc<Registry>, monitor: Arc<Monitor>, link: Arc<Link>) -> Self {
        let mut walker = Walker::new(Path::new("/"), init_pid());
        let earlier = Moment { ticks: boot_ticks(), last_pid: walker.last_pid() };
        let accounted = *monitor.oom_kills().borrow();
        Self {
            registry,
            monitor,
            link,
            walker,
            meters: HashMap::new(),
            earlier,
            losses: Vec::new(),
            largest: 0,
            counted: Vec::new(),
            settled: HashMap::new(),
            accounted,
            open_since: None,
        }
    }

    /// Watches until the container shuts down.
    pub async fn run(mut self) {
        let mut snapshots = self.registry.subscribe();
        let mut kills = self.monitor.oom_kills();
        let mut news = self.monitor.subscribe();
        // What was killed before this server began is nobody's any more. Init
        // must not take it for the next leader's end; those whose own end it
        // was had time to be collected.
        if self.accounted > 0 {
            tokio::time::sleep(SETTLING).await;
            let _ = self.link.send(&ToInit::OomKills(self.accounted)).await;
        }

        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            if snapshot.shutting_down.is_some() || snapshot.goodbye {
                return;
            }
            let processes = self.look(&snapshot).await;
            let counter = *kills.borrow_and_update();
            if self.settle(counter) {
                // Without a link this server ends anyway.
                let _ = self.link.send(&ToInit::OomKills(counter)).await;
            }
            let pause = self.pause(processes);
            tokio::select! {
                () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)) => {}
                // The first moments of a session belong to its start.
                _ = snapshots.changed(), if pause.is_none() => tokio::time::sleep(STARTING).await,
                _ = kills.changed() => {}
                // Memory may be gone before the next look.
                _ = news.recv() => {}
            }
        }
    }

    /// How long to wait before the next look; none while there is nothing to
    /// look at.
    fn pause(&self, processes: usize) -> Option<Duration> {
        if self.open_since.is_some() {
            return Some(SETTLING);
        }
        let interval = if self.monitor.level() > MemoryLevel::Normal { HURRIED } else { INTERVAL };
        let cost = PER_PROCESS * u32::try_from(processes).unwrap_or(u32::MAX);
        (!self.meters.is_empty()).then(|| interval.max(cost))
    }

    /// Measures every session that runs; what it cost, in processes.
    async fn look(&mut self, snapshot: &Snapshot) -> usize {
        let now = Instant::now();
        let all: Vec<(&Entry, Running)> = snapshot.sessions.iter().filter_map(running).collect();
        self.meters.retain(|id, meter| {
            all.iter().any(|(entry, _)| entry.record.id == *id && entry.record.state.life == meter.life)
        });
        self.settled.retain(|id, _| snapshot.get(*id).is_some());
        let mut walked = Vec::new();
        for (entry, session) in &all {
            let life = entry.record.state.life;
            let meter = self.meters.entry(session.id).or_insert_with(|| Meter::new(Path::new("/"), session, life, now));
            if let Some(group) = meter.group() {
                let kills = group.new_kills();
                self.counted.extend((kills > 0).then_some((session.id, kills)));
                if let Some(usage) = meter.read_group(now) {
                    publish(entry, usage);
                }
                tokio::task::yield_now().await;
            } else {
                walked.push((*entry, *session));
            }
        }
        let groups = all.len() - walked.len();
        self.walk(&walked, now).await + groups * PROCESSES_OF_GROUP
    }

    async fn walk(&mut self, sessions: &[(&Entry, Running)], now: Instant) -> usize {
        self.largest = 0;
        if sessions.is_empty() {
            return 0;
        }
        let at = Moment { ticks: boot_ticks(), last_pid: self.walker.last_pid() };
        let wanted: Vec<Running> = sessions.iter().map(|(_, session)| *session).collect();
        let found = self.walker.look(&wanted).await;
        // Shared pages count once for each process, but no session has more
        // than there is.
        let memory_max = self.monitor.memory().current;
        let mut processes = 0;
        for ((entry, session), members) in sessions.iter().zip(found) {
            processes += members.len();
            self.largest = members.values().map(|member| member.memory).fold(self.largest, u64::max);
            let Some(meter) = self.meters.get_mut(&session.id) else { continue };
            let (usage, losses) = meter.take(members, now, at, memory_max, self.earlier);
            self.losses.extend(losses.into_iter().map(|bytes| Loss { session: session.id, at: now, bytes }));
            publish(entry, usage);
        }
        // A session can have started just before a look that did not know it yet.
        let margin = INTERVAL.as_secs() * rustix::param::clock_ticks_per_second();
        self.earlier = Moment { ticks: at.ticks.saturating_sub(margin), ..at };
        processes
    }

    /// Finds out whose were killed, once they had time to end; true if one of
    /// them was no first process, so that init does not take the kill for the
    /// next one's.
    fn settle(&mut self, counter: u64) -> bool {
        let now = Instant::now();
        // Another group's counter, after init was moved.
        self.accounted = self.accounted.min(counter);
        let kills = counter - self.accounted;
        let since = self.open_since.unwrap_or(now);
        self.losses.retain(|loss| loss.at + BACKWARDS >= since);
        if kills == 0 && self.counted.is_empty() {
            self.open_since = None;
            return false;
        }
        self.open_since = Some(since);
        let snapshot = self.registry.now();
        let mut evidence = Evidence {
            counted: self.counted.clone(),
            leaders: snapshot
                .sessions
                .iter()
                .filter(|entry| self.has_lost_leader(entry))
                .map(|e| e.record.id)
                .collect(),
            losses: self.losses.clone(),
            largest_left: self.largest,
        };
        let waited = now.duration_since(since);
        let is_clear = kills > 0 && evidence.is_enough(kills);
        if waited < SETTLING || (waited < PATIENCE && !is_clear) {
            return false;
        }
        let leaders = evidence.leaders.clone();
        let verdict = blame::decide(kills, &mut evidence);
        self.losses = evidence.losses;
        self.counted.clear();
        (self.accounted, self.open_since) = (counter, None);
        self.announce(&snapshot, &leaders, &verdict);
        verdict.nobodys > 0 || verdict.sessions.iter().any(|(id, _)| !leaders.contains(id))
    }

    /// Whether the kernel killed the session's first process a moment ago.
    fn has_lost_leader(&self, entry: &Entry) -> bool {
        let Some(exit) = entry.record.state.last_exit else { return false };
        let patience = u64::try_from((BACKWARDS + PATIENCE).as_millis()).unwrap_or(u64::MAX);
        let is_recent = unix_millis() < exit.at.saturating_add(patience);
        let is_settled = self.settled.get(&entry.record.id).is_some_and(|life| *life >= exit.life);
        is_recent && !is_settled && exit.out_of_memory
    }

    fn announce(&mut self, snapshot: &Snapshot, leaders: &[SessionId], verdict: &Verdict) {
        for (id, kills) in &verdict.sessions {
            let Some(entry) = snapshot.get(*id) else { continue };
            entry.session.usage().oom_kills += kills;
            if leaders.contains(id) {
                let life = entry.record.state.last_exit.map_or(0, |exit| exit.life);
                self.settled.insert(*id, life);
                tracing::error!(sessionId = %id, kills, "The kernel killed a session's program: out of memory");
            } else {
                tracing::warn!(sessionId = %id, kills, "The kernel killed a process of a session: out of memory");
                self.monitor.tell(SessionWarning { session: *id });
            }
        }
        if verdict.nobodys > 0 {
            tracing::warn!(
                kills = verdict.nobodys,
                "The kernel killed a process because memory ran out, and no session is known to have lost one"
            );
        }
    }
}

/// Init starts the server, and is the parent of every session.
#[must_use]
pub fn init_pid() -> i32 {
    rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get())
}

/// The session with its first process, if it has one.
fn running(entry: &Entry) -> Option<(&Entry, Running)> {
    match entry.record.state.stage {
        Stage::Running { pid } => Some((entry, Running { id: entry.record.id, leader: i32::try_from(pid).ok()? })),
        Stage::Starting | Stage::Ended | Stage::Idle { .. } => None,
    }
}

fn publish(entry: &Entry, usage: Usage) {
    let mut published = entry.session.usage();
    *published = Usage { oom_kills: published.oom_kills, ..usage };
}
