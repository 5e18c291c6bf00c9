//! The figures of a session that has a cgroup of its own (`cgroups(7)`,
//! version 2) with a memory controller.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::file::{BUFFER_LEN, field};
use super::super::memory::GroupFiles;
use super::super::place::{Place, Places, Version};
use super::super::usage::CpuMeter;
use crate::model::id::SessionId;

/// A session's group.
#[derive(Debug)]
pub struct Group {
    files: GroupFiles,
    cpu: CpuMeter,
    dir: PathBuf,
    buffer: Box<[u8]>,
    kills: u64,
}

impl Group {
    /// The group of session `id`, if the container at `root` has one.
    #[must_use]
    pub fn find(root: &Path, id: SessionId) -> Option<Self> {
        let around = Places::find(root).memory.filter(|place| place.version == Version::V2)?;
        // Init, and with it this process, may be in a group beside it.
        let name = format!("quarterdeck-{id}");
        let found = around.dirs.iter().map(|dir| dir.join(&name)).find(|dir| dir.join("memory.current").exists())?;
        Some(Self::open(root, found))
    }

    fn open(root: &Path, dir: PathBuf) -> Self {
        let place = Place { version: Version::V2, dirs: vec![dir.clone()] };
        let cpu = CpuMeter::open(root, &Places { cpu: Some(place.clone()), ..Places::default() });
        let mut buffer = vec![0; BUFFER_LEN].into_boxed_slice();
        let mut files = GroupFiles::open(&place);
        let kills = files.oom(&mut buffer).map_or(0, |counts| counts.kills);
        Self { files, cpu, dir, buffer, kills }
    }

    /// Memory less what the kernel can drop, in bytes; none when the group is
    /// gone.
    pub fn memory(&mut self) -> Option<u64> {
        self.files.read(&mut self.buffer).ok().map(|reading| reading.used())
    }

    /// CPU used since the call before, percent of one core.
    pub fn cpu_percent(&mut self, now: Instant) -> Option<f64> {
        self.cpu.percent(now, &mut self.buffer)
    }

    /// How many processes are in it and in groups that they made below.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        count(&self.dir)
    }

    /// How many of its processes the kernel has killed since the call before,
    /// because memory ran out.
    pub fn new_kills(&mut self) -> u64 {
        let Some(counts) = self.files.oom(&mut self.buffer) else { return 0 };
        let new = counts.kills.saturating_sub(self.kills);
        self.kills = counts.kills;
        new
    }
}

/// Unlike the other figures, a list of processes is without the groups below.
fn count(dir: &Path) -> Option<usize> {
    let own = fs::read_to_string(dir.join("cgroup.procs")).ok()?.lines().count();
    let stat = fs::read_to_string(dir.join("cgroup.stat")).unwrap_or_default();
    if field(&stat, "nr_descendants").is_none_or(|groups| groups == 0) {
        return Some(own);
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Some(own + groups.filter_map(|group| count(&group.path())).sum::<usize>())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::fixture::Tree;
    use super::*;

    fn scene(own: &str) -> (Tree, SessionId) {
        let id = SessionId::random();
        let tree = Tree::new(&[
            ("proc/self/cgroup", &format!("0::{own}\n")),
            ("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
            ("sys/fs/cgroup/box/memory.current", "9000\n"),
            ("sys/fs/cgroup/box/init/memory.current", "100\n"),
        ]);
        let file = |name: &str, text: &str| tree.write(&format!("sys/fs/cgroup/box/quarterdeck-{id}/{name}"), text);
        file("memory.current", "5000\n");
        file("memory.stat", "inactive_file 1000\nactive_file 500\nslab_reclaimable 0\n");
        file("memory.events", "oom_kill 2\n");
        file("cpu.stat", "usage_usec 100\n");
        file("cgroup.procs", "7\n8\n9\n");
        (tree, id)
    }

    #[test]
    fn it_is_found_below_and_beside_init() {
        for own in ["/box", "/box/init"] {
            let (tree, id) = scene(own);
            let mut group = Group::find(tree.root(), id).expect(own);
            assert_eq!((group.memory(), group.count()), (Some(3500), Some(3)), "{own}");
            assert!(Group::find(tree.root(), SessionId::random()).is_none());
        }
    }

    #[test]
    fn processes_of_groups_below_count() {
        let (tree, id) = scene("/box");
        let group = Group::find(tree.root(), id).expect("a group");
        let dir = format!("sys/fs/cgroup/box/quarterdeck-{id}");
        tree.write(&format!("{dir}/a/cgroup.procs"), "17\n");
        tree.write(&format!("{dir}/a/cgroup.stat"), "nr_descendants 1\nnr_dying_descendants 0\n");
        tree.write(&format!("{dir}/a/b/cgroup.procs"), "18\n19\n");
        tree.write(&format!("{dir}/cgroup.stat"), "nr_descendants 2\nnr_dying_descendants 0\n");
        assert_eq!(group.count(), Some(6));
    }

    #[test]
    fn cpu_and_kills_are_what_came_since() {
        let (tree, id) = scene("/box");
        let mut group = Group::find(tree.root(), id).expect("a group");
        let dir = format!("sys/fs/cgroup/box/quarterdeck-{id}");
        let start = Instant::now();
        assert_eq!((group.cpu_percent(start), group.new_kills()), (None, 0), "what was before is not new");
        tree.write(&format!("{dir}/cpu.stat"), "usage_usec 500100\n");
        tree.write(&format!("{dir}/memory.events"), "oom_kill 5\n");
        assert_eq!(group.cpu_percent(start + Duration::from_secs(1)), Some(50.0));
        assert_eq!((group.new_kills(), group.new_kills()), (3, 0));
    }

    #[test]
    fn a_group_without_the_controller_is_none() {
        let (tree, id) = scene("/box");
        tree.remove(&format!("sys/fs/cgroup/box/quarterdeck-{id}/memory.current"));
        assert!(Group::find(tree.root(), id).is_none());
    }
}
