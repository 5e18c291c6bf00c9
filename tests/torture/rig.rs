//! The container: the real binary as PID 1 of its own namespaces, with small
//! file systems for its state and its logs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::groups::Groups;
use crate::support::http::Api;
use crate::support::log::Log;
use crate::support::pid1;
use crate::support::process::children;

/// From TERM to KILL for a session.
pub const STOP_GRACE: Duration = Duration::from_secs(1);
/// For the whole container.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(8);
pub const MAX_SESSIONS: usize = 64;

/// A running container. Dropping it kills it and removes what it was made of.
pub struct Rig {
    dir: TempDir,
    child: Child,
    pub log: Log,
    pub address: String,
    /// Process id of init, seen from outside.
    pub init: i32,
    pub groups: Groups,
}

/// The binary under test: QUARTERDECK_BIN, or the one built with this.
fn binary() -> PathBuf {
    std::env::var_os("QUARTERDECK_BIN").map_or_else(|| env!("CARGO_BIN_EXE_quarterdeck").into(), PathBuf::from)
}

impl Rig {
    /// Starts it and waits until it listens.
    pub fn start(groups: Groups) -> Self {
        let dir = tempfile::Builder::new().prefix("quarterdeck-torture-").tempdir().expect("a temporary directory");
        for name in ["state", "log"] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        let mut command = command(dir.path(), &groups);
        pid1::contain(&mut command);
        let mut child = command.spawn().expect("namespaces for PID 1");
        let log = Log::follow(child.stderr.take().expect("stderr"));
        let first = i32::try_from(child.id()).expect("a process id");
        let mut rig = Self { dir, child, log, address: String::new(), init: first, groups };
        let listening = rig.log.wait_for_message("Listening");
        rig.init = children(first).pop().expect("PID 1");
        rig.address = listening["address"].as_str().expect("an address").to_owned();
        rig
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A directory of the container, reached from outside its mounts.
    pub fn inside(&self, name: &str) -> PathBuf {
        let below = self.dir.path().strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.init.to_string()).join("root").join(below).join(name)
    }

    pub fn api(&self) -> Api {
        Api::at(&self.address)
    }

    /// The server's process id, if there is one just now.
    pub fn server(&self) -> Option<i32> {
        children(self.init).into_iter().find(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).nth(1) == Some(b"server")
        })
    }

    pub fn signal_init(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.init), signal);
    }

    /// How init ended, if it did within this time.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            match self.child.try_wait()? {
                None if start.elapsed() < patience => std::thread::park_timeout(Duration::from_millis(3)),
                ended => return Ok(ended),
            }
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = kill(Pid::from_raw(self.init), Signal::SIGKILL);
            let _ = self.child.wait();
        }
        self.log.wait_for_end();
    }
}

fn command(dir: &Path, groups: &Groups) -> Command {
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let mount = "for d in state log; do mount -t tmpfs -o size=256k,nr_inodes=64 tmpfs $HOME/$d; done; ";
    let mut command = Command::new("/bin/sh");
    command.arg("-ec").arg(format!("{mount}{}exec \"$0\" \"$@\"", groups.join())).arg(binary()).arg("init");
    command.args(["--no-auth", "--listen", "127.0.0.1:0", "--session-command", "/bin/sh", "--log-format", "json"]);
    command.args(["--max-sessions", &MAX_SESSIONS.to_string()]);
    command.args(["--stop-grace", &seconds(STOP_GRACE), "--shutdown-grace", &seconds(SHUTDOWN_GRACE)]);
    for (flag, name) in [("--socket", "api.sock"), ("--state-dir", "state"), ("--log-dir", "log"), ("--workspace", "")]
    {
        command.arg(flag).arg(dir.join(name));
    }
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env_clear().env("PATH", path).env("HOME", dir).env("LANG", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}
