//! After the faults: everything is deleted and must be gone; then the container ends.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::families::command;
use crate::growth::{self, Rest};
use crate::ledger::Promise;
use crate::rig::{SHUTDOWN_GRACE, STOP_GRACE};
use crate::who;
use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(10);

/// Needs a moment to save what it has, whatever it is told meanwhile.
const SAVER: &str = r#"
save() { (trap '' HUP TERM; exec sleep .3); echo saved >"$1"; exit 0; }
trap 'save "$1"' HUP TERM
echo ready >"$1"
while :; do (exec -a "$0" sleep 100000) & wait; done
"#;

/// Deletes what the load left, and looks for what is left of that.
pub fn clear(world: &World, rest: Rest) {
    let start = Instant::now();
    while !is_cleared(world) {
        if start.elapsed() > PATIENCE {
            return world.ledger.broken(Promise::SessionsKept, &format!("sessions not deleted in {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let start = Instant::now();
    while let Some(process) = who::marked().first() {
        if start.elapsed() > STOP_GRACE {
            let evidence = format!("all sessions are deleted, but there is {}", who::describe(process.pid));
            return world.ledger.broken(Promise::NothingLeftBehind, &evidence);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    growth::compare(world, rest, PATIENCE);
}

/// One attempt: the server may just be coming back from the last fault.
fn is_cleared(world: &World) -> bool {
    let Some(listed) = world.listed() else { return false };
    let api = world.rig.api();
    for session in &listed {
        let path = format!("/api/sessions/{}", session["id"].as_str().unwrap_or_default());
        let _ = api.try_call("DELETE", &path, None, &[]);
    }
    listed.is_empty()
}

/// SIGTERM: everybody gets the time to save, then all of it ends with 0.
pub fn end(mut world: World) -> World {
    let api = world.rig.api();
    let files: Vec<_> = (0..2).map(|n| world.rig.dir().join(format!("saved-{n}"))).collect();
    for file in &files {
        let marker = world.marker();
        let script = [SAVER, &marker, &file.display().to_string()];
        let request: Value = json!({ "name": marker, "command": command(None, &script) });
        let made = api.try_call("POST", "/api/sessions", Some("application/json"), request.to_string().as_bytes());
        let is_made = made.is_ok_and(|reply| reply.status == 201);
        if !is_made || !holds(file, "ready", PATIENCE) {
            world.ledger.broken(Promise::EndsWell, &format!("{marker}, which is to end last, did not start"));
            return world;
        }
    }
    let start = Instant::now();
    world.rig.signal_init(Signal::SIGTERM);
    let ended = world.rig.wait(SHUTDOWN_GRACE + Duration::from_secs(2));
    let took = start.elapsed();
    let code = ended.ok().flatten().and_then(|status| status.code());
    if code != Some(0) {
        let evidence = format!("SIGTERM: exit code {code:?} after {took:?}; none means that it still ran");
        world.ledger.broken(Promise::EndsWell, &evidence);
    }
    for file in &files {
        if !holds(file, "saved", Duration::ZERO) {
            let evidence = format!("a program that needs 300 ms to save got no such time; all ended in {took:?}");
            world.ledger.broken(Promise::EndsWell, &evidence);
        }
    }
    let groups = world.rig.groups.below();
    if !groups.is_empty() {
        world.ledger.broken(Promise::EndsWell, &format!("init ended, but its control groups are there: {groups:?}"));
    }
    if let Some(process) = who::marked().first() {
        let evidence = format!("init ended, but there is {}", who::describe(process.pid));
        world.ledger.broken(Promise::EndsWell, &evidence);
    }
    world.ledger.record(Promise::EndsWell, "ms from TERM to the end", u64::try_from(took.as_millis()).unwrap_or(0));
    world
}

fn holds(file: &std::path::Path, word: &str, patience: Duration) -> bool {
    let start = Instant::now();
    loop {
        let is_there = std::fs::read_to_string(file).is_ok_and(|text| text.trim() == word);
        if is_there || start.elapsed() >= patience {
            return is_there;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
