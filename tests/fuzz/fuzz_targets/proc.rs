//! What the kernel says below /proc and in cgroups. A program chooses its name and
//! its words, and whoever starts the container chooses mounts and groups.
//!
//! Parts of the input, divided by 0xff: `cgroup`, `mountinfo`, `stat`, and figures.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use procfs::FromRead;
use quarterdeck::cgroups::file::{field, meminfo, number};
use quarterdeck::cgroups::place::{Places, unified_group};
use quarterdeck::fuzzing::{ProcReader, shown};

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(4, |byte| *byte == 0xff);
    let mut next = || parts.next().unwrap_or_default();
    let (cgroup, mountinfo, stat, figures) = (next(), next(), next(), next());
    places(cgroup, mountinfo);
    processes(stat, figures);
    if let Ok(text) = std::str::from_utf8(figures) {
        let _ = number(text);
        for name in ["oom_kill", "anon", "", "MemTotal"] {
            let _ = (field(text, name), meminfo(text, name));
        }
    }
    let line = shown(figures);
    assert!(!line.chars().any(char::is_control) && line.chars().count() < 10_000, "{line:?}");
});

/// A directory of this process with what stands for /proc.
fn root() -> &'static PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let root = base.join(format!("quarterdeck-fuzz-{}", std::process::id()));
        for dir in ["proc/self", "proc/1", "sys/fs/cgroup/memory/a"] {
            fs::create_dir_all(root.join(dir)).expect("a directory");
        }
        fs::write(root.join("sys/fs/cgroup/memory/memory.usage_in_bytes"), "1").expect("a file");
        root
    })
}

fn places(cgroup: &[u8], mountinfo: &[u8]) {
    fs::write(root().join("proc/self/cgroup"), cgroup).expect("a file");
    fs::write(root().join("proc/self/mountinfo"), mountinfo).expect("a file");
    let found = Places::find(root());
    for place in [found.memory, found.pids, found.cpu, found.cpuacct].into_iter().flatten() {
        assert!(!place.dirs.is_empty(), "a place without a directory");
    }
    let _ = unified_group(root());
}

fn processes(stat: &[u8], figures: &[u8]) {
    for (name, text) in [("stat", stat), ("status", figures), ("cmdline", figures), ("comm", stat)] {
        fs::write(root().join("proc/1").join(name), text).expect("a file");
    }
    let mut reader = ProcReader::new(root());
    let told = reader.stat(1);
    let _ = (reader.memory(1), reader.words(1), reader.name(1));
    // Init reads the same with another parser: no process may be two to them.
    if let (Some(ours), Ok(theirs)) = (told, procfs::process::Stat::from_read(stat)) {
        assert_eq!((ours.parent, ours.kernel_session, ours.start), (theirs.ppid, theirs.session, theirs.starttime));
    }
}
