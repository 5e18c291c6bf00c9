//! The program under test, running.

use std::io::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, Form};
use super::http::{Api, pid_of};
use super::log::Log;
use super::process::{self, children, descriptors};
use super::stead::with_default_signals;
use super::{eventually, patience, pid1};

pub const BINARY: &str = env!("CARGO_BIN_EXE_quarterdeck");

/// How to start it, where that differs from the usual.
#[derive(Default)]
pub struct Setup<'a> {
    /// Further flags of `init`.
    pub args: &'a [&'a str],
    /// Further variables of init's environment.
    pub env: &'a [(&'a str, &'a str)],
    /// As PID 1 of a namespace.
    pub pid1: bool,
    /// Does not say where it listens, so only the Unix socket reaches it.
    pub silent: bool,
    /// Another file than the one that was built.
    pub binary: Option<&'a Path>,
    /// As it comes: asks for a token.
    pub secured: bool,
    /// Shell commands that run before in the process that becomes init.
    pub before: &'a str,
}

/// A running `quarterdeck init` in a directory and an environment of its own.
pub struct Quarterdeck {
    dir: TempDir,
    child: Child,
    log: Log,
    address: String,
    /// Process id of init, as this test sees it.
    pub init: i32,
    /// It is PID 1 of its own namespace.
    pub contained: bool,
    ended: Option<ExitStatus>,
}

impl Quarterdeck {
    /// As a plain process with the usual flags.
    pub fn start() -> Self {
        Self::launch(&Setup::default())
    }

    /// As a plain process with further flags.
    pub fn with(args: &[&str]) -> Self {
        Self::launch(&Setup { args, ..Setup::default() })
    }

    /// As PID 1 of its own namespaces.
    pub fn as_pid1(args: &[&str]) -> Self {
        Self::launch(&Setup { args, pid1: true, ..Setup::default() })
    }

    /// Starts it and waits until it listens.
    pub fn launch(setup: &Setup<'_>) -> Self {
        Self::launch_in(tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a directory"), setup)
    }

    /// The same in a directory that holds something already.
    pub fn launch_in(dir: TempDir, setup: &Setup<'_>) -> Self {
        let (mut child, contained) = spawn(setup, dir.path());
        let log = Log::follow(child.stderr.take().expect("stderr"));
        let init = i32::try_from(child.id()).expect("a process id");
        let mut this = Self { dir, child, log, address: String::new(), init, contained, ended: None };
        this.wait_until_it_listens(setup.silent);
        this
    }

    /// Starts it once more in its directory, as a container is started again.
    pub fn start_again(&mut self, setup: &Setup<'_>) {
        assert!(self.ended.take().is_some(), "it has not ended yet");
        let (mut child, contained) = spawn(setup, self.dir.path());
        self.log = Log::follow(child.stderr.take().expect("stderr"));
        self.init = i32::try_from(child.id()).expect("a process id");
        (self.child, self.contained) = (child, contained);
        self.wait_until_it_listens(setup.silent);
    }

    fn wait_until_it_listens(&mut self, silent: bool) {
        if silent {
            eventually("it is healthy", || self.command(&["health"]).status.success().then_some(()));
            return;
        }
        let listening = self.log.wait_for_message("Listening");
        if self.contained {
            self.init = children(self.init).pop().expect("PID 1");
        }
        self.address = listening["address"].as_str().unwrap_or_else(|| panic!("no address: {listening}")).to_owned();
    }

    /// The directory that is its state, its workspace and its home.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn api(&self) -> Api {
        Api::at(&self.address)
    }

    /// The token of the address that was printed.
    pub fn printed_token(&self) -> String {
        let start = format!("Open http://{}/#token=", self.address.replace("0.0.0.0", "127.0.0.1"));
        eventually("the address to open is printed", || {
            self.log.lines().iter().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
        })
    }

    /// A client on the WebSocket.
    pub fn connect(&self, form: Form) -> Client {
        Client::connect(&self.address, form)
    }

