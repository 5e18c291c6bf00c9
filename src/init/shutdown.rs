//! The end of the container, as pure decisions.
//!
//! ```text
//! Up --asked--> Leading --all ended--> Draining --nobody left--> Server --it exited--> Done
//!                 | deadline: kill       ^  | deadline: kill        ^ | deadline: kill it
//!                 +----> Killing --------+  +-----> Felling --------+
//!                 all ended, or deadline          nobody left, or deadline
//! ```
//!
//! Those who lead, the sessions and the main command, end first: they may need
//! their helpers for that. Then everybody else below init is asked to end and
//! waited for. The server tells clients about all of it and is the last: it
//! saves the state, which is final only now, and ends.

use std::time::{Duration, Instant};

/// What the API server gets to save the state and write its last lines; the
/// rest of the grace belongs to the others.
const SERVER_SHARE: Duration = Duration::from_millis(800);

/// What it gets if the others have left so much: a disk may be slow. One that
/// hangs is not waited for longer.
const SERVER_MAX: Duration = Duration::from_secs(3);

/// What the kernel gets to carry out a KILL. What is left then can't be ended
/// by us: it waits in the kernel, or runs with rights we don't have.
const KILL_SHARE: Duration = Duration::from_millis(500);

/// What everybody else gets even if those who lead use up their time.
const DRAIN_SHARE: Duration = Duration::from_millis(500);

/// No share is more than this part of a short grace.
const SHARE_PART: u32 = 8;

/// Between rounds of KILL, for those who fork meanwhile.
const KILL_ROUND: Duration = Duration::from_millis(20);

/// How far the shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Not asked for.
    Up,
    /// Sessions and the main command are ending; at `until` they are killed.
    Leading {
        /// The end of patience with them.
        until: Instant,
        /// The end of patience with everybody else.
        drain: Instant,
    },
    /// They were killed; at `until` the shutdown goes on without them.
    Killing {
        /// The end of trying.
        until: Instant,
        /// The end of patience with everybody else.
        drain: Instant,
    },
    /// Everybody else was asked to end; at `until` they are killed.
    Draining {
        /// The end of patience.
        until: Instant,
    },
    /// Everybody else is being killed; at `until` the shutdown goes on.
    Felling {
        /// The end of trying.
        until: Instant,
        /// The next round.
        again: Instant,
    },
    /// The server was told goodbye; at the deadline it is killed.
    Server(Instant),
    /// Nothing is left to wait for.
    Done,
}

/// What to do about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    None,
    /// Tell the server, ask every session to end.
    EndSessions,
    /// No more patience with sessions and the main command.
    KillLeaders,
    /// Ask everybody else to end.
    EndOthers,
    /// No more patience with everybody else.
    KillOthers,
    /// Some are still there, or new.
    KillAgain,
    /// Tell the server goodbye, on which it saves the state and ends.
    EndServer,
    /// Kill the server.
    KillServer,
}

/// Who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// A session or the main command.
    pub leaders: bool,
    /// Anybody else but the server. Asked for only while
    /// [`Shutdown::minds_others`].
    pub others: bool,
    /// The server.
    pub server: bool,
}

impl Shutdown {
    /// Whether the shutdown has begun.
    #[must_use]
    pub fn has_begun(self) -> bool {
        self != Self::Up
    }

    /// Whether it matters now if anybody but leaders and server is left.
    #[must_use]
    pub fn minds_others(self) -> bool {
        matches!(self, Self::Draining { .. } | Self::Felling { .. })
    }

    /// A signal, or the main command's end, asked for the end; a second time
    /// takes away all patience.
    pub fn ask(&mut self, now: Instant, grace: Duration) -> Step {
        let part = |share: Duration| share.min(grace / SHARE_PART);
        match *self {
            Self::Up => {
                let drain = grace.saturating_sub(part(KILL_SHARE) + part(SERVER_SHARE));
                *self = Self::Leading { until: now + drain.saturating_sub(part(DRAIN_SHARE)), drain: now + drain };
                Step::EndSessions
            }
            Self::Leading { .. } => {
                *self = Self::Killing { until: now + KILL_SHARE, drain: now };
                Step::KillLeaders
            }
            Self::Killing { until, .. } => {
                *self = Self::Killing { until, drain: now };
                Step::None
            }
            Self::Draining { .. } => self.fell(now),
            // It may be writing the state at this moment, which does not take long.
            Self::Server(until) => {
                *self = Self::Server(until.min(now + SERVER_SHARE));
                Step::None
            }
            Self::Felling { .. } | Self::Done => Step::None,
        }
    }

    /// Looks at the world; to be called again after each step until there is
    /// none.
    pub fn advance(&mut self, now: Instant, world: World) -> Step {
        match *self {
            Self::Leading { drain, .. } | Self::Killing { drain, .. } if !world.leaders => self.drain(drain),
            Self::Leading { until, drain } if now >= until => {
                *self = Self::Killing { until: now + KILL_SHARE, drain };
                Step::KillLeaders
            }
            Self::Killing { until, drain } if now >= until => self.drain(drain),
            Self::Draining { until } if !world.others => self.end_server(now, until),
            Self::Draining { until } if now >= until => self.fell(now),
            Self::Felling { .. } if !world.others => self.end_server(now, now),
            Self::Felling { until, .. } if now >= until => self.end_server(now, now),
            Self::Felling { until, again } if now >= again => {
                *self = Self::Felling { until, again: now + KILL_ROUND };
                Step::KillAgain
            }
            Self::Server(_) if !world.server => {
                *self = Self::Done;
                Step::None
            }
            Self::Server(deadline) if now >= deadline => {
                *self = Self::Server(now + SERVER_SHARE);
                Step::KillServer
            }
            _ => Step::None,
        }
    }

