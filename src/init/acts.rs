//! Carrying out what the lifecycle decides.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event_loop::Init;
use super::lifecycle::{Action, Input, Machine, Phase, Rung, Terminal, Wait};
use super::members::Blow;
use super::scan::Found;
use crate::link::message::{Answer, Refusal, ToServer};
use crate::logging::unix_millis;
use crate::model::attention::Attention;
use crate::model::id::SessionId;
use crate::model::session::{Exit, ExitStatus, Stage};
use crate::model::signal::Signal;
use crate::model::spec::SpawnFailure;

/// For programs that end by themselves when their terminal goes.
const HANGUP_WAIT: Duration = Duration::from_millis(100);
/// For the kernel to carry out a KILL.
const KILL_ROUND: Duration = Duration::from_millis(20);
/// Between looks at a terminal that nobody of ours holds and that does not end.
const DRAIN_WAIT: Duration = Duration::from_millis(500);
/// Rounds of KILL after which what is left is not going to end soon: a process
/// that waits in the kernel, or one whose rights are above ours.
const KILL_ROUNDS_MAX: u32 = 50;
/// Between rounds from then on.
const SLOW_KILL_ROUND: Duration = Duration::from_secs(1);
/// Longest drain of a terminal that a stranger goes on writing to.
const DRAIN_MAX: Duration = Duration::from_secs(10);

