//! What a process asks the kernel for, and calls that fail: strace(1).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::eventually;
use super::log::Log;

/// strace(1) on a process that runs already, until it is dropped.
pub struct Trace {
    strace: Child,
    file: PathBuf,
}

impl Trace {
    /// Returns once it is attached.
    pub fn attach(pid: i32, dir: &Path, options: &[&str]) -> Self {
        let file = dir.join(format!("trace-{pid}"));
        let mut strace = Command::new("strace");
        strace.args(options).args(["--attach", &pid.to_string(), "--output"]).arg(&file);
        let mut strace = strace.stderr(Stdio::piped()).spawn().expect("strace(1)");
        let said = Log::follow(strace.stderr.take().expect("stderr"));
        eventually("strace has attached", || said.lines().iter().any(|line| line.ends_with(" attached")).then_some(()));
        Self { strace, file }
    }

    /// Every system call that has returned so far.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(i32::try_from(self.strace.id()).expect("a process id")), Signal::SIGTERM);
        let _ = self.strace.wait();
    }
}
