//! As tini: its flags, its variables, what it says and how it ends.

use std::ffi::{OsStr, OsString};
use std::str::FromStr;

use super::getopt::{Known, Options};
use super::{Invocation, Plan, say};
use crate::init::alone::{Event, Habits, Voice};
use crate::init::main_command::{End, MainCommand};
use crate::model::forwarding::Forwarding;
use crate::model::session::ExitStatus;
use crate::model::signal::Signal;
use crate::sys::inherited::inherited;
use crate::sys::place::Place;
use crate::sys::process::own_pid;
use crate::sys::signals::SignalSet;

/// The version of tini that is spoken here; programs such as dockerd ask.
const VERSION: &str = concat!("tini version 0.19.0 (quarterdeck ", env!("CARGO_PKG_VERSION"), ")\n");

const USAGE: &str = "\
usage: tini [-swgvhl] [-p SIGNAL] [-e CODE]... [--] COMMAND [ARG...]
       tini --version

  -s         become child subreaper                      (or set TINI_SUBREAPER)
  -g         send signals to COMMAND's process group     (or set TINI_KILL_PROCESS_GROUP)
  -p SIGNAL  get SIGNAL, e.g. SIGTERM, when the parent ends
  -e CODE    end with 0 if COMMAND's exit code is CODE, 0 to 255
  -w         warn of each orphan that is reaped
  -v         say more, up to three times                 (or set TINI_VERBOSITY to 0..4, default 1)
  -l         show the licence
  -h         show this

This is quarterdeck in the place of tini.
";

const LICENSE: &str = "quarterdeck: Apache-2.0 or MIT, at your choice\n";

const KNOWN: &[Known] = &[
    Known { letter: b'p', name: "", has_value: true },
    Known { letter: b'e', name: "", has_value: true },
    Known { letter: b'h', name: "", has_value: false },
    Known { letter: b'l', name: "", has_value: false },
    Known { letter: b'v', name: "", has_value: false },
    Known { letter: b'w', name: "", has_value: false },
    Known { letter: b'g', name: "", has_value: false },
    Known { letter: b's', name: "", has_value: false },
];

/// Left to the kernel, which ends tini for them, and the two that it ignores.
const NOT_WATCHED: [i32; 11] = [
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGTTIN,
    libc::SIGTTOU,
    32,
    33,
];

/// Signals that -p has no name for, below the real-time ones.
const UNNAMED: [i32; 3] = [libc::SIGSTKFLT, libc::SIGIO, libc::SIGPWR];

/// Says what tini would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tini {
    verbosity: i32,
    warn_on_reap: bool,
}

/// Reads the command line after the program's name.
pub fn parse(words: &[OsString], variable: impl Fn(&str) -> Option<OsString>) -> Invocation<Tini> {
    if words == ["--version"] {
        return Invocation::Print(VERSION.into(), false);
    }
    let wrong = |reason: String| Invocation::Wrong(format!("[FATAL tini ({})] {reason}\n{USAGE}", own_pid()));
    let mut forwarding =
        Forwarding { to_group: variable("TINI_KILL_PROCESS_GROUP").is_some(), ..Forwarding::default() };
    let mut tini =
        Tini { verbosity: variable("TINI_VERBOSITY").map_or(1, |text| leading_number(&text)), warn_on_reap: false };
    let (mut is_subreaper, mut parent_death) = (variable("TINI_SUBREAPER").is_some(), None);
    let mut options = Options::new(KNOWN, words.iter().cloned());
    for option in options.by_ref() {
        match option {
            Err(mistake) => return wrong(mistake.to_string()),
            Ok((b'h', _)) => return Invocation::Print(USAGE.into(), false),
            Ok((b'l', _)) => return Invocation::Print(LICENSE.into(), false),
            Ok((b's', _)) => is_subreaper = true,
            Ok((b'g', _)) => forwarding.to_group = true,
            Ok((b'w', _)) => tini.warn_on_reap = true,
            Ok((b'v', _)) => tini.verbosity = tini.verbosity.saturating_add(1),
            Ok((letter, value)) => {
                let text = value.unwrap_or_default().to_string_lossy().into_owned();
                match (letter, signal(&text), exit_code(&text)) {
                    (b'p', Some(signal), _) => parent_death = Some(signal),
                    (b'e', _, Some(code)) => forwarding.to_zero.push(code),
                    _ => return wrong(format!("-{} does not take {text:?}", char::from(letter))),
                }
            }
        }
    }
    let command = options.rest();
    if command.is_empty() {
        return wrong("there is no command to run".into());
    }
    Invocation::Run(Plan {
        command,
        forwarding,
        place: Place::Foreground,
        inherited: inherited(),
        watched: SignalSet::ALL.without(&NOT_WATCHED),
        is_subreaper,
        parent_death,
        habits: Habits::default(),
        voice: tini,
    })
}

