//! PID 1: owns the sessions, reads their output, outlives everything.
//!
//! One thread, one `poll(2)` loop over a closed set of events. Nothing here
//! blocks, panics on input, or trusts the server: every request is decided
//! here, and the loop goes on whatever the other process does.

mod acts;
mod cgroup;
pub mod env;
mod event_loop;
mod hunt;
mod inspection;
pub mod lifecycle;
mod listeners;
mod members;
mod people;
mod reaped;
mod requests;
mod scan;
mod server_child;
mod server_process;
mod session;
mod shutdown;
mod sweep;
mod table;

use crate::config::Config;
use crate::exit::Exit;
use crate::logging;
use crate::sys::{process, sched, signals::Signals};

/// Runs until the container is to end.
#[must_use]
pub fn run(config: Config) -> Exit {
    let log = &config.settings.log;
    logging::start(log.level, log.format);
    match start(config) {
        Ok(init) => init.run(),
        Err(reason) => {
            tracing::error!("{reason}");
            Exit::Failure
        }
    }
}

fn start(config: Config) -> Result<event_loop::Init, String> {
    sched::prefer_short_slices();
    let signals = Signals::watch().map_err(|e| format!("cannot watch signals: {e}"))?;
    if process::own_pid().raw() != 1 {
        process::become_subreaper().map_err(|e| format!("cannot become child subreaper: {e}"))?;
        tracing::warn!(
            pid = process::own_pid().raw(),
            "Not running as PID 1: became child subreaper instead; processes that were orphaned before are not ours"
        );
    }
    let listeners = listeners::Listeners::open(&config)?;
    if config.no_auth.is_none() {
        tracing::warn!(
            address = %listeners.address,
            "This version has no authentication: whoever reaches the address gets a shell; publish it on loopback only"
        );
    }
    tracing::info!(address = %listeners.address, "Listening");
    event_loop::Init::new(config, signals, listeners).map_err(|e| format!("cannot start: {e}"))
}