    fn drain(&mut self, until: Instant) -> Step {
        *self = Self::Draining { until };
        Step::EndOthers
    }

    fn fell(&mut self, now: Instant) -> Step {
        *self = Self::Felling { until: now + KILL_SHARE, again: now + KILL_ROUND };
        Step::KillOthers
    }

    /// Whatever the others have left until `spare` is the server's, too.
    fn end_server(&mut self, now: Instant, spare: Instant) -> Step {
        *self = Self::Server(now + SERVER_MAX.min(spare.saturating_duration_since(now) + SERVER_SHARE));
        Step::EndServer
    }

    /// When to look again even if nothing happens.
    #[must_use]
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Self::Leading { until, .. } | Self::Killing { until, .. } | Self::Draining { until } => Some(until),
            Self::Felling { again, .. } => Some(again),
            Self::Server(at) => Some(at),
            Self::Up | Self::Done => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(8);
    const ALL: World = World { leaders: true, others: true, server: true };
    const LED: World = World { leaders: false, ..ALL };
    const SERVED: World = World { others: false, ..LED };
    const EMPTY: World = World { server: false, ..SERVED };

    #[test]
    fn the_usual_order() {
        let (mut state, now) = (Shutdown::Up, Instant::now());
        assert_eq!(state.advance(now, ALL), Step::None);
        assert_eq!(state.ask(now, GRACE), Step::EndSessions);
        assert_eq!(state.advance(now, ALL), Step::None);
        assert_eq!(state.advance(now, LED), Step::EndOthers);
        assert_eq!(state.advance(now, LED), Step::None, "once");
        assert_eq!(state.advance(now, SERVED), Step::EndServer);
        assert_eq!(state.advance(now, SERVED), Step::None);
        assert_eq!(state.advance(now, EMPTY), Step::None);
        assert_eq!(state, Shutdown::Done);
    }

    #[test]
    fn deadlines_end_patience_with_each_in_turn() {
        let (mut state, start) = (Shutdown::Up, Instant::now());
        state.ask(start, GRACE);
        let mut steps = Vec::new();
        let mut now = start;
        while state != Shutdown::Done && steps.len() < 99 {
            now = state.deadline().unwrap().max(now);
            let killed = steps.contains(&Step::KillServer);
            steps.push(state.advance(now, World { server: !killed, ..ALL }));
        }
        let first_fell = steps.iter().position(|step| *step == Step::KillOthers).unwrap();
        assert_eq!(steps[..first_fell], [Step::KillLeaders, Step::EndOthers]);
        assert_eq!(steps[steps.len() - 3..], [Step::EndServer, Step::KillServer, Step::None]);
        let again = steps.iter().filter(|step| **step == Step::KillAgain).count();
        assert!(again > 10, "several rounds of KILL: {steps:?}");
        assert!(now - start <= GRACE + SERVER_SHARE, "{:?}", now - start);
    }

    #[test]
    fn those_who_lead_leave_time_for_the_others() {
        let (mut state, now) = (Shutdown::Up, Instant::now());
        state.ask(now, GRACE);
        let killed_at = state.deadline().unwrap();
        assert_eq!(state.advance(killed_at, ALL), Step::KillLeaders);
        assert_eq!(state.advance(killed_at, LED), Step::EndOthers);
        assert_eq!(state.deadline(), Some(killed_at + DRAIN_SHARE));
    }

    #[test]
    fn the_server_gets_what_the_others_leave_but_not_all_day() {
        let server_has = |grace: Duration, used: Duration| {
            let (mut state, start) = (Shutdown::Up, Instant::now());
            state.ask(start, grace);
            let now = start + used;
            state.advance(now, LED);
            assert_eq!(state.advance(now, SERVED), Step::EndServer);
            state.deadline().unwrap() - now
        };
        assert_eq!(server_has(GRACE, Duration::ZERO), SERVER_MAX);
        assert_eq!(server_has(GRACE, Duration::from_millis(6500)), Duration::from_millis(1000));
        assert_eq!(server_has(GRACE, GRACE), SERVER_SHARE);
        assert_eq!(server_has(Duration::from_secs(1), Duration::ZERO), Duration::from_millis(1550));
        assert_eq!(server_has(Duration::ZERO, Duration::ZERO), SERVER_SHARE);
    }

    #[test]
    fn a_second_signal_hastens_whoever_is_waited_for() {
        let (mut state, now) = (Shutdown::Up, Instant::now());
        state.ask(now, GRACE);
        assert_eq!(state.ask(now, GRACE), Step::KillLeaders);
        assert_eq!(state.advance(now, LED), Step::EndOthers);
        assert_eq!(state.advance(now, LED), Step::KillOthers, "no grace is left");

        let mut state = Shutdown::Up;
        state.ask(now, GRACE);
        state.advance(now, LED);
        assert_eq!(state.ask(now, GRACE), Step::KillOthers);
        assert_eq!(state.ask(now, GRACE), Step::None);

        let mut state = Shutdown::Up;
        state.ask(now, GRACE);
        state.advance(now, LED);
        state.advance(now, SERVED);
        assert_eq!(state.deadline(), Some(now + SERVER_MAX));
        assert_eq!(state.ask(now, GRACE), Step::None, "it saves the state");
        assert_eq!(state.deadline(), Some(now + SERVER_SHARE));
    }

    #[test]
    fn a_short_grace_is_shared_and_none_kills_at_once() {
        let (mut state, now) = (Shutdown::Up, Instant::now());
        state.ask(now, Duration::from_secs(1));
        assert_eq!(state.deadline(), Some(now + Duration::from_millis(625)));
        let mut state = Shutdown::Up;
        state.ask(now, Duration::ZERO);
        assert_eq!(state.advance(now, ALL), Step::KillLeaders);
    }
}
