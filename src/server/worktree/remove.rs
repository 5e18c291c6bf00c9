//! Deleting a session together with its worktree.

use std::path::Path;
use std::sync::Arc;

use super::Worktrees;
use super::fault::Fault;
use super::git::Git;
use super::intent::{Intent, Purpose};
use super::listing::{self, Listed};
use super::{losses, place, submodules};
use crate::link::message::{Refusal, Request};
use crate::model::id::SessionId;
use crate::model::worktree::Worktree;
use crate::server::link::RequestError;
use crate::server::registry::Entry;

impl Worktrees {
    /// Ends the session, then deletes its worktree; the branch stays. Goes on to
    /// its end when nobody waits for it any more.
    ///
    /// # Errors
    /// Without `force` if something would be lost: nothing has happened then,
    /// unless the session's last moments brought that.
    pub async fn delete(self: &Arc<Self>, id: SessionId, force: bool) -> Result<(), Fault> {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _turn = this.busy.lock().await;
            this.delete_in_turn(id, force).await
        });
        task.await.unwrap_or(Err(Fault::Link(RequestError::Unavailable)))
    }

    pub(super) async fn delete_in_turn(&self, id: SessionId, force: bool) -> Result<(), Fault> {
        let now = self.registry.now();
        let entry = now.get(id);
        let Some((entry, worktree)) = entry.and_then(|entry| Some((entry, entry.record.worktree.as_ref()?))) else {
            self.link.wish(Request::Remove(id)).await?;
            return Ok(());
        };
        let other = now.sessions.iter().find(|other| other.record.id != id && is_in(other, worktree));
        if let Some(other) = other.filter(|_| !force) {
            return Err(Fault::InUse { path: worktree.path.clone(), session: other.record.name.to_string() });
        }
        let workspace = workspace_of(&worktree.path).to_owned();
        let git = Git::new(&self.link, &workspace);
        let all = listing::all(git).await?;
        let Some(listed) = listing::at(&all, &worktree.path) else {
            // It was removed by hand.
            self.link.wish(Request::Remove(id)).await?;
            return Ok(());
        };
        check(git, &all, listed, force).await?;
        let purpose = Purpose::Delete { force };
        let intent = Intent::new(entry.record.name.clone(), workspace.clone(), purpose);
        self.intend(&intent).await?;
        self.rehearsal.step("to-be-deleted").await;
        let deleted = self.end_and_delete(id, git, (&all, listed), force).await;
        self.forget(&intent).await;
        deleted
    }

    async fn end_and_delete(
        &self,
        id: SessionId,
        git: Git<'_>,
        (all, listed): (&[Listed], &Listed),
        force: bool,
    ) -> Result<(), Fault> {
        match self.link.wish(Request::Remove(id)).await {
            // Somebody else had that done meanwhile.
            Ok(_) | Err(RequestError::Refused(Refusal::NotFound)) => {}
            Err(error) => return Err(error.into()),
        }
        self.rehearsal.step("session-deleted").await;
        match check(git, all, listed, force).await {
            Ok(()) => {}
            Err(Fault::Dirty { losses, .. }) => return Err(Fault::Dirty { losses, is_session_removed: true }),
            Err(fault) => return Err(kept(listed, &fault)),
        }
        remove(git, listed, force).await.map_err(|fault| kept(listed, &fault))
    }
}

/// The session is gone by now, which who asked has to know.
fn kept(listed: &Listed, fault: &Fault) -> Fault {
    Fault::Kept { path: listed.path.clone(), why: fault.to_string() }
}

/// Whether nothing stands against deleting this one.
pub(super) async fn check(git: Git<'_>, all: &[Listed], listed: &Listed, force: bool) -> Result<(), Fault> {
    if let Some(reason) = &listed.locked {
        return Err(Fault::Locked { path: listed.path.clone(), reason: reason.clone() });
    }
    if force {
        return Ok(());
    }
    let is_there = place::is_there(git, &listed.path).await?;
    if listed.is_broken && is_there {
        return Err(Fault::Broken { path: listed.path.clone() });
    }
    let losses =
        if is_there { losses::look(git, all, listed).await? } else { losses::look_at_traces(git, listed).await? };
    if losses.is_nothing() { Ok(()) } else { Err(Fault::Dirty { losses: Box::new(losses), is_session_removed: false }) }
}

/// Removes a worktree, and what is changed in it only by `force`.
pub(super) async fn remove(git: Git<'_>, listed: &Listed, force: bool) -> Result<(), Fault> {
    let is_there = place::is_there(git, &listed.path).await?;
    // Git insists on force where there are submodules, whatever is in them.
    let by_force = force || is_there && !listed.is_broken && submodules::are_there(git.at(&listed.path)).await?;
    let flags: &[&str] = if by_force { &["--force"] } else { &[] };
    git.must(&[&["worktree", "remove"], flags, &["--", &listed.path]].concat()).await.map(drop)
}

/// Whether a session works in this worktree.
fn is_in(entry: &Entry, worktree: &Worktree) -> bool {
    let rest = entry.record.spec.cwd.strip_prefix(&worktree.path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directory above that of the worktrees.
fn workspace_of(place: &str) -> &str {
    Path::new(place).ancestors().nth(2).and_then(Path::to_str).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_its_workspace() {
        assert_eq!(workspace_of("/w ä/x/.worktrees/name"), "/w ä/x");
        assert_eq!(workspace_of("/.worktrees/name"), "/");
    }
}
