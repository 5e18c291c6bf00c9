//! Faults, one function each.

mod calls;
mod clients;
mod server;
mod sessions;
mod shortage;

use std::time::Instant;

use crate::plan::{Fault, Step};
use crate::world::World;

/// Carries out a lane's steps, each at its time.
pub fn run(world: &World, steps: &[Step]) {
    for step in steps {
        let wait = (world.ledger.begun + step.at).saturating_duration_since(Instant::now());
        if world.ledger.pause(wait) {
            return;
        }
        strike(world, step);
    }
}

fn strike(world: &World, step: &Step) {
    let mut random = fastrand::Rng::with_seed(step.dice);
    let name = step.fault.entry().name;
    world.ledger.note(format!("{name} (planned for {:.3} s) begins", step.at.as_secs_f64()));
    let outcome = match step.fault {
        Fault::KillServer => server::kill(world),
        Fault::KillServerTwice => server::kill_twice(world, &mut random),
        Fault::CrashLoop => server::crash_loop(world),
        Fault::ReplaceServer => server::replace(world),
        Fault::PauseServer => server::pause(world, &mut random),
        Fault::HangServer => server::hang(world),
        Fault::Bomb => shortage::bomb(world),
        Fault::UserBomb => shortage::user_bomb(world),
        Fault::ForkFails => calls::fork_fails(world),
        Fault::CallFails => calls::call_fails(world, &mut random),
        Fault::ServerDescriptors => shortage::server_descriptors(world),
        Fault::InitDescriptors => shortage::init_descriptors(world),
        Fault::FullState => shortage::fill(world, "state"),
        Fault::FullLog => shortage::fill(world, "log"),
        Fault::KillLeader => sessions::kill_leader(world, &mut random),
        Fault::KillMember => sessions::kill_member(world, &mut random),
        Fault::KillUser => sessions::kill_user(world, &mut random),
        Fault::StopMember => sessions::stop_member(world, &mut random),
        Fault::DeleteSession => sessions::delete(world, &mut random),
        Fault::HalfFrame => clients::half_frame(world, &mut random),
        Fault::Nonsense => clients::nonsense(world, &mut random),
        Fault::StallingClient => clients::stall(world),
        Fault::CutClients => clients::cut(world),
        Fault::Sweep => server::sweep(world),
    };
    world.ledger.note(format!("{name}: {outcome}"));
    world.ledger.struck(name);
}
