//! The submodules of a worktree. Their repositories lie in the worktree's part of
//! the main one, also those of submodules that are checked out no more.

use super::fault::Fault;
use super::git::{Git, line};
use super::place::unclear;
use crate::model::session::ExitStatus;
use crate::workspace::{Act, Answer};

/// Paths of the submodules that are checked out, at any depth.
///
/// # Errors
/// What git says, or more of it than we can read.
pub async fn present(git: Git<'_>) -> Result<Vec<String>, Fault> {
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

/// The repository of the submodule in whose files `git` runs.
///
/// # Errors
/// What git says.
pub async fn repository(git: Git<'_>) -> Result<String, Fault> {
    Ok(line(&git.must(&["rev-parse", "--absolute-git-dir"]).await?))
}

/// Whether there are repositories of submodules with this worktree, with which
/// git removes it by force only.
///
/// # Errors
/// What git says, or what keeps us from looking.
pub async fn are_there(git: Git<'_>) -> Result<bool, Fault> {
    Ok(!present(git).await?.is_empty() || !repositories(git).await?.is_empty())
}

/// Name and place of each repository that the worktree's part of the main one
/// holds, whether its submodule is checked out or not.
///
/// # Errors
/// What git says, or what keeps us from looking.
pub async fn repositories(git: Git<'_>) -> Result<Vec<(String, String)>, Fault> {
    let modules = format!("{}/modules", repository(git).await?);
    match git.ask(Act::Repositories { directory: modules.clone() }).await? {
        Answer::Repositories(found) => Ok(found),
        Answer::Denied(words) => Err(Fault::Denied { words: format!("{modules}: {words}") }),
        other => Err(unclear(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_submodules_with_a_repository_count() {
        let text = " 123 lib/a (heads/main)\n-456 lib/b\n+789 with (space) (v1)\nU000 bare\n";
        assert_eq!(parse_submodules(text), ["lib/a", "with (space)", "bare"]);
    }
}
