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
use std::panic::catch_unwind;
use std::process::ExitCode;
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

/// Runs the scenes whose name holds one of `words`; the last line is as cargo's.
fn test(words: Vec<&str>) -> ExitCode {
    let words: Vec<&str> = words.into_iter().filter(|word| !word.starts_with('-')).collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, scene) in scenes::all() {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word)) {
            continue;
        }
        let started = Instant::now();
        let outcome = if catch_unwind(scene).is_ok() { "ok" } else { "FAILED" };
        *if outcome == "ok" { &mut passed } else { &mut failed } += 1;
        println!("test {name} ... {outcome} ({:.1} s)", started.elapsed().as_secs_f64());
    }
    let outcome = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {outcome}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
