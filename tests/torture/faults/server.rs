//! What happens to the API server, and orders to init.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{Outcome, find};
use crate::excuse::ANSWER;
use crate::families::command;
use crate::ledger::{End, Outlaw, Promise, Tracked};
use crate::support::process::stat;
use crate::who;
use crate::world::World;

/// Init replaces a server that does not answer it for 10 s; it asks every so
/// often, and then the next one has to start.
const HANG_MAX: Duration = Duration::from_secs(13);
/// From an order to a session to what it does then.
const ORDER_TAKES: Duration = Duration::from_millis(200);

/// A server to strike at. There must be one at any time, or soon.
fn server(world: &World) -> Result<i32, String> {
    find(world, "server", || world.rig.server())
}

/// Stops it, and sees that it is.
fn stop(world: &World, pid: i32) -> Result<(), String> {
    who::signal(pid, Signal::SIGSTOP);
    find(world, "stopped server", || (stat(pid)?.state == 'T').then_some(()))
}

/// Kills it with SIGKILL and says so to those who expect answers.
pub fn kill(world: &World) -> Outcome {
    let pid = server(world)?;
    world.ledger.excuses.server_ends(Instant::now());
    who::signal(pid, Signal::SIGKILL);
    world.ledger.count(Promise::ServerReplaced, "servers killed", 1);
    let is_back = || world.rig.server().is_some_and(|now| now != pid);
    let patience = ANSWER * 5;
    if !world.ledger.wait_until(patience, is_back) {
        world.ledger.missed(Promise::ServerReplaced, &format!("killed {pid}, and no other came in {patience:?}"));
    }
    Ok(format!("killed {pid}"))
}

/// Kills the next one as well, at a random moment of its start.
pub fn kill_twice(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let first = kill(world)?;
    world.ledger.pause(Duration::from_micros(random.u64(0..60_000)));
    Ok(format!("{first}, {}", kill(world)?))
}

/// Kills servers that just began to work until init says that it waits.
pub fn crash_loop(world: &World) -> Outcome {
    let announced = || world.rig.log.lines().iter().filter(|line| line.contains("keeps ending")).count();
    let before = announced();
    for kills in 1..=6 {
        kill(world)?;
        world.ledger.wait_until(ANSWER * 3, || world.listed().is_some());
        if announced() > before {
            return Ok(format!("killed {kills} and init backed off"));
        }
    }
    let evidence = "6 servers killed as soon as they worked, and init's log says nothing of it";
    world.ledger.missed(Promise::ServerReplaced, evidence);
    Err("init did not back off".to_owned())
}

/// SIGUSR2: another server, on purpose.
pub fn replace(world: &World) -> Outcome {
    let pid = server(world)?;
    world.ledger.excuses.silence(Duration::ZERO);
    world.rig.signal_init(Signal::SIGUSR2);
    if !world.ledger.wait_until(ANSWER * 2, || world.rig.server().is_some_and(|now| now != pid)) {
        world.ledger.missed(Promise::ServerReplaced, &format!("SIGUSR2 did not replace {pid} in {:?}", ANSWER * 2));
    }
    world.ledger.count(Promise::ServerReplaced, "servers replaced by SIGUSR2", 1);
    Ok(format!("replaced {pid}"))
}

/// SIGSTOP, and SIGCONT before anybody gives it up.
pub fn pause(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let pid = server(world)?;
    let time = Duration::from_millis(random.u64(50..2000));
    world.ledger.excuses.silence(time);
    stop(world, pid)?;
    world.ledger.pause(time);
    who::signal(pid, Signal::SIGCONT);
    Ok(format!("stopped {pid} for {time:?}"))
}

/// SIGSTOP for good.
pub fn hang(world: &World) -> Outcome {
    let pid = server(world)?;
    world.ledger.excuses.silence(HANG_MAX);
    let start = Instant::now();
    stop(world, pid)?;
    let is_replaced = world.ledger.wait_until(HANG_MAX, || world.rig.server().is_some_and(|now| now != pid));
    if is_replaced {
        // Init counts that end too.
        world.ledger.excuses.server_ends(Instant::now());
        world.ledger.count(Promise::ServerReplaced, "hung servers replaced", 1);
    } else {
        let evidence = format!("stopped for {HANG_MAX:?} and not replaced: {}", who::describe(pid));
        world.ledger.missed(Promise::ServerReplaced, &evidence);
        who::signal(pid, Signal::SIGCONT);
    }
    Ok(format!("stopped {pid}, gone after {:?}", start.elapsed()))
}

/// `kill -9 -1` as root: nothing of the container is left but init.
pub fn kill_all(world: &World) -> Outcome {
    let pid = server(world)?;
    let (marker, order) = (world.marker(), world.rig.dir().join("kill-all"));
    // The call spares its caller. It waits, so that the moment is known.
    let script = ["until [ -e \"$1\" ]; do sleep .01; done; kill -9 -1; exit 7", &marker, &order.display().to_string()];
    let tracked = Tracked { ends: Some(vec![End::Code(7)]), ..Tracked::default() };
    if world.create(&marker, &command(None, &script), tracked).is_none() {
        return Err("the run is over".to_owned());
    }
    world.ledger.outlaw(Outlaw::Everybody);
    let before = who::marked().len();
    world.ledger.excuses.silence(ORDER_TAKES);
    fs::write(&order, "").map_err(|e| format!("writing {}: {e}", order.display()))?;
    let is_back = || world.rig.server().is_some_and(|now| now != pid);
    if !world.ledger.wait_until(ANSWER * 5, is_back) {
        world.ledger.missed(Promise::ServerReplaced, &format!("kill -9 -1 killed {pid}, and no other came"));
    }
    let has_ended = world.wait_for_end(&marker, ANSWER * 20);
    let _ = fs::remove_file(&order);
    world.ledger.pardon(Outlaw::Everybody);
    world.delete(&marker);
    if has_ended { Ok(format!("{before} processes and the server {pid}")) } else { Err("not carried out".to_owned()) }
}

/// SIGUSR1: whatever belongs to living sessions survives it.
pub fn sweep(world: &World) -> Outcome {
    let sweeps = || world.health()?["sweepCount"].as_u64();
    let before = find(world, "health", sweeps)?;
    world.rig.signal_init(Signal::SIGUSR1);
    let after = find(world, "sweep", || sweeps().filter(|after| *after > before))?;
    Ok(format!("{after} sweeps so far"))
}
