//! The life of a session's program: pure decisions, no I/O.
//!
//! ```text
//!   Starting --accepted--> Running --stop asked--> Stopping
//!      |                      |                       |
//!   refused              leader exited           leader exited
//!      |                      |                       |
//!      |                      +-----> Clearing <------+
//!      |                                 |  nobody left
//!      |                                 v
//!      |                              Draining
//!      |                                 |  terminal closed
//!      +----------> Ended <--------------+
//!                     |  resumed: Starting again
//! ```
//!
//! *Stopping*: the leader lives and is being asked to end. *Clearing*: the
//! leader is reaped, and what else belongs to the session is being ended.
//! *Draining*: nothing of it runs any more, but the terminal may still hold
//! output, or somebody else may hold the terminal. "Exited" (reaped) and
//! "closed" (terminal at end-of-file) are two facts and come in either order.
//!
//! Both Stopping and Clearing climb the same ladder, one rung at each timer:
//! HUP and CONT, then TERM, then KILL until nobody is left. Before each rung
//! the loop looks who is there; it never signals from memory.

/// Where the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Forked; the kernel has not accepted the program yet.
    Starting,
    /// The program runs.
    Running,
    /// Asked to end; the next rung when the timer runs out.
    Stopping(Rung),
    /// The leader is reaped; the next rung, and whether a timer runs before it.
    Clearing(Rung, Timer),
    /// Nobody is left; the terminal is not at its end yet.
    Draining,
    /// Nothing is left.
    Ended,
}

/// The next step of force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// SIGHUP and SIGCONT: what a vanished terminal means; while the leader
    /// lives, SIGHUP only to those it does not keep from minding SIGTERM.
    Hangup,
    /// SIGTERM.
    Terminate,
    /// SIGKILL, again and again.
    Kill,
}

/// Whether the loop will report [`Input::TimeOver`] by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// It runs.
    Armed,
    /// It does not.
    Off,
}

/// The terminal's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// More output may come.
    Open,
    /// Read to its end.
    Closed,
}

/// The whole state of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Where the program is.
    pub phase: Phase,
    /// Where its terminal is.
    pub terminal: Terminal,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The kernel accepted the program.
    Accepted,
    /// A step between fork and exec failed.
    Refused,
    /// Somebody wants the session to end.
    StopAsked,
    /// The leader was reaped.
    LeaderExited,
    /// The terminal was read to its end.
    TerminalClosed,
    /// The timer armed last ran out.
    TimeOver,
    /// A process nobody knows was reaped: perhaps the last of this session.
    OrphanReaped,
    /// The answer to [`Action::Look`]: members are left.
    SomeLeft,
    /// The answer to [`Action::Look`]: nobody is left.
    NobodyLeft,
    /// The shutdown is in a hurry: no more patience.
    Hurry,
}

/// How long to wait, in words; the loop knows the durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For programs that end on SIGHUP.
    Hangup,
    /// The grace between TERM and KILL.
    Grace,
    /// For the kernel to carry out a KILL.
    KillRound,
    /// For a terminal that somebody else still holds.
    Drain,
}

/// What the loop must do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The program is running: say so, answer its creator.
    AnnounceStart,
    /// It could not be started: clean up, answer its creator.
    FailStart,
    /// The leader's exit is known: say so.
    AnnounceExit,
    /// Signal every member.
    Signal(Rung),
    /// Start the timer, replacing the one before.
    Arm(Wait),
    /// Look who is left; answer with `SomeLeft` or `NobodyLeft`.
    Look,
    /// If the terminal still gives output or a client holds it back, wait on;
    /// else close it and report `TerminalClosed`.
    CloseIfQuiet,
    /// All is over: say so, forget timers, serve those who waited for it.
    Finish,
}

use Action::{AnnounceExit, AnnounceStart, Arm, CloseIfQuiet, FailStart, Finish, Look, Signal};

impl Machine {
    /// A program that was just forked.
    #[must_use]
    pub fn forked() -> Self {
        Self { phase: Phase::Starting, terminal: Terminal::Open }
    }

    /// Takes in what happened and says what to do about it.
    pub fn step(&mut self, input: Input) -> &'static [Action] {
        if input == Input::TerminalClosed {
            self.terminal = Terminal::Closed;
        }
        let (phase, actions) = decide(self.phase, self.terminal, input);
        self.phase = phase;
        actions
    }
}

