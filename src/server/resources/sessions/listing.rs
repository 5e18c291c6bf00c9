//! The processes of one session, for somebody who looks at it.
//!
//! Nothing is read unless it is asked for, and whoever asks soon after another
//! one gets the same answer: many who look cost no more than one.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::command::CommandReader;
use super::meter::{CPU_SPAN, boot_ticks};
use super::process::Stat;
use super::tally::Members;
use super::tree::{Running, Walker};
use crate::logging::unix_millis;

/// Most processes that are told one by one.
pub const LISTED_MAX: usize = 500;

/// How long an answer counts for each process in it: to read one takes some
/// 40 µs, so that a hundredth of a core is spent at most.
const PER_PROCESS: Duration = Duration::from_millis(4);
/// After this long, what was used since the answer before says nothing of now.
const STALE: Duration = Duration::from_secs(30);

/// A process of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its number.
    pub pid: i32,
    /// Its parent's; init's for one that lost its parent.
    pub parent: i32,
    /// The words it was started with, or its name in brackets.
    pub command: String,
    /// What it is doing, in one word.
    pub state: &'static str,
    /// Its memory in bytes.
    pub memory: u64,
    /// CPU since the answer before, percent of one core.
    pub cpu_percent: Option<f64>,
    /// When it started, in milliseconds of Unix time.
    pub started_at: u64,
    /// Whether the keys of the session's terminal go to it.
    pub is_foreground: bool,
}

/// A session's processes, each behind its parent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// At most [`LISTED_MAX`] of them, those nearest to the first process.
    pub processes: Vec<Listed>,
    /// How many there are.
    pub count: usize,
}

/// Lists processes on demand.
#[derive(Debug)]
pub struct Processes {
    looks: Mutex<Looks>,
    commands: CommandReader,
}

#[derive(Debug)]
struct Looks {
    walker: Walker,
    latest: HashMap<Running, Look>,
}

#[derive(Debug)]
struct Look {
    at: Instant,
    members: Members,
    listing: Arc<Listing>,
}

impl Look {
    /// How long it is as good as a new one.
    fn lasts(&self) -> Duration {
        let cost = PER_PROCESS * u32::try_from(self.listing.count).unwrap_or(u32::MAX);
        cost.max(CPU_SPAN)
    }
}

impl Processes {
    /// Looks at `/proc` under the file system root `root`, where `init` is the
    /// parent of all sessions.
    #[must_use]
    pub fn new(root: &Path, init: i32) -> Self {
        let looks = Looks { walker: Walker::new(root, init), latest: HashMap::new() };
        Self { looks: Mutex::new(looks), commands: CommandReader::new(PathBuf::from(root)) }
    }

    /// The processes of `session`.
    pub async fn list(&self, session: Running) -> Arc<Listing> {
        let mut looks = self.looks.lock().await;
        looks.latest.retain(|_, look| look.at.elapsed() < STALE);
        if let Some(look) = looks.latest.get(&session).filter(|look| look.at.elapsed() < look.lasts()) {
            return Arc::clone(&look.listing);
        }
        let members = looks.walker.look(&[session]).await.pop().unwrap_or_default();
        let at = Instant::now();
        let before = looks.latest.get(&session);
        let order = arranged(&members, session.leader);
        let mut commands = self.commands.read(&order).await;
        let (now, now_ticks) = (unix_millis(), boot_ticks());
        let terminal = members.get(&session.leader).map(|leader| leader.stat.terminal);
        let list = order.into_iter().filter_map(|pid| {
            let member = members.get(&pid)?;
            Some(Listed {
                pid,
                parent: member.stat.parent,
                command: commands.remove(&pid).unwrap_or_default(),
                state: state_word(&member.stat),
                memory: member.memory,
                cpu_percent: before.and_then(|before| cpu_percent(before, pid, &member.stat, at)),
                started_at: now.saturating_sub(milliseconds(now_ticks.saturating_sub(member.stat.start))),
                is_foreground: is_foreground(&member.stat, terminal),
            })
        });
        let listing = Arc::new(Listing { processes: list.collect(), count: members.len() });
        looks.latest.insert(session, Look { at, members, listing: Arc::clone(&listing) });
        listing
    }
}

/// The numbers to tell of, in the order to tell them: each behind its parent
/// and its older siblings' descendants.
fn arranged(members: &Members, leader: i32) -> Vec<i32> {
    let mut oldest_first: Vec<(bool, u64, i32)> =
        members.iter().map(|(pid, member)| (*pid != leader, member.stat.start, *pid)).collect();
    oldest_first.sort_unstable();
    let mut roots = Vec::new();
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (_, _, pid) in oldest_first {
        let parent = members.get(&pid).map(|member| member.stat.parent).filter(|parent| members.contains_key(parent));
        match parent {
            Some(parent) => children.entry(parent).or_default().push(pid),
            None => roots.push(pid),
        }
    }
    let chosen = nearest(&roots, &children);
    let mut open: Vec<i32> = roots.into_iter().rev().collect();
    let mut order = Vec::with_capacity(chosen.len());
    while let Some(pid) = open.pop() {
        if chosen.contains(&pid) {
            order.push(pid);
            open.extend(children.get(&pid).into_iter().flatten().rev());
        }
    }
    order
}

