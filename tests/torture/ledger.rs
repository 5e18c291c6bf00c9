//! What everybody knows: the sessions there are, what may happen to them, what
//! went wrong on purpose, and what went wrong by mistake.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::excuse::Excuses;

/// A promise that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    NoZombies,
    NothingLeftBehind,
    LivingSpared,
    StreamsWhole,
    ApiAnswers,
    ServerReplaced,
    ExitsRight,
    SessionsKept,
    GrowsNot,
    EndsWell,
    FaultsHappen,
}

pub const PROMISES: [(Promise, &str); 11] = [
    (Promise::NoZombies, "no zombie older than a second has init as its parent"),
    (Promise::NothingLeftBehind, "no process of a dead session outlives its grace"),
    (Promise::LivingSpared, "no process of a living session is killed"),
    (Promise::StreamsWhole, "every byte of every stream came once and in order"),
    (Promise::ApiAnswers, "the API answers within a second"),
    (Promise::ServerReplaced, "a server that died or hangs is replaced"),
    (Promise::ExitsRight, "exit codes and signals of sessions are told right"),
    (Promise::SessionsKept, "the API lists exactly the sessions there are"),
    (Promise::GrowsNot, "descriptors and memory of init and server stay flat"),
    (Promise::EndsWell, "SIGTERM ends everything, politely and with 0"),
    (Promise::FaultsHappen, "every fault that was to come came, and had its effect"),
];

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Code(i64),
    Signal(&'static str),
}

impl End {
    /// Whether this is the end that the API shows.
    pub fn is(&self, (code, signal): (Option<i64>, Option<&str>)) -> bool {
        match self {
            Self::Code(wanted) => (code, signal) == (Some(*wanted), None),
            Self::Signal(wanted) => (code, signal) == (None, Some(*wanted)),
        }
    }
}

/// A session of the load. It is known by its marker, a word that every one of
/// its processes has in its argument vector.
#[derive(Clone, Debug, Default)]
pub struct Tracked {
    pub id: Option<String>,
    /// Its leader's number inside the namespace.
    pub leader: Option<i64>,
    /// User id of its processes, unless root.
    pub user: Option<u32>,
    /// The ends that are right. None: any, because it is being ended.
    pub ends: Option<Vec<End>>,
    /// When its leader was seen, or made, to end. Soon nothing may be left.
    pub dead_since: Option<Instant>,
    /// Its program must be told as ended by then.
    pub told_by: Option<Instant>,
    /// A fault killed one of its processes, or may have.
    pub is_hit: bool,
    /// Not to be compared with the API's list just now: being made, being
    /// resumed or being deleted.
    pub in_motion: bool,
    /// Changes whenever the load changes it.
    pub version: u64,
}

impl Tracked {
    /// From now on its leader may have been ended by SIGKILL.
    pub fn allow_kill(&mut self) {
        self.is_hit = true;
        if let Some(ends) = &mut self.ends {
            ends.push(End::Signal("SIGKILL"));
        }
    }
}

/// Whose processes may be killed at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlaw {
    User(u32),
    Everybody,
}

impl Outlaw {
    fn is(self, tracked: &Tracked) -> bool {
        match self {
            Self::User(user) => tracked.user == Some(user),
            Self::Everybody => true,
        }
    }
}

