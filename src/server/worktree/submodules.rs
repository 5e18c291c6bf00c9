//! The submodules of a worktree. Their repositories lie in the worktree's part of
//! the main one, also those of submodules that are checked out no more.

use std::fs;
use std::io;
use std::path::Path;

use super::fault::Fault;
use super::git::{Git, line};
use crate::model::session::ExitStatus;
use crate::server::disk::on_disk;

/// How deep their names and those of submodules in submodules may nest.
const DEPTH_MAX: usize = 16;

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
    let shown = modules.clone();
    let found = on_disk(move || {
        let mut found = Vec::new();
        collect(Path::new(&modules), "", DEPTH_MAX, &mut found).map(|()| found)
    });
    let denied = |words: String| Fault::Denied { words: format!("{shown}: {words}") };
    found.await.ok_or_else(|| denied("looking at it broke off".into()))?.map_err(|error| denied(error.to_string()))
}

/// A name may have slashes, so a directory is a repository or leads to some. One
/// that is may hold those of its own submodules.
fn collect(dir: &Path, name: &str, depth: usize, found: &mut Vec<(String, String)>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if depth == 0 || !entry.file_type()?.is_dir() {
            continue;
        }
        let (path, last) = (entry.path(), entry.file_name());
        let name = format!("{name}{}", last.to_string_lossy());
        if path.join("HEAD").exists() && path.join("objects").is_dir() {
            collect(&path.join("modules"), &format!("{name}/"), depth - 1, found)?;
            found.push((name, path.to_string_lossy().into_owned()));
        } else {
            collect(&path, &format!("{name}/"), depth - 1, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_found_at_any_depth() {
        let dir = tempfile::tempdir().unwrap();
        for repository in ["a", "lib/b", "lib/b/modules/c", "lib/not"] {
            fs::create_dir_all(dir.path().join(repository).join("objects")).unwrap();
        }
        for repository in ["a", "lib/b", "lib/b/modules/c"] {
            fs::write(dir.path().join(repository).join("HEAD"), "").unwrap();
        }
        let mut found = Vec::new();
        collect(dir.path(), "", DEPTH_MAX, &mut found).unwrap();
        found.sort();
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "lib/b", "lib/b/c"]);
        collect(&dir.path().join("nowhere"), "", DEPTH_MAX, &mut found).unwrap();
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn only_submodules_with_a_repository_count() {
        let text = " 123 lib/a (heads/main)\n-456 lib/b\n+789 with (space) (v1)\nU000 bare\n";
        assert_eq!(parse_submodules(text), ["lib/a", "with (space)", "bare"]);
    }
}
