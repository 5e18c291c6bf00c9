//! Everything that can be wrong with a worktree, and what git says about it.

use std::io;

use super::losses::Losses;
use crate::model::worktree::BranchName;
use crate::server::link::RequestError;

/// Kept of what git said, in characters.
const WORDS_MAX: usize = 2000;

/// Why a worktree was not made, or not deleted: what happened, to what, and why.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each field is in the words of its fault")]
pub enum Fault {
    #[error("Init did not do its part: {0:?}")]
    Link(RequestError),
    #[error("Git is not installed")]
    NoGit,
    #[error("The directory {path} can't be entered: {}", io::Error::from_raw_os_error(*.errno))]
    NoDirectory { path: String, errno: i32 },
    #[error("The workspace {workspace} is not in a git repository")]
    NoRepository { workspace: String },
    #[error("Git does not use the repository of {workspace}, because it belongs to another user")]
    Untrusted { workspace: String },
    #[error(
        "The repository of {workspace} is a bare one, or the workspace lies in its .git: there are no files to work on"
    )]
    Bare { workspace: String },
    #[error("The repository of {workspace} has no commit that a branch could begin with")]
    NoCommits { workspace: String },
    #[error("A branch named {branch} exists already{}", checked_out(.at.as_ref()))]
    BranchExists { branch: BranchName, at: Option<String> },
    #[error("A branch stands in the way: {words}")]
    BranchInTheWay { words: String },
    #[error("There is no branch named {branch}, here or at a remote")]
    NoBranch { branch: BranchName },
    #[error("Several remotes have a branch named {branch}: {}", .remotes.join(", "))]
    ManyRemotes { branch: BranchName, remotes: Vec<String> },
    #[error("The branch {branch} is checked out at {at} already; git checks out a branch in one place only")]
    CheckedOut { branch: String, at: String },
    #[error("{what} is in the way at {path}")]
    InTheWay { path: String, what: &'static str },
    #[error("Git knows a worktree at {path}, but its directory or its .git file is gone")]
    Broken { path: String },
    #[error("The worktree {} holds work that would be lost: {}{}", .losses.worktree_path, .losses, after(*.is_session_removed))]
    Dirty { losses: Box<Losses>, is_session_removed: bool },
    #[error("The session is deleted, but its worktree {path} is still there: {why}")]
    Kept { path: String, why: String },
    #[error("The worktree {path} is locked{}", because(.reason))]
    Locked { path: String, reason: String },
    #[error("The session {session} works in the worktree {path} too")]
    InUse { path: String, session: String },
    #[error("Another git is at work in the repository, or was killed in the middle of it: {file} exists")]
    LockFile { file: String },
    #[error("The disk is full, or does not take what is written: {words}")]
    DiskFull { words: String },
    #[error("The file system does not allow it: {words}")]
    Denied { words: String },
    #[error("`{command}` was not ready in time and was ended")]
    Overdue { command: String },
    #[error("`{command}` was killed")]
    Killed { command: String },
    #[error("`{command}` failed: {words}")]
    Failed { command: String, words: String },
    #[error("`{command}` says more than can be read")]
    TooMuch { command: &'static str },
    #[error("What is about to be done could not be noted in {path}: {error}")]
    State { path: String, error: io::Error },
    #[error("There is no state directory to note in what is about to be done")]
    NoState,
}

fn checked_out(at: Option<&String>) -> String {
    at.map_or_else(String::new, |at| format!(" and is checked out at {at}"))
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn after(is_session_removed: bool) -> &'static str {
    if is_session_removed { "; the session wrote that while it ended, and is gone" } else { "" }
}

impl Fault {
    /// A name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Link(_) => "INIT_UNAVAILABLE",
            Self::NoGit => "GIT_MISSING",
            Self::NoDirectory { .. } => "WORKSPACE_UNUSABLE",
            Self::NoRepository { .. } => "NOT_A_REPOSITORY",
            Self::Untrusted { .. } => "REPOSITORY_NOT_TRUSTED",
            Self::Bare { .. } => "BARE_REPOSITORY",
            Self::NoCommits { .. } => "NO_COMMITS",
            Self::BranchExists { .. } | Self::BranchInTheWay { .. } => "BRANCH_EXISTS",
            Self::NoBranch { .. } => "BRANCH_NOT_FOUND",
            Self::ManyRemotes { .. } => "BRANCH_AMBIGUOUS",
            Self::CheckedOut { .. } => "BRANCH_CHECKED_OUT",
            Self::InTheWay { .. } => "WORKTREE_PATH_TAKEN",
            Self::Broken { .. } => "WORKTREE_BROKEN",
            Self::Dirty { .. } => "WORKTREE_DIRTY",
            Self::Kept { .. } => "WORKTREE_KEPT",
            Self::Locked { .. } => "WORKTREE_LOCKED",
            Self::InUse { .. } => "WORKTREE_IN_USE",
            Self::LockFile { .. } => "REPOSITORY_LOCKED",
            Self::DiskFull { .. } => "DISK_FULL",
            Self::Denied { .. } => "NOT_PERMITTED",
            Self::Overdue { .. } => "GIT_TIMEOUT",
            Self::Killed { .. } | Self::Failed { .. } | Self::TooMuch { .. } => "GIT_FAILED",
            Self::State { .. } | Self::NoState => "STATE_UNAVAILABLE",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::NoGit => "Install git in the image, or leave branch out.".into(),
            Self::NoDirectory { .. } => "Bring the directory back, or start with another --workspace.".into(),
            Self::NoRepository { workspace } => {
                format!("Run `git init` or `git clone` in {workspace}, or leave branch out.")
            }
            Self::Untrusted { workspace } => {
                format!("Run `git config --global --add safe.directory {workspace}`, or change the owner of the files.")
            }
            Self::Bare { .. } => "Use a clone of it as the workspace.".into(),
            Self::NoCommits { .. } => "Commit something first, or leave branch out.".into(),
            Self::BranchExists { at: Some(_), .. } | Self::BranchInTheWay { .. } => "Choose another branch.".into(),
            Self::BranchExists { .. } => "Choose another name, or set existingBranch to use it.".into(),
            Self::NoBranch { .. } => "Leave existingBranch out to make a new one, or `git fetch` it.".into(),
            Self::ManyRemotes { .. } => "Make the local branch by hand: `git branch NAME REMOTE/NAME`.".into(),
            Self::CheckedOut { .. } => {
                "Choose another branch; if that place is gone, `git worktree prune` makes git forget it.".into()
            }
            Self::InTheWay { .. } => "Move it away, or choose another name for the session.".into(),
            Self::Broken { .. } => "Run `git worktree repair` or `git worktree prune`.".into(),
            Self::Dirty { is_session_removed: true, .. } => {
                "Commit it there, or use `git worktree remove --force`.".into()
            }
            Self::Dirty { .. } => {
                "Commit it, leave deleteWorktree out to keep the worktree, or set force=true to lose it.".into()
            }
            Self::Kept { path, .. } => format!("Solve that, then run `git worktree remove {path}`."),
            Self::Locked { .. } => "Run `git worktree unlock` first, or leave deleteWorktree out.".into(),
            Self::InUse { .. } => "Delete that session first, or set force=true.".into(),
            Self::LockFile { file } => format!("Try again in a moment; if no git runs, remove {file}."),
            Self::DiskFull { .. } => "Free space on that disk.".into(),
            Self::Denied { .. } => "Make it writable for the user that sessions run as.".into(),
            Self::Overdue { .. } => "Look for a hook or a filter of the repository that waits for something.".into(),
            Self::State { .. } | Self::NoState => "Name a directory that can be written with --state-dir.".into(),
            Self::Link(_) | Self::Killed { .. } => "Try again in a moment.".into(),
            Self::Failed { .. } | Self::TooMuch { .. } => "Run the command by hand in the workspace.".into(),
        }
    }
}

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        Self::Link(error)
    }
}

