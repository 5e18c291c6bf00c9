//! The directories that init has made and opened for this process.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::model::settings::Settings;

/// Held open for as long as the server runs.
#[derive(Debug)]
pub struct Directories(Vec<OwnedFd>);

impl Directories {
    /// Takes them, and has `settings` name them so that this user can go there.
    pub fn take(state: Option<OwnedFd>, log: Option<OwnedFd>, settings: &mut Settings) -> Self {
        for (path, held) in [(&mut settings.state_dir, &state), (&mut settings.log.dir, &log)] {
            if let (Some(path), Some(held)) = (path, held) {
                *path = way(path, held);
            }
        }
        Self([state, log].into_iter().flatten().collect())
    }

    /// Where files may be written.
    pub fn writable(&self) -> Vec<BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd).collect()
    }
}

/// The path that people know, if it leads there. A directory above may be closed
/// to this user; then the open one is the way.
fn way(path: &Path, held: &OwnedFd) -> PathBuf {
    let through = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let id = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino()));
    match (id(path), id(&through)) {
        (Err(_), Ok(_)) => through,
        (Ok(one), Ok(other)) if one != other => through,
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_kept_unless_it_leads_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let (state, other) = (dir.path().join("state"), dir.path().join("other"));
        fs::create_dir(&state).unwrap();
        let held: OwnedFd = fs::File::open(&state).unwrap().into();
        assert_eq!(way(&state, &held), state);
        fs::rename(&state, &other).unwrap();
        for _ in 0..2 {
            let found = way(&state, &held);
            fs::write(found.join("file"), "").unwrap();
            assert!(other.join("file").exists());
            fs::remove_file(other.join("file")).unwrap();
            // The second time around another one lies there.
            fs::create_dir_all(&state).unwrap();
        }
    }
}
