//! Called by another init's name, the binary is that program: tini (docker-init
//! is tini) or dumb-init. One process, the command its direct child.
//!
//! Everything here is lean on purpose: no clap, no log subscriber. What those
//! programs do was learnt by running them; docs/decisions/0010-main-command.md
//! lists it.

mod dumb_init;
mod getopt;
mod tini;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use crate::exit::Exit;
use crate::init::alone::{Alone, Habits, Voice};
use crate::init::main_command::{MainCommand, Order};
use crate::model::forwarding::Forwarding;
use crate::model::signal::Signal;
use crate::model::spec::SpawnFailure;
use crate::sys::inherited::{self, Inherited};
use crate::sys::place::Place;
use crate::sys::signals::{SignalSet, Signals, set_disposition};
use crate::sys::{process, service, terminal};

/// Whether everybody else gets a chance at the end, which those programs give
/// nobody.
const DRAIN: &str = "QUARTERDECK_DRAIN";
const GRACE: &str = "QUARTERDECK_SHUTDOWN_GRACE";
const GRACE_DEFAULT: Duration = Duration::from_secs(8);

/// The exit code of both programs for anything wrong with the start.
const WRONG: u8 = 1;

/// A program that quarterdeck stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `tini`, `tini-static`, `docker-init`.
    Tini,
    /// `dumb-init`.
    DumbInit,
}

impl Name {
    /// The program that the first word of a command line names.
    #[must_use]
    pub fn of(program: &OsStr) -> Option<Self> {
        match Path::new(program).file_name()?.to_str()? {
            "tini" | "tini-static" | "docker-init" => Some(Self::Tini),
            "dumb-init" => Some(Self::DumbInit),
            _ => None,
        }
    }
}

/// What a command line asks for.
#[derive(Debug)]
enum Invocation<V> {
    /// Run a command.
    Run(Plan<V>),
    /// Text that was asked for: to stdout, or for true to stderr.
    Print(String, bool),
    /// Text for stderr that says what is wrong.
    Wrong(String),
}

/// How to run a command.
#[derive(Debug)]
struct Plan<V> {
    command: Vec<OsString>,
    forwarding: Forwarding,
    place: Place,
    inherited: Inherited,
    watched: SignalSet,
    is_subreaper: bool,
    parent_death: Option<Signal>,
    habits: Habits,
    voice: V,
}

/// Is the program `name`, with the words that follow it on the command line.
#[must_use]
pub fn run(name: Name, words: &[OsString]) -> Exit {
    let variable = |name: &str| std::env::var_os(name);
    match name {
        Name::Tini => carry_out(tini::parse(words, variable), |plan| {
            // The runtime catches these two, to tell of an overflown stack.
            set_disposition(libc::SIGSEGV, false);
            set_disposition(libc::SIGBUS, false);
            set_disposition(libc::SIGTTIN, true);
            set_disposition(libc::SIGTTOU, true);
            plan.voice.tell_standing(plan.is_subreaper, process::own_pid().raw() == 1 || process::is_subreaper());
        }),
        Name::DumbInit => carry_out(dumb_init::parse(words, variable), |plan| {
            if plan.place == Place::Session
                && let Err(error) = terminal::detach()
            {
                plan.voice.tell_more(&format!("no terminal is given up: {error}"));
            }
        }),
    }
}

fn carry_out<V: Voice>(invocation: Invocation<V>, prepare: impl FnOnce(&Plan<V>)) -> Exit {
    let result = match invocation {
        Invocation::Print(text, is_error) => {
            say(&text, is_error);
            return Exit::Success;
        }
        Invocation::Wrong(text) => Err(text),
        Invocation::Run(plan) => start(plan, prepare),
    };
    match result {
        Ok(alone) => alone.run(),
        Err(text) => {
            say(&text, true);
            Exit::Main(WRONG)
        }
    }
}

fn start<V: Voice>(mut plan: Plan<V>, prepare: impl FnOnce(&Plan<V>)) -> Result<Alone<V>, String> {
    plan.habits.drain = drain(std::env::var_os(DRAIN).as_deref(), std::env::var_os(GRACE).as_deref())?;
    let signals = Signals::watch(plan.watched).map_err(|e| format!("cannot watch signals: {e}\n"))?;
    if let Some(signal) = plan.parent_death {
        process::signal_at_parents_death(signal).map_err(|e| format!("cannot ask for a parent-death signal: {e}\n"))?;
    }
    if plan.is_subreaper {
        process::become_subreaper().map_err(|e| format!("cannot become child subreaper: {e}\n"))?;
    }
    prepare(&plan);
    let order = Order {
        command: plan.command,
        forwarding: plan.forwarding,
        place: plan.place,
        inherited: plan.inherited,
        environment: inherited::environment(),
    };
    let main = MainCommand::start(order, service::descriptor_limit(), None)
        .map_err(|failure| format!("cannot start the command: {failure}\n"))?;
    if plan.habits.suspends {
        // As dumb-init does, so that no file system is kept busy by it.
        let _ = std::env::set_current_dir("/");
    }
    Ok(Alone::new(signals, main, plan.habits, plan.voice))
}

fn drain(wanted: Option<&OsStr>, grace: Option<&OsStr>) -> Result<Option<Duration>, String> {
    if wanted.is_none_or(|text| text != "1") {
        return Ok(None);
    }
    let Some(grace) = grace else { return Ok(Some(GRACE_DEFAULT)) };
    let text = grace.to_string_lossy();
    match humantime::parse_duration(&text) {
        Ok(grace) => Ok(Some(grace)),
        Err(error) => Err(format!("{GRACE}={text}: {error}; give a time such as 8s\n")),
    }
}

fn reason(failure: SpawnFailure) -> String {
    let text = std::io::Error::from_raw_os_error(failure.errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Writes to standard error or output; nobody can be told that this failed.
fn say(text: &str, is_error: bool) {
    let bytes = text.as_bytes();
    let _ = if is_error {
        rustix::io::write(rustix::stdio::stderr(), bytes)
    } else {
        rustix::io::write(rustix::stdio::stdout(), bytes)
    };
}
