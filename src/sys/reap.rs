//! Collecting ended children, `wait(2)`.

use rustix::process::WaitOptions;

use crate::model::session::ExitStatus;
use crate::sys::process::Pid;

/// The next ended child, if there is one.
///
/// SIGCHLD coalesces, so the caller asks until the answer is none.
#[must_use]
pub fn next() -> Option<(Pid, ExitStatus)> {
    loop {
        let (pid, status) = match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(ended)) => ended,
            Err(rustix::io::Errno::INTR) => continue,
            Ok(None) | Err(_) => return None,
        };
        return Some((pid.into(), decode(status.exit_status(), status.terminating_signal())));
    }
}

/// Collects this child, which has ended.
#[must_use]
pub fn take(pid: Pid) -> Option<ExitStatus> {
    let pid = rustix::process::Pid::from_raw(pid.raw());
    let (_, status) = rustix::process::waitpid(pid, WaitOptions::NOHANG).ok()??;
    Some(decode(status.exit_status(), status.terminating_signal()))
}

/// The next ended child, which stays a zombie until it is taken by [`next`].
#[must_use]
pub fn peek() -> Option<Pid> {
    // SAFETY: all zero is a valid siginfo_t; its process id is then 0.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one siginfo_t into our own. By libc, because
    // rustix does not tell the process id and nix no real-time signals.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) };
    // SAFETY: filled in for a child that ended, zero otherwise.
    let pid = unsafe { info.si_pid() };
    if result == 0 { Pid::new(pid) } else { None }
}

/// Whether this process has children, living or not yet reaped, other than
/// `except`; none if the kernel does not say.
#[must_use]
pub fn has_children_besides(except: Option<Pid>) -> Option<bool> {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if waitid(WaitId::All, peek).is_err_and(|e| e == rustix::io::Errno::CHILD) {
        return Some(false);
    }
    let Some(except) = except else { return Some(true) };
    // Two entries are enough to know, however many there are.
    let mut bytes = [0u8; 32];
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::open("/proc/thread-self/children", flags, 0.into()).ok()?;
    let length = rustix::io::read(&file, &mut bytes).ok()?;
    let list = std::str::from_utf8(&bytes[..length]).ok()?;
    Some(list.split_whitespace().any(|entry| entry.parse() != Ok(except.raw())))
}

/// An exit code and a signal number always fit in a byte (`wait(2)`).
fn decode(code: Option<i32>, signal: Option<i32>) -> ExitStatus {
    let byte = |n: i32| u8::try_from(n & 0xff).unwrap_or(u8::MAX);
    match (code, signal) {
        (_, Some(signal)) => ExitStatus::Signal(byte(signal)),
        (code, None) => ExitStatus::Code(code.map_or(u8::MAX, byte)),
    }
}
