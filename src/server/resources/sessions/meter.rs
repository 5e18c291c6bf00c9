//! The figures of one life of a session, from one look to the next.

use std::path::Path;
use std::time::{Duration, Instant};

use super::group::Group;
use super::tally::{self, Members, Moment};
use super::tree::Running;

/// The shortest time that a share of CPU is told of: the kernel counts in
/// steps of 10 ms.
pub const CPU_SPAN: Duration = Duration::from_millis(400);

/// What a session uses, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Memory in bytes: that of its group less what the kernel can drop, or
    /// the resident memory of its processes that no file holds.
    pub memory: Option<u64>,
    /// CPU, percent of one core.
    pub cpu_percent: Option<f64>,
    /// Processes; their threads do not count.
    pub processes: Option<usize>,
    /// Processes that the kernel has killed because memory ran out, as far as
    /// this server has noticed.
    pub oom_kills: u64,
}

impl Usage {
    /// Forgets what a program uses that is no more.
    pub fn clear(&mut self) {
        *self = Self { oom_kills: self.oom_kills, ..Self::default() };
    }
}

/// What one session is measured by.
#[derive(Debug)]
pub struct Meter {
    /// Which program it is about.
    pub life: u32,
    group: Option<Group>,
    before: Option<Look>,
    ticks: u64,
    since: Instant,
    cpu_percent: Option<f64>,
}

/// All processes of a session at one moment.
#[derive(Debug)]
struct Look {
    members: Members,
    at: Moment,
}

impl Meter {
    /// A meter of a life that has just begun, or was just heard of.
    #[must_use]
    pub fn new(root: &Path, session: &Running, life: u32, now: Instant) -> Self {
        let mut group = Group::find(root, session.id);
        // The start of the first span.
        let cpu_percent = group.as_mut().and_then(|group| group.cpu_percent(now));
        Self { life, group, before: None, ticks: 0, since: now, cpu_percent }
    }

    /// The session's group, where it has one.
    pub fn group(&mut self) -> Option<&mut Group> {
        self.group.as_mut()
    }

    /// Reads the group's figures; none without a group, or when it is gone.
    pub fn read_group(&mut self, now: Instant) -> Option<Usage> {
        let is_due = self.span(now).is_some();
        let group = self.group.as_mut()?;
        if is_due {
            self.since = now;
            self.cpu_percent = group.cpu_percent(now);
        }
        let memory = Some(group.memory()?);
        Some(Usage { memory, cpu_percent: self.cpu_percent, processes: group.count(), oom_kills: 0 })
    }

    /// Takes in a look that began `at`, and tells the figures and the memory of
    /// each process that is gone; `earlier` is when the look before began.
    #[allow(clippy::cast_precision_loss, reason = "clock ticks between two looks")]
    pub fn take(
        &mut self,
        members: Members,
        now: Instant,
        at: Moment,
        memory_max: u64,
        earlier: Moment,
    ) -> (Usage, Vec<u64>) {
        let memory = tally::memory(&members).min(memory_max);
        let processes = tally::count(&members);
        let losses = match &self.before {
            // What started since anybody was looked at last has no other past.
            None => {
                self.since = now;
                tally::compare((&Members::new(), earlier), (&members, at)).losses
            }
            Some(before) => {
                let change = tally::compare((&before.members, before.at), (&members, at));
                self.ticks += change.ticks;
                change.losses
            }
        };
        if let Some(seconds) = self.span(now).filter(|_| self.before.is_some()) {
            let used = self.ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
            (self.since, self.ticks) = (now, 0);
            self.cpu_percent = Some(used / seconds * 100.0);
        }
        self.before = Some(Look { members, at });
        let usage =
            Usage { memory: Some(memory), cpu_percent: self.cpu_percent, processes: Some(processes), oom_kills: 0 };
        (usage, losses)
    }

    fn span(&self, now: Instant) -> Option<f64> {
        let span = now.saturating_duration_since(self.since);
        (span >= CPU_SPAN).then_some(span.as_secs_f64())
    }
}