/// `SIGTERM`, in exactly that form.
fn signal(text: &str) -> Option<Signal> {
    let signal = Signal::from_str(text).ok()?;
    let is_named = signal.number() < 32 && !UNNAMED.contains(&signal.number());
    (is_named && signal.to_string() == text).then_some(signal)
}

/// A whole number as `strtol(3)` reads it; nothing at all counts as 0.
fn exit_code(text: &str) -> Option<u8> {
    if text.is_empty() {
        return Some(0);
    }
    let code: i64 = text.trim_start().parse().ok()?;
    u8::try_from(code).ok()
}

/// What `atoi(3)` makes of a text.
fn leading_number(text: &OsStr) -> i32 {
    let text = text.to_string_lossy();
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let number: i32 = digits[..length].parse().unwrap_or(0);
    if text.starts_with('-') { -number } else { number }
}

/// Verbosity from which on a line is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Fatal = i32::MIN as isize,
    Warn = 1,
    Info = 2,
    Debug = 3,
    Trace = 4,
}

impl Tini {
    /// Tells whether orphans can be reaped here.
    pub fn tell_standing(&self, is_registered: bool, is_reaper: bool) {
        if is_registered {
            self.tell_at(Level::Trace, "is child subreaper now");
        } else if !is_reaper {
            self.tell_at(
                Level::Warn,
                "neither PID 1 nor child subreaper: orphans go to another process and are not reaped here; \
                 give -s, set TINI_SUBREAPER, or run it as PID 1",
            );
        }
    }

    fn tell_at(&self, level: Level, text: &str) {
        if self.verbosity >= level as i32 {
            let (name, is_error) = match level {
                Level::Fatal => ("FATAL", true),
                Level::Warn => ("WARN ", true),
                Level::Info => ("INFO ", false),
                Level::Debug => ("DEBUG", false),
                Level::Trace => ("TRACE", false),
            };
            say(&format!("[{name} tini ({})] {text}\n", own_pid()), is_error);
        }
    }
}

impl Voice for Tini {
    fn tell(&self, event: Event<'_>) {
        let (level, text) = match event {
            Event::Started(pid) => (Level::Info, format!("the command runs as process {pid}")),
            Event::Arrived(signal) if signal == Signal::CHLD => (Level::Debug, "a child ended".into()),
            Event::Forwarded(signal, _) => (Level::Debug, format!("passing {signal} on")),
            Event::Reaped(pid, _, is_main) => {
                if self.warn_on_reap && !is_main {
                    self.tell_at(Level::Warn, &format!("reaped an orphan: pid={pid}"));
                }
                (Level::Debug, format!("reaped pid={pid}"))
            }
            Event::Ended(_, End::Ran(ExitStatus::Code(code))) => {
                (Level::Info, format!("the command ended with exit code {code}"))
            }
            Event::Ended(_, End::Ran(ExitStatus::Signal(number))) => {
                let name = Signal::try_from(number).map_or_else(|_| number.to_string(), |signal| signal.to_string());
                (Level::Info, format!("{name} ended the command"))
            }
            Event::Ended(main, End::Failed(failure)) => {
                (Level::Fatal, format!("{} could not be executed: {}", main.name, super::reason(failure)))
            }
            Event::Blocking(names) => (Level::Warn, format!("killing what did not end in time: {names}")),
            Event::Arrived(_) | Event::Suspending => return,
        };
        self.tell_at(level, &text);
    }

    fn exit_code(&self, main: &MainCommand, end: End) -> u8 {
        main.forwarding.exit_code(match end {
            End::Ran(status) => status,
            End::Failed(failure) => ExitStatus::Code(match failure.errno {
                libc::ENOENT => 127,
                libc::EACCES => 126,
                _ => 1,
            }),
        })
    }
}
