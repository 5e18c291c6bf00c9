//! What becomes of a signal on its way to the main command, and of the main
//! command's end on its way to whoever started us.

use std::str::FromStr;

use super::session::ExitStatus;
use super::signal::{Signal, UnknownSignal};

/// Added to a signal's number, so that an exit code tells of it.
const KILLED: u8 = 128;

/// `FROM:TO`: another signal instead of one, or none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The signal that comes.
    pub from: Signal,
    /// The one that is passed on.
    pub to: Option<Signal>,
}

/// A text that is no rewrite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRewrite {
    /// No colon.
    #[error("give FROM:TO, for example TERM:QUIT, or FROM:0 to drop the signal")]
    Form,
    /// A part that names no signal.
    #[error(transparent)]
    Signal(#[from] UnknownSignal),
}

impl FromStr for Rewrite {
    type Err = BadRewrite;

    fn from_str(text: &str) -> Result<Self, BadRewrite> {
        let (from, to) = text.split_once(':').ok_or(BadRewrite::Form)?;
        let to = if to == "0" { None } else { Some(to.parse()?) };
        Ok(Self { from: from.parse()?, to })
    }
}

/// How signals go out and exit codes come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// Signals go to the main command's process group, not to it alone.
    pub to_group: bool,
    /// Of two rewrites of the same signal the later one holds.
    pub rewrites: Vec<Rewrite>,
    /// Exit codes that become 0.
    pub to_zero: Vec<u8>,
}

impl Forwarding {
    /// The signal to pass on for one that came; none to drop it.
    #[must_use]
    pub fn translate(&self, signal: Signal) -> Option<Signal> {
        let rewrite = self.rewrites.iter().rev().find(|rewrite| rewrite.from == signal);
        rewrite.map_or(Some(signal), |rewrite| rewrite.to)
    }

    /// The exit code that stands for the main command's end.
    #[must_use]
    pub fn exit_code(&self, status: ExitStatus) -> u8 {
        let code = match status {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal(signal) => KILLED.saturating_add(signal),
        };
        if self.to_zero.contains(&code) { 0 } else { code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_take_names_and_numbers() {
        let rewrite = |text: &str| text.parse::<Rewrite>().unwrap();
        let to_int = Rewrite { from: Signal::TERM, to: Some(Signal::INT) };
        for text in ["TERM:INT", "15:2", "SIGTERM:2", "term:sigint"] {
            assert_eq!(rewrite(text), to_int, "{text}");
        }
        assert_eq!(rewrite("HUP:0"), Rewrite { from: Signal::HUP, to: None });
        assert_eq!(rewrite("40:41").from.number(), 40);
        for text in ["", "TERM", "TERM:", ":TERM", "0:TERM", "TERM:INT:HUP", "TERM:65", "-1:2"] {
            assert!(text.parse::<Rewrite>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_later_rewrite_holds_and_others_pass() {
        let rewrites = ["TERM:INT", "HUP:0", "TERM:QUIT"].map(|text| text.parse().unwrap()).to_vec();
        let forwarding = Forwarding { rewrites, ..Forwarding::default() };
        assert_eq!(forwarding.translate(Signal::TERM).map(Signal::number), Some(libc::SIGQUIT));
        assert_eq!(forwarding.translate(Signal::HUP), None);
        assert_eq!(forwarding.translate(Signal::INT), Some(Signal::INT), "what comes of a rewrite is not rewritten");
    }

    #[test]
    fn every_end_has_its_code() {
        let forwarding = Forwarding { to_zero: vec![143, 7], ..Forwarding::default() };
        for code in 0..=u8::MAX {
            let expected = if code == 143 || code == 7 { 0 } else { code };
            assert_eq!(forwarding.exit_code(ExitStatus::Code(code)), expected);
        }
        for signal in 1..=64 {
            let expected = if signal == 15 { 0 } else { 128 + signal };
            assert_eq!(forwarding.exit_code(ExitStatus::Signal(signal)), expected);
        }
    }
}
