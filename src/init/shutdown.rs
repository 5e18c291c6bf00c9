//! The end of the container, as pure decisions.
//!
//! ```text
//! Up --asked--> Sessions --all ended--> Server --it exited--> Done
//!                  | deadline: kill        ^   | deadline: kill it
//!                  +----> Killing ---------+
//!                           all ended, or deadline: go on without them
//! ```

use std::time::{Duration, Instant};

/// What the API server gets to write its last lines; the rest of the grace
/// belongs to the sessions.
pub const SERVER_SHARE: Duration = Duration::from_millis(800);

/// What the kernel gets to carry out a KILL. What is left then can't be ended
/// by us: it waits in the kernel, or runs with rights we don't have.
const KILL_SHARE: Duration = Duration::from_millis(500);

/// How far the shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Not asked for.
    Up,
    /// Sessions are ending; at the deadline they are killed.
    Sessions(Instant),
    /// Sessions were killed; at the deadline the shutdown goes on without them.
    Killing(Instant),
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
    /// No more patience with sessions.
    KillSessions,
    /// Tell the server goodbye.
    EndServer,
    /// Kill the server.
    KillServer,
}

impl Shutdown {
    /// Whether the shutdown has begun.
    #[must_use]
    pub fn has_begun(self) -> bool {
        self != Self::Up
    }

    /// A signal asked for the end; a second one takes away all patience.
    pub fn ask(&mut self, now: Instant, grace: Duration) -> Step {
        match *self {
            Self::Up => {
                *self = Self::Sessions(now + grace.saturating_sub(KILL_SHARE + SERVER_SHARE));
                Step::EndSessions
            }
            Self::Sessions(_) => {
                *self = Self::Killing(now + KILL_SHARE);
                Step::KillSessions
            }
            Self::Killing(_) => Step::None,
            Self::Server(_) => Step::KillServer,
            Self::Done => Step::None,
        }
    }

    /// Looks at the world once a turn.
    pub fn advance(&mut self, now: Instant, sessions_left: bool, server_lives: bool) -> Step {
        match *self {
            Self::Sessions(_) | Self::Killing(_) if !sessions_left => {
                *self = Self::Server(now + SERVER_SHARE);
                Step::EndServer
            }
            Self::Sessions(deadline) if now >= deadline => {
                *self = Self::Killing(now + KILL_SHARE);
                Step::KillSessions
            }
            Self::Killing(deadline) if now >= deadline => {
                *self = Self::Server(now + SERVER_SHARE);
                Step::EndServer
            }
            Self::Server(_) if !server_lives => {
                *self = Self::Done;
                Step::None
            }
            Self::Server(deadline) if now >= deadline => {
                *self = Self::Server(now + SERVER_SHARE);
                Step::KillServer
            }
            Self::Up | Self::Sessions(_) | Self::Killing(_) | Self::Server(_) | Self::Done => Step::None,
        }
    }

    /// When to look again even if nothing happens.
    #[must_use]
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Self::Sessions(at) | Self::Killing(at) | Self::Server(at) => Some(at),
            Self::Up | Self::Done => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(8);

    #[test]
    fn the_usual_order() {
        let (mut state, now) = (Shutdown::Up, Instant::now());
        assert_eq!(state.advance(now, true, true), Step::None);
        assert_eq!(state.ask(now, GRACE), Step::EndSessions);
        assert_eq!(state.advance(now, true, true), Step::None);
        assert_eq!(state.advance(now, false, true), Step::EndServer);
        assert_eq!(state.advance(now, false, true), Step::None);
        assert_eq!(state.advance(now, false, false), Step::None);
        assert_eq!(state, Shutdown::Done);
    }

    #[test]
    fn deadlines_end_patience_with_each_in_turn() {
        let (mut state, now) = (Shutdown::Up, Instant::now());
        state.ask(now, GRACE);
        let late = now + GRACE;
        assert_eq!(state.advance(late, true, true), Step::KillSessions);
        assert_eq!(state.advance(late, true, true), Step::None);
        assert_eq!(state.advance(late + KILL_SHARE, true, true), Step::EndServer, "not for ever");
        assert_eq!(state.advance(late + KILL_SHARE + SERVER_SHARE, true, true), Step::KillServer);
        assert_eq!(state.advance(late + KILL_SHARE + SERVER_SHARE, true, false), Step::None);
        assert_eq!(state, Shutdown::Done);
    }

    #[test]
    fn a_second_signal_hastens() {
        let (mut state, now) = (Shutdown::Up, Instant::now());
        state.ask(now, GRACE);
        assert_eq!(state.ask(now, GRACE), Step::KillSessions);
    }

    #[test]
    fn a_grace_shorter_than_the_servers_share_kills_at_once() {
        let (mut state, now) = (Shutdown::Up, Instant::now());
        state.ask(now, Duration::ZERO);
        assert_eq!(state.advance(now, true, true), Step::KillSessions);
    }
}