/// Now, in clock ticks after boot.
#[must_use]
pub fn boot_ticks() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let per_second = rustix::param::clock_ticks_per_second();
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    part(now.tv_sec) * per_second + part(now.tv_nsec) * per_second / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::tree::Walker;
    use super::*;
    use crate::model::id::SessionId;

    const NO_MAX: u64 = u64::MAX;

    fn moment() -> Moment {
        Moment { ticks: boot_ticks(), last_pid: 0 }
    }

    /// Looks at the children of this process that `leader` is or leads.
    fn look(leader: u32) -> (Running, Members) {
        let own = i32::try_from(std::process::id()).expect("a process id");
        let running = Running { id: SessionId::random(), leader: i32::try_from(leader).expect("a process id") };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut walker = Walker::new(Path::new("/"), own);
        let members = runtime.block_on(walker.look(&[running])).pop().expect("one session");
        (running, members)
    }

    #[test]
    fn a_share_of_cpu_is_told_of_a_long_enough_span() {
        let child = Command::new("sh").args(["-c", "while :; do :; done"]).spawn();
        let mut child = child.expect("a shell");
        let (running, members) = look(child.id());
        let (start, at) = (Instant::now(), moment());
        let mut meter = Meter::new(Path::new("/"), &running, 1, start);
        let (first, _) = meter.take(members, start, at, NO_MAX, at);
        assert_eq!((first.cpu_percent, first.processes), (None, Some(1)));
        let used = |members: &Members| members.values().map(|member| member.stat.own.ticks).sum::<u64>();
        let before = used(&look(child.id()).1);
        // However little of a core it gets, it gets some.
        let members = loop {
            let members = look(child.id()).1;
            if used(&members) > before + 3 {
                break members;
            }
        };
        let (early, _) = meter.take(members.clone(), start + CPU_SPAN / 2, at, NO_MAX, at);
        assert_eq!(early.cpu_percent, None);
        let (full, losses) = meter.take(members.clone(), start + CPU_SPAN, at, NO_MAX, at);
        assert!(full.cpu_percent.is_some_and(|percent| percent > 0.0), "{full:?}");
        assert!(losses.is_empty(), "{losses:?}");
        let (idle, _) = meter.take(members, start + CPU_SPAN * 2, at, NO_MAX, at);
        assert_eq!(idle.cpu_percent, Some(0.0));
        child.kill().expect("a running child");
        child.wait().expect("its end");
    }

    #[test]
    fn a_tree_of_real_processes_is_counted_and_missed() {
        let script = "sleep 1000 & a=$!; sleep 1000 & echo; read line; kill $a $!; wait; echo; read line";
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().expect("a shell");
        let (mut say, mut hear) = (shell.stdin.take().expect("stdin"), shell.stdout.take().expect("stdout"));
        let mut line = [0; 1];
        std::io::Read::read_exact(&mut hear, &mut line).expect("a line");
        let (running, members) = look(shell.id());
        let now = Instant::now();
        let mut meter = Meter::new(Path::new("/"), &running, 1, now);
        let (usage, _) = meter.take(members, now, moment(), NO_MAX, moment());
        assert_eq!(usage.processes, Some(3));
        assert!(usage.memory.is_some_and(|bytes| bytes > 100_000), "{usage:?}");
        std::io::Write::write_all(&mut say, b"\n").expect("the shell listens");
        std::io::Read::read_exact(&mut hear, &mut line).expect("a line");
        let (usage, losses) = meter.take(look(shell.id()).1, now, moment(), 1000, moment());
        assert_eq!((usage.processes, usage.memory), (Some(1), Some(1000)), "no more than there is");
        assert!(!losses.is_empty() && losses.iter().all(|bytes| *bytes > 0), "{losses:?}");
        shell.kill().expect("a running child");
        shell.wait().expect("its end");
    }

    #[test]
    fn what_was_killed_stays_when_the_figures_go() {
        let mut usage = Usage { memory: Some(1), cpu_percent: Some(2.0), processes: Some(3), oom_kills: 4 };
        usage.clear();
        assert_eq!(usage, Usage { oom_kills: 4, ..Usage::default() });
    }
}
