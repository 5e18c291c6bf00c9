//! Runs a command as PID 1 of a PID namespace of its own.
//!
//! `unshare(1)` would do, but loses the exit code of a command that a signal
//! ended. The test's child becomes the namespace's parent, starts PID 1,
//! waits for it and ends as it ended; 128 plus the number stands for a signal.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork};

/// Makes `command` PID 1 of fresh PID and mount namespaces with a /proc of
/// their own; an ordinary user needs, and gets, a user namespace around them.
#[allow(unsafe_code)]
pub fn contain(command: &mut Command) {
    let (user, group) = (Uid::effective(), Gid::effective());
    // SAFETY: the closure runs between fork and exec. The C library makes its
    // allocator usable there, and nothing else that needs other threads is used.
    unsafe { command.pre_exec(move || become_first(user, group)) };
}

#[allow(unsafe_code)]
fn become_first(user: Uid, group: Gid) -> io::Result<()> {
    let spaces = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    if user.is_root() {
        unshare(spaces)?;
    } else {
        unshare(spaces | CloneFlags::CLONE_NEWUSER)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Child => own_proc(),
        ForkResult::Parent { child } => relay(child),
    }
}

fn own_proc() -> io::Result<()> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    Ok(mount(Some("proc"), "/proc", Some("proc"), flags, none)?)
}

/// Waits for PID 1 and repeats its end.
#[allow(unsafe_code)]
fn relay(first: Pid) -> ! {
    // The spawning test waits until the last copy of its error pipe closes,
    // and the log's reader until the last copy of stderr does.
    // SAFETY: integers only; this process uses no descriptor from here on.
    unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
    let code = loop {
        match waitpid(first, None) {
            Ok(WaitStatus::Exited(_, code)) => break code,
            Ok(WaitStatus::Signaled(_, signal, _)) => break 128 + signal as i32,
            Err(nix::Error::EINTR) | Ok(_) => {}
            Err(_) => break 255,
        }
    };
    // SAFETY: ends the process without running what the test registered.
    unsafe { libc::_exit(code) }
}
