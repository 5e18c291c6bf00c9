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

/// An exit code and a signal number always fit in a byte (`wait(2)`).
fn decode(code: Option<i32>, signal: Option<i32>) -> ExitStatus {
    let byte = |n: i32| u8::try_from(n & 0xff).unwrap_or(u8::MAX);
    match (code, signal) {
        (_, Some(signal)) => ExitStatus::Signal(byte(signal)),
        (code, None) => ExitStatus::Code(code.map_or(u8::MAX, byte)),
    }
}
