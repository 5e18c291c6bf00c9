//! Where the double lies, and how it is told to rage.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::kinds::Rage;

/// Beside the executable: what it is to do as a server, if not its work.
const RAGE: &str = "rage";
/// Beside the executable: what a hostile server did that it must not be able to do.
const BREACH: &str = "breach";
/// Beside the executable, with the process id: how much a hostile server has done.
const ACTS: &str = "acts-";

/// Beside the executable: made by a program that a tool ran and must not run.
pub const RUN: &str = "run";

/// What this process was told, being a server.
pub fn rage() -> Option<Rage> {
    fs::read_to_string(beside(RAGE)).ok()?.parse().ok()
}

/// Tells the test, from the double, what it has done so far.
pub fn tell_acts(count: u64) {
    // At no moment may the test find half of it.
    let own = std::process::id();
    let (part, whole) = (beside(&format!("part-{own}")), beside(&format!("{ACTS}{own}")));
    let _ = fs::write(&part, count.to_string()).and_then(|()| fs::rename(part, whole));
}

/// Tells the test, from the double, that a wall has a hole.
pub fn tell_breach(what: &str) {
    let _ = fs::write(beside(BREACH), what);
}

pub fn beside(name: &str) -> PathBuf {
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
        // The server may be somebody else than we are.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).expect("rights");
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

    /// Whether a tool ran a program of the double's choice.
    pub fn has_run(&self) -> bool {
        self.path().join(RUN).exists()
    }

    /// How many hostile servers there were, and what they did in all.
    pub fn acts(&self) -> (usize, u64) {
        let files = fs::read_dir(self.path()).expect("the directory").flatten();
        let of_servers = files.filter(|file| file.file_name().to_string_lossy().starts_with(ACTS));
        let counts: Vec<u64> =
            of_servers.filter_map(|file| fs::read_to_string(file.path()).ok()?.parse().ok()).collect();
        (counts.len(), counts.iter().sum())
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}
