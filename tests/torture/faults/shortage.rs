//! What a container runs out of: processes, descriptors, space.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{Outcome, find, server};
use crate::families::{USERS, command};
use crate::ledger::{Promise, Tracked};
use crate::support::process::{descriptors, limits, set_limit};
use crate::who;
use crate::world::{REFUSALS, World};

/// How long a shortage lasts.
pub const LASTS: Duration = Duration::from_secs(2);
/// Until everything that failed for want of something was tried again.
pub const AFTERMATH: Duration = Duration::from_secs(2);
/// Init tries again twice a second; a start takes a moment too.
pub const BACKOFF: Duration = Duration::from_millis(1000);

/// Until a bomb has met its limit, on a slow machine.
const FILLS: Duration = Duration::from_secs(5);
/// How long a file system stays full, and how often what became free is taken.
const FULL: Duration = Duration::from_millis(1500);
const REFILL: Duration = Duration::from_millis(10);
/// Processes of an ordinary user's bomb.
const USER_MAX: usize = 100;

/// Doubles as fast as it can. "$0" is the marker, which forks inherit.
const BOMB: &str = "bomb() { bomb | bomb & }; bomb; sleep 100000";

/// Against the container's own limit.
pub fn bomb(world: &World) -> Outcome {
    let refusals = || world.rig.groups.refusals();
    match refusals() {
        Some(before) => explode(world, &[BOMB], None, |_| refusals() > Some(before)),
        None => user_bomb(world),
    }
}

/// Against a limit of the user's own, as an ordinary user.
pub fn user_bomb(world: &World) -> Outcome {
    // Some end while others begin: it is never quite full.
    let script = format!("ulimit -u {USER_MAX}; {BOMB}");
    explode(world, &[&script], Some(USERS[0]), |count| count * 10 >= USER_MAX * 7)
}

/// Runs the bomb in a session and deletes it: nothing may be left.
fn explode(world: &World, script: &[&str], user: Option<u32>, is_full: impl Fn(usize) -> bool) -> Outcome {
    let marker = world.marker();
    // Anew at each step: on a crowded machine the bomb goes on for longer.
    let starve = || world.ledger.excuses.starve(FILLS + LASTS + AFTERMATH + AFTERMATH);
    starve();
    let words = [script, &[marker.as_str()]].concat();
    let tracked = Tracked { user, ..Tracked::default() };
    if world.create(&marker, &command(user, &words), tracked).is_none() {
        return Err("the run is over".to_owned());
    }
    let count = || who::marked().iter().filter(|process| process.marker == marker).count();
    starve();
    let was_full = world.ledger.wait_until(FILLS, || is_full(count()));
    starve();
    world.ledger.pause(LASTS);
    let (count, tasks, start) = (count(), world.rig.groups.tasks(), Instant::now());
    world.ledger.record(Promise::NothingLeftBehind, "in a bomb at most", count as u64);
    world.delete(&marker);
    world.ledger.excuses.starve(AFTERMATH);
    let what = format!("{count} processes of {marker}, tasks {tasks:?}, deleted in {:?}", start.elapsed());
    if was_full { Ok(what) } else { Err(format!("the limit was not met: {what}")) }
}

/// No number for another descriptor: `is_met` looks for an effect of it.
fn exhaust(world: &World, pid: i32, is_met: impl Fn() -> bool) -> Outcome {
    let open = descriptors(pid);
    // The limit is one of poll(2)'s list as well, which is not to be cut off.
    let free =
        (0..).find(|number| !open.contains_key(number)).unwrap_or(0).max(u32::try_from(open.len() / 2).unwrap_or(0));
    let limit = |soft: &str| set_limit(pid, &format!("--nofile={soft}:"));
    let before = limits(pid);
    let line = before.iter().find_map(|line| line.strip_prefix("Max open files ")).unwrap_or("1024 1024");
    let soft = line.split(' ').next().unwrap_or("1024").to_owned();
    let until = Instant::now() + LASTS;
    let what = format!("{free} of {soft} descriptors for {pid}");
    if !limit(&free.to_string()) {
        return Err(format!("it was gone: {what}"));
    }
    let was_met = world.ledger.wait_until(LASTS, is_met);
    world.ledger.pause(until.saturating_duration_since(Instant::now()));
    match (limit(&soft), was_met) {
        (true, true) => Ok(what),
        // A server that could not take a session's descriptors begins anew.
        (false, _) => Ok(format!("{what}, which ended it")),
        (true, false) => Err(format!("nobody wanted another: {what}")),
    }
}

