//! Repositories of submodules, which lie in that of a worktree.

use std::fs;
use std::io;
use std::path::Path;

/// How deep their names and those of submodules in submodules may nest.
const DEPTH_MAX: usize = 16;

/// Name and place of each repository below `modules`.
///
/// # Errors
/// What reading a directory returns.
pub fn find(modules: &Path) -> io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    collect(modules, "", DEPTH_MAX, &mut found).map(|()| found)
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
}
