//! Where the double lies, and how it is told to rage.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::kinds::Rage;

/// Beside the executable: what it is to do as a server, if not its work.
const RAGE: &str = "rage";
/// Beside the executable: what a hostile server did that it must not be able to do.
const BREACH: &str = "breach";

/// What this process was told, being a server.
pub fn rage() -> Option<Rage> {
    fs::read_to_string(beside(RAGE)).ok()?.parse().ok()
}

/// Tells the test, from the double, that a wall has a hole.
pub fn tell_breach(what: &str) {
    let _ = fs::write(beside(BREACH), what);
}

fn beside(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name(name)
}

/// A directory with this program in it, as init finds its own.
pub struct Berth {
    dir: TempDir,
}

impl Berth {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("quarterdeck-hostile-").tempdir().expect("a directory");
        let own = std::env::current_exe().expect("this program's path");
        let place = dir.path().join("quarterdeck");
        // A link costs nothing, but not every two directories are on one disk.
        fs::hard_link(&own, &place).or_else(|_| fs::copy(&own, &place).map(drop)).expect("a copy of this program");
        Self { dir }
    }

    pub fn binary(&self) -> PathBuf {
        self.dir.path().join("quarterdeck")
    }

    /// Every server that starts from now on rages so.
    pub fn tell(&self, rage: Rage) {
        let path = self.dir.path().join("told");
        fs::write(&path, rage.to_string()).expect("a file");
        fs::rename(path, self.dir.path().join(RAGE)).expect("a new name");
    }

    /// Every server that starts from now on does its work.
    pub fn calm(&self) {
        fs::remove_file(self.dir.path().join(RAGE)).expect("no rage");
    }

    /// What the double could do and must not.
    pub fn breach(&self) -> Option<String> {
        fs::read_to_string(self.path().join(BREACH)).ok()
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}
