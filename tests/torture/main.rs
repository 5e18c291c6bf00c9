//! Random faults against the real binary as PID 1: `scripts/torture` runs this.
//!
//! Sessions stream, end and leave things behind all the time (`readers`,
//! `families`). The faults of a seeded plan hit the server, the sessions and the
//! container meanwhile (`plan`, `faults`). What is promised is watched all along
//! (`watch`, `growth`), and at the end (`ending`).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it found")]

mod ending;
mod excuse;
mod families;
mod faults;
mod groups;
mod growth;
mod ledger;
mod options;
mod plan;
mod readers;
mod rig;
mod stream;
#[path = "../suite/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the suite uses the rest")]
mod support;
mod watch;
mod who;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use groups::Groups;
use ledger::{Ledger, Promise};
use options::Options;
use plan::{LANES, Step, schedule};
use rig::Rig;
use world::World;

/// Lines of init's log that a failure prints.
const TAIL: usize = 60;

/// Without these a run proves nothing.
const LOOKS: [(Promise, &str); 7] = [
    (Promise::NoZombies, "looks at init's children"),
    (Promise::NothingLeftBehind, "processes followed"),
    (Promise::LivingSpared, "families found whole"),
    (Promise::StreamsWhole, "bytes"),
    (Promise::ApiAnswers, "answers"),
    (Promise::ExitsRight, "ends"),
    (Promise::SessionsKept, "lists compared"),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "--print") {
        return print(&arguments.skip(1).collect::<Vec<_>>());
    }
    if arguments.peek().is_some_and(|first| matches!(first.as_str(), "-h" | "--help")) {
        print!("{}", options::help());
        return ExitCode::SUCCESS;
    }
    match options::parse(arguments) {
        Ok(options) if options.plan_only => {
            print!("{}", describe(&options));
            ExitCode::SUCCESS
        }
        Ok(_) if !nix::unistd::Uid::effective().is_root() => {
            eprintln!("torture: needs root, to make namespaces and to fail system calls: run it with sudo");
            ExitCode::from(2)
        }
        Ok(options) => torture(&options),
        Err(reason) => {
            eprintln!("torture: {reason}");
            ExitCode::from(2)
        }
    }
}

/// The program of a session that is read: SEED PIECES CODE MARKER.
fn print(arguments: &[String]) -> ExitCode {
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    match stream::print(number(0), u32::try_from(number(1)).unwrap_or(0)) {
        Ok(()) => ExitCode::from(u8::try_from(number(2)).unwrap_or(1)),
        Err(_) => ExitCode::from(111),
    }
}

fn steps(options: &Options) -> [Vec<Step>; 3] {
    LANES.map(|lane| schedule(options.seed, lane, options.length, &options.faults))
}

/// The whole schedule in order of time.
fn describe(options: &Options) -> String {
    let mut all: Vec<_> = steps(options).into_iter().flatten().collect();
    all.sort_by_key(|step| step.at);
    let line = |step: &Step| {
        format!("  {:8.3} s  {:<18} {:016x}\n", step.at.as_secs_f64(), step.fault.entry().name, step.dice)
    };
    all.iter().map(line).collect()
}

fn torture(options: &Options) -> ExitCode {
    let Options { seed, length, .. } = options;
    let groups = Groups::new(is_writable(*seed));
    println!("torture: seed {seed}, {} s, {}; again with: {}", length.as_secs(), groups.describe(), options.again());
    let world = World::new(Rig::start(groups), Ledger::new(), *seed);
    if !world.rig.groups.has_pids_limit() {
        println!("torture: no cgroup for a pids limit can be made here: fork bombs run under RLIMIT_NPROC only");
    }
    expect(&world, options);
    let rest = growth::at_rest(&world);
    run(&world, options, rest);
    if !world.ledger.is_broken() {
        ending::clear(&world, rest);
    }
    let world = if world.ledger.is_broken() { world } else { ending::end(world) };
    if !world.ledger.is_broken() {
        world.ledger.insist(&LOOKS);
        world.ledger.insist_on_faults();
    }
    conclude(&world, options)
}

/// Every other seed, more or less, lets init make control groups.
fn is_writable(seed: u64) -> bool {
    fastrand::Rng::with_seed(seed).bool()
}

/// Every chosen fault has to come, if there is time for it.
fn expect(world: &World, options: &Options) {
    let round = plan::round(&options.faults);
    if options.length >= round {
        return world.ledger.expect(options.faults.iter().map(|fault| fault.entry().name));
    }
    println!("torture: not every fault comes in a run of less than {} s", round.as_secs() + 1);
    world.ledger.expect(steps(options).iter().flatten().map(|step| step.fault.entry().name));
}

/// Load, faults and watchers, until the time is over or a promise is broken.
fn run(world: &World, options: &Options, rest: growth::Rest) {
    let steps = steps(options);
    thread::scope(|scope| {
        let start = |promise, name, act| start(scope, world, promise, name, act);
        start(Promise::NoZombies, "the watch over processes", Box::new(|| watch::processes(world)));
        start(Promise::ApiAnswers, "the watch over the machine", Box::new(|| watch::machine(world)));
        start(Promise::ApiAnswers, "the watch over health", Box::new(|| watch::health(world)));
        start(Promise::SessionsKept, "the census", Box::new(|| watch::census(world)));
        start(Promise::GrowsNot, "the watch over growth", Box::new(|| growth::watch(world, rest)));
        for number in 0..readers::READERS {
            start(Promise::StreamsWhole, "a reader", Box::new(move || readers::read(world, number)));
        }
        for number in 0..families::FAMILIES {
            start(Promise::ExitsRight, "a family", Box::new(move || families::raise(world, number)));
        }
        let fault = |steps| {
            start(Promise::FaultsHappen, "a fault", Box::new(move || faults::run(world, steps, options.length)))
        };
        let lanes: Vec<_> = steps.iter().map(Vec::as_slice).map(fault).collect();
        world.ledger.pause(options.length);
        // Faults may last longer than planned: those that did not come yet still do.
        lanes.into_iter().for_each(|lane| drop(lane.join()));
        world.ledger.finish();
    });
}

/// A thread that must not give up: whatever it asserts is a promise.
fn start<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    world: &'scope World,
    promise: Promise,
    name: &'static str,
    act: Box<dyn FnOnce() + Send + 'scope>,
) -> thread::ScopedJoinHandle<'scope, ()> {
    scope.spawn(move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(act)) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            world.ledger.broken(promise, &format!("{name} gave up: {}", text.unwrap_or_default()));
        }
    })
}

/// Prints what a person or scripts/test wants to know.
fn conclude(world: &World, options: &Options) -> ExitCode {
    let (report, lines) = (world.ledger.report(), world.rig.log.lines());
    if world.ledger.is_broken() {
        println!("\n{report}\nthe last lines of init's log:");
        lines.iter().skip(lines.len().saturating_sub(TAIL)).for_each(|line| println!("  {line}"));
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{}.log", options.seed));
    match std::fs::write(&path, format!("{report}\n{}\n", lines.join("\n"))) {
        Ok(()) => println!("\ntorture: what was done, and all of init's log: {}", path.display()),
        Err(error) => eprintln!("torture: {} was not written: {error}", path.display()),
    }
    let (text, passed, failed) = world.ledger.results();
    println!("{text}\nfaults: {}", world.ledger.faults());
    if failed > 0 {
        println!("torture: FAILED; again with: {}", options.again());
    }
    let outcome = if failed > 0 { "FAILED" } else { "ok" };
    println!("test result: {outcome}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