impl Init {
    /// Gives a session's lifecycle one input and does what follows from it.
    pub(super) fn feed(&mut self, id: SessionId, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(session) = self.table.get_mut(id) else { return };
            if input == Input::TimeOver {
                session.deadline = None;
            }
            for action in session.machine.step(input) {
                inputs.extend(self.act(id, *action));
            }
        }
    }

    fn act(&mut self, id: SessionId, action: Action) -> Option<Input> {
        match action {
            Action::AnnounceStart => self.announce_start(id),
            // Their facts come with the input: start_failed, leader_exited.
            Action::FailStart => {}
            Action::AnnounceExit => self.announce(id),
            Action::Signal(rung) => self.signal_members(id, rung),
            Action::Arm(wait) => self.arm(id, wait),
            Action::Look => self.inspector.want_look(id),
            Action::CloseIfQuiet => return self.close_if_quiet(id),
            Action::Finish => self.finish(id),
        }
        None
    }

    fn announce_start(&mut self, id: SessionId) {
        let Some(session) = self.table.get_mut(id) else { return };
        let Some(leader) = session.leader else { return };
        session.record.state.life += 1;
        session.record.state.attention = Attention::default();
        session.record.state.stage = Stage::Running { pid: leader.raw().unsigned_abs() };
        session.record.state.started_at = Some(unix_millis());
        let starter = session.starter.take();
        self.server.send(&ToServer::Session(Box::new(session.record.clone())), &session.fds());
        tracing::info!(sessionId = %id, name = %session.record.name, pid = leader.raw(), "Session started");
        if let Some(number) = starter {
            self.server.send(&ToServer::Reply(number, Ok(Answer::Session(id))), &[]);
        }
    }

    /// A step between fork and exec failed: a new session vanishes, a resumed
    /// one is as before.
    pub(super) fn start_failed(&mut self, id: SessionId, failure: SpawnFailure) {
        let Some(session) = self.table.get_mut(id) else { return };
        let starter = session.starter.take();
        session.leader = None;
        session.close_terminal();
        session.record.state.stage = session.resting;
        self.feed(id, Input::Refused);
        let Some(session) = self.table.get_mut(id) else { return };
        session.machine = Machine { phase: Phase::Ended, terminal: Terminal::Closed };
        session.deadline = None;
        let was_never_started = session.record.state.life == 0;
        if was_never_started || session.is_being_removed {
            self.forget(id);
        } else {
            self.announce(id);
        }
        if let Some(number) = starter {
            self.server.send(&ToServer::Reply(number, Err(Refusal::SpawnFailed(failure))), &[]);
        }
    }

    /// The session leader was reaped.
    pub(super) fn leader_exited(&mut self, id: SessionId, status: ExitStatus) {
        self.settle_report(id);
        let Some(session) = self.table.get_mut(id) else { return };
        // Taken already: what ended is a child whose start failed.
        if session.leader.take().is_none() {
            return;
        }
        session.rest_until = None;
        session.record.state.stage = Stage::Ended;
        session.record.state.attention = Attention::default();
        let at_shutdown = self.shutdown.has_begun();
        let out_of_memory = session.ended_for_memory(status, self.oom_kills.as_mut());
        session.record.state.last_exit = Some(Exit {
            life: session.record.state.life,
            status,
            at: unix_millis(),
            requested: session.stop_requested,
            at_shutdown,
            out_of_memory,
            drained_at: None,
        });
        tracing::info!(sessionId = %id, name = %session.record.name, ?status, outOfMemory = out_of_memory, "Session leader exited");
        self.feed(id, Input::LeaderExited);
    }

    /// Keeps what the server found out about a running session. What it says of
    /// an earlier life, or at too great length, is nothing to us.
    pub(super) fn note_attention(&mut self, id: SessionId, life: u32, attention: Attention) {
        let Some(session) = self.table.get_mut(id) else { return };
        let state = &mut session.record.state;
        if matches!(state.stage, Stage::Running { .. })
            && state.life == life
            && attention.is_sound()
            && state.attention != attention
        {
            state.attention = attention;
            self.announce(id);
        }
    }

    /// Tells the server the changeable part of a session.
    pub(super) fn announce(&mut self, id: SessionId) {
        if let Some(session) = self.table.get_mut(id) {
            self.server.send(&ToServer::Changed(id, session.record.state.clone()), &[]);
        }
    }

    fn signal_members(&mut self, id: SessionId, rung: Rung) {
        match rung {
            Rung::Hangup if self.table.get_mut(id).is_some_and(|session| session.leader.is_some()) => {
                self.strike_session(id, Blow::Nudge);
            }
            Rung::Hangup => self.strike_session(id, Blow::Hangup),

            Rung::Terminate => self.strike_session(id, Blow::Signal(Signal::TERM)),
            Rung::Kill => self.kill_session(id),
        }
    }

    /// Tells those who wait for the end of a session that it may not come.
    pub(super) fn count_kill_round(&mut self, id: SessionId, left: &[Found]) {
        let Some(session) = self.table.get_mut(id) else { return };
        session.kill_rounds = session.kill_rounds.saturating_add(1);
        if session.kill_rounds != KILL_ROUNDS_MAX {
            return;
        }
        let pids: Vec<String> = left.iter().map(|found| found.member.pid().to_string()).collect();
        let pids = pids.join(", ");
        tracing::error!(sessionId = %id, pids, "Processes of a session could not be ended; trying on, slowly");
        for number in std::mem::take(&mut session.removers) {
            let refusal = Refusal::Unkillable(pids.clone());
            self.server.send(&ToServer::Reply(number, Err(refusal)), &[]);
        }
    }

    fn arm(&mut self, id: SessionId, wait: Wait) {
        let grace = self.config.stop_grace;
        let Some(session) = self.table.get_mut(id) else { return };
        session.drain_mark = session.ring.head();
        let wait = match wait {
            Wait::Hangup => HANGUP_WAIT,
            Wait::Grace => grace,
            Wait::KillRound if session.kill_rounds >= KILL_ROUNDS_MAX => SLOW_KILL_ROUND,
            Wait::KillRound => KILL_ROUND,
            Wait::Drain => {
                session.drain_since.get_or_insert_with(Instant::now);
                DRAIN_WAIT
            }
        };
        session.deadline = Some(Instant::now() + wait);
    }

    /// Nobody of the session is left, and the terminal does not end: either its
    /// last bytes wait for a client, or a stranger holds it.
    fn close_if_quiet(&mut self, id: SessionId) -> Option<Input> {
        let hurry = self.shutdown.has_begun();
        let session = self.table.get_mut(id)?;
        let is_wanted = !session.is_being_removed && !hurry;
        let is_held_back = session.ring.is_paused();
        let is_writing = session.ring.head() != session.drain_mark;
        let is_long = session.drain_since.is_some_and(|since| since.elapsed() >= DRAIN_MAX);
        if is_wanted && (is_held_back || is_writing && !is_long) {
            self.arm(id, Wait::Drain);
            return None;
        }
        session.close_terminal();
        Some(Input::TerminalClosed)
    }

    fn finish(&mut self, id: SessionId) {
        let Some(session) = self.table.get_mut(id) else { return };
        session.deadline = None;
        session.cgroup = None;
        let head = session.ring.head();
        if let Some(exit) = &mut session.record.state.last_exit {
            exit.drained_at = Some(head);
        }
        let (is_being_removed, resumer) = (session.is_being_removed, session.resumer.take());
        self.announce(id);
        if is_being_removed {
            self.forget(id);
        }
        if let Some(number) = resumer {
            self.resume_now(number, id);
        }
    }

    /// Takes a session out of the table and answers those who waited for it.
    pub(super) fn forget(&mut self, id: SessionId) {
        let Some(session) = self.table.remove(id) else { return };
        self.sweeper.remember(id);
        self.server.send(&ToServer::Removed(id), &[]);
        for number in session.removers {
            self.server.send(&ToServer::Reply(number, Ok(Answer::Session(id))), &[]);
        }
        tracing::info!(sessionId = %id, name = %session.record.name, "Session removed");
    }
}
