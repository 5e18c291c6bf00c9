//! System calls of init that fail, by the kernel's own tracing: strace(1).

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::shortage::{AFTERMATH, BACKOFF, LASTS};
use crate::ledger::Promise;
use crate::support::process::status;
use crate::who;
use crate::world::World;

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
struct Failing(Child);

impl Failing {
    fn start(world: &World, calls: &str, how: &str) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        strace.args(["-e", &format!("inject={calls}:{how}"), "-p", &world.rig.init.to_string()]);
        let child = strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let failing = Self(child.unwrap_or_else(|e| panic!("strace(1), which lets calls fail: {e}; install it")));
        world.ledger.wait_until(Duration::from_secs(5), || status(world.rig.init, "TracerPid") != "0");
        failing
    }
}

impl Drop for Failing {
    /// TERM lets strace detach; it must never stay attached.
    fn drop(&mut self) {
        who::signal(i32::try_from(self.0.id()).expect("a process id"), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Every fork of init fails while the server is killed.
pub fn fork_fails(world: &World) -> String {
    let failing = Failing::start(world, FORKS, "error=EAGAIN");
    world.ledger.excuses.starve(LASTS + AFTERMATH);
    world.ledger.excuses.silence(LASTS + BACKOFF);
    let pid = world.rig.server();
    if let Some(pid) = pid {
        world.ledger.excuses.server_ends(Instant::now());
        who::signal(pid, Signal::SIGKILL);
    }
    world.ledger.pause(LASTS);
    drop(failing);
    let is_back = world.ledger.wait_until(BACKOFF, || world.rig.server().is_some());
    if !is_back {
        world.ledger.missed(Promise::ServerReplaced, &format!("no server {BACKOFF:?} after forks work again"));
    }
    world.ledger.count(Promise::ServerReplaced, "starts after failed forks", 1);
    format!("with the server {pid:?} killed")
}

/// Every second call of some kind fails, for a while.
pub fn call_fails(world: &World, random: &mut fastrand::Rng) -> String {
    let (calls, error) = CALLS[random.usize(..CALLS.len())];
    let first = random.u32(1..3);
    world.ledger.excuses.starve(LASTS + AFTERMATH);
    world.ledger.excuses.silence(LASTS + BACKOFF);
    let failing = Failing::start(world, calls, &format!("error={error}:when={first}+2"));
    world.ledger.pause(LASTS);
    drop(failing);
    format!("{calls} gave {error}")
}