/// The transition table.
fn decide(phase: Phase, terminal: Terminal, input: Input) -> (Phase, &'static [Action]) {
    match (phase, input) {
        (Phase::Starting, Input::Accepted) => (Phase::Running, &[AnnounceStart]),
        (Phase::Starting, Input::Refused) => (Phase::Ended, &[FailStart]),

        (Phase::Starting | Phase::Running, Input::StopAsked) => climb_stopping(Rung::Hangup),
        (Phase::Stopping(rung), Input::TimeOver) => climb_stopping(rung),
        (Phase::Starting | Phase::Running | Phase::Stopping(_), Input::Hurry) => climb_stopping(Rung::Kill),
        // The answer its creator waits for is still due.
        (Phase::Stopping(rung), Input::Accepted) => (Phase::Stopping(rung), &[AnnounceStart]),
        (Phase::Stopping(_), Input::Refused) => (Phase::Ended, &[FailStart]),

        (Phase::Starting | Phase::Running, Input::LeaderExited) => {
            (Phase::Clearing(Rung::Hangup, Timer::Off), &[AnnounceExit, Look])
        }
        (Phase::Stopping(rung), Input::LeaderExited) => (Phase::Clearing(rung, Timer::Armed), &[AnnounceExit, Look]),

        (Phase::Clearing(rung, _), Input::TimeOver) => (Phase::Clearing(rung, Timer::Off), &[Look]),
        (Phase::Clearing(..), Input::OrphanReaped) => (phase, &[Look]),
        (Phase::Clearing(_, _), Input::Hurry) => (Phase::Clearing(Rung::Kill, Timer::Off), &[Look]),
        (Phase::Clearing(rung, Timer::Off), Input::SomeLeft) => climb_clearing(rung),
        (Phase::Clearing(..), Input::NobodyLeft) => match terminal {
            Terminal::Closed => (Phase::Ended, &[Finish]),
            Terminal::Open => (Phase::Draining, &[Arm(Wait::Drain)]),
        },

        (Phase::Draining, Input::TerminalClosed) => (Phase::Ended, &[Finish]),
        (Phase::Draining, Input::TimeOver | Input::Hurry) => (Phase::Draining, &[CloseIfQuiet]),

        // Everything else changes nothing: late timers, second wishes, news of
        // orphans while the leader lives. Listed by phase so that a new input
        // or phase is a compile error here and not a silent default.
        (
            Phase::Starting
            | Phase::Running
            | Phase::Stopping(_)
            | Phase::Clearing(..)
            | Phase::Draining
            | Phase::Ended,
            Input::Accepted
            | Input::Refused
            | Input::StopAsked
            | Input::LeaderExited
            | Input::TerminalClosed
            | Input::TimeOver
            | Input::OrphanReaped
            | Input::SomeLeft
            | Input::NobodyLeft
            | Input::Hurry,
        ) => (phase, &[]),
    }
}

fn climb_stopping(rung: Rung) -> (Phase, &'static [Action]) {
    match rung {
        Rung::Hangup => (Phase::Stopping(Rung::Terminate), &[Signal(Rung::Hangup), Arm(Wait::Hangup)]),
        Rung::Terminate => (Phase::Stopping(Rung::Kill), &[Signal(Rung::Terminate), Arm(Wait::Grace)]),
        Rung::Kill => (Phase::Stopping(Rung::Kill), &[Signal(Rung::Kill), Arm(Wait::KillRound)]),
    }
}

