//! Whom the kernel killed because memory ran out.
//!
//! `wait(2)` tells only of SIGKILL, whoever sent it; the kernel's counters tell
//! that it killed somebody. A session with a cgroup of its own has a counter
//! of its own. Else there is the container's, and a kill in it explains one
//! session leader's end unless it is accounted for already.

use std::path::{Path, PathBuf};

use crate::cgroups::file::{KeptFile, field};
use crate::cgroups::place::{Places, Version};

/// Room for `memory.events` and `memory.oom_control`.
const BUFFER_LEN: usize = 512;

/// A counter of OOM kills, kept open: it is asked when things are scarce.
#[derive(Debug)]
pub struct KillCount {
    file: KeptFile,
    /// The count up to which all is accounted for.
    accounted: u64,
}

impl KillCount {
    /// Opens a file that has a line `oom_kill`; what it says now is history.
    #[must_use]
    pub fn open(path: PathBuf) -> Option<Self> {
        let mut count = Self { file: KeptFile::existing(path)?, accounted: 0 };
        count.accounted = count.read()?;
        Some(count)
    }

    /// The container's own, where it has one.
    #[must_use]
    pub fn of_container(root: &Path) -> Option<Self> {
        let place = Places::find(root).memory?;
        let name = match place.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        Self::open(place.dirs.first()?.join(name))
    }

    fn read(&mut self) -> Option<u64> {
        field(self.file.read(&mut [0; BUFFER_LEN]).ok()?, "oom_kill")
    }

    /// How many kills are not accounted for; none if that can't be read now.
    pub fn open_kills(&mut self) -> Option<u64> {
        Some(self.read()?.saturating_sub(self.accounted))
    }

    /// Accounts for so many kills. Others that happened at the same time stay
    /// open for the other leaders that they ended.
    pub fn account(&mut self, kills: u64) {
        self.accounted = self.accounted.saturating_add(kills);
    }

    /// Accounts for all kills up to `kills`, but for none that has not
    /// happened.
    pub fn account_to(&mut self, kills: u64) {
        let happened = self.read().unwrap_or(0);
        self.accounted = self.accounted.max(kills.min(happened));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroups::fixture::Tree;

    const FILE: &str = "sys/fs/cgroup/memory/memory.oom_control";

    fn text(kills: u64) -> String {
        format!("oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n")
    }

    fn container() -> (Tree, KillCount) {
        let tree = Tree::new(&[
            ("proc/self/cgroup", "4:memory:/docker/abc\n"),
            ("proc/self/mountinfo", "1 0 0:1 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "700\n"),
            (FILE, &text(4)),
        ]);
        let count = KillCount::of_container(tree.root()).expect("a counter");
        (tree, count)
    }

    #[test]
    fn each_kill_explains_one_end() {
        let (tree, mut count) = container();
        assert_eq!(count.open_kills(), Some(0), "what was before init is history");
        tree.write(FILE, &text(6));
        for left in [2, 1] {
            assert_eq!(count.open_kills(), Some(left));
            count.account(1);
        }
        assert_eq!(count.open_kills(), Some(0));
    }

    #[test]
    fn what_the_server_has_accounted_for_explains_no_end() {
        let (tree, mut count) = container();
        tree.write(FILE, &text(6));
        count.account_to(6);
        assert_eq!(count.open_kills(), Some(0));
        count.account_to(5);
        count.account_to(u64::MAX);
        assert_eq!(count.open_kills(), Some(0));
        tree.write(FILE, &text(7));
        assert_eq!(count.open_kills(), Some(1), "nobody can account for what has not happened");
    }

    #[test]
    fn a_file_that_does_not_count_kills_is_none() {
        let tree = Tree::new(&[("memory.events", "low 0\nhigh 0\n")]);
        assert!(KillCount::open(tree.path("memory.events")).is_none());
        assert!(KillCount::open(tree.path("missing")).is_none());
        assert!(KillCount::of_container(tree.root()).is_none());
    }
}
