//! A person at a terminal: types, and reads the screen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::eventually;

/// The end of a pseudoterminal that a person sits at.
pub struct Terminal {
    /// None once the person has left.
    master: Option<File>,
    slave: Option<OwnedFd>,
    screen: Vec<u8>,
    /// How much of the screen earlier waits have seen.
    seen: usize,
}

impl Terminal {
    pub fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).expect("a pseudoterminal");
        rustix::pty::grantpt(&master).and_then(|()| rustix::pty::unlockpt(&master)).expect("its other end");
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).expect("its other end");
        rustix::io::ioctl_fionbio(&master, true).expect("reading without waiting");
        Self { master: Some(master.into()), slave: Some(slave), screen: Vec::new(), seen: 0 }
    }

    fn master(&mut self) -> &mut File {
        self.master.as_mut().expect("somebody at the terminal")
    }

    /// Starts `command` on it. With `controlling` it leads a kernel session that
    /// the terminal controls, as the first process of `docker run -it` does.
    /// What has to happen before, such as namespaces, is prepared already.
    pub fn start(&mut self, command: &mut Command, controlling: bool) -> Child {
        let slave = self.slave.take().expect("one command for a terminal");
        let copy = || slave.try_clone().expect("a descriptor");
        command.stdin(copy()).stdout(copy()).stderr(copy());
        enter_session(command, controlling);
        command.spawn().expect("the command starts")
    }

    pub fn type_text(&mut self, text: &str) {
        self.master().write_all(text.as_bytes()).expect("the terminal takes input");
    }

    /// Everything shown so far.
    pub fn shown(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// Everything shown so far, byte by byte.
    pub fn bytes(&mut self) -> &[u8] {
        self.look();
        &self.screen
    }

    /// How the line is set.
    pub fn modes(&mut self) -> String {
        format!("{:?}", rustix::termios::tcgetattr(self.master()).expect("a terminal has modes"))
    }

    /// Waits until `text` is shown behind what earlier waits have seen.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let what = format!("{text:?} is shown");
        self.seen = eventually(&what, || {
            self.look();
            let mut windows = self.screen[self.seen..].windows(text.len());
            Some(self.seen + windows.position(|window| window == text.as_bytes())? + text.len())
        });
    }

    /// Waits until `text` is shown anywhere behind the last `mark`.
    #[track_caller]
    pub fn wait_for_anywhere_behind(&mut self, mark: &str, text: &str) {
        eventually(&format!("{text:?} is shown behind {mark:?}"), || {
            let shown = self.shown();
            shown[shown.rfind(mark)?..].contains(text).then_some(())
        });
    }

    fn look(&mut self) {
        let mut bytes = [0; 4096];
        // Nothing new, or a terminal without a program, reads as an error.
        while let Some(Ok(n @ 1..)) = self.master.as_mut().map(|master| master.read(&mut bytes)) {
            self.screen.extend_from_slice(&bytes[..n]);
        }
    }

    pub fn resize(&mut self, cols: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(self.master(), size).expect("a terminal has a size");
    }

    /// The person leaves: the line is cut.
    pub fn hang_up(&mut self) {
        self.master = None;
    }

    /// The process group that gets what the terminal's keys send.
    pub fn foreground(&self) -> Option<i32> {
        let mut group = 0;
        let master = self.master.as_ref()?.as_raw_fd();
        #[allow(unsafe_code)]
        // SAFETY: TIOCGPGRP writes one integer.
        let done = unsafe { libc::ioctl(master, libc::TIOCGPGRP, &raw mut group) };
        (done == 0 && group > 0).then_some(group)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- screen\n{}\n---", self.shown());
        }
    }
}

#[allow(unsafe_code)]
fn enter_session(command: &mut Command, controlling: bool) {
    let enter = move || {
        // SAFETY: setsid(2) takes no argument.
        let mut done = unsafe { libc::setsid() };
        if done != -1 && controlling {
            // SAFETY: TIOCSCTTY takes an integer.
            done = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
        }
        if done == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: async-signal-safe calls only.
    unsafe { command.pre_exec(enter) };
}
