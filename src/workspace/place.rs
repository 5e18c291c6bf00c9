//! The directory below the workspace where worktrees lie.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Answer, Obstacle};
use crate::model::worktree::WORKTREES;

/// Larger exclude files are left alone.
const EXCLUDE_MAX: u64 = 1 << 20;

/// Looks at `place`, a worktree's directory below the workspace. A symbolic link
/// on the way would lead git out of the workspace.
pub fn look(workspace: &str, place: &str) -> Answer {
    let above = format!("{}/{WORKTREES}", workspace.trim_end_matches('/'));
    let denied = |path: &str, error: io::Error| Answer::Denied(format!("{path}: {error}"));
    for path in [above.as_str(), place] {
        let in_the_way = |what| Answer::InTheWay(path.to_owned(), what);
        match fs::symlink_metadata(path) {
            Ok(about) if about.is_symlink() => return in_the_way(Obstacle::Link),
            Ok(about) if !about.is_dir() => return in_the_way(Obstacle::File),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Answer::Free,
            Err(error) => return denied(path, error),
        }
    }
    match fs::read_dir(place).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Answer::Free,
        Ok(false) => Answer::Taken,
        Err(error) => denied(place, error),
    }
}

/// Adds `pattern` to the file, unless it has it.
///
/// # Errors
/// What the file system returns, or that the file is none that git would have.
pub fn exclude(file: &Path, pattern: &str) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_added_once_and_on_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("info/exclude");
        let text = || fs::read_to_string(&file).unwrap();
        exclude(&file, "/.worktrees/").unwrap();
        assert_eq!(text(), "/.worktrees/\n");
        exclude(&file, "/.worktrees/").unwrap();
        assert_eq!(text(), "/.worktrees/\n");
        fs::write(&file, "*.o").unwrap();
        exclude(&file, r"/a\ \[b]/.worktrees/").unwrap();
        assert_eq!(text(), "*.o\n/a\\ \\[b]/.worktrees/\n");
    }

    #[test]
    fn what_is_not_a_plain_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("exclude"));
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(exclude(&link, "/x/").is_err());
        assert_eq!(fs::read(&target).unwrap(), b"");
    }

    #[test]
    fn a_place_is_free_taken_or_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().to_str().unwrap();
        let place = format!("{workspace}/.worktrees/a");
        assert!(matches!(look(workspace, &place), Answer::Free));
        fs::create_dir_all(&place).unwrap();
        assert!(matches!(look(workspace, &place), Answer::Free));
        fs::write(format!("{place}/file"), "").unwrap();
        assert!(matches!(look(workspace, &place), Answer::Taken));
        fs::write(format!("{workspace}/.worktrees/b"), "").unwrap();
        assert!(matches!(look(workspace, &format!("{workspace}/.worktrees/b")), Answer::InTheWay(_, Obstacle::File)));
        fs::rename(format!("{workspace}/.worktrees"), format!("{workspace}/moved")).unwrap();
        std::os::unix::fs::symlink("moved", format!("{workspace}/.worktrees")).unwrap();
        assert!(matches!(look(workspace, &place), Answer::InTheWay(_, Obstacle::Link)));
    }
}
