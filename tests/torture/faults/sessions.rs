//! What happens to the processes of sessions.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::excuse::ANSWER;
use crate::families::{USERS, command};
use crate::ledger::{End, Promise, Tracked};
use crate::who::{self, Process};
use crate::world::World;

/// A session's processes, and its leader among them.
fn is_leader(world: &World, process: &Process) -> bool {
    world.ledger.session(&process.marker).leader == Some(process.inner)
}

/// Any process that the choice accepts.
fn choose(world: &World, random: &mut fastrand::Rng, accept: impl Fn(&Process) -> bool) -> Option<Process> {
    let mut some: Vec<_> = who::marked().into_iter().filter(|process| accept(process)).collect();
    some.sort_by_key(|process| (process.inner, process.pid));
    let chosen = (!some.is_empty()).then(|| some.swap_remove(random.usize(..some.len())));
    chosen.filter(|process| !world.ledger.session(&process.marker).in_motion)
}

pub fn kill_leader(world: &World, random: &mut fastrand::Rng) -> String {
    let Some(process) = choose(world, random, |process| is_leader(world, process)) else {
        return "nobody there".to_owned();
    };
    kill_one(world, &process)
}

pub fn kill_member(world: &World, random: &mut fastrand::Rng) -> String {
    let Some(process) = choose(world, random, |_| true) else { return "nobody there".to_owned() };
    kill_one(world, &process)
}

fn kill_one(world: &World, process: &Process) -> String {
    let is_leader = is_leader(world, process);
    let expect = |tracked: &mut Tracked| if is_leader { tracked.allow_kill() } else { tracked.is_hit = true };
    world.ledger.change(&process.marker, expect);
    let was_there = who::signal(process.pid, Signal::SIGKILL);
    if is_leader && was_there {
        let by = world.ledger.excuses.due(Instant::now()) + ANSWER;
        world.ledger.change(&process.marker, |tracked| {
            // Resumed in this very moment: that life is another's.
            if tracked.leader == Some(process.inner) && !tracked.in_motion {
                tracked.told_by = Some(by);
            }
        });
        world.ledger.count(Promise::ExitsRight, "leaders killed", 1);
    }
    let role = if is_leader { "leader" } else { "member" };
    format!("{role} of {}, {}", process.marker, process.brief())
}

/// `kill -9 -1` as an ordinary user: nobody else's processes notice.
pub fn kill_user(world: &World, random: &mut fastrand::Rng) -> String {
    let user = USERS[random.usize(..USERS.len())];
    world.ledger.outlaw(user);
    let marker = world.marker();
    // The call spares its caller.
    let script = ["kill -9 -1; exit 7", &marker];
    let tracked = Tracked { ends: Some(vec![End::Code(7)]), ..Tracked::default() };
    if world.create(&marker, &command(Some(user), &script), tracked).is_some()
        && world.wait_for_end(&marker, Duration::from_secs(20))
    {
        world.delete(&marker);
    }
    world.ledger.pardon(user);
    format!("by user {user} in {marker}")
}

/// SIGSTOP, and SIGCONT after a while: nothing but a delay.
pub fn stop_member(world: &World, random: &mut fastrand::Rng) -> String {
    let Some(process) = choose(world, random, |_| true) else { return "nobody there".to_owned() };
    let time = Duration::from_millis(random.u64(100..1500));
    let start = who::start_time(process.pid);
    world.ledger.excuses.silence(Duration::ZERO);
    who::signal(process.pid, Signal::SIGSTOP);
    world.ledger.pause(time);
    if who::start_time(process.pid) == start {
        who::signal(process.pid, Signal::SIGCONT);
    }
    format!("of {}, for {time:?}, {}", process.marker, process.brief())
}

/// DELETE of a session whose output somebody is reading.
pub fn delete(world: &World, random: &mut fastrand::Rng) -> String {
    let is_read = |process: &Process| process.line.contains("--print") && is_leader(world, process);
    let Some(process) = choose(world, random, is_read) else { return "nobody there".to_owned() };
    world.delete(&process.marker);
    process.marker
}
