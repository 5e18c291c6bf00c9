//! What a container runs out of: processes, descriptors, space.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::server;
use crate::families::{USERS, command};
use crate::ledger::{Promise, Tracked};
use crate::who;
use crate::world::World;

/// How long a shortage lasts.
pub const LASTS: Duration = Duration::from_secs(2);
/// Until everything that failed for want of something was tried again.
pub const AFTERMATH: Duration = Duration::from_secs(2);
/// Init tries again twice a second; a start takes a moment too.
pub const BACKOFF: Duration = Duration::from_millis(1000);

/// Doubles as fast as it can. "$0" is the marker, which forks inherit.
const BOMB: &str = "bomb() { bomb | bomb & }; bomb; sleep 100000";

/// Against the container's own limit.
pub fn bomb(world: &World) -> String {
    if !world.rig.groups.has_pids_limit() {
        return user_bomb(world);
    }
    explode(world, &[BOMB], None)
}

/// Against a limit of the user's own, as an ordinary user.
pub fn user_bomb(world: &World) -> String {
    explode(world, &[&format!("ulimit -u 100; {BOMB}")], Some(USERS[0]))
}

/// Runs the bomb in a session and deletes it: nothing may be left.
fn explode(world: &World, script: &[&str], user: Option<u32>) -> String {
    let marker = world.marker();
    world.ledger.excuses.starve(LASTS + AFTERMATH + AFTERMATH);
    let words = [script, &[marker.as_str()]].concat();
    let tracked = Tracked { user, ..Tracked::default() };
    if world.create(&marker, &command(user, &words), tracked).is_none() {
        return "the run is over".to_owned();
    }
    world.ledger.pause(LASTS);
    let count = who::marked().iter().filter(|process| process.marker == marker).count();
    world.ledger.record(Promise::NothingLeftBehind, "in a bomb at most", count as u64);
    let (tasks, start) = (world.rig.groups.tasks(), Instant::now());
    world.delete(&marker);
    format!("{count} processes of {marker}, tasks {tasks:?}, deleted in {:?}", start.elapsed())
}

/// No descriptor above those that are open.
fn exhaust(world: &World, pid: i32) -> String {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let limit = |soft: &str| {
        let flag = format!("--nofile={soft}:");
        Command::new("prlimit").args(["--pid", &pid.to_string(), &flag]).status().is_ok_and(|status| status.success())
    };
    let before = crate::support::process::limits(pid);
    let line = before.iter().find_map(|line| line.strip_prefix("Max open files ")).unwrap_or("1024 1024");
    let soft = line.split(' ').next().unwrap_or("1024").to_owned();
    let done = limit(&open.to_string());
    world.ledger.pause(LASTS);
    let undone = limit(&soft);
    format!("{open} of {soft} descriptors for {pid}: {}", if done && undone { "done" } else { "it is gone" })
}

pub fn server_descriptors(world: &World) -> String {
    let Some(pid) = world.rig.server() else { return "no server".to_owned() };
    world.ledger.excuses.silence(LASTS + AFTERMATH);
    world.ledger.excuses.starve(LASTS + AFTERMATH);
    exhaust(world, pid)
}

/// The server is killed as well, so that init needs a new link to it.
pub fn init_descriptors(world: &World) -> String {
    world.ledger.excuses.starve(LASTS + AFTERMATH);
    world.ledger.excuses.silence(LASTS + BACKOFF);
    let outcome = std::thread::scope(|scope| {
        let exhausted = scope.spawn(|| exhaust(world, world.rig.init));
        world.ledger.pause(LASTS / 2);
        let killed = server::kill(world);
        format!("{}; {killed}", exhausted.join().unwrap_or_default())
    });
    world.ledger.wait_until(BACKOFF, || world.listed().is_some());
    outcome
}

/// Writes a directory's file system full, and makes room again.
pub fn fill(world: &World, name: &str) -> String {
    let path = world.rig.inside(name).join("filler");
    let filled = fs::File::create(&path).and_then(|mut file| {
        let block = [0; 4096];
        let mut size = 0;
        loop {
            match std::io::Write::write(&mut file, &block) {
                Ok(n) => size += n,
                Err(e) if e.kind() == std::io::ErrorKind::StorageFull => return Ok(size),
                Err(e) => return Err(e),
            }
        }
    });
    // Log lines and a change of state come meanwhile.
    world.rig.signal_init(Signal::SIGUSR1);
    server::kill(world);
    world.ledger.pause(Duration::from_millis(1500));
    let _ = fs::remove_file(&path);
    match filled {
        Ok(size) => format!("{size} bytes"),
        Err(error) => panic!("filling {}: {error}", path.display()),
    }
}
