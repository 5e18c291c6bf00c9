//! The directory below the workspace where worktrees lie.

use std::path::Path;

use super::fault::Fault;
use super::git::Git;
use crate::model::worktree::WORKTREES;
use crate::workspace::{Act, Answer, Obstacle};

/// What is at the place of a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Nothing, or an empty directory.
    Free,
    /// A directory with something in it.
    Taken,
}

/// Looks at `place`, a worktree's directory below the workspace. A symbolic link
/// on the way would lead git out of the workspace.
///
/// # Errors
/// What is in the way.
pub async fn look(git: Git<'_>, workspace: &str, place: &str) -> Result<Ground, Fault> {
    let act = Act::Look { workspace: workspace.into(), place: place.into() };
    match git.ask(act).await? {
        Answer::Free => Ok(Ground::Free),
        Answer::Taken => Ok(Ground::Taken),
        Answer::InTheWay(path, Obstacle::Link) => Err(Fault::InTheWay { path, what: "A symbolic link" }),
        Answer::InTheWay(path, Obstacle::File) => Err(Fault::InTheWay { path, what: "A file" }),
        Answer::Denied(words) => Err(Fault::Denied { words }),
        other => Err(unclear(&other)),
    }
}

/// Whether something is there. What can't be looked at is not.
///
/// # Errors
/// Nobody could look.
pub async fn is_there(git: Git<'_>, path: &str) -> Result<bool, Fault> {
    Ok(git.ask(Act::Exists { path: path.into() }).await? == Answer::There)
}

/// Keeps the worktrees out of `git status` of the repository, whose exclude file
/// this is; `prefix` is the workspace's path in it, with a slash at the end. A
/// repository that can't be told shows them as untracked, which harms nobody.
pub async fn exclude(git: Git<'_>, file: &Path, prefix: &str) {
    let act = Act::Exclude { file: file.to_string_lossy().into_owned(), pattern: pattern(prefix) };
    let error = match git.ask(act).await {
        Ok(Answer::Done) => return,
        Ok(Answer::Denied(words)) => words,
        Ok(other) => unclear(&other).to_string(),
        Err(fault) => fault.to_string(),
    };
    tracing::warn!(
        file = %file.display(),
        error,
        "The directory of worktrees could not be excluded from `git status`; add `{WORKTREES}/` to that file"
    );
}

/// An answer to another question.
pub fn unclear(answer: &Answer) -> Fault {
    Fault::Denied { words: format!("looking at the workspace gave {answer:?}") }
}

/// The directory and nothing else, as `gitignore(5)` has it.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::from("/");
    for c in prefix.chars() {
        if "\\*?[ ".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + WORKTREES + "/"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_means_one_directory() {
        assert_eq!(pattern(""), "/.worktrees/");
        assert_eq!(pattern("a [b]/"), "/a\\ \\[b]/.worktrees/");
    }
}