fn climb_clearing(rung: Rung) -> (Phase, &'static [Action]) {
    let (next, actions): (Rung, &'static [Action]) = match rung {
        Rung::Hangup => (Rung::Terminate, &[Signal(Rung::Hangup), Arm(Wait::Hangup)]),
        Rung::Terminate => (Rung::Kill, &[Signal(Rung::Terminate), Arm(Wait::Grace)]),
        Rung::Kill => (Rung::Kill, &[Signal(Rung::Kill), Arm(Wait::KillRound)]),
    };
    (Phase::Clearing(next, Timer::Armed), actions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(inputs: &[Input]) -> (Machine, Vec<Action>) {
        let mut machine = Machine::forked();
        let actions = inputs.iter().flat_map(|input| machine.step(*input)).copied().collect();
        (machine, actions)
    }

    #[test]
    fn a_program_that_ends_alone_needs_no_signal() {
        let (machine, actions) = run(&[Input::Accepted, Input::LeaderExited, Input::NobodyLeft, Input::TerminalClosed]);
        assert_eq!(machine.phase, Phase::Ended);
        assert_eq!(actions, [AnnounceStart, AnnounceExit, Look, Arm(Wait::Drain), Finish]);
    }

    #[test]
    fn exit_and_end_of_terminal_come_in_either_order() {
        let (machine, actions) = run(&[Input::Accepted, Input::TerminalClosed, Input::LeaderExited, Input::NobodyLeft]);
        assert_eq!(machine.phase, Phase::Ended);
        assert_eq!(actions.last(), Some(&Finish));
    }

    #[test]
    fn those_left_behind_meet_hangup_term_and_kill() {
        let (_, actions) = run(&[
            Input::Accepted,
            Input::LeaderExited,
            Input::SomeLeft,
            Input::TimeOver,
            Input::SomeLeft,
            Input::TimeOver,
            Input::SomeLeft,
            Input::TimeOver,
            Input::SomeLeft,
        ]);
        let signals: Vec<_> = actions.iter().filter(|a| matches!(a, Signal(_))).collect();
        let expected = [Signal(Rung::Hangup), Signal(Rung::Terminate), Signal(Rung::Kill), Signal(Rung::Kill)];
        assert_eq!(signals, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn an_orphans_death_ends_the_wait_early_but_not_the_grace_of_others() {
        let (mut machine, _) = run(&[Input::Accepted, Input::LeaderExited, Input::SomeLeft]);
        assert_eq!(machine.step(Input::OrphanReaped), [Look]);
        assert_eq!(machine.step(Input::SomeLeft), []);
        assert_eq!(machine.step(Input::OrphanReaped), [Look]);
        assert_eq!(machine.step(Input::NobodyLeft), [Arm(Wait::Drain)]);
    }

    #[test]
    fn the_grace_started_for_the_leader_holds_for_its_children() {
        let (mut machine, _) = run(&[Input::Accepted, Input::StopAsked, Input::TimeOver, Input::LeaderExited]);
        assert_eq!(machine.phase, Phase::Clearing(Rung::Kill, Timer::Armed));
        assert_eq!(machine.step(Input::SomeLeft), []);
        assert_eq!(machine.step(Input::TimeOver), [Look]);
        assert_eq!(machine.step(Input::SomeLeft), [Signal(Rung::Kill), Arm(Wait::KillRound)]);
    }

    #[test]
    fn a_refused_start_needs_no_reaping_to_be_over() {
        let (machine, actions) = run(&[Input::Refused, Input::LeaderExited]);
        assert_eq!((machine.phase, actions), (Phase::Ended, vec![FailStart]));
    }

    #[test]
    fn a_stop_while_starting_still_answers_the_creator() {
        let (_, actions) = run(&[Input::StopAsked, Input::Accepted]);
        assert_eq!(actions.last(), Some(&AnnounceStart));
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop::sample::select(vec![
            Input::Accepted,
            Input::Refused,
            Input::StopAsked,
            Input::LeaderExited,
            Input::TerminalClosed,
            Input::TimeOver,
            Input::OrphanReaped,
            Input::SomeLeft,
            Input::NobodyLeft,
            Input::Hurry,
        ])
    }

    proptest! {
        #[test]
        fn whatever_happens_a_session_ends_once(inputs in prop::collection::vec(any_input(), 0..40)) {
            let (mut machine, mut actions) = run(&inputs);
            for input in [Input::LeaderExited, Input::TimeOver, Input::NobodyLeft, Input::TerminalClosed] {
                actions.extend_from_slice(machine.step(input));
            }
            // A terminal that closed earlier does not close twice.
            if machine.phase == Phase::Draining {
                actions.extend_from_slice(machine.step(Input::TerminalClosed));
            }
            prop_assert_eq!(machine.phase, Phase::Ended);
            let ends = actions.iter().filter(|a| matches!(a, Finish | FailStart)).count();
            prop_assert_eq!(ends, 1);
            prop_assert!(actions.iter().filter(|a| **a == AnnounceExit).count() <= 1);
        }

        #[test]
        fn force_never_shrinks(inputs in prop::collection::vec(any_input(), 0..40)) {
            let (_, actions) = run(&inputs);
            let rank = |a: &Action| match a {
                Signal(Rung::Hangup) => Some(0),
                Signal(Rung::Terminate) => Some(1),
                Signal(Rung::Kill) => Some(2),
                _ => None,
            };
            let ranks: Vec<i32> = actions.iter().filter_map(rank).collect();
            prop_assert!(ranks.is_sorted());
        }

        #[test]
        fn a_wait_always_ends_by_itself(inputs in prop::collection::vec(any_input(), 0..40)) {
            let mut machine = Machine::forked();
            let mut armed = false;
            for input in inputs {
                if input == Input::TimeOver { armed = false; }
                let actions = machine.step(input);
                armed |= actions.iter().any(|a| matches!(a, Arm(_)));
                let asks = actions.iter().any(|a| matches!(a, Look | CloseIfQuiet));
                let waits = matches!(machine.phase, Phase::Stopping(_) | Phase::Clearing(_, Timer::Armed));
                prop_assert!(!waits || armed || asks, "{:?} waits for a timer nobody armed", machine);
            }
        }
    }
}
