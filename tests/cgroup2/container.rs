//! What a container engine does around init.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::group::Group;
use crate::support::{Quarterdeck, Setup, eventually};

/// Memory of the container.
pub const LIMIT: u64 = 192 << 20;

/// Makes the group in which init is born the root of its cgroup namespace, and
/// shows that at the usual place, writable.
const NAMESPACE: &str = "exec unshare --cgroup /bin/sh -c \
    'umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$0\" \"$@\"' \"$0\" \"$@\"";

/// A group with all controllers and a memory limit.
pub fn group() -> Group {
    for controller in ["memory", "pids", "cpu"] {
        fs::write("/sys/fs/cgroup/cgroup.subtree_control", format!("+{controller}")).expect("a controller");
    }
    Group::with_memory(LIMIT)
}

/// Quarterdeck as PID 1 in `group`, which is all it sees of the hierarchy;
/// `before` are shell commands that run there before it.
pub fn start_after(before: &str, group: &Group, args: &[&str]) -> Quarterdeck {
    launch(&format!("{}; {before} {NAMESPACE}", group.join()), args)
}

/// Quarterdeck as PID 1 after these shell commands. It listens before it looks
/// at its group.
pub fn launch(before: &str, args: &[&str]) -> Quarterdeck {
    let quarterdeck = Quarterdeck::launch(&Setup { args, pid1: true, before, ..Setup::default() });
    quarterdeck.log().wait_for_message("API server ready");
    quarterdeck
}

pub fn start(group: &Group, args: &[&str]) -> Quarterdeck {
    start_after("", group, args)
}

/// The process ids in a group, as seen from outside of the container.
pub fn members(dir: &Path) -> Vec<i32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    text.lines().map(|line| line.parse().expect("a process id")).collect()
}

/// The group of a session.
pub fn of_session(group: &Group, id: &str) -> PathBuf {
    group.dir().join(format!("quarterdeck-{id}"))
}

/// One file of a group, without the last newline.
#[track_caller]
pub fn file(dir: &Path, name: &str) -> String {
    let path = dir.join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).trim_end().to_owned()
}

/// A figure of a file such as `memory.events`.
#[track_caller]
pub fn event(dir: &Path, of: &str, name: &str) -> u64 {
    let events = file(dir, of);
    let figure = events.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    figure.unwrap_or_else(|| panic!("no {name} in {events}"))
}

/// Waits until the group is gone.
#[track_caller]
pub fn wait_until_gone(dir: &Path) {
    eventually(&format!("{} is gone", dir.display()), || (!dir.exists()).then_some(()));
}
