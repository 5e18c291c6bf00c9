//! What would be lost with a worktree. Commits of a branch are not: the branch
//! stays. Neither are files that the repository ignores, by git's own rule.

use std::fmt;

use serde::Serialize;

use super::fault::Fault;
use super::git::Git;
use crate::model::session::ExitStatus;
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

/// Looks what would be lost with the worktree in which `git` runs.
///
/// # Errors
/// What git says.
pub async fn look(git: Git<'_>, path: &str) -> Result<Losses, Fault> {
    let mut losses = Losses { worktree_path: path.to_owned(), ..Losses::default() };
    let flags = ["--porcelain=v1", "-z", "--untracked-files=normal", "--ignore-submodules=none", "--no-renames"];
    let status = git.must(&[&["status"], flags.as_slice()].concat()).await?;
    take_changes(&mut losses, &status);
    take_commits(&mut losses, git, "", &["HEAD", "--not", "--branches", "--tags", "--remotes"]).await?;
    for submodule in submodules(git).await? {
        // Its repository lies in the worktree's part of the main one and goes
        // with it. The letter in brackets makes a pattern of the name.
        let unpushed = ["HEAD", "--branches", "--glob=refs/stas[h]", "--not", "--remotes"];
        let dir = format!("{path}/{submodule}");
        take_commits(&mut losses, git.at(&dir), &format!("{submodule}: "), &unpushed).await?;
    }
    Ok(losses)
}

/// Whether there are submodules with a repository in this worktree, with which
/// git removes it by force only.
///
/// # Errors
/// What git says.
pub async fn has_submodules(git: Git<'_>) -> Result<bool, Fault> {
    Ok(!submodules(git).await?.is_empty())
}

fn take_changes(losses: &mut Losses, status: &Printed) {
    let text = String::from_utf8_lossy(&status.bytes);
    for entry in text.split('\0').filter(|entry| !entry.is_empty()) {
        losses.change_count += 1;
        if losses.changes.len() < NAMED_MAX {
            let (status, path) = entry.split_at_checked(3).unwrap_or(("", entry));
            losses.changes.push(Change { status: status.trim_end().to_owned(), path: path.to_owned() });
        }
    }
}

async fn take_commits(losses: &mut Losses, git: Git<'_>, prefix: &str, which: &[&str]) -> Result<(), Fault> {
    let count = format!("--max-count={}", NAMED_MAX + 1);
    let args = [&["log", "--format=%h %s", "--no-show-signature", &count], which].concat();
    let finished = git.run(&args).await?;
    if finished.status != ExitStatus::Code(0) {
        let words = String::from_utf8_lossy(&finished.errors.bytes);
        // A branch without commits is checked out.
        let is_empty = words.contains("bad revision 'HEAD'") || words.contains("ambiguous argument 'HEAD'");
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

/// Paths of the submodules that have a repository, at any depth.
async fn submodules(git: Git<'_>) -> Result<Vec<String>, Fault> {
    // Looking for submodules costs several processes, and few have any.
    if git.run(&["ls-files", "--error-unmatch", "--", ".gitmodules"]).await?.status != ExitStatus::Code(0) {
        return Ok(Vec::new());
    }
    let printed = git.must(&["submodule", "status", "--recursive"]).await?;
    if printed.is_cut {
        return Err(Fault::TooMuch { command: "git submodule status" });
    }
    Ok(parse_submodules(&String::from_utf8_lossy(&printed.bytes)))
}

/// A line is a letter, the commit, the path, and maybe a description in
/// brackets. A dash for the letter means that there is no repository yet.
fn parse_submodules(text: &str) -> Vec<String> {
    let path = |line: &str| {
        let rest = line.get(1..)?.split_once(' ')?.1;
        let end = rest.rfind(" (").filter(|_| rest.ends_with(')')).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    };
    text.lines().filter(|line| !line.starts_with('-')).filter_map(path).collect()
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
        take_changes(&mut losses, &Printed { bytes, is_cut: false });
        assert_eq!((losses.change_count, losses.changes.len()), (33, NAMED_MAX));
        let first: Vec<_> = losses.changes.iter().take(3).map(|c| (c.status.as_str(), c.path.as_str())).collect();
        assert_eq!(first, [(" M", "a file"), ("??", "näw\nfile"), ("D", "gone")]);
        assert!(!losses.is_nothing());
        assert!(Losses::default().is_nothing());
    }

    #[test]
    fn only_submodules_with_a_repository_count() {
        let text = " 123 lib/a (heads/main)\n-456 lib/b\n+789 with (space) (v1)\nU000 bare\n";
        assert_eq!(parse_submodules(text), ["lib/a", "with (space)", "bare"]);
    }
}
