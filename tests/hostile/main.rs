//! A server that was taken over, against the real init.
//!
//! This program is three: as `init` it is quarterdeck's own init, as `server` it is
//! quarterdeck's own server as long as nobody asked for anything else, and
//! the double of a hostile one when somebody did. Without either word it is the
//! test that starts the others and watches them.
//!
//! QUARTERDECK_HOSTILE_SECONDS is how long each kind of hostility rages, 2 by
//! default; QUARTERDECK_HOSTILE_SEED repeats a random one; QUARTERDECK_HOSTILE_LOG=1
//! shows init's log. Words choose kinds.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it found")]

mod attacks;
mod double;
mod kinds;
mod rig;
mod scenes;
#[path = "../suite/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the suite uses the rest")]
mod support;
mod watch;

use std::ffi::OsString;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use quarterdeck::cli::{self, Command, Parsed};
use quarterdeck::config::InitConfig;
use quarterdeck::exit::Exit;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    match words.get(1).and_then(|word| word.to_str()) {
        Some("init") => init(words).into(),
        Some("server") => match rig::rage() {
            Some(rage) => double::run(&rage),
            None => quarterdeck::server::run().into(),
        },
        _ => test(words.iter().skip(1).filter_map(|word| word.to_str()).collect()),
    }
}

fn init(words: Vec<OsString>) -> Exit {
    let Parsed::Run(cli) = cli::parse(words) else { return Exit::Usage };
    let Command::Init(args) = cli.command else { return Exit::Usage };
    match InitConfig::decide(*args, quarterdeck::logging::unix_millis()) {
        Ok(InitConfig::Whole(config)) => quarterdeck::init::run(*config),
        Ok(InitConfig::Alone(_)) | Err(_) => Exit::Usage,
    }
}

/// Runs the scenes whose name holds one of `words`, several at once as most of each
/// is waiting. The last line is as cargo's.
fn test(words: Vec<&str>) -> ExitCode {
    let words: Vec<&str> = words.into_iter().filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let wanted = Mutex::new(scenes::all().into_iter().filter(|(name, _)| is_wanted(name)));
    let (passed, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let next = || wanted.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((name, scene)) = next() {
            let started = Instant::now();
            // A thread of its own, so that a panic tells which scene it is of.
            let thread = thread::Builder::new().name(name.clone()).spawn(scene).expect("a thread");
            let outcome = if thread.join().is_ok() { "ok" } else { "FAILED" };
            if outcome == "ok" { &passed } else { &failed }.fetch_add(1, Ordering::Relaxed);
            println!("test {name} ... {outcome} ({:.1} s)", started.elapsed().as_secs_f64());
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(work);
        }
    });
    let (passed, failed) = (passed.into_inner(), failed.into_inner());
    let outcome = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {outcome}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many at once, as cargo's own harness decides it.
fn threads() -> usize {
    let told = std::env::var("RUST_TEST_THREADS").ok().and_then(|text| text.parse().ok());
    told.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}
