//! What /proc tells of one process, read into one buffer.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::file::{BUFFER_LEN, meminfo, number};

/// What a list of processes is shorter than if it came in one read.
const LIST_SHORT: usize = 2048;

/// What a process has used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// CPU time in clock ticks.
    pub ticks: u64,
    /// Page faults, minor and major.
    pub faults: u64,
}

impl Spent {
    /// Both, added up.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { ticks: self.ticks.saturating_add(other.ticks), faults: self.faults.saturating_add(other.faults) }
    }

    /// What is more in this one.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self { ticks: self.ticks.saturating_sub(other.ticks), faults: self.faults.saturating_sub(other.faults) }
    }
}

/// The part of `proc_pid_stat(5)` that counts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its kernel session, `setsid(2)`.
    pub kernel_session: i32,
    /// The device number of its terminal; 0 without one.
    pub terminal: i32,
    /// The process group that has the keyboard of that terminal.
    pub foreground: i32,
    /// What it is doing, as one letter.
    pub state: char,
    /// Ended as a whole: a first thread may end before the others.
    pub is_dead: bool,
    /// Threads it has.
    pub threads: u32,
    /// When it started, in clock ticks after boot.
    pub start: u64,
    /// Pages it has in memory, those of files too.
    pub resident: u64,
    /// What it used itself.
    pub own: Spent,
    /// What its ended children used, and theirs, as far as they were waited for.
    pub waited: Spent,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name in parentheses may hold anything, parentheses too.
        let fields = text.get(text.rfind(')')? + 1..)?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().take(22).collect();
        let get = |at: usize| fields.get(at).and_then(|field| number(field));
        // Real ones are far from their limit.
        let sum = |a: usize, b: usize| Some(get(a)?.saturating_add(get(b)?));
        let id = |at: usize| fields.get(at).and_then(|field| field.parse::<i32>().ok());
        let threads = u32::try_from(get(17)?).ok()?;
        let state = fields.first()?.chars().next()?;
        Some(Self {
            parent: id(1)?,
            group: id(2)?,
            kernel_session: id(3)?,
            terminal: id(4)?,
            foreground: id(5)?,
            state,
            is_dead: matches!(state, 'Z' | 'X') && threads <= 1,
            threads,
            start: get(19)?,
            resident: get(21)?,
            own: Spent { ticks: sum(11, 12)?, faults: sum(7, 9)? },
            waited: Spent { ticks: sum(13, 14)?, faults: sum(8, 10)? },
        })
    }
}

/// Reads files below `/proc`.
#[derive(Debug)]
pub struct ProcReader {
    dir: PathBuf,
    buffer: Box<[u8]>,
    lists_children: bool,
}