/// As many as may be told of, generation by generation: whoever forks without
/// end shall not hide the others.
fn nearest(roots: &[i32], children: &HashMap<i32, Vec<i32>>) -> HashSet<i32> {
    let mut found = roots.to_vec();
    let mut at = 0;
    while let Some(pid) = found.get(at).filter(|_| found.len() < LISTED_MAX) {
        at += 1;
        found.extend(children.get(pid).cloned().unwrap_or_default());
    }
    found.into_iter().take(LISTED_MAX).collect()
}

#[allow(clippy::cast_precision_loss, reason = "clock ticks between two answers")]
fn cpu_percent(before: &Look, pid: i32, stat: &Stat, now: Instant) -> Option<f64> {
    // A number may be given to another process.
    let known = before.members.get(&pid).filter(|known| known.stat.start == stat.start)?;
    let seconds = now.saturating_duration_since(before.at).as_secs_f64();
    let used = stat.own.less(known.stat.own).ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    (seconds > 0.0).then(|| used / seconds * 100.0)
}

fn milliseconds(ticks: u64) -> u64 {
    ticks.saturating_mul(1000) / rustix::param::clock_ticks_per_second()
}

/// A multiplexer gives its programs terminals of their own; what has the
/// keyboard there is not what the session's keys go to.
fn is_foreground(stat: &Stat, terminal: Option<i32>) -> bool {
    stat.terminal != 0 && stat.group == stat.foreground && terminal.is_none_or(|terminal| terminal == stat.terminal)
}

fn state_word(stat: &Stat) -> &'static str {
    match stat.state {
        'S' | 'I' => "sleeping",
        'D' => "blocked",
        'T' => "stopped",
        't' => "traced",
        'Z' | 'X' if stat.is_dead => "zombie",
        // A first thread that has ended leaves others that run.
        _ => "running",
    }
}

#[cfg(test)]
mod tests {
    use super::super::process::Spent;
    use super::super::tally::Member;
    use super::*;

    fn member(parent: i32, start: u64) -> Member {
        let stat = Stat {
            parent,
            group: 1,
            kernel_session: 1,
            terminal: 9,
            foreground: 2,
            state: 'S',
            is_dead: false,
            threads: 1,
            start,
            resident: 1,
            own: Spent::default(),
            waited: Spent::default(),
        };
        Member { stat, memory: 4096 }
    }

    fn members(list: &[(i32, i32, u64)]) -> Members {
        list.iter().map(|(pid, parent, start)| (*pid, member(*parent, *start))).collect()
    }

    #[test]
    fn each_stands_behind_its_parent_and_the_older_first() {
        let all = members(&[(10, 1, 5), (3, 10, 9), (4, 10, 7), (5, 4, 8), (6, 3, 9), (2, 1, 1)]);
        assert_eq!(arranged(&all, 10), [10, 4, 5, 3, 6, 2], "the first process, then who lost its parent");
        assert_eq!(arranged(&Members::new(), 10), [0; 0]);
        let ring = members(&[(10, 1, 5), (3, 4, 6), (4, 3, 6)]);
        assert_eq!(arranged(&ring, 10), [10], "numbers that changed hands are nobody's children");
    }

    #[test]
    fn a_large_family_hides_nobody_of_an_older_generation() {
        let mut all = members(&[(10, 1, 0), (11, 10, 1), (12, 10, 2)]);
        all.extend((0..2 * LISTED_MAX).map(|n| (100 + i32::try_from(n).expect("small"), member(11, 3))));
        let order = arranged(&all, 10);
        assert_eq!(order.len(), LISTED_MAX);
        assert_eq!((&order[..3], order.last()), ([10, 11, 100].as_slice(), Some(&12)));
    }

    #[test]
    fn what_they_do_is_told_in_words() {
        let word = |state, is_dead| state_word(&Stat { state, is_dead, ..member(1, 1).stat });
        assert_eq!(
            ["R", "S", "D", "T", "t", "I"].map(|letter| word(letter.chars().next().unwrap_or_default(), false)),
            ["running", "sleeping", "blocked", "stopped", "traced", "sleeping"]
        );
        assert_eq!((word('Z', true), word('Z', false)), ("zombie", "running"));
    }

    #[test]
    fn the_keyboard_is_that_of_the_sessions_own_terminal() {
        let stat = |group, terminal| Stat { group, terminal, ..member(1, 1).stat };
        assert!(is_foreground(&stat(2, 9), Some(9)));
        assert!(is_foreground(&stat(2, 9), None), "the first process has ended");
        assert!(!is_foreground(&stat(1, 9), Some(9)));
        assert!(!is_foreground(&stat(2, 7), Some(9)), "in another terminal");
        assert!(!is_foreground(&stat(2, 0), Some(0)), "without a terminal");
    }
}
