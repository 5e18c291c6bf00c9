//! What /proc says about processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::eventually;

/// Descriptor numbers of a process and what they point to.
pub fn descriptors(pid: i32) -> BTreeMap<u32, PathBuf> {
    let dir = fs::read_dir(format!("/proc/{pid}/fd")).unwrap_or_else(|e| panic!("descriptors of {pid}: {e}"));
    dir.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, fs::read_link(entry.path()).ok()?))
    })
    .collect()
}

/// One field of /proc/PID/status.
pub fn status(pid: i32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_else(|e| panic!("status of {pid}: {e}"));
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).trim().to_owned()
}

/// Sets a limit of a process as `prlimit(1)` takes it; false if it is gone. Where
/// it is somebody else's, that one has to do it: root lacks `CAP_SYS_RESOURCE` in
/// containers.
pub fn set_limit(pid: i32, flag: &str) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let user = text.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()).unwrap_or_default();
    let mut prlimit = Command::new("prlimit");
    if user != nix::unistd::Uid::effective().to_string() {
        prlimit = Command::new("setpriv");
        prlimit.args(["--reuid", user, "--regid", user, "--clear-groups", "prlimit"]);
    }
    prlimit.args(["--pid", &pid.to_string(), flag]).status().is_ok_and(|status| status.success())
}

/// The environment a process was started with, in order of the names.
pub fn environment(pid: i32) -> BTreeMap<String, String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_else(|e| panic!("environment of {pid}: {e}"));
    let text = String::from_utf8(bytes).expect("an environment in UTF-8");
    let pairs = text.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// /proc/PID/limits, one line a limit.
pub fn limits(pid: i32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_else(|e| panic!("limits of {pid}: {e}"));
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The part of /proc/PID/stat that tells who belongs to whom.
#[derive(Debug)]
pub struct Stat {
    /// `Z` for a zombie.
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    pub tty: i32,
    /// The terminal's foreground process group.
    pub foreground: i32,
}

/// Reads [`Stat`], unless the process is gone.
pub fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and brackets; its own closing one is the last.
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    Some(Stat { state, parent: number()?, group: number()?, session: number()?, tty: number()?, foreground: number()? })
}

/// Every process id there is.
fn all() -> impl Iterator<Item = i32> {
    let dir = fs::read_dir("/proc").expect("/proc");
    dir.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The command line.
pub fn arguments(pid: i32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Processes with this word on their command line; zombies have none.
pub fn with_argument(word: &str) -> Vec<i32> {
    all().filter(|pid| arguments(*pid).iter().any(|argument| argument == word)).collect()
}

/// Whether a process runs, or could if it were not stopped.
pub fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Every process in the PID namespace of `pid`, zombies included.
pub fn namespace(pid: i32) -> BTreeSet<i32> {
    let of = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = of(pid).expect("a process");
    all().filter(|pid| of(*pid).as_ref() == Some(&wanted)).collect()
}

/// The number that a process has in its own PID namespace, if it is there.
pub fn inner_pid(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_whitespace().next_back()?.parse().ok()
}

/// Page faults of the children that a process has reaped: a number that
/// changes with every one of them.
pub fn reaped(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_else(|e| panic!("stat of {pid}: {e}"));
    let behind_the_name = text.rfind(')').map_or("", |at| &text[at + 1..]);
    behind_the_name.split_whitespace().nth(8).and_then(|number| number.parse().ok()).expect("cminflt")
}

/// How many bytes a process has written, to whatever.
pub fn written(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_else(|e| panic!("io of {pid}: {e}"));
    let number = text.lines().find_map(|line| line.strip_prefix("wchar: "));
    number.and_then(|number| number.parse().ok()).expect("wchar")
}

/// How many TCP connections the server side of this local port still holds.
pub fn connections(port: u16) -> usize {
    const ESTABLISHED: &str = "01";
    const CLOSE_WAIT: &str = "08";
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let local = format!(":{port:04X}");
    let held = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.len() > 3 && fields[1].ends_with(&local) && [ESTABLISHED, CLOSE_WAIT].contains(&fields[3])
    };
    table.lines().filter(held).count()
}

/// The living and dead children of a process.
pub fn children(parent: i32) -> Vec<i32> {
    all().filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == parent)).collect()
}

/// Processes whose environment holds `mark`, with their command lines.
pub fn marked(mark: &str) -> Vec<(i32, String)> {
    let holds = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|window| window == mark.as_bytes())
    };
    let name = |pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
    all().filter(holds).map(|pid| (pid, name(pid))).collect()
}

/// Waits until nothing with `mark` in its environment is left.
pub fn wait_until_none_marked(mark: &str) {
    eventually(&format!("no process of {mark} is left; seen: {:?}", marked(mark)), || {
        marked(mark).is_empty().then_some(())
    });
}