impl ProcReader {
    /// Reads in `/proc` under the file system root `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let dir = root.join("proc");
        // There only with CONFIG_PROC_CHILDREN.
        let lists_children = dir.join("thread-self/children").exists();
        Self { dir, buffer: vec![0; BUFFER_LEN].into_boxed_slice(), lists_children }
    }

    /// Whether the kernel lists a process's children; otherwise
    /// [`Self::everybody`] has to do.
    #[must_use]
    pub fn lists_children(&self) -> bool {
        self.lists_children
    }

    /// One read is the whole of such a text.
    fn read(&mut self, path: &str) -> Option<&str> {
        let len = File::open(self.dir.join(path)).and_then(|mut file| file.read(&mut self.buffer)).ok()?;
        // A name may hold bytes that are no text; what counts comes after it.
        let text = self.buffer.get(..len)?;
        let from = text.utf8_chunks().last().map_or(0, |last| len - last.valid().len() - last.invalid().len());
        std::str::from_utf8(text.get(from..)?).ok()
    }

    /// The figures of one process, if it is there.
    pub fn stat(&mut self, pid: i32) -> Option<Stat> {
        Stat::parse(self.read(&format!("{pid}/stat"))?)
    }

    /// Resident memory that no file holds: anonymous pages and shared memory.
    pub fn memory(&mut self, pid: i32) -> u64 {
        let Some(text) = self.read(&format!("{pid}/status")) else { return 0 };
        let bytes = |name| meminfo(text, name).unwrap_or(0);
        bytes("RssAnon").saturating_add(bytes("RssShmem"))
    }

    /// The words it was started with, none for one that has ended.
    pub fn words(&mut self, pid: i32) -> Vec<u8> {
        let file = File::open(self.dir.join(format!("{pid}/cmdline")));
        let len = file.and_then(|mut file| file.read(&mut self.buffer)).unwrap_or(0);
        self.buffer.get(..len).unwrap_or_default().to_vec()
    }

    /// The name of its program, at most 15 bytes, `proc_pid_comm(5)`.
    #[must_use]
    pub fn name(&self, pid: i32) -> Vec<u8> {
        fs::read(self.dir.join(format!("{pid}/comm"))).unwrap_or_default()
    }

    /// Adds the children of a process with so many threads to `found`. Each
    /// thread has those that it forked itself.
    pub fn children(&mut self, pid: i32, threads: u32, found: &mut Vec<i32>) {
        if threads <= 1 {
            return self.children_of_thread(&format!("{pid}/task/{pid}/children"), found);
        }
        let threads = fs::read_dir(self.dir.join(format!("{pid}/task")));
        for thread in threads.into_iter().flatten().flatten() {
            if let Some(thread) = thread.file_name().to_str() {
                self.children_of_thread(&format!("{pid}/task/{thread}/children"), found);
            }
        }
    }

    fn children_of_thread(&mut self, path: &str, found: &mut Vec<i32>) {
        let mut take =
            |text: &str| found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        match self.read(path) {
            // The kernel hands out a page at a time.
            Some(text) if text.len() > LIST_SHORT => {
                take(&fs::read_to_string(self.dir.join(path)).unwrap_or_default());
            }
            text => take(text.unwrap_or_default()),
        }
    }

    /// The latest number that a process or thread was given in our PID
    /// namespace, `proc_loadavg(5)`.
    pub fn last_pid(&mut self) -> u64 {
        let text = self.read("loadavg").unwrap_or_default();
        text.split_ascii_whitespace().next_back().and_then(number).unwrap_or(0)
    }

    /// Every process there is.
    #[must_use]
    pub fn everybody(&self) -> Vec<i32> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn figures_without_measure_do_not_overflow() {
        let most = u64::MAX;
        let text = format!("1 (x) S 1 1 1 0 1 0 {most} {most} {most} {most} {most} {most} {most} {most} 0 0 1 0 5 6 7");
        let stat = Stat::parse(&text).expect("figures");
        assert_eq!((stat.own.ticks, stat.waited.faults, stat.start), (most, most, 5));
    }

    fn waiting_child() -> Child {
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat")
    }

    fn own() -> i32 {
        i32::try_from(std::process::id()).expect("a process id")
    }

    #[test]
    fn a_line_is_read_whatever_the_name_is() {
        let line = "7 (a) Z 1 (b) S 3 4 5 6 -1 0 10 20 1 2 30 40 50 60 20 0 2 0 999 4096 77 3\n";
        let stat = Stat::parse(line).expect("a stat line");
        assert_eq!((stat.parent, stat.kernel_session, stat.is_dead, stat.threads, stat.start), (3, 5, false, 2, 999));
        assert_eq!((stat.state, stat.group, stat.terminal, stat.foreground), ('S', 4, 6, -1));
        assert_eq!(stat.resident, 77);
        assert_eq!(stat.own, Spent { ticks: 70, faults: 11 });
        assert_eq!(stat.waited, Spent { ticks: 110, faults: 22 });
        for cut in ["", "7 (a", "7 (a) S 3 4 5 6 -1 0 10 20 1 2 30 40 50 60 20 0 2 0 999 4096"] {
            assert_eq!(Stat::parse(cut), None, "{cut}");
        }
    }

    #[test]
    fn a_first_thread_that_ended_before_the_others_is_no_end() {
        let line = |state, threads| format!("7 (x) {state} 3 4 5 6 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 9 0 0");
        let is_dead = |state, threads| Stat::parse(&line(state, threads)).map(|stat| stat.is_dead);
        assert_eq!(is_dead("Z", 1), Some(true));
        assert_eq!(is_dead("Z", 2), Some(false));
        assert_eq!(is_dead("T", 1), Some(false));
    }

    #[test]
    fn a_process_with_threads_lists_the_children_of_each() {
        let mut reader = ProcReader::new(Path::new("/"));
        let forked_elsewhere = || std::thread::spawn(waiting_child).join().expect("a child");
        let mut children = [waiting_child(), forked_elsewhere()];
        let mut seen = Vec::new();
        if reader.lists_children() {
            // The test runner has a thread beside the one that runs tests.
            reader.children(own(), 2, &mut seen);
        } else {
            let all = reader.everybody();
            seen.extend(all.into_iter().filter(|pid| reader.stat(*pid).is_some_and(|stat| stat.parent == own())));
        }
        for child in &mut children {
            assert!(seen.contains(&i32::try_from(child.id()).expect("a process id")), "{} in {seen:?}", child.id());
            child.kill().expect("a running child");
            child.wait().expect("its end");
        }
    }

    #[test]
    fn memory_is_what_was_touched_and_that_of_the_gone_is_none() {
        let mut reader = ProcReader::new(Path::new("/"));
        let before = reader.memory(own());
        let touched = std::hint::black_box(vec![1_u8; 64 << 20]);
        let more = reader.memory(own()).saturating_sub(before);
        assert!(more > 60 << 20, "{more} of {}", touched.len());
        let mut child = waiting_child();
        let pid = i32::try_from(child.id()).expect("a process id");
        assert!(reader.memory(pid) > 0);
        child.kill().expect("a running child");
        child.wait().expect("its end");
        assert_eq!((reader.memory(pid), reader.stat(pid)), (0, None));
    }
}
