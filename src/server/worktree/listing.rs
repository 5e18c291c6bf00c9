//! Which worktrees a repository has: `git worktree list --porcelain`.

use super::fault::Fault;
use super::git::Git;
use crate::model::worktree::BranchName;

/// What git writes into the lock of a worktree that it has not finished making.
const UNFINISHED: &str = "initializing";

/// A worktree as git lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its directory.
    pub path: String,
    /// The commit that is checked out.
    pub head: Option<String>,
    /// The branch that is.
    pub branch: Option<BranchName>,
    /// Why it is locked, if it is.
    pub locked: Option<String>,
    /// Whether its directory or its `.git` is gone.
    pub is_broken: bool,
}

impl Listed {
    /// Whether git was ended while it made this one.
    pub fn is_unfinished(&self) -> bool {
        self.locked.as_deref() == Some(UNFINISHED)
    }
}

/// All worktrees, the main one first.
///
/// # Errors
/// What git says, or more of it than we can read.
pub async fn all(git: Git<'_>) -> Result<Vec<Listed>, Fault> {
    let printed = git.must(&["worktree", "list", "--porcelain"]).await?;
    if printed.is_cut {
        return Err(Fault::TooMuch { command: "git worktree list" });
    }
    Ok(parse(&String::from_utf8_lossy(&printed.bytes)))
}

/// The one in this directory.
pub fn at<'a>(all: &'a [Listed], path: &str) -> Option<&'a Listed> {
    all.iter().find(|listed| listed.path == path)
}

fn parse(text: &str) -> Vec<Listed> {
    let mut found: Vec<Listed> = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "worktree" {
            found.push(Listed { path: rest.to_owned(), ..Listed::default() });
        }
        let Some(listed) = found.last_mut() else { continue };
        match word {
            "HEAD" => listed.head = Some(rest.to_owned()),
            "branch" => {
                let name = rest.strip_prefix("refs/heads/").unwrap_or(rest);
                listed.branch = BranchName::try_from(name.to_owned()).ok();
            }
            "locked" => listed.locked = Some(rest.to_owned()),
            "prunable" => listed.is_broken = true,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_worktree_is_read() {
        let text = "worktree /w with space\nHEAD 12\nbranch refs/heads/main\n\n\
            worktree /w/.worktrees/ä\nHEAD 34\ndetached\nlocked\n\n\
            worktree /w/.worktrees/c\nHEAD 56\nbranch refs/heads/f/c\nlocked initializing\nprunable gitdir gone\n\n\
            worktree /w/bare\nbare\n\n";
        let found = parse(text);
        let branch = |text: &str| BranchName::try_from(text.to_owned()).ok();
        assert_eq!(
            found[0],
            Listed {
                path: "/w with space".into(),
                head: Some("12".into()),
                branch: branch("main"),
                ..Listed::default()
            }
        );
        assert_eq!((found[1].path.as_str(), &found[1].branch), ("/w/.worktrees/ä", &None));
        assert_eq!(found[1].locked.as_deref(), Some(""));
        assert!(!found[1].is_unfinished() && !found[1].is_broken);
        assert!(found[2].is_unfinished() && found[2].is_broken);
        assert_eq!(found[2].branch, branch("f/c"));
        assert_eq!(found[3].head, None);
        assert_eq!(at(&found, "/w/.worktrees/c"), Some(&found[2]));
        assert_eq!(at(&found, "/w"), None);
    }
}
