//! Where the memory figures are: cgroup v2, cgroup v1, or the host.
//!
//! Which of them applies is decided by where a memory controller really is for
//! this process, not by what is mounted: a host may mount v2 without one
//! beside v1 (`cgroups(7)`, `/proc/self/cgroup`).

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::resources::{MemoryReading, Source};

/// Reads memory under the file system root `root` (another one in tests).
pub fn read(root: &Path) -> MemoryReading {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let host = host(root);
    let found = read_v2(root, &groups).or_else(|| read_v1(root, &groups)).unwrap_or(host);
    MemoryReading { limit: found.limit.min(host.limit), ..found }
}

fn read_v2(root: &Path, groups: &str) -> Option<MemoryReading> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount = ["sys/fs/cgroup", "sys/fs/cgroup/unified"].map(|m| root.join(m));
    let dirs: Vec<PathBuf> = mount.iter().flat_map(|m| upwards(m, path)).collect();
    let dir = dirs.iter().find(|dir| dir.join("memory.current").is_file())?;
    let stat = fs::read_to_string(dir.join("memory.stat")).ok()?;
    Some(MemoryReading {
        current: number(&dir.join("memory.current"))?,
        limit: dirs.iter().filter_map(|dir| number(&dir.join("memory.max"))).min().unwrap_or(u64::MAX),
        inactive_file: field(&stat, "inactive_file"),
        active_file: field(&stat, "active_file"),
        slab_reclaimable: field(&stat, "slab_reclaimable"),
        source: Source::Cgroup2,
    })
}

fn read_v1(root: &Path, groups: &str) -> Option<MemoryReading> {
    let path = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        controllers.split(',').any(|c| c == "memory").then(|| parts.next()).flatten()
    })?;
    let dirs = upwards(&root.join("sys/fs/cgroup/memory"), path);
    let dir = dirs.iter().find(|dir| dir.join("memory.usage_in_bytes").is_file())?;
    let stat = fs::read_to_string(dir.join("memory.stat")).ok()?;
    Some(MemoryReading {
        current: number(&dir.join("memory.usage_in_bytes"))?,
        limit: dirs.iter().filter_map(|dir| number(&dir.join("memory.limit_in_bytes"))).min().unwrap_or(u64::MAX),
        inactive_file: field(&stat, "total_inactive_file"),
        active_file: field(&stat, "total_active_file"),
        // Version 1 does not count kernel slab in usage_in_bytes.
        slab_reclaimable: 0,
        source: Source::Cgroup1,
    })
}

/// The group's directory and its ancestors as far as this mount shows them:
/// in a cgroup namespace or a container the group may be the mount's root.
fn upwards(mount: &Path, path: &str) -> Vec<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    relative.ancestors().map(|part| mount.join(part)).collect()
}

fn host(root: &Path) -> MemoryReading {
    let text = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let kib = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    let (total, free) = (kib("MemTotal"), kib("MemFree") + kib("Buffers"));
    MemoryReading {
        current: total.saturating_sub(free),
        limit: total,
        inactive_file: kib("Inactive(file)"),
        active_file: kib("Active(file)"),
        slab_reclaimable: kib("SReclaimable"),
        source: Source::Host,
    }
}

/// The number in a file; none for "max" or a file that is not there.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn field(stat: &str, name: &str) -> u64 {
    let value = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Tree(PathBuf);

    impl Tree {
        fn new(files: &[(&str, &str)]) -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("quarterdeck-cgroup-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let root = std::env::temp_dir().join(name);
            for (path, text) in files.iter().chain(&[("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 400 kB\n")]) {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn v2_takes_the_tightest_limit_of_the_ancestors() {
        let tree = Tree::new(&[
            ("proc/self/cgroup", "0::/pod/app\n"),
            ("sys/fs/cgroup/pod/app/memory.current", "500\n"),
            ("sys/fs/cgroup/pod/app/memory.max", "max\n"),
            ("sys/fs/cgroup/pod/app/memory.stat", "anon 1\nactive_file 30\ninactive_file 20\nslab_reclaimable 5\n"),
            ("sys/fs/cgroup/pod/memory.max", "600\n"),
        ]);
        let reading = read(&tree.0);
        assert_eq!((reading.source, reading.current, reading.limit, reading.used()), (Source::Cgroup2, 500, 600, 445));
    }

    #[test]
    fn v1_is_found_beside_a_v2_mount_without_memory() {
        let tree = Tree::new(&[
            ("proc/self/cgroup", "4:memory:/docker/abc\n0::/docker/abc\n"),
            ("sys/fs/cgroup/unified/cgroup.procs", "1\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "700\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 100\ntotal_active_file 50\n"),
        ]);
        let reading = read(&tree.0);
        assert_eq!((reading.source, reading.limit, reading.used()), (Source::Cgroup1, 1_024_000, 550));
    }

    #[test]
    fn without_a_group_the_host_counts() {
        let tree = Tree::new(&[("proc/self/cgroup", "")]);
        let reading = read(&tree.0);
        assert_eq!((reading.source, reading.limit, reading.used()), (Source::Host, 1_024_000, 614_400));
    }
}
