//! Sessions from nothing but their worktrees.

use std::time::Duration;

use super::Worktrees;
use super::git::Git;
use super::listing::{self, Listed};
use super::place;
use crate::logging::unix_millis;
use crate::model::attention::{Attention, Ticket};
use crate::model::id::{SessionId, SessionName};
use crate::model::session::{Record, Stage, State};
use crate::model::spec::{SessionSpec, TerminalSize};
use crate::model::worktree::{WORKTREES, Worktree};

/// The API waits for this, so a slow disk can't have all the time it wants.
const PATIENCE: Duration = Duration::from_secs(5);

impl Worktrees {
    /// Sessions for the worktrees that `is_known` tells nothing of, to be resumed
    /// with the session command. As many as there may be sessions.
    pub async fn rebuild(&self, is_known: impl Fn(&SessionName) -> bool) -> Vec<Record> {
        let git = Git::new(&self.link, &self.workspace);
        let directory = format!("{}/{WORKTREES}", self.workspace.trim_end_matches('/'));
        match tokio::time::timeout(PATIENCE, place::is_there(git, &directory)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Vec::new(),
            Ok(Err(fault)) => return cannot_tell(&fault.to_string()),
            Err(_) => return cannot_tell("looking at the workspace takes too long"),
        }
        let all = match tokio::time::timeout(PATIENCE, listing::all(git)).await {
            Ok(Ok(all)) => all,
            Ok(Err(fault)) => return cannot_tell(&fault.to_string()),
            Err(_) => return cannot_tell("git takes too long"),
        };
        let found = all.into_iter().filter_map(|listed| self.named(listed));
        let mut unknown: Vec<(SessionName, Worktree)> = found.filter(|(name, _)| !is_known(name)).collect();
        if unknown.len() > self.max_sessions {
            let left: Vec<_> = unknown.drain(self.max_sessions..).map(|(_, worktree)| worktree.path).collect();
            tracing::warn!(worktrees = left.join(", "), "There are more worktrees than there may be sessions");
        }
        unknown.into_iter().map(|(name, worktree)| self.record(name, worktree)).collect()
    }

    fn named(&self, listed: Listed) -> Option<(SessionName, Worktree)> {
        let name = SessionName::try_from(listed.path.rsplit('/').next()?.to_owned()).ok()?;
        let is_ours = listed.path == Worktree::place(&self.workspace, &name);
        let is_whole = !listed.is_broken && !listed.is_unfinished();
        (is_ours && is_whole).then_some((name, Worktree { branch: listed.branch, path: listed.path }))
    }

    fn record(&self, name: SessionName, worktree: Worktree) -> Record {
        let now = unix_millis();
        Record {
            id: SessionId::random(),
            name,
            spec: SessionSpec {
                command: self.session_command.clone(),
                cwd: worktree.path.clone(),
                env: Vec::new(),
                is_session_command: true,
            },
            worktree: Some(worktree),
            created_at: now,
            ticket: Ticket::random(),
            state: State {
                size: TerminalSize::DEFAULT,
                life: 0,
                started_at: None,
                stage: Stage::Idle { last_activity: now },
                last_exit: None,
                attention: Attention::default(),
            },
        }
    }
}

fn cannot_tell(reason: &str) -> Vec<Record> {
    tracing::warn!(reason, "Cannot look which worktrees were sessions; `git worktree list` tells");
    Vec::new()
}
