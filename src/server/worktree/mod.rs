//! Sessions with a git worktree of their own: making them, deleting them, and
//! finding again what a server that was killed had begun.
//!
//! ```text
//! look -> intent -> git worktree add -> session in init -> no intent
//! ```
//!
//! Git does the work, run by init with the rights of a session. The intent is a
//! small file that says what is being made. A server that starts and finds one
//! looks whether init has the session; if not, it takes back what was made,
//! unless that holds work. One thing is done at a time: two gits that change one
//! repository may meet at its locks.

mod create;
mod fault;
mod git;
mod intent;
mod listing;
mod losses;
mod place;
mod rebuild;
mod recover;
mod rehearsal;
mod remove;
mod submodules;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::link::Link;
use super::registry::Registry;
use crate::model::id::SessionName;
use crate::model::settings::Settings;
use crate::model::spec::{SessionSpec, TerminalSize};
use crate::model::worktree::BranchName;
pub use fault::Fault;
pub use losses::Losses;

/// Which branch a worktree is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One that is made for it, from where the workspace is now.
    New(BranchName),
    /// One that is there, here or at exactly one remote.
    Existing(BranchName),
}

/// A session with a worktree, as it was asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its name; the lowest free `session-N` when absent.
    pub name: Option<SessionName>,
    /// Its branch.
    pub source: Source,
    /// What to run, in a directory that is seen from the worktree's top.
    pub spec: SessionSpec,
    /// The terminal's size.
    pub size: TerminalSize,
}

/// Everything about worktrees in one place.
#[derive(Debug)]
pub struct Worktrees {
    link: Arc<Link>,
    registry: Arc<Registry>,
    workspace: String,
    session_command: Vec<String>,
    max_sessions: usize,
    intents: Option<PathBuf>,
    /// Held by whoever changes something.
    busy: Mutex<()>,
    saving: std::sync::Mutex<intent::Saving>,
    rehearsal: rehearsal::Rehearsal,
}

impl Worktrees {
    /// Those of the workspace in `settings`, for the server after `restarts`
    /// others.
    #[must_use]
    pub fn new(link: Arc<Link>, registry: Arc<Registry>, settings: &Settings, restarts: u32) -> Self {
        Self {
            link,
            registry,
            workspace: settings.workspace.clone(),
            session_command: settings.session_command.clone(),
            max_sessions: usize::try_from(settings.max_sessions).unwrap_or(usize::MAX),
            intents: settings.state_dir.as_ref().map(|dir| dir.join("worktrees")),
            busy: Mutex::new(()),
            saving: std::sync::Mutex::default(),
            rehearsal: rehearsal::Rehearsal::of_server(restarts),
        }
    }
}
