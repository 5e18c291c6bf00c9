//! Faults, one function each.

mod calls;
mod clients;
mod server;
mod sessions;
mod shortage;

use std::time::{Duration, Instant};

use crate::plan::{Fault, Step};
use crate::world::World;

/// What was done; or why it had no effect, so that it does not count.
pub type Outcome = Result<String, String>;

/// Until there is somebody whom a fault can hit.
const SOMEBODY: Duration = Duration::from_secs(5);

const TRIES: usize = 3;

/// What `find` finds, as soon as it finds something.
fn find<T>(world: &World, what: &str, mut find: impl FnMut() -> Option<T>) -> Result<T, String> {
    let mut found = None;
    world.ledger.wait_until(SOMEBODY, || {
        found = find();
        found.is_some()
    });
    found.ok_or_else(|| format!("no {what} for {SOMEBODY:?}"))
}

/// Carries out a lane's steps, each at its time. A lane that is late, because a
/// fault had to wait for another, leaves out what it had already once.
pub fn run(world: &World, steps: &[Step], length: Duration) {
    for step in steps {
        if world.ledger.begun.elapsed() > length && world.ledger.has_struck(step.fault.entry().name) {
            continue;
        }
        let wait = (world.ledger.begun + step.at).saturating_duration_since(Instant::now());
        if world.ledger.pause(wait) {
            return;
        }
        strike(world, step);
    }
}

/// Whoever it is to hit may be hit by another fault at this moment: it is tried
/// some more times.
fn strike(world: &World, step: &Step) {
    let mut random = fastrand::Rng::with_seed(step.dice);
    let name = step.fault.entry().name;
    for _ in 0..TRIES {
        world.ledger.note(format!("{name} (planned for {:.3} s) begins", step.at.as_secs_f64()));
        match carry_out(world, step.fault, &mut random) {
            Ok(what) => {
                world.ledger.note(format!("{name}: {what}"));
                return world.ledger.struck(name);
            }
            Err(why) => world.ledger.note(format!("{name} had no effect: {why}")),
        }
        if world.ledger.is_over() {
            return;
        }
    }
}

fn carry_out(world: &World, fault: Fault, random: &mut fastrand::Rng) -> Outcome {
    match fault {
        Fault::KillServer => server::kill(world),
        Fault::KillAll => server::kill_all(world),
        Fault::KillServerTwice => server::kill_twice(world, random),
        Fault::CrashLoop => server::crash_loop(world),
        Fault::ReplaceServer => server::replace(world),
        Fault::PauseServer => server::pause(world, random),
        Fault::HangServer => server::hang(world),
        Fault::Bomb => shortage::bomb(world),
        Fault::UserBomb => shortage::user_bomb(world),
        Fault::ForkFails => calls::fork_fails(world),
        Fault::CallFails => calls::call_fails(world, random),
        Fault::ServerDescriptors => shortage::server_descriptors(world),
        Fault::InitDescriptors => shortage::init_descriptors(world),
        Fault::FullState => shortage::fill(world, "state"),
        Fault::FullLog => shortage::fill(world, "log"),
        Fault::KillLeader => sessions::kill_leader(world, random),
        Fault::KillMember => sessions::kill_member(world, random),
        Fault::KillUser => sessions::kill_user(world, random),
        Fault::StopMember => sessions::stop_member(world, random),
        Fault::DeleteSession => sessions::delete(world, random),
        Fault::HalfFrame => clients::half_frame(world, random),
        Fault::Nonsense => clients::nonsense(world, random),
        Fault::StallingClient => clients::stall(world),
        Fault::CutClients => clients::cut(world),
        Fault::Sweep => server::sweep(world),
    }
}
