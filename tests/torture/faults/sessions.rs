//! What happens to the processes of sessions.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{Outcome, find};
use crate::excuse::ANSWER;
use crate::families::{USERS, command};
use crate::ledger::{End, Outlaw, Promise, Tracked};
use crate::support::process::stat;
use crate::who::{self, Process};
use crate::world::World;

/// A session's processes, and its leader among them.
fn is_leader(world: &World, process: &Process) -> bool {
    world.ledger.session(&process.marker).leader == Some(process.inner)
}

/// Any process that the choice accepts.
fn choose(world: &World, random: &mut fastrand::Rng, accept: impl Fn(&Process) -> bool) -> Result<Process, String> {
    find(world, "process of a session", || {
        let mut some = who::marked();
        some.retain(|process| accept(process) && !world.ledger.session(&process.marker).in_motion);
        some.sort_by_key(|process| (process.inner, process.pid));
        (!some.is_empty()).then(|| some.swap_remove(random.usize(..some.len())))
    })
}

pub fn kill_leader(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let process = choose(world, random, |process| is_leader(world, process))?;
    kill_one(world, &process)
}

pub fn kill_member(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let process = choose(world, random, |_| true)?;
    kill_one(world, &process)
}

fn kill_one(world: &World, process: &Process) -> Outcome {
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
    let what = format!("{role} of {}, {}", process.marker, process.brief());
    if was_there { Ok(what) } else { Err(format!("gone before it was killed: {what}")) }
}

/// `kill -9 -1` as an ordinary user: nobody else's processes notice.
pub fn kill_user(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let user = USERS[random.usize(..USERS.len())];
    world.ledger.outlaw(Outlaw::User(user));
    let outcome = kill_as(world, user);
    world.ledger.pardon(Outlaw::User(user));
    outcome
}

fn kill_as(world: &World, user: u32) -> Outcome {
    let over = || "the run is over".to_owned();
    let (victim, marker) = (world.marker(), world.marker());
    let ends = |end| Tracked { user: Some(user), ends: Some(vec![end]), ..Tracked::default() };
    let script = ["trap '' HUP TERM; exec -a \"$0\" sleep 100000", &victim];
    world.create(&victim, &command(Some(user), &script), ends(End::Signal("SIGKILL"))).ok_or_else(over)?;
    // Before its exec it may be root's still.
    let runs = |process: &Process| process.marker == victim && process.line.ends_with(" 100000 ");
    let pid = find(world, "victim", || who::marked().into_iter().find(runs))?.pid;
    // The call spares its caller.
    let killer = ["kill -9 -1; exit 7", &marker];
    let tracked = Tracked { user: None, ..ends(End::Code(7)) };
    world.create(&marker, &command(Some(user), &killer), tracked).ok_or_else(over)?;
    let have_ended = [&marker, &victim].map(|marker| world.wait_for_end(marker, Duration::from_secs(20)));
    if have_ended != [true, true] {
        return Err(format!("{marker} and {victim} ended: {have_ended:?}"));
    }
    world.delete(&marker);
    world.delete(&victim);
    Ok(format!("by user {user} in {marker}, of {pid} of {victim} and others"))
}

/// SIGSTOP, and SIGCONT after a while: nothing but a delay.
pub fn stop_member(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let process = choose(world, random, |_| true)?;
    let time = Duration::from_millis(random.u64(100..1500));
    let start = who::start_time(process.pid);
    world.ledger.excuses.silence(Duration::ZERO);
    who::signal(process.pid, Signal::SIGSTOP);
    // Somebody may end it this very moment.
    let is_stopped = world.ledger.wait_until(time, || stat(process.pid).is_none_or(|stat| stat.state == 'T'))
        && stat(process.pid).is_some();
    world.ledger.pause(time);
    if who::start_time(process.pid) == start {
        who::signal(process.pid, Signal::SIGCONT);
    }
    let what = format!("of {}, for {time:?}, {}", process.marker, process.brief());
    if is_stopped { Ok(what) } else { Err(format!("not stopped: {what}")) }
}

/// DELETE of a session whose output somebody is reading.
pub fn delete(world: &World, random: &mut fastrand::Rng) -> Outcome {
    let is_read = |process: &Process| process.line.contains("--print") && is_leader(world, process);
    let process = choose(world, random, is_read)?;
    if world.delete(&process.marker) { Ok(process.marker) } else { Err("the run is over".to_owned()) }
}
