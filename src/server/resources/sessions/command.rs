//! Command lines of processes, as text that can be shown.
//!
//! The kernel reads them from the process's own memory, and a program can make
//! whoever reads that wait (`userfaultfd(2)`, memory of a file that does not
//! come). So a thread of its own reads them while there is time, and while one
//! is stuck the names of the programs have to do, which the kernel keeps.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::process::ProcReader;

/// Most characters that are told.
const TEXT_MAX: usize = 256;

/// How long reading may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Reads command lines.
#[derive(Debug)]
pub struct CommandReader {
    root: PathBuf,
    names: ProcReader,
    is_busy: Arc<AtomicBool>,
}

impl CommandReader {
    /// Reads in `/proc` under the file system root `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { names: ProcReader::new(&root), root, is_busy: Arc::default() }
    }

    /// A text for each of `pids`, unless it is gone.
    pub async fn read(&self, pids: &[i32]) -> HashMap<i32, String> {
        let mut lines = self.lines(pids).await;
        for pid in pids {
            lines.entry(*pid).or_insert_with(|| {
                let name = shown(&self.names.name(*pid));
                if name.is_empty() { name } else { format!("[{name}]") }
            });
        }
        lines
    }

    /// Those of them that have a command line that can be read in time.
    async fn lines(&self, pids: &[i32]) -> HashMap<i32, String> {
        if pids.is_empty() || self.is_busy.swap(true, Ordering::Relaxed) {
            return HashMap::new();
        }
        let (done, answer) = oneshot::channel();
        let (root, pids, is_busy) = (self.root.clone(), pids.to_vec(), Arc::clone(&self.is_busy));
        let started = thread::Builder::new().name("command-lines".into()).spawn(move || {
            let mut reader = ProcReader::new(&root);
            let texts = pids.iter().map(|pid| (*pid, shown(&reader.words(*pid))));
            let texts = texts.filter(|(_, text)| !text.is_empty()).collect();
            is_busy.store(false, Ordering::Relaxed);
            // Who asked may have lost patience.
            let _ = done.send(texts);
        });
        if started.is_err() {
            self.is_busy.store(false, Ordering::Relaxed);
        }
        tokio::time::timeout(PATIENCE, answer).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// One line of text that stands where it is put: nothing in it moves, hides or
/// turns round what is beside it.
pub fn shown(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let text = text.trim_end_matches(['\0', '\n']);
    let mut chars = text.chars().map(|c| match c {
        '\0' | '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || is_invisible(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    });
    let mut shown: String = chars.by_ref().take(TEXT_MAX).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Characters that show nothing themselves, or change the direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::Tree;
    use super::*;

    fn read(reader: &CommandReader, pids: &[i32]) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut texts = runtime.block_on(reader.read(pids));
        pids.iter().filter_map(|pid| texts.remove(pid)).collect()
    }

    #[test]
    fn words_become_one_harmless_line() {
        assert_eq!(shown(b"sh\0-c\0echo a;\n\techo b\0"), "sh -c echo a;  echo b");
        assert_eq!(shown(b"a\x1b[31m\xff\0"), "a\u{fffd}[31m\u{fffd}");
        assert_eq!(shown("x\u{202e}cod.exe\0".as_bytes()), "x\u{fffd}cod.exe");
        assert_eq!(shown("ä🚢".as_bytes()), "ä🚢");
        let long = shown("é".repeat(TEXT_MAX + 1).as_bytes());
        assert_eq!((long.chars().count(), long.ends_with("é…")), (TEXT_MAX + 1, true));
        assert_eq!(shown(&b"x".repeat(TEXT_MAX)).len(), TEXT_MAX);
    }

    #[test]
    fn who_has_no_words_has_a_name() {
        let tree = Tree::new(&[("proc/5/cmdline", "vi\0a b\0"), ("proc/5/comm", "vi\n")]);
        tree.write("proc/6/cmdline", "");
        tree.write("proc/6/comm", "gone away\n");
        let reader = CommandReader::new(tree.root().to_owned());
        assert_eq!(read(&reader, &[5, 6, 7]), ["vi a b", "[gone away]", ""]);
    }

    #[test]
    fn a_command_line_that_never_comes_holds_nobody_up() {
        let tree =
            Tree::new(&[("proc/5/comm", "slow\n"), ("proc/6/comm", "quick\n"), ("proc/6/cmdline", "quick\0-1\0")]);
        let stuck = tree.path("proc/5/cmdline");
        nix::unistd::mkfifo(&stuck, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let reader = CommandReader::new(tree.root().to_owned());
        assert_eq!(read(&reader, &[5, 6]), ["[slow]", "[quick]"]);
        assert_eq!(read(&reader, &[6]), ["[quick]"], "one stuck thread is enough");
        // Somebody writes, and the reader gets on.
        std::fs::write(&stuck, "slow\0").expect("a pipe with a reader");
        while reader.is_busy.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        assert_eq!(read(&reader, &[6]), ["quick -1"]);
    }
}
