//! The session table: names, limit, lookup. The one authority on which
//! sessions exist.

use super::session::Session;
use crate::link::message::Refusal;
use crate::model::id::{SessionId, SessionName};
use crate::sys::process::Pid;

/// All sessions, oldest first.
#[derive(Debug, Default)]
pub struct Table {
    sessions: Vec<Session>,
}

impl Table {
    /// Every session.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter()
    }

    /// Every session, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.iter_mut()
    }

    /// Ids of every session, so that a loop can change the table meanwhile.
    pub fn ids(&self) -> Vec<SessionId> {
        self.sessions.iter().map(|s| s.record.id).collect()
    }

    /// The session with this id.
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|s| s.record.id == id)
    }

    /// The session with this id, to change.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|s| s.record.id == id)
    }

    /// The session whose leader has this process id.
    pub fn led_by(&self, pid: Pid) -> Option<SessionId> {
        self.sessions.iter().find(|s| s.leader == Some(pid)).map(|s| s.record.id)
    }

    /// Decides the name of a new session, if there is room for one.
    ///
    /// # Errors
    /// [`Refusal::MaxSessions`] or [`Refusal::NameTaken`].
    pub fn admit(&self, name: Option<SessionName>, max: u32) -> Result<SessionName, Refusal> {
        if self.sessions.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
            return Err(Refusal::MaxSessions(max));
        }
        match name {
            Some(name) if self.is_taken(&name) => Err(Refusal::NameTaken(name)),
            Some(name) => Ok(name),
            None => Ok(self.lowest_free_name()),
        }
    }

    /// Adds a session.
    pub fn add(&mut self, session: Session) {
        self.sessions.push(session);
    }

    /// Takes a session out.
    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        let at = self.sessions.iter().position(|s| s.record.id == id)?;
        Some(self.sessions.remove(at))
    }

    fn is_taken(&self, name: &SessionName) -> bool {
        self.sessions.iter().any(|s| s.record.name == *name)
    }

    fn lowest_free_name(&self) -> SessionName {
        let mut number = 1;
        loop {
            let name = SessionName::numbered(number);
            if !self.is_taken(&name) {
                return name;
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::{SessionSpec, TerminalSize};
    use crate::ring::layout::Capacity;

    fn with(names: &[&str]) -> Table {
        let mut table = Table::default();
        for name in names {
            let (command, cwd) = (vec!["x".into()], "/".into());
            let spec = SessionSpec { command, cwd, env: vec![], is_session_command: false };
            let name = SessionName::try_from((*name).to_owned()).unwrap();
            table.add(Session::new(name, spec, TerminalSize::DEFAULT, None, Capacity::at_least(0), 0).unwrap());
        }
        table
    }

    #[test]
    fn the_lowest_free_number_names_a_session() {
        let name = |names: &[&str]| with(names).admit(None, 9).unwrap().to_string();
        assert_eq!(name(&[]), "session-1");
        assert_eq!(name(&["session-1", "session-3"]), "session-2");
        assert_eq!(name(&["session-2", "other"]), "session-1");
    }

    #[test]
    fn the_limit_comes_before_the_name() {
        let a = SessionName::try_from("a".to_owned()).unwrap();
        assert_eq!(with(&["a", "b"]).admit(Some(a.clone()), 2), Err(Refusal::MaxSessions(2)));
        assert_eq!(with(&["a", "b"]).admit(Some(a.clone()), 3), Err(Refusal::NameTaken(a)));
    }
}