    /// Runs one of the client commands.
    pub fn command(&self, args: &[&str]) -> Output {
        output_of(self.client(args))
    }

    /// One of the client commands, to be run with nothing on standard input.
    pub fn client(&self, args: &[&str]) -> Command {
        let mut client = Command::new(BINARY);
        client.args(args).env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm-256color");
        client.env("QUARTERDECK_SOCKET", self.dir().join("api.sock")).stdin(Stdio::null());
        client
    }

    /// Process id of the API server as this test sees it: init's child of that
    /// name, because inside a namespace it has another number.
    pub fn server(&self) -> i32 {
        eventually("init has a server process", || {
            children(self.init).into_iter().find(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.split(|byte| *byte == 0).nth(1) == Some(b"server")
            })
        })
    }

    /// Process id of a session's leader as this test sees it.
    pub fn leader(&self, id: &str) -> i32 {
        let told = pid_of(&self.api().session(id));
        let is_it = |pid: &i32| process::inner_pid(*pid) == Some(told);
        if self.contained { children(self.init).into_iter().find(is_it).expect("the leader") } else { told }
    }

    /// How many descriptors init and the server have open, but for those of the
    /// history, which are opened when there is something to record.
    pub fn descriptor_counts(&self) -> (usize, usize) {
        let history = self.dir().join("history");
        let lasting = descriptors(self.server()).into_values().filter(|target| !target.starts_with(&history));
        (descriptors(self.init).len(), lasting.count())
    }

    /// The same at rest: only this many connections are open, and those of
    /// earlier requests are closed.
    #[track_caller]
    pub fn settled_descriptor_counts(&self, connections: usize) -> (usize, usize) {
        assert_eq!(self.api().get("/health").status, 200, "init listens before the server is up");
        let port = self.address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        eventually("earlier connections are closed", || (process::connections(port) == connections).then_some(()));
        // The server now and then reads a file, which is not open at rest.
        let looks = (0..20).map(|_| {
            thread::sleep(Duration::from_millis(5));
            self.descriptor_counts()
        });
        looks.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1))).expect("some")
    }

    /// Waits until init and the server have this many descriptors open: those
    /// of a connection close a moment after its client is gone.
    #[track_caller]
    pub fn wait_for_descriptor_counts(&self, wanted: (usize, usize)) {
        let start = Instant::now();
        while self.descriptor_counts() != wanted {
            let now = [self.init, self.server()].map(descriptors);
            assert!(start.elapsed() < patience(), "{wanted:?} descriptors expected, open are {now:#?}");
            thread::park_timeout(Duration::from_millis(3));
        }
    }

    /// Sends init a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.init), signal).expect("init is there to be signalled");
    }

    /// Kills the API server with SIGKILL and waits until it takes nothing more.
    pub fn kill_server(&self) {
        let pid = self.server();
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the server is there to be killed");
        eventually("the server is dead", || process::stat(pid).is_none_or(|stat| stat.state == 'Z').then_some(()));
    }

    /// Waits until init ends.
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("init ends", || self.child.try_wait().expect("waitpid"));
        self.ended = Some(status);
        status
    }

    /// Stops it as `docker stop` does and says how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Kills everything of it at once, as `docker kill` does.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
        eventually("all of it is gone", || {
            let left = process::marked(&self.mark());
            for (pid, _) in &left {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            left.is_empty().then_some(())
        });
    }

    /// The file that outlives it.
    pub fn state_file(&self) -> PathBuf {
        self.dir().join("sessions.json")
    }

    /// Waits until the state file is whole and as wanted; its sessions.
    #[track_caller]
    pub fn wait_for_state(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually(&format!("the state file shows that {what}"), || {
            let text = std::fs::read(self.state_file()).ok()?;
            let file: Value = serde_json::from_slice(&text).expect("a whole file at any moment");
            assert_eq!(file["version"], 1, "{file}");
            file["sessions"].as_array().filter(|sessions| wanted(sessions)).cloned()
        })
    }

    /// What marks every process of this one in its environment.
    pub fn mark(&self) -> String {
        mark(self.dir())
    }
}

