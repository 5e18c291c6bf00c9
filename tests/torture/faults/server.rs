//! What happens to the API server, and orders to init.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::excuse::ANSWER;
use crate::ledger::Promise;
use crate::who;
use crate::world::World;

/// Init replaces a server that does not answer it for 10 s; it asks every so
/// often, and then the next one has to start.
const HANG_MAX: Duration = Duration::from_secs(13);

/// A server to strike at. There must be one at any time, or soon.
fn server(world: &World) -> Option<i32> {
    let mut found = None;
    world.ledger.wait_until(ANSWER * 5, || {
        found = world.rig.server();
        found.is_some()
    });
    found
}

/// Kills it with SIGKILL and says so to those who expect answers.
pub fn kill(world: &World) -> String {
    let Some(pid) = server(world) else { return "no server".to_owned() };
    world.ledger.excuses.server_ends(Instant::now());
    who::signal(pid, Signal::SIGKILL);
    world.ledger.count(Promise::ServerReplaced, "servers killed", 1);
    let is_back = || world.rig.server().is_some_and(|now| now != pid);
    let patience = ANSWER * 5;
    if !world.ledger.wait_until(patience, is_back) {
        world.ledger.missed(Promise::ServerReplaced, &format!("killed {pid}, and no other came in {patience:?}"));
    }
    format!("killed {pid}")
}

/// Kills the next one as well, at a random moment of its start.
pub fn kill_twice(world: &World, random: &mut fastrand::Rng) -> String {
    let first = kill(world);
    world.ledger.pause(Duration::from_micros(random.u64(0..60_000)));
    format!("{first}, {}", kill(world))
}

/// Kills servers that just began to work until init says that it waits.
pub fn crash_loop(world: &World) -> String {
    let announced = || world.rig.log.lines().iter().filter(|line| line.contains("keeps ending")).count();
    let before = announced();
    for kills in 1..=6 {
        kill(world);
        world.ledger.wait_until(ANSWER * 3, || world.listed().is_some());
        if announced() > before {
            return format!("killed {kills} and init backed off");
        }
    }
    let evidence = "6 servers killed as soon as they worked, and init's log says nothing of it";
    world.ledger.missed(Promise::ServerReplaced, evidence);
    "no back-off".to_owned()
}

/// SIGUSR2: another server, on purpose.
pub fn replace(world: &World) -> String {
    let Some(pid) = server(world) else { return "no server".to_owned() };
    world.ledger.excuses.silence(Duration::ZERO);
    world.rig.signal_init(Signal::SIGUSR2);
    if !world.ledger.wait_until(ANSWER * 2, || world.rig.server().is_some_and(|now| now != pid)) {
        world.ledger.missed(Promise::ServerReplaced, &format!("SIGUSR2 did not replace {pid} in {:?}", ANSWER * 2));
    }
    world.ledger.count(Promise::ServerReplaced, "servers replaced by SIGUSR2", 1);
    format!("replaced {pid}")
}

/// SIGSTOP, and SIGCONT before anybody gives it up.
pub fn pause(world: &World, random: &mut fastrand::Rng) -> String {
    let Some(pid) = server(world) else { return "no server".to_owned() };
    let time = Duration::from_millis(random.u64(50..2000));
    world.ledger.excuses.silence(time);
    who::signal(pid, Signal::SIGSTOP);
    world.ledger.pause(time);
    who::signal(pid, Signal::SIGCONT);
    format!("stopped {pid} for {time:?}")
}

/// SIGSTOP for good.
pub fn hang(world: &World) -> String {
    let Some(pid) = server(world) else { return "no server".to_owned() };
    world.ledger.excuses.silence(HANG_MAX);
    let start = Instant::now();
    who::signal(pid, Signal::SIGSTOP);
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
    format!("stopped {pid}, gone after {:?}", start.elapsed())
}

/// SIGUSR1: whatever belongs to living sessions survives it.
pub fn sweep(world: &World) -> String {
    world.rig.signal_init(Signal::SIGUSR1);
    "asked".to_owned()
}
