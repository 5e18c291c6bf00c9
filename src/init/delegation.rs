//! Making the container's cgroup (version 2) one that can be divided.
//!
//! A group can't both hold processes and give controllers to groups below it
//! (`cgroups(7)`, "no internal processes"). So init and everybody beside it
//! move into a leaf first. Only the root of the whole hierarchy is exempt.

use std::fs;
use std::io;
use std::path::Path;

use crate::cgroups::place::LEAF;

/// What sessions' groups are to have: memory and number of tasks for limits
/// and figures, CPU so that a busy session takes nothing from init's group.
const WANTED: [&str; 3] = ["memory", "pids", "cpu"];

/// How often processes that came meanwhile are moved as well.
const ROUNDS: u32 = 5;

/// How the kernel shows members that are outside of our PID namespace.
const OUTSIDER: &str = "0";

/// Which controllers the groups below the container's have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controllers {
    enabled: Vec<&'static str>,
    /// Why those that are not enabled could not be.
    pub failure: Option<String>,
}

impl Controllers {
    /// Whether the groups below have this one.
    #[must_use]
    pub fn has(&self, controller: &str) -> bool {
        self.enabled.contains(&controller)
    }

    /// Enables what there is for the groups below `group`, after moving its
    /// processes into its leaf; undoes the move if that brought nothing.
    #[must_use]
    pub fn delegate(group: &Path) -> Self {
        let available = listed(&group.join("cgroup.controllers"));
        let enabled = listed(&group.join("cgroup.subtree_control"));
        if available == enabled {
            return Self { enabled, failure: None };
        }
        let is_root = !group.join("cgroup.type").exists();
        let result = if is_root { enable(group, &available) } else { divide(group, &available) };
        let enabled = listed(&group.join("cgroup.subtree_control"));
        if enabled.is_empty() && !is_root {
            undo(group);
        }
        Self { enabled, failure: result.err() }
    }
}

/// Those of [`WANTED`] that a file of the kernel names.
fn listed(file: &Path) -> Vec<&'static str> {
    let text = fs::read_to_string(file).unwrap_or_default();
    WANTED.into_iter().filter(|wanted| text.split_whitespace().any(|name| name == *wanted)).collect()
}

/// Each by itself: the kernel refuses a whole line for one of its words.
fn enable(group: &Path, controllers: &[&str]) -> Result<(), String> {
    let refused = controllers.iter().filter_map(|controller| {
        let error = fs::write(group.join("cgroup.subtree_control"), format!("+{controller}")).err()?;
        Some(format!("{controller}: {error}"))
    });
    let refused: Vec<String> = refused.collect();
    if refused.is_empty() { Ok(()) } else { Err(format!("the kernel refused {}", refused.join(", "))) }
}

fn divide(group: &Path, controllers: &[&str]) -> Result<(), String> {
    if members(group).iter().any(|member| member == OUTSIDER) {
        return Err("processes outside of this container are in its cgroup too".to_owned());
    }
    let leaf = group.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(format!("cannot make {LEAF} in it: {e}")),
        _ => {}
    }
    let mut outcome = Ok(());
    for _ in 0..ROUNDS {
        move_all(group, &leaf)?;
        outcome = enable(group, controllers);
        // Who has come since is told by the members; anything else stays.
        if outcome.is_ok() || members(group).is_empty() {
            break;
        }
    }
    outcome
}

fn members(group: &Path) -> Vec<String> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn move_all(from: &Path, to: &Path) -> Result<(), String> {
    for pid in members(from) {
        match fs::write(to.join("cgroup.procs"), &pid) {
            // It ended meanwhile.
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {}
            Err(e) => return Err(format!("cannot move process {pid} into {LEAF}: {e}")),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn undo(group: &Path) {
    let leaf = group.join(LEAF);
    let _ = move_all(&leaf, group);
    let _ = fs::remove_dir(leaf);
}
