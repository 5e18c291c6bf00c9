//! Processes that ended and wait for their parent.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A count is good for so many times what it took, because it costs one read
/// for each process: milliseconds where there are few, seconds for thousands.
const GOOD_FOR_TIMES: u32 = 20;

/// A `/proc/PID/stat` line up to its thread count is shorter.
const STAT_LEN: usize = 512;

/// Counts the zombies of our PID namespace, now and then.
#[derive(Debug)]
pub struct ZombieCount {
    proc_dir: PathBuf,
    /// Until when the last count is good.
    last: Option<(Instant, usize)>,
}

impl ZombieCount {
    /// Counts in `/proc` under the file system root `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { proc_dir: root.join("proc"), last: None }
    }

    /// How many there are, or were a moment ago.
    pub fn get(&mut self) -> usize {
        let begin = Instant::now();
        if let Some((until, count)) = self.last
            && begin < until
        {
            return count;
        }
        let count = count(&self.proc_dir);
        self.keep(count, Instant::now(), begin.elapsed());
        count
    }

    fn keep(&mut self, count: usize, now: Instant, took: Duration) {
        self.last = Some((now + took * GOOD_FOR_TIMES, count));
    }
}

/// One pass over all processes, reading the `stat` of each.
fn count(proc_dir: &Path) -> usize {
    let mut buffer = [0; STAT_LEN];
    let entries = fs::read_dir(proc_dir).into_iter().flatten().flatten();
    let processes = entries.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let mut is_one = |path: PathBuf| {
        let len = fs::File::open(path).and_then(|mut file| file.read(&mut buffer)).unwrap_or(0);
        is_zombie(&buffer[..len])
    };
    processes.filter(|entry| is_one(entry.path().join("stat"))).count()
}

/// Whether a `proc_pid_stat(5)` line is of a process that ended as a whole: a
/// first thread may end before the others.
fn is_zombie(stat: &[u8]) -> bool {
    // The name in parentheses may hold anything, parentheses too.
    let Some(end) = stat.iter().rposition(|byte| *byte == b')') else { return false };
    let mut fields = stat[end + 1..].split(|byte| *byte == b' ').skip(1);
    let is_dead = fields.next() == Some(b"Z");
    is_dead && matches!(fields.nth(16), Some(b"0" | b"1"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::fixture::Tree;
    use super::*;

    fn line(name: &str, state: char, threads: u32) -> String {
        format!("7 ({name}) {state} 1 7 7 0 -1 4227084 0 0 0 0 0 0 0 0 20 0 {threads} 0 300 0 0 18446744073709551615\n")
    }

    #[test]
    fn only_wholly_ended_processes_count() {
        assert!(is_zombie(line("sh", 'Z', 1).as_bytes()));
        assert!(is_zombie(line(") S 1 (", 'Z', 1).as_bytes()));
        assert!(!is_zombie(line(") Z 1 (", 'S', 1).as_bytes()));
        assert!(!is_zombie(line("sh", 'Z', 3).as_bytes()), "other threads still run");
        assert!(!is_zombie(b"") && !is_zombie(b"7 (sh") && !is_zombie(b"7 (sh) Z"));
    }

    #[test]
    fn a_count_that_took_long_is_kept_for_long() {
        let tree = Tree::new(&[
            ("proc/7/stat", &line("sh", 'Z', 1)),
            ("proc/8/stat", &line("sh", 'S', 1)),
            ("proc/self/stat", &line("sh", 'Z', 1)),
            ("proc/9/status", "gone while we look"),
        ]);
        let mut zombies = ZombieCount::new(tree.root());
        assert_eq!(zombies.get(), 1);
        tree.write("proc/8/stat", &line("sh", 'Z', 1));
        zombies.keep(1, Instant::now(), Duration::from_secs(60));
        assert_eq!(zombies.get(), 1);
        zombies.keep(1, Instant::now(), Duration::ZERO);
        assert_eq!(zombies.get(), 2);
    }

    #[test]
    fn a_real_one_is_recognised() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        let path = format!("/proc/{}/stat", child.id());
        let stat = || fs::read(&path).expect("a process not waited for");
        assert!(!is_zombie(&stat()));
        child.kill().expect("a running child");
        let id = rustix::process::Pid::from_child(&child);
        let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(id), ended).expect("its end");
        assert!(is_zombie(&stat()));
        child.wait().expect("its status");
    }
}
