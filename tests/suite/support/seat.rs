//! A person with a client command on a terminal of their own.

use std::process::{Child, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::terminal::Terminal;
use super::{Quarterdeck, eventually, process};

/// Leave, and let the session go on.
pub const DETACH: &str = "\x1dd";

pub struct Seat {
    pub terminal: Terminal,
    /// How the line was set before.
    pub modes: String,
    child: Child,
}

impl Seat {
    /// Runs one of the client commands there, on 80 by 24 cells.
    pub fn run(quarterdeck: &Quarterdeck, args: &[&str]) -> Self {
        Self::sized(quarterdeck, args, 80, 24)
    }

    /// The same in another size.
    pub fn sized(quarterdeck: &Quarterdeck, args: &[&str], cols: u16, rows: u16) -> Self {
        let mut terminal = Terminal::open();
        terminal.resize(cols, rows);
        let modes = terminal.modes();
        let child = terminal.start(&mut quarterdeck.client(args), true);
        Self { terminal, modes, child }
    }

    /// Attaches to a session and waits until its terminal is held.
    pub fn attach(quarterdeck: &Quarterdeck, args: &[&str]) -> Self {
        let mut seat = Self::run(quarterdeck, &[&["attach"], args].concat());
        eventually("the terminal is held", || (seat.terminal.modes() != seat.modes).then_some(()));
        seat
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("the client is there to be signalled");
    }

    /// Waits until it is stopped, as a shell's job is.
    pub fn wait_for_stop(&self) {
        eventually("the client is stopped", || process::stat(self.pid()).filter(|stat| stat.state == 'T'));
    }

    /// Waits for the end, while what it shows is looked at.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the client ends", || {
            self.terminal.bytes();
            self.child.try_wait().expect("waitpid")
        })
    }

    /// Waits for the end with this code, which leaves the line as it was.
    #[track_caller]
    pub fn ends_with(&mut self, code: i32) {
        let status = self.wait();
        assert_eq!(status.code(), Some(code), "{}", self.terminal.shown());
        assert_eq!(self.terminal.modes(), self.modes);
    }

    /// Detaches by the keys.
    #[track_caller]
    pub fn detach(&mut self) {
        self.terminal.type_text(DETACH);
        self.ends_with(0);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
