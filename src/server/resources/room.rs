//! Whether one more session fits, apart from memory: tasks and descriptors.

use std::fs;

use super::usage::Pids;

/// Tasks a session needs to start and to do something: a shell, a pipeline,
/// the threads of an agent's runtime.
const TASKS: u64 = 16;
/// At a low limit a smaller reserve must do: this part of the limit.
const TASKS_PART: u64 = 8;
/// Descriptors to keep free in the API server and in init.
const DESCRIPTORS: u64 = 32;
/// Open files to keep free in the whole system.
const FILES: u64 = 256;

/// Why no new session is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shortage {
    /// Memory is critical.
    Memory {
        /// Share of the limit that is used.
        percent: f64,
    },
    /// The container may hardly have another task.
    Tasks {
        /// Tasks there are.
        current: u64,
        /// Tasks there may be.
        max: u64,
    },
    /// A process of ours may hardly open another file.
    Descriptors {
        /// Open ones.
        open: u64,
        /// As many as may be open.
        max: u64,
    },
}

/// Whether there are tasks and descriptors for one more session.
///
/// # Errors
/// What is short.
pub fn check(pids: Option<Pids>) -> Result<(), Shortage> {
    if let Some(Pids { current, max: Some(max) }) = pids {
        tasks(current, max)?;
    }
    let init = std::os::unix::process::parent_id();
    // Of processes that the kernel does not let us look at we know nothing.
    for process in ["self".to_owned(), init.to_string()] {
        if let (Some(open), Some(max)) = (open_descriptors(&process), descriptor_limit(&process)) {
            descriptors(open, max, DESCRIPTORS)?;
        }
    }
    match open_files() {
        Some((open, max)) => descriptors(open, max, FILES),
        None => Ok(()),
    }
}

fn tasks(current: u64, max: u64) -> Result<(), Shortage> {
    let reserve = TASKS.min(max / TASKS_PART).max(1);
    if current.saturating_add(reserve) <= max { Ok(()) } else { Err(Shortage::Tasks { current, max }) }
}

fn descriptors(open: u64, max: u64, reserve: u64) -> Result<(), Shortage> {
    if open.saturating_add(reserve) <= max { Ok(()) } else { Err(Shortage::Descriptors { open, max }) }
}

/// `/proc/PID/fd`, `proc_pid_fd(5)`.
fn open_descriptors(process: &str) -> Option<u64> {
    u64::try_from(fs::read_dir(format!("/proc/{process}/fd")).ok()?.count()).ok()
}

/// The soft limit in `/proc/PID/limits`; none for "unlimited".
fn descriptor_limit(process: &str) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Open and possible files of the system, `/proc/sys/fs/file-nr`.
fn open_files() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    let (open, _, max) = (numbers.next()??, numbers.next()?, numbers.next()??);
    Some((open, max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_needs_a_few_tasks() {
        assert_eq!(tasks(984, 1000), Ok(()));
        assert_eq!(tasks(985, 1000), Err(Shortage::Tasks { current: 985, max: 1000 }));
        assert_eq!(tasks(17, 20), Ok(()));
        assert_eq!(tasks(19, 20), Err(Shortage::Tasks { current: 19, max: 20 }));
        assert_eq!(tasks(3, 3), Err(Shortage::Tasks { current: 3, max: 3 }));
    }

    #[test]
    fn descriptors_are_counted_as_the_kernel_does() {
        assert!(open_descriptors("self").is_some_and(|open| open > 0));
        assert!(descriptor_limit("self").is_none_or(|max| max > 0));
        assert!(open_files().is_some_and(|(open, max)| open <= max));
        assert_eq!(open_descriptors("0"), None);
    }
}