/// The kernel accepts connections that the server then cannot take.
pub fn server_descriptors(world: &World) -> Outcome {
    let pid = find(world, "server", || world.rig.server())?;
    // How many connections it takes it decides when it starts.
    find(world, "answer", || world.listed())?;
    world.ledger.excuses.silence(LASTS + AFTERMATH);
    world.ledger.excuses.starve(LASTS + AFTERMATH);
    exhaust(world, pid, || world.unanswered(Duration::from_millis(300)))
}

/// The server is killed as well, so that init needs a new link to it.
pub fn init_descriptors(world: &World) -> Outcome {
    world.ledger.excuses.starve(LASTS + AFTERMATH);
    world.ledger.excuses.silence(LASTS + BACKOFF);
    let told = || world.rig.log.lines().iter().filter(|line| line.contains("Too many open files")).count();
    let refusals = || (told(), world.ledger.counted(Promise::ApiAnswers, REFUSALS));
    let before = refusals();
    let outcome = std::thread::scope(|scope| {
        let exhausted = scope.spawn(|| exhaust(world, world.rig.init, || refusals() != before));
        world.ledger.pause(LASTS / 2);
        let killed = server::kill(world)?;
        let exhausted = exhausted.join().map_err(|_| "its thread gave up".to_owned())??;
        Ok(format!("{exhausted}; {killed}"))
    });
    world.ledger.wait_until(BACKOFF, || world.listed().is_some());
    outcome
}

/// Keeps a directory's file system full for a while, and makes room again.
pub fn fill(world: &World, name: &str) -> Outcome {
    let path = world.rig.inside(name).join("filler");
    let failed = |error| format!("filling {}: {error}", path.display());
    let mut file = fs::File::create(&path).map_err(failed)?;
    let size = write_until_full(&mut file).map_err(failed)?;
    // Log lines and a change of state come meanwhile.
    world.rig.signal_init(Signal::SIGUSR1);
    let killed = server::kill(world);
    let more = keep_full(world, &mut file);
    // What is removed takes its room for as long as somebody has it open.
    drop(file);
    let _ = fs::remove_file(&path);
    let more = more.map_err(failed)?;
    let again = logs_again(world)?;
    Ok(format!("{size} bytes, {more} that were free again later, {}, then {again}", killed?))
}

/// Takes whatever becomes free, as histories of deleted sessions do, and says how much that was.
fn keep_full(world: &World, file: &mut fs::File) -> std::io::Result<usize> {
    let (until, mut more) = (Instant::now() + FULL, 0);
    while Instant::now() < until && !world.ledger.pause(REFILL) {
        more += write_until_full(file)?;
    }
    Ok(more)
}

/// With room again, the next server writes to its log file as ever.
fn logs_again(world: &World) -> Outcome {
    let size = || {
        let files = fs::read_dir(world.rig.inside("log")).into_iter().flatten().flatten();
        files.filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>()
    };
    let before = size();
    let outcome = server::kill(world)?;
    if !world.ledger.wait_until(FILLS, || size() > before) {
        world.ledger.missed(Promise::ServerReplaced, &format!("{FILLS:?} after a start nothing is in its log file"));
    }
    Ok(outcome)
}

/// How much there was room for.
fn write_until_full(file: &mut fs::File) -> std::io::Result<usize> {
    let block = [0; 4096];
    let mut size = 0;
    loop {
        match file.write(&block) {
            Ok(n) => size += n,
            Err(e) if e.kind() == std::io::ErrorKind::StorageFull => return Ok(size),
            Err(e) => return Err(e),
        }
    }
}
