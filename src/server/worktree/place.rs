//! The directory below the workspace where worktrees lie.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use crate::model::worktree::WORKTREES;
use crate::server::disk::on_disk;

/// Larger exclude files are left alone.
const EXCLUDE_MAX: u64 = 1 << 20;

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
pub async fn look(workspace: &str, place: &str) -> Result<Ground, Fault> {
    let (workspace, place) = (workspace.to_owned(), place.to_owned());
    let looked = on_disk(move || try_look(&workspace, &place)).await;
    looked.unwrap_or_else(|| Err(Fault::Denied { words: "looking at it broke off".into() }))
}

fn try_look(workspace: &str, place: &str) -> Result<Ground, Fault> {
    let above = format!("{}/{WORKTREES}", workspace.trim_end_matches('/'));
    for path in [above.as_str(), place] {
        let in_the_way = |what| Err(Fault::InTheWay { path: path.to_owned(), what });
        match fs::symlink_metadata(path) {
            Ok(about) if about.is_symlink() => return in_the_way("A symbolic link"),
            Ok(about) if !about.is_dir() => return in_the_way("A file"),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ground::Free),
            Err(error) => return Err(Fault::Denied { words: format!("{path}: {error}") }),
        }
    }
    let mut entries = fs::read_dir(place).map_err(|error| Fault::Denied { words: format!("{place}: {error}") })?;
    Ok(if entries.next().is_none() { Ground::Free } else { Ground::Taken })
}

/// Keeps the worktrees out of `git status` of the repository, whose exclude file
/// this is; `prefix` is the workspace's path in it, with a slash at the end. A
/// repository that can't be told shows them as untracked, which harms nobody.
pub async fn exclude(file: PathBuf, prefix: &str) {
    let (shown, pattern) = (file.display().to_string(), pattern(prefix));
    if let Some(Err(error)) = on_disk(move || try_exclude(&file, &pattern)).await {
        tracing::warn!(
            file = shown,
            %error,
            "The directory of worktrees could not be excluded from `git status`; add `{WORKTREES}/` to that file"
        );
    }
}

fn try_exclude(file: &Path, pattern: &str) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    // Opening a pipe that lies there would wait for somebody.
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let mut file = OpenOptions::new().read(true).append(true).create(true).custom_flags(flags).open(file)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > EXCLUDE_MAX {
        return Err(io::Error::other("it is no file of the usual size"));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    if text.split(|byte| *byte == b'\n').any(|line| line == pattern.as_bytes()) {
        return Ok(());
    }
    let start = if text.is_empty() || text.ends_with(b"\n") { "" } else { "\n" };
    file.write_all(format!("{start}{pattern}\n").as_bytes())
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
    fn the_pattern_is_added_once_and_on_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("info/exclude");
        let text = || fs::read_to_string(&file).unwrap();
        try_exclude(&file, &pattern("")).unwrap();
        assert_eq!(text(), "/.worktrees/\n");
        try_exclude(&file, &pattern("")).unwrap();
        assert_eq!(text(), "/.worktrees/\n");
        fs::write(&file, "*.o").unwrap();
        try_exclude(&file, &pattern("a [b]/")).unwrap();
        assert_eq!(text(), "*.o\n/a\\ \\[b]/.worktrees/\n");
    }

    #[test]
    fn what_is_not_a_plain_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("exclude"));
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(try_exclude(&link, "/x/").is_err());
        assert_eq!(fs::read(&target).unwrap(), b"");
    }

    #[test]
    fn a_place_is_free_taken_or_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().to_str().unwrap();
        let place = format!("{workspace}/.worktrees/a");
        assert!(matches!(try_look(workspace, &place), Ok(Ground::Free)));
        fs::create_dir_all(&place).unwrap();
        assert!(matches!(try_look(workspace, &place), Ok(Ground::Free)));
        fs::write(format!("{place}/file"), "").unwrap();
        assert!(matches!(try_look(workspace, &place), Ok(Ground::Taken)));
        fs::write(format!("{workspace}/.worktrees/b"), "").unwrap();
        assert!(matches!(try_look(workspace, &format!("{workspace}/.worktrees/b")), Err(Fault::InTheWay { .. })));
        fs::rename(format!("{workspace}/.worktrees"), format!("{workspace}/moved")).unwrap();
        std::os::unix::fs::symlink("moved", format!("{workspace}/.worktrees")).unwrap();
        assert!(matches!(try_look(workspace, &place), Err(Fault::InTheWay { what: "A symbolic link", .. })));
    }
}
