//! What the server may wish for. Every wish is checked here again, whatever
//! the server has checked before.

use super::event_loop::Init;
use super::lifecycle::{Input, Phase};
use super::members::Blow;
use super::session::Session;
use crate::link::message::{Answer, Refusal, Request, Scope, ToServer};
use crate::logging::unix_millis;
use crate::model::id::{SessionId, SessionName};
use crate::model::session::{Record, Stage};
use crate::model::signal::Signal;
use crate::model::spec::{SessionSpec, SpawnFailure, SpawnStage, TerminalSize, check_directory};
use crate::model::worktree::Worktree;
use crate::sys::{process, pty};

/// Most sessions that a state file may bring back, whatever the limit is now.
const RESTORED_MAX: u32 = 1024;

/// Most requests that may wait for the end of one session, or for a look at
/// /proc; each costs memory until it is answered.
const WAITING_MAX: usize = 64;

/// An answer now, or one that another event will give.
type Decision = Result<Option<SessionId>, Refusal>;

impl Init {
    /// Decides one request and answers it, now or when its outcome is known.
    pub(super) fn decide(&mut self, number: u64, request: Request) {
        let decision = match request {
            Request::Create { name, spec, size, worktree } => self.create(number, name, spec, size, worktree),
            Request::Restore { record, output_end } => self.restore(*record, output_end),
            Request::Resume(id) => self.resume(number, id),
            Request::Remove(id) => self.remove(number, id),
            Request::Signal(id, signal, scope) => self.signal(number, id, signal, scope),
            Request::Resize(id, size) => self.resize(id, size),
            Request::Sweep => self.sweep(number),
            Request::RunTool { argv, cwd } => self.run_tool(number, argv, cwd),
        };
        match decision {
            Ok(None) => {}
            Ok(Some(id)) => self.server.send(&ToServer::Reply(number, Ok(Answer::Session(id))), &[]),
            Err(refusal) => self.server.send(&ToServer::Reply(number, Err(refusal)), &[]),
        }
    }

    fn create(
        &mut self,
        number: u64,
        name: Option<SessionName>,
        spec: SessionSpec,
        size: TerminalSize,
        worktree: Option<Worktree>,
    ) -> Decision {
        if self.shutdown.has_begun() {
            return Err(Refusal::ShuttingDown);
        }
        spec.check().map_err(|e| Refusal::Invalid(e.to_string()))?;
        if let Some(worktree) = &worktree {
            check_directory(&worktree.path).map_err(|e| Refusal::Invalid(e.to_string()))?;
        }
        let name = self.table.admit(name, self.config.settings.max_sessions)?;
        let made = Session::new(name, spec, size, worktree, self.config.scrollback, unix_millis());
        let mut session = made.map_err(|e| {
            let errno = e.raw_os_error().unwrap_or(libc::ENOMEM);
            Refusal::SpawnFailed(SpawnFailure { stage: SpawnStage::Resources, errno })
        })?;
        let command = session.record.spec.command.clone();
        session.launch(&command, &self.ground).map_err(Refusal::SpawnFailed)?;
        session.starter = Some(number);
        self.table.add(session);
        Ok(None)
    }

    fn resume(&mut self, number: u64, id: SessionId) -> Decision {
        if self.shutdown.has_begun() {
            return Err(Refusal::ShuttingDown);
        }
        let session = self.table.get_mut(id).filter(|s| !s.is_being_removed).ok_or(Refusal::NotFound)?;
        match session.machine.phase {
            Phase::Ended => {}
            // The program has ended, which clients know, but not yet all that
            // belonged to it: its output comes before that of the next life.
            Phase::Clearing(..) | Phase::Draining if session.resumer.is_none() => {
                session.resumer = Some(number);
                return Ok(None);
            }
            _ => return Err(Refusal::AlreadyRunning),
        }
        let command = session.record.spec.resumed(self.config.resume_command.as_deref());
        session.launch(&command, &self.ground).map_err(Refusal::SpawnFailed)?;
        session.starter = Some(number);
        Ok(None)
    }

