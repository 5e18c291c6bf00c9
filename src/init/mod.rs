//! PID 1: owns the sessions, reads their output, outlives everything.
//!
//! One thread, one `poll(2)` loop over a closed set of events. Nothing here
//! blocks, panics on input, or trusts the server: every request is decided
//! here, and the loop goes on whatever the other process does.

mod acts;
pub mod alone;
mod cgroup;
mod delegation;
mod directories;
mod drain;
mod ending;
pub mod env;
mod event_loop;
mod hunt;
mod inspection;
pub mod lifecycle;
mod listeners;
pub mod main_command;
mod members;
mod oom_kills;
mod outbox;
mod people;
mod reaped;
mod requests;
mod scan;
mod separation;
mod server_child;
mod server_process;
mod session;
mod shutdown;
mod sweep;
mod table;
mod token;
mod tools;
mod voice;

use std::time::Instant;

use alone::{Alone, Habits};
use main_command::{MainCommand, Order};
use voice::Log;

use crate::config::{AloneConfig, Config, Standing};
use crate::exit::Exit;
use crate::logging;
use crate::sys::signals::{SignalSet, Signals};
use crate::sys::{process, sched, service};

/// Runs until the container is to end.
#[must_use]
pub fn run(config: Config) -> Exit {
    let log = &config.settings.log;
    logging::start(log.level, log.format);
    match start(config) {
        Ok(init) => init.run(),
        Err(reason) => fail(&reason),
    }
}

/// Runs a main command without an API until it ends.
#[must_use]
pub fn run_alone(config: AloneConfig) -> Exit {
    logging::start(config.log_level, config.log_format);
    match start_alone(config) {
        Ok(init) => init.run(),
        Err(reason) => fail(&reason),
    }
}

fn fail(reason: &str) -> Exit {
    tracing::error!("{reason}");
    Exit::Failure
}

fn start_alone(config: AloneConfig) -> Result<Alone<Log>, String> {
    let signals = watch(SignalSet::ALL)?;
    take_standing(config.standing)?;
    let main = MainCommand::start(Order::as_started(config.main), service::descriptor_limit(), None)
        .map_err(|failure| format!("cannot start the main command: {failure}"))?;
    let habits = Habits { drain: Some(config.shutdown_grace), ..Habits::default() };
    Ok(Alone::new(signals, main, habits, Log { warn_on_reap: config.warn_on_reap }))
}

fn start(mut config: Config) -> Result<event_loop::Init, String> {
    // Every signal is forwarded. Without somebody to forward it to, a fault of
    // ours ends us and a person at a terminal can stop us.
    let signals = watch(if config.main.is_some() { SignalSet::ALL } else { SignalSet::NO_FAULT_NO_STOP })?;
    take_standing(config.standing)?;
    let separation = separation::Separation::decide(&config)?;
    let listeners = listeners::Listeners::open(&config)?;
    let token = token::Token::take(config.token.clone())?;
    let (state, log) = (config.settings.state_dir.as_deref(), config.settings.log.dir.as_deref());
    let directories = directories::Directories::prepare(state, log, separation.server.clone(), Instant::now());
    if token.now().is_none() {
        tracing::warn!(
            address = %listeners.address,
            "No token is asked for (--no-auth): whoever reaches the address gets a shell with the rights of the sessions"
        );
    }
    config.settings.doors.listen = listeners.address;
    tracing::info!(address = %listeners.address, "Listening");
    token.announce(listeners.address);
    let init = event_loop::Init::new(config, signals, listeners, token, directories, separation)
        .map_err(|e| format!("cannot start: {e}"))?;
    // Not before the main command has started: it would lose a negative nice
    // value by it.
    sched::prefer_short_slices();
    Ok(init)
}

fn watch(set: SignalSet) -> Result<Signals, String> {
    Signals::watch(set).map_err(|e| format!("cannot watch signals: {e}"))
}

fn take_standing(standing: Standing) -> Result<(), String> {
    if let Some(signal) = standing.parent_death {
        process::signal_at_parents_death(signal).map_err(|e| format!("cannot ask for a parent-death signal: {e}"))?;
    }
    if process::own_pid().raw() == 1 {
        return Ok(());
    }
    process::become_subreaper().map_err(|e| format!("cannot become child subreaper: {e}"))?;
    if !standing.is_subreaper_wanted {
        tracing::warn!(
            pid = process::own_pid().raw(),
            "Not running as PID 1: became child subreaper instead; processes that were orphaned before are not ours"
        );
    }
    Ok(())
}
