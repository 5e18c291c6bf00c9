//! The main command: the one program that a container is for. It runs on init's
//! own stdio, starts as if init were not there, gets the signals that init
//! gets, and its end is the container's.

use std::ffi::{CString, NulError, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::env;
use crate::config::MainSettings;
use crate::model::forwarding::Forwarding;
use crate::model::session::ExitStatus;
use crate::model::signal::Signal;
use crate::model::spec::{SpawnFailure, SpawnStage};
use crate::sys::inherited::{Inherited, environment, inherited};
use crate::sys::oom::OomScore;
use crate::sys::place::Place;
use crate::sys::process::{self, Pid};
use crate::sys::service::DescriptorLimit;
use crate::sys::spawn::{self, Marks, Program, Stdio};
use crate::sys::terminal::{self, StandardInput};

/// Where `execvp(3)` looks when the environment has no PATH.
const PATH_WITHOUT_PATH: &[u8] = b"/bin:/usr/bin";

/// Of init's own settings only these open doors.
const SECRET: &[u8] = b"QUARTERDECK_TOKEN";

/// Exit codes of a command that could not be started, as shells have them.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// Program and arguments; not empty.
    pub command: Vec<OsString>,
    /// What becomes of signals and exit codes.
    pub forwarding: Forwarding,
    /// Where it runs.
    pub place: Place,
    /// The signal state and closed descriptors it starts with.
    pub inherited: Inherited,
    /// `NAME=value`.
    pub environment: Vec<CString>,
}

impl Order {
    /// A command that is to find everything as if it had been started directly.
    #[must_use]
    pub fn as_started(MainSettings { command, forwarding }: MainSettings) -> Self {
        let place = match terminal::standard_input() {
            StandardInput::Stray => Place::Session,
            StandardInput::Controlling | StandardInput::Other => Place::Foreground,
        };
        let is_public = |entry: &CString| !entry.as_bytes().starts_with(SECRET);
        let environment = environment().into_iter().filter(is_public).collect();
        Self { command, forwarding, place, inherited: inherited(), environment }
    }
}

/// The running main command.
#[derive(Debug)]
pub struct MainCommand {
    /// The program as it was named.
    pub name: String,
    /// What becomes of signals and exit codes.
    pub forwarding: Forwarding,
    pid: Option<Pid>,
    report: OwnedFd,
    /// Who had the terminal before.
    foreground: Option<Pid>,
}

/// How the main command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It ran, and ended so.
    Ran(ExitStatus),
    /// It never ran.
    Failed(SpawnFailure),
}

impl MainCommand {
    /// Forks it, with the place among those killed for memory that init left
    /// for itself. Whether it could be executed is known when it has ended.
    ///
    /// # Errors
    /// The stage that failed before there was a child.
    pub fn start(order: Order, limit: DescriptorLimit, oom_score: Option<OomScore>) -> Result<Self, SpawnFailure> {
        let name = order.command.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (inherited, place, forwarding) = (order.inherited, order.place, order.forwarding.clone());
        let mut program =
            program(order, limit).map_err(|_| SpawnFailure { stage: SpawnStage::Exec, errno: libc::EINVAL })?;
        program.marks.oom_score = oom_score;
        let foreground = if place == Place::Foreground { terminal::foreground() } else { None };
        let child = spawn::spawn(&program, Stdio::Own(inherited, place))?;
        Ok(Self { name, forwarding, pid: Some(child.pid), report: child.report, foreground })
    }

    /// The process id, while it is not reaped.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// Passes a signal on, maybe as another one. Returns what was sent, if the
    /// signal was not dropped.
    pub fn forward(&self, signal: Signal) -> Option<Signal> {
        let signal = self.forwarding.translate(signal)?;
        if let Some(pid) = self.pid {
            // The group is there once the child has made it; until then the
            // signal waits behind the mask of the child alone.
            if !self.forwarding.to_group || process::kill_group(pid, signal).is_err() {
                let _ = process::kill(pid, signal);
            }
        }
        Some(signal)
    }

    /// Ends it without asking.
    pub fn kill(&self) {
        if let Some(pid) = self.pid {
            let _ = process::kill(pid, Signal::KILL);
        }
    }

    /// It was reaped.
    pub fn ended(&mut self, status: ExitStatus) -> End {
        let pid = self.pid.take();
        // Init may be a step of a script that goes on to use the terminal.
        if let Some(before) = self.foreground
            && terminal::foreground() == pid
        {
            terminal::set_foreground(before);
        }
        match spawn::outcome(&self.report) {
            spawn::Outcome::Failed(failure) => End::Failed(failure),
            spawn::Outcome::Started | spawn::Outcome::Pending => End::Ran(status),
        }
    }

    /// The exit code that stands for `end`.
    #[must_use]
    pub fn exit_code(&self, end: End) -> u8 {
        self.forwarding.exit_code(match end {
            End::Ran(status) => status,
            End::Failed(failure) if failure.errno == libc::ENOENT => ExitStatus::Code(NOT_FOUND),
            End::Failed(_) => ExitStatus::Code(NOT_EXECUTABLE),
        })
    }

    /// Why it could not be started, and what to do about it.
    #[must_use]
    pub fn explain(&self, failure: SpawnFailure) -> String {
        let name = &self.name;
        let reason = io::Error::from_raw_os_error(failure.errno);
        match failure.errno {
            libc::ENOENT if name.contains('/') && Path::new(name).exists() => format!(
                "cannot run {name}: it exists, but the interpreter or loader it names does not; install that one"
            ),
            libc::ENOENT if name.contains('/') => format!("cannot run {name}: there is no such file; check the path"),
            libc::ENOENT => {
                format!("cannot run {name}: not found in any directory of PATH; check the name, or give its full path")
            }
            libc::EACCES => format!("cannot run {name}: {reason}; it must be an executable file, see chmod +x"),
            _ => format!("cannot run {name}: {} failed: {reason}", failure.stage),
        }
    }
}

fn program(order: Order, limit: DescriptorLimit) -> Result<Program, NulError> {
    let path = order.environment.iter().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
    let name = order.command.first().map_or(&b""[..], |name| name.as_bytes());
    Ok(Program {
        candidates: env::candidates(name, path.unwrap_or(PATH_WITHOUT_PATH))?,
        argv: order.command.into_iter().map(|word| CString::new(word.into_vec())).collect::<Result<_, _>>()?,
        envp: order.environment,
        cwd: None,
        limit,
        marks: Marks::default(),
        // It is what the container is for, and stands in for init.
        user: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::service::descriptor_limit;

    fn tried(command: &str, environment: &[&str]) -> Vec<String> {
        let order = Order {
            command: vec![command.into(), "argument".into()],
            forwarding: Forwarding::default(),
            place: Place::Here,
            inherited: Inherited::default(),
            environment: environment.iter().map(|entry| CString::new(*entry).unwrap()).collect(),
        };
        let program = program(order, descriptor_limit()).unwrap();
        program.candidates.into_iter().map(|path| path.into_string().unwrap()).collect()
    }

    #[test]
    fn it_is_looked_up_in_its_own_path() {
        assert_eq!(tried("x", &["XPATH=/no", "PATH=/a:/b", "PATH=/c"]), ["/a/x", "/b/x"]);
        assert_eq!(tried("x", &["A=1"]), ["/bin/x", "/usr/bin/x"]);
        assert_eq!(tried("x", &["PATH="]), ["./x"]);
        assert_eq!(tried("/x", &["PATH=/a"]), ["/x"]);
        assert_eq!(tried("", &["PATH=/a"]), [""], "a directory is not what was meant");
    }
}
