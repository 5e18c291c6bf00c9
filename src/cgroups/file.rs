//! Kernel files that are read again and again.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Room for the longest file that is read whole (`memory.stat`, below 4 KiB).
pub const BUFFER_LEN: usize = 16 * 1024;

/// Why a file gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It or its group is not there any more.
    Gone,
    /// It is there and can't be read now.
    Unreadable,
}

impl Trouble {
    /// A removed group's file answers `ENODEV`, an ended process's `ESRCH`.
    fn of(error: &io::Error) -> Self {
        let is_gone = matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENOENT | libc::ESRCH));
        if is_gone { Self::Gone } else { Self::Unreadable }
    }
}

/// A file kept open: a sample costs one `pread(2)`, and still works when no
/// descriptor is left to open anything.
#[derive(Debug)]
pub struct KeptFile {
    path: PathBuf,
    file: Option<File>,
}

impl KeptFile {
    /// Opens it; if that fails, each read tries again.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let file = File::open(&path).ok();
        Self { path, file }
    }

    /// Opens it if it is there.
    #[must_use]
    pub fn existing(path: PathBuf) -> Option<Self> {
        let kept = Self::new(path);
        kept.file.is_some().then_some(kept)
    }

    /// What it says now, in `buffer`.
    ///
    /// # Errors
    /// That it is gone, also after opening it anew, or can't be read.
    pub fn read<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b str, Trouble> {
        let len = match self.read_open(buffer) {
            // The path may lead to a new group of the same name.
            Err(Trouble::Gone) => {
                self.file = None;
                self.read_open(buffer)?
            }
            other => other?,
        };
        std::str::from_utf8(&buffer[..len]).map_err(|_| Trouble::Unreadable)
    }

    /// One read is the whole file: the kernel makes such a text in one piece
    /// and hands out as much of it as there is room for.
    fn read_open(&mut self, buffer: &mut [u8]) -> Result<usize, Trouble> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path).map_err(|error| Trouble::of(&error))?),
        };
        loop {
            match file.read_at(buffer, 0) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result.map_err(|error| Trouble::of(&error)),
            }
        }
    }
}

/// The number that is all of `text`; none for "max" or anything else.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    text.trim_ascii().parse().ok()
}

/// The number after `name` at the start of a line of `text`.
#[must_use]
pub fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    number(value)
}

/// A `/proc/meminfo` figure in bytes.
#[must_use]
pub fn meminfo(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    number(value.trim_ascii().strip_suffix(" kB")?)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::cgroups::fixture::Tree;

    fn waiting_child() -> Child {
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat")
    }

    #[test]
    fn it_is_read_from_the_start_each_time() {
        let tree = Tree::new(&[("pids.current", "12\n")]);
        let mut file = KeptFile::new(tree.path("pids.current"));
        let mut buffer = [0; 64];
        assert_eq!(file.read(&mut buffer), Ok("12\n"));
        tree.write("pids.current", "7\n");
        assert_eq!(file.read(&mut buffer).map(number), Ok(Some(7)));
    }

    #[test]
    fn a_descriptor_of_something_ended_is_opened_anew_or_gone() {
        let (mut first, mut second) = (waiting_child(), waiting_child());
        let tree = Tree::new(&[]);
        let link_to = |child: &Child| {
            let path = tree.path("figure");
            let _ = std::fs::remove_file(&path);
            std::os::unix::fs::symlink(format!("/proc/{}/oom_score_adj", child.id()), path).expect("a link");
        };
        let end = |child: &mut Child| {
            child.kill().expect("a running child");
            child.wait().expect("its end");
        };
        link_to(&first);
        let mut file = KeptFile::new(tree.path("figure"));
        let mut buffer = [0; 64];
        assert!(file.read(&mut buffer).is_ok());
        end(&mut first);
        assert_eq!(file.read(&mut buffer), Err(Trouble::Gone));
        link_to(&second);
        assert!(file.read(&mut buffer).is_ok(), "the new one of the same name is read");
        end(&mut second);
        tree.remove("figure");
        tree.write("figure/a-directory", "");
        assert_eq!(file.read(&mut buffer), Err(Trouble::Unreadable));
    }

    #[test]
    fn a_missing_file_is_gone_until_it_comes() {
        let tree = Tree::new(&[]);
        assert!(KeptFile::existing(tree.path("late")).is_none());
        let mut file = KeptFile::new(tree.path("late"));
        let mut buffer = [0; 64];
        assert_eq!(file.read(&mut buffer), Err(Trouble::Gone));
        tree.write("late", "1\n");
        assert_eq!(file.read(&mut buffer), Ok("1\n"));
    }

    #[test]
    fn figures_are_found_by_their_whole_name() {
        let stat = "active_file_x 9\ninactive_file 20\nactive_file 30\nbroken x\n";
        assert_eq!(field(stat, "active_file"), Some(30));
        assert_eq!(field(stat, "inactive_file"), Some(20));
        assert_eq!((field(stat, "file"), field(stat, "broken")), (None, None));
        assert_eq!((number("max\n"), number("9223372036854771712\n")), (None, Some(9_223_372_036_854_771_712)));
        let text = "MemTotal:       24684096 kB\nActive(file):      1 kB\nHugePages_Total:       0\n";
        assert_eq!(meminfo(text, "MemTotal"), Some(24_684_096 * 1024));
        assert_eq!((meminfo(text, "Active(file)"), meminfo(text, "HugePages_Total")), (Some(1024), None));
    }
}