    /// A session of the container's earlier life counts towards the limit, but
    /// is not refused for it: that would lose it.
    fn restore(&mut self, record: Record, output_end: u64) -> Decision {
        let id = record.id;
        if self.table.get(id).is_some() {
            return Ok(Some(id));
        }
        if self.is_restored {
            return Err(Refusal::Invalid("the sessions of the state file are restored already".into()));
        }
        record.check_restored(output_end).map_err(|e| Refusal::Invalid(e.to_string()))?;
        self.table.admit(Some(record.name.clone()), RESTORED_MAX)?;
        let session = Session::restored(record, self.config.scrollback, output_end)
            .map_err(|e| Refusal::Kernel(e.raw_os_error().unwrap_or(libc::ENOMEM)))?;
        self.server.send(&ToServer::Session(Box::new(session.record.clone())), &session.fds());
        tracing::debug!(sessionId = %id, name = %session.record.name, outputEnd = output_end, "Session restored");
        self.table.add(session);
        Ok(Some(id))
    }

    /// The end that a resume has waited for.
    pub(super) fn resume_now(&mut self, number: u64, id: SessionId) {
        if let Err(refusal) = self.resume(number, id) {
            self.server.send(&ToServer::Reply(number, Err(refusal)), &[]);
        }
    }

    fn remove(&mut self, number: u64, id: SessionId) -> Decision {
        let session = self.table.get_mut(id).ok_or(Refusal::NotFound)?;
        if session.removers.len() >= WAITING_MAX {
            return Err(Refusal::TooManyWaiting);
        }
        session.removers.push(number);
        session.is_being_removed = true;
        session.stop_requested = true;
        if session.machine.phase == Phase::Ended {
            self.forget(id);
        } else {
            self.feed(id, Input::StopAsked);
        }
        Ok(None)
    }

    fn sweep(&mut self, number: u64) -> Decision {
        if self.shutdown.has_begun() {
            return Err(Refusal::ShuttingDown);
        }
        if self.inspector.asker_count() >= WAITING_MAX {
            return Err(Refusal::TooManyWaiting);
        }
        self.inspector.want_sweep(Some(number));
        Ok(None)
    }

    fn signal(&mut self, number: u64, id: SessionId, signal: Signal, scope: Scope) -> Decision {
        let session = self.table.get_mut(id).ok_or(Refusal::NotFound)?;
        if !matches!(session.record.state.stage, Stage::Running { .. }) {
            return Err(Refusal::NotRunning);
        }
        match scope {
            Scope::Session if self.inspector.asker_count() >= WAITING_MAX => return Err(Refusal::TooManyWaiting),
            Scope::Session => {
                session.is_kill_sent |= signal == Signal::KILL;
                self.inspector.want_blow(id, Blow::Signal(signal), Some(number));
                return Ok(None);
            }
            Scope::Foreground => {
                let group = session.master.as_ref().and_then(pty::foreground_group).ok_or(Refusal::NotRunning)?;
                session.is_kill_sent |= signal == Signal::KILL && session.leader == Some(group);
                process::kill_group(group, signal)
                    .map_err(|e| Refusal::Kernel(e.raw_os_error().unwrap_or(libc::EIO)))?;
            }
        }
        Ok(Some(id))
    }

    fn resize(&mut self, id: SessionId, size: TerminalSize) -> Decision {
        let session = self.table.get_mut(id).ok_or(Refusal::NotFound)?;
        if session.record.state.size == size {
            return Ok(Some(id));
        }
        if let Some(master) = &session.master {
            pty::resize(master, size.cols(), size.rows())
                .map_err(|e| Refusal::Kernel(e.raw_os_error().unwrap_or(libc::EIO)))?;
        }
        session.record.state.size = size;
        self.announce(id);
        Ok(Some(id))
    }
}
