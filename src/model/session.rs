//! A session as init knows it: the record that outlives every API server.

use serde::{Deserialize, Serialize};

use super::attention::{Attention, Ticket};
use super::id::{SessionId, SessionName};
use super::spec::{SessionSpec, SpecError, TerminalSize, check_directory};
use super::worktree::Worktree;

/// Milliseconds since the Unix epoch, UTC (`CLOCK_REALTIME`).
pub type UnixMillis = u64;

/// The end of the year 9999, the last that a time in text can name.
const TIME_MAX: UnixMillis = 253_402_300_799_999;

/// No session gets there: the largest offset that is exact in a JSON number,
/// and more starts than a century has seconds.
const OFFSET_MAX: u64 = 1 << 53;
const LIVES_MAX: u32 = u32::MAX - u32::MAX / 4;

/// Why a [`Record`] can't be that of a session of the container's earlier life.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Its program can't be started.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// It would have a program.
    #[error("a session can't be restored with a program")]
    Running,
    /// Beyond what a session reaches.
    #[error("its counters are beyond what any session reaches")]
    Counters,
    /// Beyond what a clock shows.
    #[error("one of its times is beyond the year 9999")]
    Time,
}

/// How a program ended, in the terms of `wait(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It called `exit(3)` with this code.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
}

/// The end of one life of a session (a resumed session has several).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Which life ended; the first is 1.
    pub life: u32,
    /// How the session leader ended.
    pub status: ExitStatus,
    /// When it was reaped.
    pub at: UnixMillis,
    /// Whether a client or the shutdown asked for the end.
    pub requested: bool,
    /// Whether it ran until the container was shut down.
    pub at_shutdown: bool,
    /// Whether the kernel killed it because memory ran out.
    pub out_of_memory: bool,
    /// The offset behind the last byte of output, once the terminal is
    /// drained; until then more output may follow.
    pub drained_at: Option<u64>,
}

/// Where a session is in its life, as far as anybody outside init cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Forked; the kernel has not yet accepted the program.
    Starting,
    /// The program runs as this process, the session leader.
    Running {
        /// The leader's process id, as init sees it.
        pid: u32,
    },
    /// The leader is gone; [`State::last_exit`] says how.
    Ended,
    /// Known from before the container was started; nothing of it has run since.
    Idle {
        /// When anything last happened in it, as far as that was saved.
        last_activity: UnixMillis,
    },
}

/// The part of a session that changes while it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The terminal's present size.
    pub size: TerminalSize,
    /// How often its program was started; the first life is 1.
    pub life: u32,
    /// When the kernel accepted the program of the latest life.
    pub started_at: Option<UnixMillis>,
    /// Present stage.
    pub stage: Stage,
    /// The latest end of a life, if one has ended.
    pub last_exit: Option<Exit>,
    /// What the present life wants of people.
    pub attention: Attention,
}

/// Everything about a session that must outlive the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Identity.
    pub id: SessionId,
    /// Name, unique among the sessions of one init.
    pub name: SessionName,
    /// What a resume starts again.
    pub spec: SessionSpec,
    /// Its own working tree of the workspace's repository, if it has one.
    pub worktree: Option<Worktree>,
    /// When the session was first asked for.
    pub created_at: UnixMillis,
    /// By what its processes prove whose they are.
    pub ticket: Ticket,
    /// What changes.
    pub state: State,
}

impl Record {
    /// Checks the record of a session that is to go on without a program, with
    /// output from `output_end` on.
    ///
    /// # Errors
    /// The first [`RecordError`] found.
    pub fn check_restored(&self, output_end: u64) -> Result<(), RecordError> {
        self.spec.check()?;
        self.worktree.as_ref().map_or(Ok(()), |worktree| check_directory(&worktree.path))?;
        let Stage::Idle { last_activity } = self.state.stage else { return Err(RecordError::Running) };
        let exit = self.state.last_exit;
        let lives = exit.map_or(0, |exit| exit.life).max(self.state.life);
        if output_end > OFFSET_MAX || lives > LIVES_MAX {
            return Err(RecordError::Counters);
        }
        let times = [Some(self.created_at), Some(last_activity), self.state.started_at, exit.map(|exit| exit.at)];
        if times.into_iter().flatten().any(|time| time > TIME_MAX) {
            return Err(RecordError::Time);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::worktree::Worktree;

    fn record() -> Record {
        let spec = SessionSpec { command: vec!["x".into()], cwd: "/".into(), env: vec![], is_session_command: false };
        let exit = Exit {
            life: 1,
            status: ExitStatus::Code(0),
            at: 3,
            requested: false,
            at_shutdown: true,
            out_of_memory: false,
            drained_at: None,
        };
        Record {
            id: SessionId::random(),
            name: SessionName::numbered(1),
            spec,
            worktree: Some(Worktree { branch: None, path: "/w".into() }),
            created_at: 1,
            ticket: Ticket::random(),
            state: State {
                size: TerminalSize::DEFAULT,
                life: 1,
                started_at: Some(2),
                stage: Stage::Idle { last_activity: 3 },
                last_exit: Some(exit),
                attention: Attention::default(),
            },
        }
    }

    #[test]
    fn what_no_session_could_have_been_is_not_restored() {
        assert_eq!(record().check_restored(OFFSET_MAX), Ok(()));
        assert_eq!(record().check_restored(OFFSET_MAX + 1), Err(RecordError::Counters));
        let bad = |change: fn(&mut Record)| {
            let mut record = record();
            change(&mut record);
            record.check_restored(0).unwrap_err()
        };
        assert_eq!(bad(|r| r.state.stage = Stage::Running { pid: 1 }), RecordError::Running);
        assert_eq!(bad(|r| r.state.stage = Stage::Ended), RecordError::Running);
        assert_eq!(bad(|r| r.state.life = u32::MAX), RecordError::Counters);
        assert_eq!(bad(|r| r.state.last_exit.as_mut().unwrap().life = u32::MAX), RecordError::Counters);
        assert_eq!(bad(|r| r.created_at = u64::MAX), RecordError::Time);
        assert_eq!(bad(|r| r.state.started_at = Some(u64::MAX)), RecordError::Time);
        assert_eq!(bad(|r| r.state.last_exit.as_mut().unwrap().at = u64::MAX), RecordError::Time);
        assert_eq!(bad(|r| r.state.stage = Stage::Idle { last_activity: u64::MAX }), RecordError::Time);
        let relative = SpecError::RelativeDirectory("w".into());
        assert_eq!(bad(|r| r.worktree.as_mut().unwrap().path = "w".into()), RecordError::Spec(relative.clone()));
        assert_eq!(bad(|r| r.spec.cwd = "w".into()), RecordError::Spec(relative));
    }
}
