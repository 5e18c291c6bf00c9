//! What would be lost with a worktree. Commits of a branch are not: the branch
//! stays. Neither are files that the repository ignores, by git's own rule.

use std::fmt;

use serde::Serialize;

use super::fault::Fault;
use super::git::Git;
use super::listing::Listed;
use super::submodules;
use crate::model::session::ExitStatus;
use crate::model::tool::HERE;
use crate::server::tool::Printed;

/// Named of each kind; the counts are whole as far as git told them.
const NAMED_MAX: usize = 20;

/// A file that differs from what is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The two letters of `git status --porcelain`; `??` is an untracked one.
    pub status: String,
    /// Its path in the worktree.
    pub path: String,
}

/// What would be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Losses {
    /// The worktree.
    pub worktree_path: String,
    /// The first changed and untracked files.
    pub changes: Vec<Change>,
    /// How many there are.
    pub change_count: usize,
    /// The first commits that are on no branch, no tag and no remote; those of a
    /// submodule with its path before them.
    pub commits: Vec<String>,
    /// How many there are, up to a few more than are named.
    pub commit_count: usize,
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let mut parts = Vec::new();
        if self.change_count > 0 {
            parts.push(counted(self.change_count, "changed or untracked file"));
        }
        if self.commit_count > 0 {
            parts.push(counted(self.commit_count, "commit") + " on no branch");
        }
        f.write_str(&parts.join(" and "))
    }
}

impl Losses {
    /// Whether there is nothing to lose.
    pub fn is_nothing(&self) -> bool {
        self.change_count == 0 && self.commit_count == 0
    }
}

/// Looks what would be lost with this one of `all` worktrees. Those that lie in
/// it go with it, and git's own look passes them over where they are ignored.
///
/// # Errors
/// What git says.
pub async fn look(git: Git<'_>, all: &[Listed], listed: &Listed) -> Result<Losses, Fault> {
    let path = listed.path.as_str();
    let mut losses = Losses { worktree_path: path.to_owned(), ..Losses::default() };
    look_into(&mut losses, git.at(path), path, "").await?;
    for inner in all.iter().filter(|inner| !inner.is_broken) {
        if let Some(place) = inner.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) {
            look_into(&mut losses, git.at(&inner.path), &inner.path, &format!("{place}/")).await?;
        }
    }
    Ok(losses)
}

/// Looks what would be lost with the traces of a worktree that was removed by
/// hand: its HEAD may be all that knows its commits.
///
/// # Errors
/// What git says.
pub async fn look_at_traces(git: Git<'_>, listed: &Listed) -> Result<Losses, Fault> {
    let mut losses = Losses { worktree_path: listed.path.clone(), ..Losses::default() };
    if let Some(head) = listed.head.as_deref().filter(|_| listed.branch.is_none()) {
        take_commits(&mut losses, git, &[], "", &[head, "--not", "--branches", "--tags", "--remotes"]).await?;
    }
    Ok(losses)
}

async fn look_into(losses: &mut Losses, git: Git<'_>, path: &str, place: &str) -> Result<(), Fault> {
    let flags = ["--porcelain=v1", "-z", "--untracked-files=normal", "--ignore-submodules=none", "--no-renames"];
    let status = git.must(&[&["status"], flags.as_slice()].concat()).await?;
    take_changes(losses, &status, place);
    let prefix = if place.is_empty() { String::new() } else { format!("{place}: ") };
    take_commits(losses, git, &[], &prefix, &["HEAD", "--not", "--branches", "--tags", "--remotes"]).await?;
    // A submodule's repository lies in the worktree's part of the main one and
    // goes with it. The letter in brackets makes a pattern of the name.
    let unpushed = ["HEAD", "--branches", "--glob=refs/stas[h]", "--not", "--remotes"];
    let mut seen = Vec::new();
    for submodule in submodules::present(git).await? {
        let dir = format!("{path}/{submodule}");
        seen.push(submodules::repository(git.at(&dir)).await?);
        take_commits(losses, git.at(&dir), &[], &format!("{place}{submodule}: "), &unpushed).await?;
    }
    for (name, dir) in submodules::repositories(git).await? {
        if !seen.contains(&dir) {
            // Where its files were may be nothing any more.
            take_commits(losses, git.at(&dir), &HERE, &format!("{place}{name}: "), &unpushed).await?;
        }
    }
    Ok(())
}

fn take_changes(losses: &mut Losses, status: &Printed, place: &str) {
    let text = String::from_utf8_lossy(&status.bytes);
    for entry in text.split('\0').filter(|entry| !entry.is_empty()) {
        losses.change_count += 1;
        if losses.changes.len() < NAMED_MAX {
            let (status, path) = entry.split_at_checked(3).unwrap_or(("", entry));
            losses.changes.push(Change { status: status.trim_end().to_owned(), path: format!("{place}{path}") });
        }
    }
}

async fn take_commits(
    losses: &mut Losses,
    git: Git<'_>,
    before: &[&str],
    prefix: &str,
    which: &[&str],
) -> Result<(), Fault> {
    let count = format!("--max-count={}", NAMED_MAX + 1);
    let args = [before, &["log", "--format=%h %s", "--no-show-signature", &count], which, &["--"]].concat();
    let finished = git.run(&args).await?;
    if finished.status != ExitStatus::Code(0) {
        let words = String::from_utf8_lossy(&finished.errors.bytes);
        // A branch without commits is checked out.
        let is_empty = words.contains("bad revision 'HEAD'");
        return if is_empty { Ok(()) } else { Err(git.failed(&args, &finished)) };
    }
    for line in String::from_utf8_lossy(&finished.output.bytes).lines() {
        losses.commit_count += 1;
        if losses.commits.len() < NAMED_MAX {
            losses.commits.push(format!("{prefix}{line}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_and_the_first_ones_named() {
        let mut bytes = b" M a file\0?? n\xc3\xa4w\nfile\0D  gone\0".to_vec();
        for n in 0..30 {
            bytes.extend_from_slice(format!("?? {n}\0").as_bytes());
        }
        let mut losses = Losses::default();
        take_changes(&mut losses, &Printed { bytes, is_cut: false }, "");
        assert_eq!((losses.change_count, losses.changes.len()), (33, NAMED_MAX));
        let first: Vec<_> = losses.changes.iter().take(3).map(|c| (c.status.as_str(), c.path.as_str())).collect();
        assert_eq!(first, [(" M", "a file"), ("??", "näw\nfile"), ("D", "gone")]);
        assert!(!losses.is_nothing());
        assert!(Losses::default().is_nothing());
    }
}
