//! Descriptors and memory: bounded while much goes on, and as before once it is over.

use std::time::{Duration, Instant};

use crate::ledger::Promise;
use crate::support::eventually;
use crate::support::process::descriptors;
use crate::who;
use crate::world::World;

const EVERY: Duration = Duration::from_millis(250);
/// A session's terminal, ring, pace page, event and what is under way.
const INIT_FDS_A_SESSION: usize = 8;
const INIT_FDS_SPARE: usize = 16;
/// Connections of this program, and what the sessions need.
const SERVER_FDS_MAX: usize = 700;
/// Memory beyond what there was at rest, in KiB.
const INIT_KIB_SPARE: u64 = 6 * 1024;
const SERVER_KIB_SPARE: u64 = 64 * 1024;
/// Between the second quarter of a run and the last, init may grow by this.
const INIT_KIB_TREND: u64 = 1024;

/// Init and server at rest: descriptors and KiB.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    init: (usize, u64),
    server: (usize, u64),
}

fn sizes(world: &World) -> Option<Rest> {
    Some(Rest { init: who::size(world.rig.init)?, server: who::size(world.rig.server()?)? })
}

/// What they have with no session and no connection. Connections close a moment
/// after their clients are gone, so the least of some looks counts.
pub fn at_rest(world: &World) -> Rest {
    // The history's folder is the last that a server opens when it starts.
    eventually("the server is up", || {
        let names = descriptors(world.rig.server()?);
        names.values().any(|name| name.ends_with("history")).then_some(())
    });
    let looks = (0..20).filter_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        sizes(world)
    });
    looks.min_by_key(|rest| (rest.init.0, rest.server.0)).expect("init and a server")
}

/// Samples until the run is over.
pub fn watch(world: &World, rest: Rest) {
    let mut samples = Vec::new();
    while !world.ledger.pause(EVERY) {
        let Some(now) = sizes(world) else { continue };
        let sessions = world.ledger.sessions().values().filter(|t| t.id.is_some() || t.in_motion).count();
        let ledger = &world.ledger;
        ledger.count(Promise::GrowsNot, "samples", 1);
        ledger.record(Promise::GrowsNot, "descriptors of init at most", now.init.0 as u64);
        ledger.record(Promise::GrowsNot, "KiB of init at most", now.init.1);
        ledger.record(Promise::GrowsNot, "descriptors of the server at most", now.server.0 as u64);
        ledger.record(Promise::GrowsNot, "KiB of the server at most", now.server.1);
        let is_bounded = now.init.0 <= rest.init.0 + sessions * INIT_FDS_A_SESSION + INIT_FDS_SPARE
            && now.init.1 <= rest.init.1 + INIT_KIB_SPARE
            && now.server.0 <= SERVER_FDS_MAX
            && now.server.1 <= rest.server.1 + SERVER_KIB_SPARE;
        if !is_bounded {
            let evidence = format!("with {sessions} sessions (descriptors, KiB): {now:?}; at rest {rest:?}");
            return ledger.broken(Promise::GrowsNot, &evidence);
        }
        samples.push(now.init.1);
    }
    let quarter = samples.len() / 4;
    let (early, late) = (middle(&samples[quarter..quarter * 2]), middle(&samples[quarter * 3..]));
    if late > early + INIT_KIB_TREND {
        let evidence = format!("init grew from {early} KiB in the second quarter of the run to {late} KiB in the last");
        world.ledger.broken(Promise::GrowsNot, &evidence);
    }
}

fn middle(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// With all sessions and connections gone, no descriptor may be left of them.
pub fn compare(world: &World, rest: Rest, patience: Duration) {
    let start = Instant::now();
    let is_as_before = |now: &Rest| (now.init.0, now.server.0) == (rest.init.0, rest.server.0);
    let mut last = None;
    while start.elapsed() < patience {
        last = sizes(world);
        if last.as_ref().is_some_and(is_as_before) {
            return world.ledger.count(Promise::GrowsNot, "descriptors more than before", 0);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (init, server) = (descriptors(world.rig.init), world.rig.server().map(descriptors));
    let evidence =
        format!("all sessions are gone, descriptors are not: {last:?}, before {rest:?}: {init:?}, {server:?}");
    world.ledger.broken(Promise::GrowsNot, &evidence);
}