#[derive(Default)]
struct State {
    events: Vec<(Duration, String)>,
    broken: BTreeMap<Promise, Vec<String>>,
    counts: BTreeMap<(Promise, &'static str), u64>,
    sessions: BTreeMap<String, Tracked>,
    struck: BTreeMap<&'static str, u64>,
    outlaws: Vec<Outlaw>,
    is_over: bool,
}

/// Shared by all threads of a run.
pub struct Ledger {
    pub begun: Instant,
    pub excuses: Excuses,
    state: Mutex<State>,
    changed: Condvar,
}

impl Ledger {
    pub fn new() -> Self {
        Self { begun: Instant::now(), excuses: Excuses::default(), state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what was done, for the report of a failure.
    pub fn note(&self, what: String) {
        let at = self.begun.elapsed();
        self.state().events.push((at, what));
    }

    /// A promise is broken: the run is over.
    pub fn broken(&self, promise: Promise, evidence: &str) {
        let at = self.begun.elapsed();
        let mut state = self.state();
        state.broken.entry(promise).or_default().push(format!("at {:.3} s: {evidence}", at.as_secs_f64()));
        state.is_over = true;
        self.changed.notify_all();
    }

    /// A wait was in vain. That breaks a promise, unless the end of the run ended it.
    pub fn missed(&self, promise: Promise, evidence: &str) {
        if !self.is_over() {
            self.broken(promise, evidence);
        }
    }

    /// Counts something that was looked at and found right.
    pub fn count(&self, promise: Promise, what: &'static str, more: u64) {
        *self.state().counts.entry((promise, what)).or_default() += more;
    }

    /// Keeps the largest value seen.
    pub fn record(&self, promise: Promise, what: &'static str, value: u64) {
        let mut state = self.state();
        let most = state.counts.entry((promise, what)).or_default();
        *most = (*most).max(value);
    }

    pub fn finish(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }

    pub fn is_over(&self) -> bool {
        self.state().is_over
    }

    pub fn is_broken(&self) -> bool {
        !self.state().broken.is_empty()
    }

    /// Waits this long; true if the run ended meanwhile.
    pub fn pause(&self, time: Duration) -> bool {
        let state = self.state();
        let wait = self.changed.wait_timeout_while(state, time, |state| !state.is_over);
        wait.unwrap_or_else(PoisonError::into_inner).0.is_over
    }

    /// Waits until `condition` holds; false if it does not in this time or the
    /// run ends.
    pub fn wait_until(&self, patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
        let start = Instant::now();
        loop {
            // A look at /proc takes long on a crowded machine: the last one begins after the time is over.
            let is_late = start.elapsed() > patience + self.excuses.stalled_since(start);
            if condition() {
                return true;
            }
            if is_late || self.pause(Duration::from_millis(5)) {
                return false;
            }
        }
    }

    /// All sessions as they are now.
    pub fn sessions(&self) -> BTreeMap<String, Tracked> {
        self.state().sessions.clone()
    }

    pub fn session(&self, marker: &str) -> Tracked {
        self.state().sessions.get(marker).cloned().unwrap_or_default()
    }

    /// Changes one session; makes it if it is new.
    pub fn change<T>(&self, marker: &str, change: impl FnOnce(&mut Tracked) -> T) -> T {
        let mut state = self.state();
        let tracked = state.sessions.entry(marker.to_owned()).or_default();
        tracked.version += 1;
        change(tracked)
    }

    /// Lets these be killed, of sessions to come as well.
    pub fn outlaw(&self, whose: Outlaw) {
        let mut state = self.state();
        state.outlaws.push(whose);
        state.sessions.values_mut().filter(|tracked| whose.is(tracked)).for_each(Tracked::allow_kill);
    }

    /// Ends that for sessions to come.
    pub fn pardon(&self, whose: Outlaw) {
        self.state().outlaws.retain(|outlaw| *outlaw != whose);
    }

    /// Takes up a session that is about to be made.
    pub fn enter(&self, marker: &str, mut tracked: Tracked) {
        let mut state = self.state();
        tracked.in_motion = true;
        if state.outlaws.iter().any(|whose| whose.is(&tracked)) {
            tracked.allow_kill();
        }
        state.sessions.insert(marker.to_owned(), tracked);
    }

    /// A fault was carried out.
    pub fn struck(&self, name: &'static str) {
        *self.state().struck.entry(name).or_default() += 1;
        self.count(Promise::FaultsHappen, "faults", 1);
    }

    pub fn has_struck(&self, name: &str) -> bool {
        self.state().struck.get(name).is_some_and(|count| *count > 0)
    }

    /// These are to come.
    pub fn expect(&self, names: impl Iterator<Item = &'static str>) {
        self.state().struck.extend(names.map(|name| (name, 0)));
    }

    /// A fault that never came shows nothing.
    pub fn insist_on_faults(&self) {
        let state = self.state();
        let never: Vec<_> = state.struck.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
        drop(state);
        if !never.is_empty() {
            self.broken(Promise::FaultsHappen, &format!("never, or without effect each time: {}", never.join(", ")));
        }
    }

    /// How often each fault was carried out.
    pub fn faults(&self) -> String {
        let state = self.state();
        state.struck.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    }

    /// A run in which nothing was looked at proves nothing.
    pub fn insist(&self, looks: &[(Promise, &str)]) {
        for (promise, what) in looks {
            if self.counted(*promise, what) == 0 {
                self.broken(*promise, &format!("no {what}: this run was too short, or its load did not work"));
            }
        }
    }

    /// Everything about what broke, and what was done until then.
    pub fn report(&self) -> String {
        let state = self.state();
        let mut text = String::from("what was done:\n");
        for (at, what) in &state.events {
            let _ = writeln!(text, "  {:8.3} s  {what}", at.as_secs_f64());
        }
        for (promise, evidence) in &state.broken {
            let _ = writeln!(text, "\nbroken: {}", promise.words());
            evidence.iter().for_each(|line| text += &format!("  {line}\n"));
        }
        text
    }

    /// One line for each promise, as a test runner prints them; how many held,
    /// and how many did not.
    pub fn results(&self) -> (String, usize, usize) {
        let state = self.state();
        let (mut text, mut failed) = (String::new(), 0);
        for (promise, words) in PROMISES {
            let figures = state.counts.iter().filter(|((of, _), _)| *of == promise);
            let figures: Vec<_> = figures.map(|((_, what), count)| format!("{count} {what}")).collect();
            let outcome = if state.broken.contains_key(&promise) { "FAILED" } else { "ok" };
            failed += usize::from(outcome == "FAILED");
            let _ = writeln!(text, "test {words} ... {outcome} ({})", figures.join(", "));
        }
        (text, PROMISES.len() - failed, failed)
    }

    /// How often something was looked at.
    pub fn counted(&self, promise: Promise, what: &str) -> u64 {
        let state = self.state();
        state.counts.iter().filter(|((of, name), _)| *of == promise && *name == what).map(|(_, count)| count).sum()
    }
}

impl Promise {
    pub fn words(self) -> &'static str {
        PROMISES.iter().find(|(promise, _)| *promise == self).expect("every promise has words").1
    }
}
