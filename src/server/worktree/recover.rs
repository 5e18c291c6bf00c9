//! What a server that was killed had begun, and worktrees without a session.

use std::sync::Arc;

use super::Worktrees;
use super::fault::Fault;
use super::git::Git;
use super::intent::{Intent, Purpose};
use super::listing::{self, Listed};
use super::{losses, remove};
use crate::model::id::SessionId;
use crate::model::session::{ExitStatus, Stage};
use crate::model::worktree::{BranchName, Worktree};

impl Worktrees {
    /// Finishes or takes back what servers before this one had begun. Until that
    /// is done, nothing else is begun.
    pub async fn recover(self: Arc<Self>) {
        let _turn = self.busy.lock().await;
        let intents = self.left_behind().await;
        let deleted = intents.iter().filter(|intent| matches!(intent.purpose, Purpose::Delete { .. }));
        let deleted: Vec<_> = deleted.map(|intent| intent.name.clone()).collect();
        for intent in intents {
            match (self.session_of(&intent).await, &intent.purpose) {
                (Some(id), Purpose::Create { .. }) => {
                    self.forget_once_saved(id, intent);
                    continue;
                }
                // What is being deleted was made before, and its branch stays.
                (None, Purpose::Create { .. }) if deleted.contains(&intent.name) => {}
                (None, Purpose::Create { .. }) if !self.take_back(&intent, false).await => continue,
                (None, Purpose::Create { .. }) => {}
                (id, Purpose::Delete { force }) => self.finish_deleting(&intent, id, *force).await,
            }
            self.forget(&intent).await;
        }
    }

    /// The session that the intent is about, if init has it. One whose program is
    /// just being started may yet turn out to be none.
    async fn session_of(&self, intent: &Intent) -> Option<SessionId> {
        let place = intent.place();
        let is_it = |worktree: &Option<Worktree>| worktree.as_ref().is_some_and(|worktree| worktree.path == place);
        let mut snapshots = self.registry.subscribe();
        let settled = snapshots.wait_for(|now| {
            let mut sessions = now.sessions.iter().map(|entry| &entry.record);
            !sessions.any(|record| is_it(&record.worktree) && record.state.stage == Stage::Starting)
        });
        let now = settled.await.ok()?;
        now.sessions.iter().find(|entry| is_it(&entry.record.worktree)).map(|entry| entry.record.id)
    }

    /// Takes back the worktree, and the branch if that was made for it and has
    /// nothing of its own. Without `force` a worktree that holds work stays.
    /// False if that has to be tried again.
    pub(super) async fn take_back(&self, intent: &Intent, force: bool) -> bool {
        let place = intent.place();
        match self.try_take_back(intent, &place, force).await {
            Ok(Outcome::Nothing) => true,
            Ok(Outcome::Removed) => {
                tracing::info!(worktree = place, "Took back the worktree of a session that was not made");
                true
            }
            Ok(Outcome::Kept(why)) => {
                tracing::warn!(
                    worktree = place,
                    why,
                    "The worktree of a session that was not made holds work and was kept; use it as the directory of a \
                     session, or `git worktree remove` it"
                );
                true
            }
            Err(fault) => {
                tracing::warn!(
                    worktree = place,
                    reason = %fault,
                    "The worktree of a session that was not made could not be taken back; this is tried again when the \
                     API server starts, or use `git worktree remove`"
                );
                false
            }
        }
    }

    async fn try_take_back(&self, intent: &Intent, place: &str, force: bool) -> Result<Outcome, Fault> {
        let Purpose::Create { made } = &intent.purpose else { return Ok(Outcome::Nothing) };
        let git = Git::new(&self.link, &intent.workspace);
        let all = listing::all(git).await?;
        let listed = listing::at(&all, place);
        if let Some(listed) = listed {
            if listed.is_unfinished() {
                git.must(&["worktree", "unlock", "--", place]).await?;
            } else if !force {
                let what_stays = what_stays(git, &all, listed, made.as_ref()).await?;
                if let Some(why) = what_stays {
                    return Ok(Outcome::Kept(why));
                }
            }
            git.must(&["worktree", "remove", "--force", "--", place]).await?;
        }
        if let Some((branch, commit)) = made {
            delete_branch(git, branch, commit).await?;
        }
        Ok(if listed.is_some() { Outcome::Removed } else { Outcome::Nothing })
    }

    /// A session that is still there may be ending already, so there is no way
    /// back.
    async fn finish_deleting(&self, intent: &Intent, id: Option<SessionId>, force: bool) {
        let place = intent.place();
        let done = async {
            if let Some(id) = id {
                return self.delete_in_turn(id, force).await;
            }
            let git = Git::new(&self.link, &intent.workspace);
            let all = listing::all(git).await?;
            match listing::at(&all, &place) {
                Some(listed) => {
                    // What the session wrote while it ended, nobody has seen yet.
                    remove::check(git, &all, listed, force).await?;
                    remove::remove(git, listed, force).await
                }
                None => Ok(()),
            }
        };
        if let Err(fault) = done.await {
            tracing::warn!(
                worktree = place,
                reason = %fault,
                "A session that was being deleted, or its worktree, could not be and was kept; look at it, then delete \
                 it again or use `git worktree remove`"
            );
        }
    }
}

/// What became of a worktree that was to be taken back.
#[derive(Debug)]
enum Outcome {
    Nothing,
    Removed,
    Kept(String),
}

/// What of somebody's is in the worktree, if anything.
async fn what_stays(
    git: Git<'_>,
    all: &[Listed],
    listed: &Listed,
    made: Option<&(BranchName, String)>,
) -> Result<Option<String>, Fault> {
    if listed.is_broken {
        return Ok(Some("its directory or its .git is gone".into()));
    }
    if let Some(reason) = &listed.locked {
        return Ok(Some(format!("it is locked: {reason}")));
    }
    if made.is_some_and(|(_, commit)| listed.head.as_ref() != Some(commit)) {
        return Ok(Some("it has commits of its own".into()));
    }
    let losses = losses::look(git, all, listed).await?;
    let changes = losses.changes.iter().map(|change| format!("{} {}", change.status, change.path));
    let all: Vec<String> = changes.chain(losses.commits.iter().cloned()).collect();
    Ok((!losses.is_nothing()).then(|| all.join(", ")))
}

/// Deletes a branch if it is still where it began.
async fn delete_branch(git: Git<'_>, branch: &BranchName, commit: &str) -> Result<(), Fault> {
    let reference = branch.reference();
    let is_there = git.run(&["show-ref", "--verify", "--quiet", "--", &reference]).await?;
    if is_there.status != ExitStatus::Code(0) {
        return Ok(());
    }
    let args = ["update-ref", "-d", &reference, commit];
    let finished = git.run(&args).await?;
    if finished.status != ExitStatus::Code(0) {
        let words = String::from_utf8_lossy(&finished.errors.bytes).into_owned();
        tracing::warn!(%branch, words, "A branch that was made for a session stays: it may have commits of its own");
        return Ok(());
    }
    // Which remote it followed. Without such a section git complains.
    git.run(&["config", "--local", "--remove-section", &format!("branch.{branch}")]).await.map(drop)
}
