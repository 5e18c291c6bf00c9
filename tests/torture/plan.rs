//! Which fault when: a pure function of the seed.
//!
//! Faults run in lanes. Within a lane one ends before the next begins; the lanes
//! run beside each other, so that faults of different kinds meet. Everything
//! that ends the server, or keeps init from starting another, is in one lane,
//! because what the API owes its clients then has to be known.

use std::time::Duration;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    KillServer,
    KillAll,
    KillServerTwice,
    CrashLoop,
    ReplaceServer,
    PauseServer,
    HangServer,
    Bomb,
    UserBomb,
    ForkFails,
    CallFails,
    ServerDescriptors,
    InitDescriptors,
    KillLeader,
    KillMember,
    KillUser,
    StopMember,
    DeleteSession,
    HalfFrame,
    Nonsense,
    StallingClient,
    CutClients,
    FullState,
    FullLog,
    Sweep,
}

/// What runs one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Server,
    Session,
    Outside,
}

/// What the plan knows of a fault.
pub struct Entry {
    pub fault: Fault,
    pub name: &'static str,
    pub lane: Lane,
    /// About how long it lasts, in milliseconds.
    pub lasts: u64,
    /// How often it comes in one round through its lane.
    pub copies: usize,
    pub what: &'static str,
}

const fn entry(fault: Fault, name: &'static str, lane: Lane, lasts: u64, copies: usize, what: &'static str) -> Entry {
    Entry { fault, name, lane, lasts, copies, what }
}

pub const FAULTS: [Entry; 25] = {
    use Fault as F;
    use Lane::{Outside, Server, Session};
    [
        entry(F::KillServer, "kill-server", Server, 300, 5, "kill -9 of the API server"),
        entry(F::KillAll, "kill-all", Server, 500, 1, "kill -9 -1 in a session of root: all but init, the server too"),
        entry(
            F::KillServerTwice,
            "kill-server-twice",
            Server,
            400,
            1,
            "the same, and of its successor while it starts",
        ),
        entry(F::CrashLoop, "crash-loop", Server, 4000, 1, "kill -9 of the server until init backs off"),
        entry(F::ReplaceServer, "replace-server", Server, 300, 1, "SIGUSR2 to init"),
        entry(F::PauseServer, "pause-server", Server, 2000, 1, "SIGSTOP of the server, SIGCONT a moment later"),
        entry(F::HangServer, "hang-server", Server, 12_000, 1, "SIGSTOP of the server until init replaces it"),
        entry(F::Bomb, "bomb", Server, 3000, 1, "a fork bomb of root against the container's pids limit"),
        entry(F::UserBomb, "user-bomb", Server, 3000, 1, "a fork bomb of an ordinary user against RLIMIT_NPROC"),
        entry(F::ForkFails, "fork-fails", Server, 3000, 1, "EAGAIN from every fork of init, and kill -9 of the server"),
        entry(F::CallFails, "call-fails", Server, 2000, 1, "every second of some system call of init fails"),
        entry(F::ServerDescriptors, "emfile-server", Server, 2000, 1, "no free descriptor in the server"),
        entry(F::InitDescriptors, "emfile-init", Server, 2000, 1, "no free descriptor in init"),
        entry(F::KillLeader, "kill-leader", Session, 50, 3, "kill -9 of a session's first process"),
        entry(F::KillMember, "kill-member", Session, 50, 3, "kill -9 of any process of a session"),
        entry(F::KillUser, "kill-user", Session, 200, 1, "kill -9 -1 in a session of an ordinary user"),
        entry(F::StopMember, "stop-member", Session, 1000, 2, "SIGSTOP of any process of a session, then SIGCONT"),
        entry(F::DeleteSession, "delete-session", Session, 300, 1, "DELETE of a session that somebody reads"),
        entry(F::HalfFrame, "half-frame", Outside, 100, 2, "clients that vanish in the middle of a WebSocket frame"),
        entry(F::Nonsense, "nonsense", Outside, 100, 1, "clients that talk nonsense, in HTTP and in frames"),
        entry(
            F::StallingClient,
            "stalling-client",
            Outside,
            3000,
            1,
            "clients that attach everything and read nothing",
        ),
        entry(F::CutClients, "cut-clients", Outside, 50, 2, "every reader's connection fails; each comes back"),
        entry(
            F::FullState,
            "full-state",
            Server,
            1500,
            1,
            "no space left in the state directory, and kill -9 of the server",
        ),
        entry(F::FullLog, "full-log", Server, 1500, 1, "no space left in the log directory, and kill -9 of the server"),
        entry(F::Sweep, "sweep", Outside, 50, 1, "SIGUSR1 to init"),
    ]
};

impl Fault {
    pub fn entry(self) -> &'static Entry {
        FAULTS.iter().find(|entry| entry.fault == self).expect("every fault is in the table")
    }

    pub fn named(name: &str) -> Option<Self> {
        FAULTS.iter().find(|entry| entry.name == name).map(|entry| entry.fault)
    }
}

/// One fault of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Not before this much of the run is over.
    pub at: Duration,
    pub fault: Fault,
    /// Whatever the fault has to choose, it chooses by this.
    pub dice: u64,
}

/// Before the first fault: the load needs a moment to be there. In milliseconds.
const LEAD: std::ops::Range<u64> = 1500..2500;
/// Between one fault of a lane and the next.
const GAP: std::ops::Range<u64> = 100..700;

/// A run of this length meets each of these faults.
pub fn round(chosen: &[Fault]) -> Duration {
    let millis = LANES.map(|lane| {
        let of_lane = chosen.iter().map(|fault| fault.entry()).filter(|entry| entry.lane == lane);
        LEAD.end + of_lane.map(|entry| entry.lasts + GAP.end).sum::<u64>()
    });
    Duration::from_millis(millis.into_iter().max().unwrap_or(0))
}

/// The steps of one lane, in order. Each round goes through all faults in an
/// order of its own; the first through each once, so that a short run meets all.
pub fn schedule(seed: u64, lane: Lane, length: Duration, chosen: &[Fault]) -> Vec<Step> {
    let mut random = fastrand::Rng::with_seed(seed ^ (lane as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let of_lane = FAULTS.iter().filter(|entry| entry.lane == lane && chosen.contains(&entry.fault));
    let bag: Vec<_> = of_lane.flat_map(|entry| std::iter::repeat_n(entry, entry.copies)).collect();
    let mut steps = Vec::new();
    let mut at = Duration::from_millis(random.u64(LEAD));
    let mut round = bag.clone();
    round.dedup_by_key(|entry| entry.name);
    while !bag.is_empty() {
        random.shuffle(&mut round);
        for entry in round {
            let step = Step { at, fault: entry.fault, dice: random.u64(..) };
            at += Duration::from_millis(entry.lasts + random.u64(GAP));
            // What is still going on at the end would be cut short.
            if at >= length {
                return steps;
            }
            steps.push(step);
        }
        round = bag.clone();
    }
    steps
}

pub const LANES: [Lane; 3] = [Lane::Server, Lane::Session, Lane::Outside];