impl Drop for Quarterdeck {
    /// Ends it. After a test that went well this is also an assertion: init
    /// stops when told, with 0, and leaves nothing behind.
    fn drop(&mut self) {
        let failed = thread::panicking();
        if self.ended.is_none() && !failed {
            assert_eq!(self.stop().code(), Some(0), "exit code after SIGTERM");
        }
        if !failed {
            process::wait_until_none_marked(&self.mark());
            return;
        }
        if self.ended.is_none() {
            let _ = kill(Pid::from_raw(self.init), Signal::SIGKILL);
            let _ = self.child.wait();
        }
        for (pid, _) in process::marked(&self.mark()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        self.log.wait_for_end();
        eprintln!("--- log of quarterdeck\n{}\n---", self.log.lines().join("\n"));
    }
}

fn mark(dir: &Path) -> String {
    format!("QD_SUITE={}", dir.display())
}

/// The command line and environment every test starts from.
fn command(setup: &Setup<'_>, dir: &Path) -> Command {
    let binary = setup.binary.unwrap_or(Path::new(BINARY));
    let mut command = if setup.before.is_empty() {
        Command::new(binary)
    } else {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{}; exec \"$0\" \"$@\"", setup.before)]).arg(binary);
        shell
    };
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let (name, value) = mark(dir).split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a variable");
    command.arg("init").args((!setup.secured).then_some("--no-auth"));
    if !setup.args.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.arg("--socket").arg(dir.join("api.sock"));
    for (flag, usual) in [("--session-command", Path::new("/bin/bash")), ("--state-dir", dir), ("--workspace", dir)] {
        if !setup.args.contains(&flag) {
            command.arg(flag).arg(usual);
        }
    }
    command.args(setup.args);
    command.env_clear().env("PATH", path).env("HOME", dir).env("LANG", "C.UTF-8").env(name, value);
    command.envs(setup.env.iter().copied());
    with_default_signals(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Starts it, and says whether it is contained in namespaces.
fn spawn(setup: &Setup<'_>, dir: &Path) -> (Child, bool) {
    let plain = || command(setup, dir).spawn().expect("the binary starts");
    if !setup.pid1 {
        return (plain(), false);
    }
    let mut first = command(setup, dir);
    pid1::contain(&mut first);
    match first.spawn() {
        Ok(child) => (child, true),
        // Some systems give namespaces to root only. An ordinary user there
        // still gets every promise that does not need to be PID 1.
        Err(e) if !Uid::effective().is_root() => {
            eprintln!("no user namespaces for ordinary users here ({e}): not PID 1 but a child subreaper");
            (plain(), false)
        }
        Err(e) => panic!("namespaces for PID 1: {e}"),
    }
}

/// Runs the binary to its end with an empty environment.
pub fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    run_with(args, &[]).expect("the binary starts")
}

/// As [`run`], with variables.
pub fn run_with<'a>(args: impl IntoIterator<Item = &'a str>, env: &[(&str, &str)]) -> Result<Output, Error> {
    let mut child = Command::new(BINARY);
    child.args(args).env_clear().env("PATH", "/usr/bin:/bin").envs(env.iter().copied()).stdin(Stdio::null());
    wait_for_output(child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

/// Runs a command to its end.
pub fn output_of(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    wait_for_output(child).expect("the command's output")
}

/// Waits for the end of a child whose output is piped. Reads all the time: it
/// may print more than a pipe holds.
fn wait_for_output(child: Child) -> Result<Output, Error> {
    let id = i32::try_from(child.id()).expect("a process id");
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(child.wait_with_output()));
    ended.recv_timeout(patience()).unwrap_or_else(|_| {
        let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
        panic!("{id} did not end by itself: {:?}", ended.recv());
    })
}

/// A path for error tables: something that is surely not there.
pub fn missing(dir: &Path) -> PathBuf {
    dir.join("not-there")
}
