//! What the processes in the foreground of a terminal do, `proc_pid_stat(5)`.

use procfs::process::Process;

use super::judge::Foreground;

/// Most processes looked at, so that a look stays below some milliseconds.
const LOOKED_AT_MAX: usize = 64;

/// Kernel functions in which a process waits for a terminal, among other
/// things: `read(2)` on it, or one of the calls that wait for several files.
const WAITING: [&str; 6] = ["n_tty_read", "wait_woken", "poll", "select", "epoll", "futex"];

/// Looks at the process group `group` in the session led by `leader`.
#[must_use]
pub fn look(leader: i32, group: i32) -> Foreground {
    let mut found = Foreground::Unclear;
    let mut next = vec![leader];
    let mut looked_at = 0;
    while let Some(pid) = next.pop().filter(|_| looked_at < LOOKED_AT_MAX) {
        looked_at += 1;
        let Ok(process) = Process::new(pid) else { continue };
        next.extend(children(&process));
        match doing(&process, group) {
            Some(Doing::Works) => return Foreground::Works,
            Some(Doing::Waits) => found = Foreground::Waits,
            Some(Doing::SleepsElsewhere) if found == Foreground::Unclear => found = Foreground::Works,
            Some(Doing::SleepsElsewhere) | None => {}
        }
    }
    found
}

/// What one process does.
enum Doing {
    /// It uses a processor or a disk.
    Works,
    /// It waits where a terminal is waited for.
    Waits,
    /// It waits for a child, a timer, a pipe.
    SleepsElsewhere,
}

fn doing(process: &Process, group: i32) -> Option<Doing> {
    let stat = process.stat().ok().filter(|stat| stat.pgrp == group)?;
    match stat.state {
        'R' | 'D' => Some(Doing::Works),
        'S' => Some(sleep(process)),
        _ => None,
    }
}

/// The function is a secret of processes that are not ours to trace
/// (`ptrace(2)`); then all we know is that it sleeps.
fn sleep(process: &Process) -> Doing {
    let function = process.wchan().unwrap_or_default();
    let is_unknown = function.is_empty() || function == "0";
    if is_unknown || WAITING.iter().any(|name| function.contains(name)) { Doing::Waits } else { Doing::SleepsElsewhere }
}

fn children(process: &Process) -> Vec<i32> {
    let tasks = process.tasks().into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| task.children().ok()).flatten();
    children.filter_map(|pid| i32::try_from(pid).ok()).collect()
}
