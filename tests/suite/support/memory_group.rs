//! A control group with a memory limit, as a container has one.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::eventually;

/// Where version 1 has its memory controller.
const VERSION_1: &str = "/sys/fs/cgroup/memory";
/// Where version 2 is mounted if it is alone.
const VERSION_2: &str = "/sys/fs/cgroup";

/// The group, removed when dropped.
pub struct MemoryGroup {
    path: PathBuf,
    /// Of version 2, in which init makes a group for each session.
    pub is_divisible: bool,
}

impl MemoryGroup {
    /// A group with this limit in bytes; none for an ordinary user, who may
    /// make no groups.
    pub fn new(limit: u64) -> Option<Self> {
        if !Uid::effective().is_root() {
            eprintln!("only root may limit the memory of a group of processes");
            return None;
        }
        let is_divisible = !Path::new(VERSION_1).is_dir();
        let (parent, file) =
            if is_divisible { (VERSION_2, "memory.max") } else { (VERSION_1, "memory.limit_in_bytes") };
        if is_divisible {
            fs::write(Path::new(parent).join("cgroup.subtree_control"), "+memory").expect("a memory controller");
        }
        let path = Path::new(parent).join(format!("suite-{}-{:x}", std::process::id(), fastrand::u64(..)));
        fs::create_dir(&path).expect("a control group");
        fs::write(path.join(file), limit.to_string()).expect("a limit");
        for no_swap in ["memory.swap.max", "memory.memsw.limit_in_bytes"].map(|file| path.join(file)) {
            if no_swap.exists() {
                fs::write(no_swap, if is_divisible { "0".to_owned() } else { limit.to_string() }).expect("no swap");
            }
        }
        Some(Self { path, is_divisible })
    }

    /// What the shell that becomes init does to be in it.
    pub fn join(&self) -> String {
        format!("echo $$ >{}/cgroup.procs", self.path.display())
    }
}

impl Drop for MemoryGroup {
    /// The kernel lets go of the dead a moment after they are waited for.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        eventually(&format!("{} is empty", self.path.display()), || {
            for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(entry.path());
            }
            (!self.path.exists() || fs::remove_dir(&self.path).is_ok()).then_some(())
        });
    }
}
