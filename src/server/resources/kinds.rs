//! What is found in containers of many kinds: trees of files in
//! tests/fixtures/cgroups.
//!
//! All were read inside a running container and hold what the kernel said;
//! only names of groups and paths of the machine were changed. Version 1:
//! Docker 20.10 on Linux 6.18. Version 2: runc on Linux 6.1 with the groups,
//! limits and namespaces that the kind's own engine sets up; the one of
//! systemd-nspawn with its mounts and groups made by hand.

use std::path::{Path, PathBuf};

use super::reading::{Sample, Sampler};
use crate::model::resources::Source::{self, Cgroup1, Cgroup2, Host};

const MIB: u64 = 1024 * 1024;
/// `MemTotal` of the machine that the version 2 trees are from.
const SMALL_HOST: u64 = 759_284 * 1024;
/// The same of the version 1 trees.
const BIG_HOST: u64 = 24_684_096 * 1024;

const DOCKER: &str =
    "sys/fs/cgroup/system.slice/docker-3f05ee050f82c0145f1d88c94269c39dff0f07dbf8bba20aafd54b3a75dcaecc.scope";
const POD: &str = "sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/\
                   kubepods-burstable-pode03401ab_1ff2_44e3_8260_3d175888e4a7.slice/\
                   cri-containerd-3f05ee050f82c0145f1d88c94269c39dff0f07dbf8bba20aafd54b3a75dcaecc.scope";

fn tree(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroups").join(kind)
}

fn sample(kind: &str) -> Sample {
    Sampler::new(&tree(kind), None).sample()
}

/// Kind, source, directory of the memory files, limit and used bytes.
type Row = (&'static str, Source, Option<&'static str>, u64, u64);

const EXPECTED: [Row; 11] = [
    ("docker-v1-host-namespace", Cgroup1, Some("sys/fs/cgroup/memory"), 256 * MIB, 2_273_280),
    ("docker-v1-private-namespace", Cgroup1, Some("sys/fs/cgroup/memory"), 256 * MIB, 1_347_584),
    ("docker-v2-private-namespace", Cgroup2, Some("sys/fs/cgroup"), 256 * MIB, 629_944),
    ("docker-v2-host-namespace", Cgroup2, Some(DOCKER), 256 * MIB, 477_600),
    // The host's whole tree bound over a private namespace's view.
    ("docker-v2-bound-tree", Cgroup2, Some(DOCKER), 256 * MIB, 482_144),
    // The container may use 256 MiB, its pod only half of that.
    ("kubernetes-nested", Cgroup2, Some(POD), 128 * MIB, 538_096),
    // Limits are set on groups that the namespace hides.
    ("podman-rootless", Cgroup2, Some("sys/fs/cgroup"), SMALL_HOST, 553_376),
    ("systemd-nspawn", Cgroup2, Some("sys/fs/cgroup/init.scope"), SMALL_HOST, 845_720),
    // Version 2 is mounted without a memory controller, which version 1 has.
    ("hybrid-host", Cgroup1, Some("sys/fs/cgroup/memory/user.slice/session-3.scope"), BIG_HOST, 26_251_264),
    // The root group has no limit and no counter of its own.
    ("v2-root", Host, None, SMALL_HOST, 30_547_968),
    ("no-cgroup", Host, None, SMALL_HOST, 24_588_288),
];

#[test]
fn each_kind_of_container_is_read_where_it_is_accounted() {
    for (kind, source, dir, limit, used) in EXPECTED {
        let root = tree(kind);
        let mut sampler = Sampler::new(&root, None);
        let memory = sampler.fresh_memory();
        let expected_dir = dir.map(|dir| root.join(dir));
        assert_eq!(sampler.memory_dir(), expected_dir.as_deref(), "{kind}");
        assert_eq!((memory.source, memory.limit, memory.used()), (source, limit, used), "{kind}");
    }
}

#[test]
fn every_tree_is_in_the_table() {
    let trees = std::fs::read_dir(tree("")).expect("the trees").flatten();
    let mut names: Vec<String> = trees.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let mut kinds: Vec<&str> = EXPECTED.iter().map(|row| row.0).collect();
    names.sort();
    kinds.sort_unstable();
    assert_eq!(names, kinds);
}

#[test]
fn tasks_and_cpu_are_limited_as_the_container_was_started() {
    let docker = ["docker-v1-host-namespace", "docker-v1-private-namespace", "docker-v2-host-namespace"];
    let others = ["docker-v2-private-namespace", "docker-v2-bound-tree", "kubernetes-nested", "podman-rootless"];
    for kind in docker.iter().chain(&others) {
        let sample = sample(kind);
        assert_eq!(sample.cpu_limit_percent, Some(150.0), "{kind}");
        assert_eq!(sample.pids.map(|pids| (pids.current, pids.max)), Some((3, Some(100))), "{kind}");
    }
    for kind in ["systemd-nspawn", "hybrid-host", "v2-root", "no-cgroup"] {
        let sample = sample(kind);
        assert_eq!((sample.cpu_limit_percent, sample.pids.and_then(|pids| pids.max)), (None, None), "{kind}");
    }
}

#[test]
fn oom_kills_and_swap_are_shown_where_they_are_counted() {
    for (kind, source, ..) in EXPECTED {
        let sample = sample(kind);
        let kills = sample.oom.map(|oom| (oom.kills, oom.events.is_some()));
        let expected = (source != Host).then_some((0, source == Cgroup2));
        assert_eq!((kills, sample.memory.swap), (expected, Some(0)), "{kind}");
    }
}
