//! Signal numbers and their names, `signal(7)`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A signal number the kernel accepts, `1..=64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Signal(u8);

/// A text or number that names no signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no signal; use a name such as INT or SIGINT, or a number from 1 to 64")]
pub struct UnknownSignal(String);

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "signal numbers are 1..=64")]
impl Signal {
    /// The terminal hung up.
    pub const HUP: Self = Self(libc::SIGHUP as u8);
    /// What Ctrl-C sends.
    pub const INT: Self = Self(libc::SIGINT as u8);
    /// What Ctrl-\ sends.
    pub const QUIT: Self = Self(libc::SIGQUIT as u8);
    /// Can't be caught.
    pub const KILL: Self = Self(libc::SIGKILL as u8);
    /// The polite request to end.
    pub const TERM: Self = Self(libc::SIGTERM as u8);
    /// A child's state changed.
    pub const CHLD: Self = Self(libc::SIGCHLD as u8);
    /// Stops a process; can't be caught.
    pub const STOP: Self = Self(libc::SIGSTOP as u8);
    /// Lets a stopped process run again.
    pub const CONT: Self = Self(libc::SIGCONT as u8);

    /// The kernel's number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0.into()
    }
}

impl TryFrom<u8> for Signal {
    type Error = UnknownSignal;

    fn try_from(number: u8) -> Result<Self, UnknownSignal> {
        if (1..=64).contains(&number) { Ok(Self(number)) } else { Err(UnknownSignal(number.to_string())) }
    }
}

impl From<Signal> for u8 {
    fn from(signal: Signal) -> Self {
        signal.0
    }
}

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let unknown = || UnknownSignal(text.to_owned());
        if let Ok(number) = text.parse::<u8>() {
            return Self::try_from(number).map_err(|_| unknown());
        }
        let upper = text.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        (1..=64u8).map(Self).find(|s| s.to_string().strip_prefix("SIG") == Some(short)).ok_or_else(unknown)
    }
}

impl fmt::Display for Signal {
    /// `SIGINT`, or `SIG35` for a signal without a name of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match signal_hook::low_level::signal_name(self.0.into()) {
            Some(name) => f.write_str(name),
            None => write!(f, "SIG{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_understood() {
        for text in ["INT", "SIGINT", "int", "sigInt", "2"] {
            assert_eq!(text.parse(), Ok(Signal::INT), "{text}");
        }
        assert_eq!("SIG35".parse::<Signal>().map(Signal::number), Ok(35));
        for text in ["", "0", "65", "SIG", "NOPE", "-1", "SIGSIGINT"] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_named_signal_survives_its_name() {
        for number in 1..=64 {
            let signal = Signal::try_from(number).unwrap();
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
    }
}
