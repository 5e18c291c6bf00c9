//! Whom the kernel kills first when memory runs out, `proc_pid_oom_score_adj(5)`.

use std::ffi::CStr;
use std::io;

use rustix::fs::{Mode, OFlags};

const OWN_FILE: &CStr = c"/proc/self/oom_score_adj";

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