impl Fault {
    /// Reads what git, speaking English, said when it failed in `dir`.
    pub fn told_by_git(command: String, dir: &str, words: &str) -> Self {
        let says = |text: &str| words.contains(text);
        let workspace = dir.to_owned();
        let all = || words.trim().chars().take(WORDS_MAX).collect::<String>();
        if says("not a git repository") {
            Self::NoRepository { workspace }
        } else if says("detected dubious ownership") {
            Self::Untrusted { workspace }
        } else if says("this operation must be run in a work tree") {
            Self::Bare { workspace }
        } else if ["No space left on device", "Disk quota exceeded", "unable to write"].into_iter().any(says) {
            Self::DiskFull { words: all() }
        } else if let Some(file) = quoted_after(words, "Unable to create '").filter(|_| says("File exists")) {
            Self::LockFile { file }
        } else if let Some(at) = quoted_after(words, "already used by worktree at '")
            .or_else(|| quoted_after(words, "already checked out at '"))
        {
            Self::CheckedOut { branch: quoted_after(words, "fatal: '").unwrap_or_default(), at }
        } else if says("exists; cannot create") || says("' exists; cannot") {
            Self::BranchInTheWay { words: all() }
        } else if let Some(path) = quoted_after(words, "fatal: '").filter(|_| says("' already exists")) {
            Self::InTheWay { path, what: "Something" }
        } else if let Some(path) = quoted_after(words, "fatal: '").filter(|_| says("missing but already registered")) {
            Self::Broken { path }
        } else if says("Permission denied") || says("Read-only file system") {
            Self::Denied { words: all() }
        } else {
            Self::Failed { command, words: all() }
        }
    }
}

