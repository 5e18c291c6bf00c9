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

/// A name's length as the kernel shows it, that of a kernel thread too.
const NAME_MAX: usize = 64;

/// What comes behind a name, `proc_pid_stat(5)`.
const FIGURES: &[u8] = b") S 11 12 13 34816 14 4194304 100 200 3 4 5 6 7 8 20 0 1 0 4242 12345678 321 \
    18446744073709551615 1 1 0 0 0 0 65536 3670020 1266777851 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

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
    let _ = (reader.stat(1), reader.memory(1), reader.words(1), reader.name(1));
    // Init reads the same with another parser, which relies on the kernel's form: a
    // process, which chooses its name, may not be two to them.
    let mut line = b"7 (".to_vec();
    line.extend(stat.iter().take(NAME_MAX).filter(|byte| !b"\0\n".contains(byte)));
    line.extend_from_slice(FIGURES);
    fs::write(root().join("proc/1/stat"), &line).expect("a file");
    let ours = reader.stat(1).expect("figures");
    let theirs = procfs::process::Stat::from_read(line.as_slice()).expect("figures");
    assert_eq!((ours.parent, ours.kernel_session, ours.start), (theirs.ppid, theirs.session, theirs.starttime));
    assert_eq!((ours.parent, ours.kernel_session, ours.start), (11, 13, 4242));
}
