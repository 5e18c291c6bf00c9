//! System calls of init that fail, by the kernel's own tracing: strace(1).

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::shortage::{AFTERMATH, BACKOFF, LASTS};
use super::{Outcome, find};
use crate::ledger::Promise;
use crate::support::process::status;
use crate::who;
use crate::world::World;

/// Until strace(1) is attached.
const ATTACHES: Duration = Duration::from_secs(1);

const FORKS: &str = "clone,clone3,fork,vfork";

/// What else a kernel refuses when it is short of something.
const CALLS: [(&str, &str); 9] = [
    ("openat", "EMFILE"),
    ("openat", "ENOMEM"),
    ("getdents64", "ENOMEM"),
    ("memfd_create", "ENFILE"),
    ("poll,ppoll", "ENOMEM"),
    ("pidfd_open", "EMFILE"),
    ("socketpair", "ENFILE"),
    ("pipe2", "EMFILE"),
    ("sendmsg", "ENOBUFS"),
];

/// Attached to init; the calls fail until it is dropped.
struct Failing {
    strace: Child,
    record: PathBuf,
}

impl Failing {
    fn start(world: &World, calls: &str, how: &str) -> Self {
        let record = world.rig.dir().join("failed-calls");
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:{how}"), "-o"]);
        strace.arg(&record).args(["-p", &world.rig.init.to_string()]);
        let child = strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let strace = child.unwrap_or_else(|e| panic!("strace(1), which lets calls fail: {e}; install it"));
        world.ledger.wait_until(Duration::from_secs(5), || status(world.rig.init, "TracerPid") != "0");
        Self { strace, record }
    }

    /// How many calls it let fail.
    fn end(mut self) -> usize {
        self.detach();
        let record = fs::read_to_string(&self.record).unwrap_or_default();
        record.lines().filter(|line| line.contains("(INJECTED)")).count()
    }

    /// TERM lets strace detach; it must never stay attached.
    fn detach(&mut self) {
        who::signal(i32::try_from(self.strace.id()).expect("a process id"), Signal::SIGTERM);
        let _ = self.strace.wait();
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        if !matches!(self.strace.try_wait(), Ok(Some(_))) {
            self.detach();
        }
    }
}

/// These calls of init fail while the server is killed: how many did.
fn kill_server_while(world: &World, calls: &str, how: &str) -> Result<(i32, usize), String> {
    world.ledger.excuses.starve(ATTACHES + LASTS + AFTERMATH);
    world.ledger.excuses.silence(ATTACHES + LASTS + BACKOFF);
    let pid = find(world, "server", || world.rig.server())?;
    let failing = Failing::start(world, calls, how);
    world.ledger.excuses.server_ends(Instant::now());
    who::signal(pid, Signal::SIGKILL);
    world.ledger.pause(LASTS);
    let failed = failing.end();
    let is_back = world.ledger.wait_until(BACKOFF, || world.rig.server().is_some());
    if !is_back {
        let evidence = format!("no server {BACKOFF:?} after {calls} works again");
        world.ledger.missed(Promise::ServerReplaced, &evidence);
    }
    world.ledger.count(Promise::ServerReplaced, "starts after failed calls", 1);
    Ok((pid, failed))
}

/// Every fork of init fails.
pub fn fork_fails(world: &World) -> Outcome {
    match kill_server_while(world, FORKS, "error=EAGAIN")? {
        (pid, 0) => Err(format!("nobody forked, with the server {pid} killed")),
        (pid, failed) => Ok(format!("{failed} forks, with the server {pid} killed")),
    }
}

/// Every second call of some kind fails, for a while.
pub fn call_fails(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let (calls, error) = CALLS[random.usize(..CALLS.len())];
    let how = format!("error={error}:when={}+2", random.u32(1..3));
    match kill_server_while(world, calls, &how)? {
        (pid, 0) => Err(format!("nobody called {calls}, with the server {pid} killed")),
        (pid, failed) => Ok(format!("{failed} times {calls} gave {error}, with the server {pid} killed")),
    }
}
