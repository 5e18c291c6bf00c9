//! Processes of the container, seen from outside.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process with a session's marker.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: i32,
    start: u64,
    /// Its number inside the namespace.
    pub inner: i64,
    pub line: String,
    pub marker: String,
}

/// Begins every marker. The number of this program keeps runs apart.
pub fn prefix() -> String {
    format!("qdt-{}-", std::process::id())
}

/// Every living process with a marker. Our own threads have none: it is only in
/// the argument vectors of what runs in sessions.
pub fn marked() -> Vec<Process> {
    let prefix = prefix();
    numbers().filter_map(|pid| look(pid, &prefix)).collect()
}

fn numbers() -> impl Iterator<Item = i32> {
    let dir = fs::read_dir("/proc").expect("/proc");
    dir.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn look(pid: i32, prefix: &str) -> Option<Process> {
    let start = start_time(pid)?;
    let line = String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).ok()?).replace('\0', " ");
    let at = line.find(prefix)?;
    let tail = &line[at + prefix.len()..];
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let marker = line[at..at + prefix.len() + digits].to_owned();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let inner = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().last()?.parse().ok()?;
    Some(Process { pid, start, inner, line, marker })
}

impl Process {
    /// Whether it is there still, and not another that got its number.
    pub fn lives(&self) -> bool {
        look(self.pid, &self.marker).is_some_and(|now| now.start == self.start)
    }

    /// What it is, on one line.
    pub fn brief(&self) -> String {
        let words: Vec<_> = self.line.split_whitespace().collect();
        format!("{}: {}", self.pid, words.join(" ").chars().take(80).collect::<String>())
    }
}

/// Everything a report should say about a process.
pub fn describe(pid: i32) -> String {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_else(|e| e.to_string());
    let line = read("cmdline").replace(['\0', '\n'], " ");
    format!("pid {pid}\n    cmdline {line}\n    stat {}    wchan {}", read("stat"), read("wchan"))
}

/// Signals a process; false if it was gone.
pub fn signal(pid: i32, signal: Signal) -> bool {
    kill(Pid::from_raw(pid), signal).is_ok()
}

/// Kernel start time, which tells a process from a later one with its number.
pub fn start_time(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text[text.rfind(')')? + 1..].split_whitespace().nth(19)?.parse().ok()
}

/// Open descriptors, and resident memory in KiB without what is shared.
pub fn size(pid: i32) -> Option<(usize, u64)> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = |name: &str| -> Option<u64> {
        status.lines().find_map(|line| line.strip_prefix(name))?.trim().trim_end_matches(" kB").parse().ok()
    };
    Some((descriptors, kib("VmRSS:")?.saturating_sub(kib("RssShmem:")?)))
}
