//! Whom the kernel kills first when memory runs out, `proc_pid_oom_score_adj(5)`.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};

const OWN_FILE: &CStr = c"/proc/self/oom_score_adj";

/// Init's own file, opened while init could still open it.
static OWN: OnceLock<OwnedFd> = OnceLock::new();

/// Keeps the file of the calling process open. A process that is not dumpable,
/// and not root, can't open its own any more; nor can its child before it
/// executes a program.
pub fn keep_own_file() {
    if let Ok(file) = rustix::fs::open(OWN_FILE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        let _ = OWN.set(file);
    }
}

/// The adjustment of the parent, for as long as it forks a child that is to
/// inherit another one.
#[derive(Debug)]
pub struct Lent<'file> {
    file: &'file OwnedFd,
    own: OomScore,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // Back to what the process was started with, which is always allowed.
        let _ = self.own.write_to(self.file);
    }
}

/// An adjustment, `-1000` (never) to `1000` (first).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScore(i16);

impl OomScore {
    /// Never.
    pub const NEVER: Self = Self(-1000);
    /// Among the last.
    pub const LATE: Self = Self(-900);

    /// That of the calling process.
    ///
    /// # Errors
    /// No /proc, or one that shows no such file.
    pub fn own() -> io::Result<Self> {
        let text = std::fs::read_to_string("/proc/self/oom_score_adj")?;
        text.trim().parse().map(Self).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// This much more likely to be killed.
    #[must_use]
    pub fn raised_by(self, more: i16) -> Self {
        Self(self.0.saturating_add(more).clamp(-1000, 1000))
    }

    /// Has the calling process wear it until the value returned is dropped, so
    /// that a child forked meanwhile has it: one that is not root can't open its
    /// own file then. Only upwards: what is below needs a privilege, and with
    /// that the child can do it itself.
    pub(super) fn lend(self) -> Option<Lent<'static>> {
        let file = OWN.get().filter(|_| !crate::sys::process::is_root())?;
        let own = Self::own().ok().filter(|own| own.0 < self.0)?;
        let lent = Lent { file, own };
        self.write_to(file).ok().map(|()| lent)
    }

    fn write_to(self, file: &OwnedFd) -> io::Result<()> {
        let mut digits = [0; 6];
        rustix::io::pwrite(file, self.write_into(&mut digits), 0)?;
        Ok(())
    }

    /// Sets it for the calling process. No allocation and async-signal-safe
    /// calls only, so that a child may do it before it executes its program.
    ///
    /// # Errors
    /// `EACCES` when it would be lowered without `CAP_SYS_RESOURCE`.
    pub fn wear(self) -> io::Result<()> {
        let mut digits = [0; 6];
        let text = self.write_into(&mut digits);
        let file = rustix::fs::open(OWN_FILE, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(file, text)?;
        Ok(())
    }

    fn write_into(self, digits: &mut [u8; 6]) -> &[u8] {
        let mut rest = self.0.unsigned_abs();
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if self.0 < 0 {
            at -= 1;
            digits[at] = b'-';
        }
        &digits[at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_the_formatter() {
        for n in [-1000, -999, -1, 0, 7, 300, 1000] {
            assert_eq!(OomScore(n).write_into(&mut [0; 6]), n.to_string().as_bytes());
        }
    }

    #[test]
    fn a_raise_ends_at_the_kernels_limit() {
        assert_eq!(OomScore(900).raised_by(500), OomScore(1000));
        assert_eq!(OomScore::NEVER.raised_by(500), OomScore(-500));
    }
}
