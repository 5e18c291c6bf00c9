//! A control group with limits, for programs that are to meet them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::eventually;

/// Cgroups of one name, one in each hierarchy that is needed, removed when
/// dropped. Needs root.
pub struct Group {
    dirs: Vec<PathBuf>,
}

impl Group {
    /// With so many bytes of memory and no swap.
    pub fn with_memory(bytes: u64) -> Self {
        let mut group = Self { dirs: Vec::new() };
        let memory = group.make("memory");
        if memory.join("memory.max").exists() {
            write(&memory, "memory.max", bytes);
            let _ = fs::write(memory.join("memory.swap.max"), "0");
        } else {
            write(&memory, "memory.limit_in_bytes", bytes);
        }
        group
    }

    /// With so many tasks.
    pub fn with_tasks(max: u64) -> Self {
        let mut group = Self { dirs: Vec::new() };
        let pids = group.make("pids");
        write(&pids, "pids.max", max);
        group
    }

    /// Changes the memory limit, as `docker update` does.
    pub fn limit_memory(&self, bytes: u64) {
        let file = if self.dir().join("memory.max").exists() { "memory.max" } else { "memory.limit_in_bytes" };
        write(self.dir(), file, bytes);
    }

    /// The group in the hierarchy of its first controller.
    pub fn dir(&self) -> &Path {
        &self.dirs[0]
    }

    /// Whether init can make groups with controllers in it: version 2.
    pub fn is_divisible(&self) -> bool {
        self.dir().join("cgroup.controllers").exists()
    }

    /// What a shell says to move itself into the group.
    pub fn join(&self) -> String {
        let writes = self.dirs.iter().map(|dir| format!("echo $$ > {}/cgroup.procs", dir.display()));
        writes.collect::<Vec<_>>().join("; ")
    }

    fn make(&mut self, controller: &str) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let version_1 = Path::new("/sys/fs/cgroup").join(controller);
        let parent = if version_1.is_dir() {
            version_1
        } else {
            let _ = fs::write("/sys/fs/cgroup/cgroup.subtree_control", format!("+{controller}"));
            "/sys/fs/cgroup".into()
        };
        let dir = parent.join(format!("quarterdeck-suite-{}-{number}", std::process::id()));
        fs::create_dir(&dir).unwrap_or_else(|e| panic!("a cgroup of one's own at {}: {e}", dir.display()));
        self.dirs.push(dir.clone());
        dir
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in &self.dirs {
            if std::thread::panicking() {
                let _ = fs::remove_dir(dir);
                continue;
            }
            eventually("nobody is left in the group", || {
                // Init can't remove the group it is in.
                let _ = fs::remove_dir(dir.join("quarterdeck-init"));
                fs::remove_dir(dir).ok()
            });
        }
    }
}

fn write(dir: &Path, file: &str, value: u64) {
    fs::write(dir.join(file), value.to_string()).unwrap_or_else(|e| panic!("{file}: {e}"));
}
