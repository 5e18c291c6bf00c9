//! Control groups of the container: a limit of processes, and whether init may
//! make groups of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Tasks in the container. The load needs about a third of them.
const PIDS_MAX: &str = "256";
/// Where init moves itself to divide its group. It can't remove what it is in.
const INITS_OWN: &str = "quarterdeck-init";
/// The kernel takes a moment to let go of the dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// The groups that init starts in, removed when dropped.
pub struct Groups {
    /// With the limit: version 2 or 1, as this machine has it.
    limited: Option<PathBuf>,
    /// Of version 2, where init may make one for each session.
    own: Option<PathBuf>,
    /// Where version 2 is mounted.
    mount: Option<PathBuf>,
    is_writable: bool,
}

impl Groups {
    /// Makes them, as far as that is possible. Most containers see their groups
    /// read-only; `is_writable` is the other kind.
    pub fn new(is_writable: bool) -> Self {
        let mount = mounted();
        let name = format!("torture-quarterdeck-{}", std::process::id());
        let own = mount.as_ref().map(|mount| mount.join(&name)).filter(|path| fs::create_dir(path).is_ok());
        let limited = limited(mount.as_deref(), &name);
        Self { limited, own, mount, is_writable }
    }

    /// What the shell that becomes init does to be in them.
    pub fn join(&self) -> String {
        let groups = [&self.limited, &self.own].into_iter().flatten();
        let mut script: String = groups.map(|group| format!("echo $$ >{}/cgroup.procs; ", group.display())).collect();
        if let Some(mount) = self.mount.as_ref().filter(|_| !self.is_writable) {
            script += &format!("mount -o remount,bind,ro {0} || mount --bind -o ro {0} {0}; ", mount.display());
        }
        script
    }

    pub fn has_pids_limit(&self) -> bool {
        self.limited.is_some()
    }

    /// For the first line of a run.
    pub fn describe(&self) -> &'static str {
        match (&self.own, self.is_writable) {
            (Some(_), true) => "cgroups writable",
            _ => "cgroups read-only, as in most containers",
        }
    }

    /// Tasks in the container, and how many there may be.
    pub fn tasks(&self) -> Option<(u64, u64)> {
        let group = self.limited.as_ref()?;
        let number = |file| fs::read_to_string(group.join(file)).ok()?.trim().parse().ok();
        Some((number("pids.current")?, number("pids.max")?))
    }

    /// How often the limit refused a process.
    pub fn refusals(&self) -> Option<u64> {
        let text = fs::read_to_string(self.limited.as_ref()?.join("pids.events")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("max "))?.parse().ok()
    }

    /// Groups that init made for sessions and that are still there.
    pub fn below(&self) -> Vec<PathBuf> {
        self.all_below().into_iter().filter(|path| !path.ends_with(INITS_OWN)).collect()
    }

    fn all_below(&self) -> Vec<PathBuf> {
        let entries = self.own.iter().filter_map(|own| fs::read_dir(own).ok()).flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let start = Instant::now();
        let mut left: Vec<_> = self.all_below();
        left.extend([self.limited.clone(), self.own.clone()].into_iter().flatten());
        for group in left {
            while group.exists() && fs::remove_dir(&group).is_err() && start.elapsed() < PATIENCE {
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
    }
}

/// Where version 2 is mounted, alone or beside version 1.
fn mounted() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mut fields = mounts.lines().map(|line| line.split(' '));
    fields.find_map(|mut line| {
        let path = line.nth(1)?;
        (line.next()? == "cgroup2").then(|| path.into())
    })
}

fn limited(mount: Option<&Path>, name: &str) -> Option<PathBuf> {
    if let Some(mount) = mount {
        let _ = fs::write(mount.join("cgroup.subtree_control"), "+pids");
    }
    let version_1 = Path::new("/sys/fs/cgroup/pids");
    let parent = if version_1.join("cgroup.procs").exists() { version_1 } else { mount? };
    let group = parent.join(name);
    // In version 2 both are one.
    let is_ours = group.is_dir() || fs::create_dir(&group).is_ok();
    (is_ours && fs::write(group.join("pids.max"), PIDS_MAX).is_ok()).then_some(group)
}
