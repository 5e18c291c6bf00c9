//! What has to be looked at or written in the workspace besides what git does, by
//! a short process with a session's rights: `quarterdeck workspace ACT`.
//!
//! The workspace belongs to the user of sessions, who can lay a link wherever
//! somebody else is going to write. So nobody else writes there: not init, and
//! not the API server, which may be nobody to that user and asks init for this.

mod place;
mod repositories;

use std::io::Write;
use std::mem::take;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// The words by which init runs it.
pub const WORDS: [&str; 2] = ["quarterdeck", "workspace"];

/// What can be asked for; every text is an absolute path, but for the pattern,
/// which begins like one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "paths")]
pub enum Act {
    /// Look what is at the place of a worktree.
    Look { workspace: String, place: String },
    /// Look whether something is there.
    Exists { path: String },
    /// Add a pattern to a repository's exclude file.
    Exclude { file: String, pattern: String },
    /// List the repositories of submodules below a directory.
    Repositories { directory: String },
}

/// What came of it, as one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Nothing is at the place, or an empty directory.
    Free,
    /// A directory with something in it is.
    Taken,
    /// Something else is, at this path.
    InTheWay(String, Obstacle),
    /// It is there.
    There,
    /// It is not.
    Absent,
    /// It is done.
    Done,
    /// Name and place of each.
    Repositories(Vec<(String, String)>),
    /// It could not be done; the words say why.
    Denied(String),
}

/// What is where a directory should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Obstacle {
    /// A symbolic link.
    Link,
    /// No directory.
    File,
}

impl Act {
    /// What the words behind [`WORDS`] ask for.
    fn read(words: &[String]) -> Option<Self> {
        let (act, paths) = words.split_first()?;
        if !paths.iter().all(|path| path.starts_with('/') && path.len() <= BYTES_MAX) {
            return None;
        }
        match (act.as_str(), paths.to_vec().as_mut_slice()) {
            ("look", [workspace, place]) => Some(Self::Look { workspace: take(workspace), place: take(place) }),
            ("exists", [path]) => Some(Self::Exists { path: take(path) }),
            ("exclude", [file, pattern]) => Some(Self::Exclude { file: take(file), pattern: take(pattern) }),
            ("repositories", [directory]) => Some(Self::Repositories { directory: take(directory) }),
            _ => None,
        }
    }

    /// As a command line, for [`run`] at the other end.
    #[must_use]
    pub fn into_words(self) -> Vec<String> {
        let act = match self {
            Self::Look { workspace, place } => vec!["look".into(), workspace, place],
            Self::Exists { path } => vec!["exists".into(), path],
            Self::Exclude { file, pattern } => vec!["exclude".into(), file, pattern],
            Self::Repositories { directory } => vec!["repositories".into(), directory],
        };
        WORDS.iter().map(|word| (*word).to_owned()).chain(act).collect()
    }
}

/// Most bytes of a path.
const BYTES_MAX: usize = 32 * 1024;

/// Whether init may run this for the server.
#[must_use]
pub fn is_permitted(argv: &[String]) -> bool {
    argv.split_at_checked(WORDS.len()).is_some_and(|(words, rest)| words == WORDS && Act::read(rest).is_some())
}

/// Does what the words ask for, and prints the answer.
#[must_use]
pub fn run(words: &[String]) -> Exit {
    let Some(act) = Act::read(words) else { return Exit::Usage };
    let text = serde_json::to_string(&answer(&act)).unwrap_or_default();
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => Exit::Success,
        Err(_) => Exit::Failure,
    }
}

fn answer(act: &Act) -> Answer {
    let denied = |error: std::io::Error| Answer::Denied(error.to_string());
    match act {
        Act::Look { workspace, place } => place::look(workspace, place),
        Act::Exists { path } if Path::new(path).exists() => Answer::There,
        Act::Exists { .. } => Answer::Absent,
        Act::Exclude { file, pattern } => {
            place::exclude(Path::new(file), pattern).map_or_else(denied, |()| Answer::Done)
        }
        Act::Repositories { directory } => {
            repositories::find(Path::new(directory)).map_or_else(denied, Answer::Repositories)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command, Parsed, parse};

    #[test]
    fn every_act_is_understood_as_it_was_meant() {
        let text = || "/a b/-c".to_owned();
        for act in [
            Act::Look { workspace: text(), place: text() },
            Act::Exists { path: text() },
            Act::Exclude { file: text(), pattern: "/x/".into() },
            Act::Repositories { directory: text() },
        ] {
            assert!(is_permitted(&act.clone().into_words()));
            let parsed = parse(act.clone().into_words().into_iter().map(Into::into));
            let Parsed::Run(Cli { command: Command::Workspace(args) }) = parsed else { panic!("{parsed:?}") };
            assert_eq!(Act::read(&args.words), Some(act));
        }
    }

    #[test]
    fn nothing_else_is_permitted() {
        let long = "/".repeat(BYTES_MAX + 1);
        for words in [
            &["quarterdeck"][..],
            &["quarterdeck", "workspace"],
            &["quarterdeck", "init", "exists", "/"],
            &["/quarterdeck", "workspace", "exists", "/"],
            &["quarterdeck", "workspace", "exists", "here"],
            &["quarterdeck", "workspace", "exists", "--help"],
            &["quarterdeck", "workspace", "exists", "/", "/"],
            &["quarterdeck", "workspace", "exists", &long],
            &["quarterdeck", "workspace", "look", "/"],
        ] {
            let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert!(!is_permitted(&argv), "{words:?}");
        }
    }

    #[test]
    fn what_is_asked_about_is_there_or_not() {
        let exists = |path: &str| answer(&Act::Exists { path: path.into() });
        assert_eq!((exists("/"), exists("/no/such/place")), (Answer::There, Answer::Absent));
    }
}
