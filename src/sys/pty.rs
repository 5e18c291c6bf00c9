//! Pseudoterminals, `pty(7)`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Mode, Uid};
use rustix::pty::OpenptFlags;
use rustix::termios::{InputModes, OptionalActions, Winsize};

use crate::sys::process::Pid;
use crate::sys::rights::Identity;

/// Both ends of a new pseudoterminal.
#[derive(Debug)]
pub struct Pty {
    /// The supervisor's end, non-blocking.
    pub master: OwnedFd,
    /// The program's end: the terminal.
    pub slave: OwnedFd,
}

/// Opens a pseudoterminal of `cols` by `rows` cells.
///
/// The slave is opened with `TIOCGPTPEER` and not by path, which keeps working
/// when another devpts is mounted over /dev/pts. `IUTF8` is set, as every
/// terminal emulator does, so that the kernel erases whole characters.
///
/// # Errors
/// What opening /dev/ptmx or the `ioctl_tty(2)` calls return.
pub fn open(cols: u16, rows: u16) -> io::Result<Pty> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    let mut termios = rustix::termios::tcgetattr(&slave)?;
    termios.input_modes |= InputModes::IUTF8;
    rustix::termios::tcsetattr(&slave, OptionalActions::Now, &termios)?;
    resize(&master, cols, rows)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    Ok(Pty { master, slave })
}

/// Gives the terminal to another user, as a login does: `group` may write to it,
/// and nobody if there is no such group.
///
/// # Errors
/// What `fchown(2)` or `fchmod(2)` returns.
pub fn give(slave: impl AsFd, user: &Identity, group: Option<u32>) -> io::Result<()> {
    let owner = Uid::from_raw(user.uid());
    rustix::fs::fchown(&slave, Some(owner), Some(Gid::from_raw(group.unwrap_or(user.gid()))))?;
    let mode = if group.is_some() { 0o620 } else { 0o600 };
    Ok(rustix::fs::fchmod(&slave, Mode::from_raw_mode(mode))?)
}

/// Sets the size; the kernel sends SIGWINCH to the foreground process group.
///
/// # Errors
/// What `TIOCSWINSZ` returns.
pub fn resize(master: impl AsFd, cols: u16, rows: u16) -> io::Result<()> {
    let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(master, size)?)
}

/// The foreground process group of the terminal behind `master`, if any.
#[must_use]
pub fn foreground_group(master: impl AsFd) -> Option<Pid> {
    rustix::termios::tcgetpgrp(master).ok().map(Pid::from)
}

/// Writes as much of `bytes` as the terminal takes now.
///
/// # Errors
/// `WouldBlock` when it takes nothing now, else what `write(2)` returns.
pub fn write(master: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(master, bytes)?)
}
