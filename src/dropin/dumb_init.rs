//! As dumb-init: its flags, its variables, what it says and how it ends.

use std::ffi::OsString;

use super::getopt::{Known, Options};
use super::{Invocation, Plan, reason, say};
use crate::init::alone::{Event, Habits, Voice};
use crate::init::main_command::{End, MainCommand};
use crate::model::forwarding::{Forwarding, Rewrite};
use crate::model::session::ExitStatus;
use crate::model::signal::Signal;
use crate::sys::inherited::{Inherited, inherited};
use crate::sys::place::Place;
use crate::sys::signals::SignalSet;

/// The version of dumb-init that is spoken here.
const VERSION: &str = concat!("dumb-init v1.2.5 (quarterdeck ", env!("CARGO_PKG_VERSION"), ")\n");

const USAGE: &str = "\
usage: dumb-init [OPTION...] [--] COMMAND [ARG...]

  -c, --single-child   signals go to COMMAND alone, not to its session    (or set DUMB_INIT_SETSID=0)
  -r, --rewrite S:R    pass signal number R on for S; 0 drops it; repeatable
  -v, --verbose        say what happens, on stderr                        (or set DUMB_INIT_DEBUG=1)
  -h, --help           show this
  -V, --version        show the version

This is quarterdeck in the place of dumb-init.
";

const KNOWN: &[Known] = &[
    Known { letter: b'c', name: "single-child", has_value: false },
    Known { letter: b'r', name: "rewrite", has_value: true },
    Known { letter: b'v', name: "verbose", has_value: false },
    Known { letter: b'h', name: "help", has_value: false },
    Known { letter: b'V', name: "version", has_value: false },
];

/// Signals that it can rewrite, and gives a child at their defaults: 1 to 31.
const CLASSIC: u64 = (1 << 31) - 1;

/// Those the C library uses itself, which dumb-init does not touch.
const RESERVED: [i32; 2] = [32, 33];

/// Its exit code when the command could not be executed.
const NOT_EXECUTED: u8 = 2;

/// In a session of its own a command has nobody to continue it, so the kernel
/// would drop the terminal's stop signals; STOP it can't drop.
const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// Says what dumb-init would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumbInit {
    is_verbose: bool,
}

/// Reads the command line after the program's name.
pub fn parse(words: &[OsString], variable: impl Fn(&str) -> Option<OsString>) -> Invocation<DumbInit> {
    let wrong = |reason: &str| Invocation::Wrong(format!("dumb-init: {reason}; see dumb-init --help\n"));
    let mut is_verbose = variable("DUMB_INIT_DEBUG").is_some_and(|text| text == "1");
    let mut has_session = variable("DUMB_INIT_SETSID").is_none_or(|text| text != "0");
    let mut given = Vec::new();
    let mut options = Options::new(KNOWN, words.iter().cloned());
    for option in options.by_ref() {
        match option {
            Err(mistake) => return wrong(&mistake.to_string()),
            Ok((b'h', _)) => return Invocation::Print(USAGE.into(), true),
            Ok((b'V', _)) => return Invocation::Print(VERSION.into(), true),
            Ok((b'c', _)) => has_session = false,
            Ok((b'v', _)) => is_verbose = true,
            Ok((_, value)) => match rewrite(&value.unwrap_or_default().to_string_lossy()) {
                Some(rewrite) => given.push(rewrite),
                None => return wrong("-r takes S:R, a signal number from 1 to 31 and one from 0 to 31"),
            },
        }
    }
    let command = options.rest();
    if command.is_empty() {
        return wrong("there is no command to run");
    }
    let to_stop = |number: i32| Some(Rewrite { from: signal(number)?, to: Some(Signal::STOP) });
    let stops = STOPS.into_iter().filter(|_| has_session).filter_map(to_stop);
    Invocation::Run(Plan {
        command,
        forwarding: Forwarding { to_group: has_session, rewrites: stops.chain(given).collect(), to_zero: Vec::new() },
        place: if has_session { Place::Session } else { Place::Here },
        inherited: as_left_by_dumb_init(inherited()),
        watched: SignalSet::ALL.without(&RESERVED),
        is_subreaper: false,
        parent_death: None,
        habits: Habits { drain: None, suspends: true, ends_group: has_session },
        voice: DumbInit { is_verbose },
    })
}

/// It catches the classic signals, so exec sets them to their defaults, and
/// unblocks all but the two it can't.
fn as_left_by_dumb_init(inherited: Inherited) -> Inherited {
    let reserved = RESERVED.iter().fold(0, |bits, signal| bits | 1u64 << (signal - 1));
    Inherited { mask: inherited.mask & reserved, ignored: inherited.ignored & !CLASSIC, ..inherited }
}

/// `S:R` as `sscanf(3)` reads two numbers: with blanks before each, and whatever
/// may follow.
fn rewrite(text: &str) -> Option<Rewrite> {
    let (from, rest) = number(text)?;
    let (to, _) = number(rest.strip_prefix(':')?)?;
    let to = if to == 0 { None } else { Some(signal(to)?) };
    Some(Rewrite { from: signal(from)?, to })
}

fn number(text: &str) -> Option<(i32, &str)> {
    let text = text.trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    Some((digits[..length].parse().ok()?, &digits[length..]))
}

fn signal(number: i32) -> Option<Signal> {
    let number = u8::try_from(number).ok().filter(|number| *number < 32)?;
    Signal::try_from(number).ok()
}

impl DumbInit {
    /// Says a line, if it was asked to say much.
    pub fn tell_more(self, text: &str) {
        if self.is_verbose {
            say(&format!("[dumb-init] {text}\n"), true);
        }
    }
}

impl Voice for DumbInit {
    fn tell(&self, event: Event<'_>) {
        let text = match event {
            Event::Ended(main, End::Failed(failure)) => {
                return say(&format!("[dumb-init] {}: {}\n", main.name, reason(failure)), true);
            }
            Event::Blocking(names) => {
                return say(&format!("[dumb-init] killing what did not end in time: {names}\n"), true);
            }
            // Only the verbose form of the lines below is worth making.
            _ if !self.is_verbose => return,
            Event::Started(pid) => format!("the command runs as process {pid}"),
            Event::Arrived(signal) => format!("got signal {}", signal.number()),
            Event::Forwarded(signal, None) => format!("signal {} is dropped", signal.number()),
            Event::Forwarded(from, Some(to)) => format!("signal {} is passed on as {}", from.number(), to.number()),
            Event::Reaped(pid, ExitStatus::Code(code), _) => format!("process {pid} ended with exit code {code}"),
            Event::Reaped(pid, ExitStatus::Signal(signal), _) => format!("signal {signal} ended process {pid}"),
            Event::Ended(main, end) => format!("the command ended: {}", self.exit_code(main, end)),
            Event::Suspending => "stopping itself, as the terminal asks".into(),
        };
        self.tell_more(&text);
    }

    fn exit_code(&self, main: &MainCommand, end: End) -> u8 {
        match end {
            End::Ran(status) => main.forwarding.exit_code(status),
            End::Failed(_) => NOT_EXECUTED,
        }
    }
}
