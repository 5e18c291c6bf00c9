//! Whose is a process? The rules of belonging, with what they are decided by.
//!
//! Descent from a live session, the main command, the server or `docker exec`
//! (a process whose parent is outside the namespace) comes first. An orphan,
//! whose parent is init, is asked for what it carries: the tag
//! ([`crate::sys::tag`]), its kernel session, its controlling terminal, and
//! the marker in its environment. On a shared host only what is below init
//! counts: the rest of the machine is not ours.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;

use procfs::process::{Process, Stat};

use super::env::MARKER;
use super::members::SessionKey;
use super::scan::exists;
use crate::model::id::SessionId;
use crate::sys::process::{self, Pid};
use crate::sys::tag::Tag;

/// Who a process belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It is init.
    Init,
    /// The API server.
    Server,
    /// The main command.
    Main,
    /// A session in the table.
    Session(SessionId),
    /// A session that is not in the table.
    Gone(Gone),
    /// Below init, and of no session that can be told.
    Ours,
    /// Not below init: `docker exec`, or the rest of a shared host.
    Stranger,
}

impl Owner {
    /// The session, if it is or was one that can be named.
    #[must_use]
    pub fn session(self) -> Option<SessionId> {
        match self {
            Self::Session(id) | Self::Gone(Gone::Marked(id)) => Some(id),
            _ => None,
        }
    }
}

/// What tells of a session that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The tag only.
    Tagged(Tag),
    /// The environment marker.
    Marked(SessionId),
}

/// What init knows about itself.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    init: i32,
    /// Inherited from the session of another quarterdeck that this one runs
    /// in: it says nothing about our sessions.
    tag: Option<Tag>,
    marker: Option<SessionId>,
}

impl Own {
    /// Asks the kernel.
    #[must_use]
    pub fn read() -> Self {
        let init = process::own_pid();
        let marker = std::env::var(MARKER).ok().and_then(|id| id.parse().ok());
        Self { init: init.raw(), tag: Tag::worn_by(init), marker }
    }
}

/// Everybody a process can belong to, at one moment.
#[derive(Debug)]
pub struct People {
    own: Own,
    server: Option<i32>,
    main: Option<i32>,
    ids: HashSet<SessionId>,
    tags: HashMap<Tag, SessionId>,
    /// Tags of servers and tools that are there.
    helpers: HashSet<Tag>,
    kernel_sessions: HashMap<i32, (SessionId, bool)>,
    on_terminals: HashMap<i32, SessionId>,
}

impl People {
    /// Those of this moment.
    pub fn new(
        own: Own,
        server: Option<Pid>,
        main: Option<Pid>,
        keys: impl Iterator<Item = SessionKey>,
        helpers: impl Iterator<Item = Tag>,
    ) -> Self {
        let mut people = Self {
            own,
            server: server.map(Pid::raw),
            main: main.map(Pid::raw),
            ids: HashSet::new(),
            tags: HashMap::new(),
            helpers: helpers.collect(),
            kernel_sessions: HashMap::new(),
            on_terminals: HashMap::new(),
        };
        keys.for_each(|key| people.add(&key));
        people
    }

    fn add(&mut self, key: &SessionKey) {
        self.ids.insert(key.id);
        self.tags.insert(tag_of(key.id), key.id);
        if let Some(session) = key.kernel_session {
            self.kernel_sessions.insert(session.raw(), (key.id, key.leader_lives));
        }
        self.on_terminals.extend(key.on_terminal.filter(|session| *session > 0).map(|session| (session, key.id)));
    }

    /// Init's process id.
    #[must_use]
    pub fn init(&self) -> i32 {
        self.own.init
    }

    /// What a process is that needs no parent to be judged by.
    #[must_use]
    pub fn place(&self, stat: &Stat) -> Option<Owner> {
        if stat.pid == self.own.init || stat.ppid == self.own.init {
            return Some(Owner::Init);
        }
        (stat.ppid == 0).then_some(Owner::Stranger)
    }

    /// Whose a process is whose parent (or place) is this.
    #[must_use]
    pub fn owner(&self, stat: &Stat, parent: Owner) -> Owner {
        if stat.pid == self.own.init {
            return Owner::Init;
        }
        if Some(stat.pid) == self.server {
            return Owner::Server;
        }
        if Some(stat.pid) == self.main {
            return Owner::Main;
        }
        match parent {
            Owner::Session(_) | Owner::Server | Owner::Main | Owner::Stranger => parent,
            Owner::Init | Owner::Ours => self.evidence(stat).unwrap_or(Owner::Ours),
            Owner::Gone(gone) => self.evidence(stat).unwrap_or(Owner::Gone(gone)),
        }
    }

    fn evidence(&self, stat: &Stat) -> Option<Owner> {
        let tag = Pid::new(stat.pid).and_then(Tag::worn_by).filter(|tag| Some(*tag) != self.own.tag);
        if let Some(tag) = tag {
            if self.helpers.contains(&tag) {
                return Some(Owner::Ours);
            }
            return Some(self.tags.get(&tag).map_or(Owner::Gone(Gone::Tagged(tag)), |id| Owner::Session(*id)));
        }
        self.by_kernel_session(stat)
            .or_else(|| self.on_terminals.get(&stat.session).copied())
            .map(Owner::Session)
            .or_else(|| self.by_marker(stat))
    }

    /// A number whose leader is gone stays taken as long as the session has a
    /// process; if a process has it, it is a stranger who got it anew.
    fn by_kernel_session(&self, stat: &Stat) -> Option<SessionId> {
        let (id, leader_lives) = self.kernel_sessions.get(&stat.session)?;
        (*leader_lives || !exists(stat.session)).then_some(*id)
    }

    fn by_marker(&self, stat: &Stat) -> Option<Owner> {
        let environment = Process::new(stat.pid).and_then(|p| p.environ()).ok()?;
        let marker = environment.get(OsStr::new(MARKER))?.to_str()?.parse::<SessionId>().ok()?;
        if Some(marker) == self.own.marker {
            return None;
        }
        Some(if self.ids.contains(&marker) { Owner::Session(marker) } else { Owner::Gone(Gone::Marked(marker)) })
    }
}

/// The tag of a session's processes.
#[must_use]
pub fn tag_of(id: SessionId) -> Tag {
    Tag::new(id.short_bits())
}
