//! A session's own working tree of a git repository, `git-worktree(1)`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Below the workspace, the directory that holds every session's worktree.
pub const WORKTREES: &str = ".worktrees";

/// Longest branch name, in bytes. Git has no limit of its own; a file name has
/// one of 255 for each part between slashes.
pub const BRANCH_MAX: usize = 1000;

/// The name of a branch, by the rules of `git-check-ref-format(1)` with
/// `--branch`: whatever this lets pass is a name to git, and never an option,
/// a revision expression or a path out of `refs/heads`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

/// Why a text can't be the name of a branch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BranchError {
    /// No character at all.
    #[error("it is empty")]
    Empty,
    /// More than [`BRANCH_MAX`] bytes.
    #[error("it has {0} bytes; at most {BRANCH_MAX} are allowed")]
    TooLong(usize),
    /// Git would take it for an option, or for the branch before.
    #[error("it begins with a dash")]
    Dash,
    /// One of those that mean something to git or to a file system.
    #[error("it contains {0:?}")]
    BadCharacter(char),
    /// One of those that mean something to git.
    #[error("it contains {0:?}")]
    BadSequence(&'static str),
    /// A slash too many, at the start or the end or beside another.
    #[error("one of its parts between slashes is empty")]
    EmptyPart,
    /// A file that git does not look at.
    #[error("one of its parts between slashes begins with a dot")]
    DotPart,
    /// The name of a lock file.
    #[error("one of its parts between slashes ends in \".lock\"")]
    LockPart,
    /// Git has other meanings for some names.
    #[error("git does not take this name for a branch")]
    Reserved,
    /// It would be taken for one of a sentence.
    #[error("it ends in a dot")]
    FinalDot,
}

impl BranchName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a reference, which nothing else can be taken for.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl TryFrom<String> for BranchName {
    type Error = BranchError;

    fn try_from(text: String) -> Result<Self, BranchError> {
        if text.is_empty() {
            return Err(BranchError::Empty);
        }
        if text.len() > BRANCH_MAX {
            return Err(BranchError::TooLong(text.len()));
        }
        if text.starts_with('-') {
            return Err(BranchError::Dash);
        }
        let is_bad = |c: &char| c.is_ascii_control() || " ~^:?*[\\".contains(*c);
        if let Some(bad) = text.chars().find(is_bad) {
            return Err(BranchError::BadCharacter(bad));
        }
        if let Some(bad) = ["..", "@{"].into_iter().find(|bad| text.contains(bad)) {
            return Err(BranchError::BadSequence(bad));
        }
        for part in text.split('/') {
            match part {
                "" => return Err(BranchError::EmptyPart),
                _ if part.starts_with('.') => return Err(BranchError::DotPart),
                _ if part.ends_with(".lock") => return Err(BranchError::LockPart),
                _ => {}
            }
        }
        if text.ends_with('.') {
            return Err(BranchError::FinalDot);
        }
        if ["@", "HEAD"].contains(&text.as_str()) {
            return Err(BranchError::Reserved);
        }
        Ok(Self(text))
    }
}

impl From<BranchName> for String {
    fn from(name: BranchName) -> Self {
        name.0
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session's worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worktree {
    /// The branch it was made for; none if it was found with another one, or
    /// with none, checked out.
    pub branch: Option<BranchName>,
    /// Its directory, absolute.
    pub path: String,
}

impl Worktree {
    /// Where the worktree of the session `name` is.
    #[must_use]
    pub fn place(workspace: &str, name: &super::id::SessionName) -> String {
        format!("{}/{WORKTREES}/{name}", workspace.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::SessionName;

    fn branch(text: &str) -> Result<String, BranchError> {
        BranchName::try_from(text.to_owned()).map(String::from)
    }

    #[test]
    fn what_git_takes_is_taken() {
        for good in ["main", "feature/x-1", "ünïcode/日本", "a@b", "a.b", "v1.0", "lock", "a/b/c", "a'b\"c;d$(e)"] {
            assert_eq!(branch(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn what_git_could_take_for_something_else_is_refused() {
        for (bad, why) in [
            ("", BranchError::Empty),
            ("-b", BranchError::Dash),
            ("--upload-pack=x", BranchError::Dash),
            ("-", BranchError::Dash),
            ("../x", BranchError::BadSequence("..")),
            ("a..b", BranchError::BadSequence("..")),
            ("@{-1}", BranchError::BadSequence("@{")),
            ("a b", BranchError::BadCharacter(' ')),
            ("a\nb", BranchError::BadCharacter('\n')),
            ("a\0b", BranchError::BadCharacter('\0')),
            ("a\u{7f}", BranchError::BadCharacter('\u{7f}')),
            ("HEAD~1", BranchError::BadCharacter('~')),
            ("a:b", BranchError::BadCharacter(':')),
            ("a\\b", BranchError::BadCharacter('\\')),
            ("a*", BranchError::BadCharacter('*')),
            ("/a", BranchError::EmptyPart),
            ("a/", BranchError::EmptyPart),
            ("a//b", BranchError::EmptyPart),
            (".a", BranchError::DotPart),
            ("a/.b", BranchError::DotPart),
            ("a.lock", BranchError::LockPart),
            ("a.lock/b", BranchError::LockPart),
            ("a.", BranchError::FinalDot),
            ("@", BranchError::Reserved),
            ("HEAD", BranchError::Reserved),
        ] {
            assert_eq!(branch(bad), Err(why), "{bad:?}");
        }
        assert_eq!(branch(&"x".repeat(1001)), Err(BranchError::TooLong(1001)));
    }

    #[test]
    fn a_worktree_lies_below_the_workspace() {
        let name = SessionName::numbered(1);
        assert_eq!(Worktree::place("/w", &name), "/w/.worktrees/session-1");
        assert_eq!(Worktree::place("/", &name), "/.worktrees/session-1");
    }
}