/// The text between `start`, which ends in a quote, and the last quote of its
/// line: names of files may have quotes in them.
fn quoted_after(words: &str, start: &str) -> Option<String> {
    let (_, rest) = words.split_once(start)?;
    let rest = rest.lines().next()?;
    // Behind the name of a lock file comes the reason, without quotes.
    let end = rest.find("' is ").or_else(|| rest.find("' already ")).or_else(|| rest.rfind('\''))?;
    Some(rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &str) -> Fault {
        Fault::told_by_git("git worktree add".into(), "/w", words)
    }

    #[test]
    fn what_git_says_is_understood() {
        let no_repository = told("fatal: not a git repository (or any of the parent directories): .git\n");
        assert!(matches!(no_repository, Fault::NoRepository { workspace } if workspace == "/w"));
        assert!(matches!(told("fatal: detected dubious ownership in repository at '/w'\n"), Fault::Untrusted { .. }));
        for (words, file) in [
            (
                "fatal: cannot lock ref 'refs/heads/k': Unable to create '/w/.git/k.lock': File exists.\n",
                "/w/.git/k.lock",
            ),
            ("fatal: Unable to create '/w/it's/index.lock': File exists.\n\nAnother", "/w/it's/index.lock"),
        ] {
            assert!(matches!(told(words), Fault::LockFile { file: found } if found == file), "{words}");
        }
        for words in [
            "fatal: 'x' is already used by worktree at '/w/.worktrees/o'ne'\n",
            "fatal: 'x' is already checked out at '/w/.worktrees/o'ne'\n",
        ] {
            let found = told(words);
            assert!(
                matches!(&found, Fault::CheckedOut { branch, at } if branch == "x" && at == "/w/.worktrees/o'ne"),
                "{found:?}"
            );
        }
        let words = "fatal: cannot lock ref 'refs/heads/x/y': 'refs/heads/x' exists; cannot create 'refs/heads/x/y'\n";
        assert!(matches!(told(words), Fault::BranchInTheWay { .. }));
        assert!(
            matches!(told("fatal: '/w/.worktrees/x' already exists\n"), Fault::InTheWay { path, .. } if path == "/w/.worktrees/x")
        );
        let words = "fatal: '/w/.worktrees/x' is a missing but already registered worktree;\nuse 'add -f' to override";
        assert!(matches!(told(words), Fault::Broken { path } if path == "/w/.worktrees/x"));
        let words = "error: unable to write file big: No space left on device\nfatal: x";
        assert!(matches!(told(words), Fault::DiskFull { .. }));
        // While it checks out files, git does not say why.
        assert!(matches!(told("error: unable to write file big\nfatal: Could not reset"), Fault::DiskFull { .. }));
        assert!(matches!(told("fatal: could not create directory of 'x': Permission denied\n"), Fault::Denied { .. }));
        assert!(matches!(told("fatal: what?\n"), Fault::Failed { words, .. } if words == "fatal: what?"));
    }
}
