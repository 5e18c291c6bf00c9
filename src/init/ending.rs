//! The main command's part in the loop, and carrying out what the shutdown
//! decides.

use std::time::Instant;

use super::drain;
use super::event_loop::Init;
use super::lifecycle::{Input, Phase};
use super::main_command::End;
use super::shutdown::{Step, World};
use crate::exit::Exit;
use crate::link::message::ToServer;
use crate::model::session::ExitStatus;
use crate::model::signal::Signal;
use crate::sys::process::Pid;

impl Init {
    /// Passes a signal on to the main command; true if there is one.
    pub(super) fn forward(&self, signal: Signal) -> bool {
        let Some(main) = self.main.as_ref().filter(|main| main.pid().is_some()) else { return false };
        main.forward(signal);
        true
    }

    pub(super) fn is_main(&self, pid: Pid) -> bool {
        self.main.as_ref().is_some_and(|main| main.pid() == Some(pid))
    }

    /// The main command was reaped: the container ends with its exit code.
    pub(super) fn main_ended(&mut self, status: ExitStatus) {
        let Some(main) = &mut self.main else { return };
        let end = main.ended(status);
        let code = main.exit_code(end);
        match end {
            End::Ran(_) => tracing::info!(command = main.name, ?status, exitCode = code, "Main command ended"),
            End::Failed(failure) => tracing::error!(exitCode = code, "{}", main.explain(failure)),
        }
        self.exit = Exit::Main(code);
        if !self.shutdown.has_begun() {
            self.hasten_shutdown();
        }
    }

    /// For those who want to know of every program that leaves its children to
    /// init.
    pub(super) fn warn_of_orphan(&self, pid: Pid) {
        if self.config.warn_on_reap {
            tracing::warn!(pid = pid.raw(), "Reaped a process that was left to init");
        }
    }

    pub(super) fn grace_ms(&self) -> u64 {
        u64::try_from(self.config.shutdown_grace.as_millis()).unwrap_or(u64::MAX)
    }

    /// A signal asks for the end, or asks again. The first one does not hasten
    /// what the main command's end has begun.
    pub(super) fn ask_shutdown(&mut self) {
        let is_first = !std::mem::replace(&mut self.is_end_asked, true);
        if !(is_first && self.shutdown.has_begun()) {
            self.hasten_shutdown();
        }
    }

    fn hasten_shutdown(&mut self) {
        let step = self.shutdown.ask(Instant::now(), self.config.shutdown_grace);
        self.do_step(step);
    }

    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        loop {
            let server = self.server.pid();
            let main_lives = self.main.as_ref().is_some_and(|main| main.pid().is_some());
            let step = self.shutdown.advance(
                now,
                World {
                    leaders: main_lives || self.has_sessions(),
                    others: self.shutdown.minds_others() && drain::anybody_left(server),
                    server: server.is_some(),
                },
            );
            if step == Step::None {
                return;
            }
            self.do_step(step);
        }
    }

    fn has_sessions(&self) -> bool {
        self.table.iter().any(|session| session.machine.phase != Phase::Ended)
    }

    fn do_step(&mut self, step: Step) {
        let server = self.server.pid();
        match step {
            Step::None => {}
            Step::EndSessions => {
                self.sweeper.stop();
                self.server.refuse("the container ends");
                tracing::info!(graceMs = self.grace_ms(), "Shutting down");
                self.server.send(&ToServer::ShuttingDown { grace_ms: self.grace_ms() }, &[]);
                self.feed_all(Input::StopAsked);
            }
            Step::KillLeaders => {
                self.feed_all(Input::Hurry);
                self.kill_main();
            }
            Step::EndOthers => {
                if self.has_sessions() {
                    tracing::error!("Some sessions have processes that could not be ended; ending without them");
                }
                if drain::anybody_left(server) {
                    drain::ask_everybody(server);
                }
            }
            Step::KillOthers => {
                if let Some(processes) = drain::kill_everybody(server) {
                    tracing::warn!(processes, "Killing what did not end in time");
                }
            }
            Step::KillAgain => drop(drain::kill_everybody(server)),
            Step::EndServer => self.server.take_leave(),
            Step::KillServer => self.server.signal(Signal::KILL),
        }
    }

    fn kill_main(&self) {
        if let Some(main) = self.main.as_ref().filter(|main| main.pid().is_some()) {
            tracing::warn!(command = main.name, "The main command did not end in time: killing it");
            main.kill();
        }
    }

    fn feed_all(&mut self, input: Input) {
        for id in self.table.ids() {
            if let Some(session) = self.table.get_mut(id) {
                session.stop_requested = true;
            }
            self.feed(id, input);
        }
    }
}
