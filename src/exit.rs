//! How the program can end, in one table.

use std::process::ExitCode;

/// The ends of every role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well: 0.
    Success,
    /// It could not start, or lost what it can't work without: 1.
    Failure,
    /// The command line is wrong: 2.
    Usage,
    /// The main command's, that of the session attached to, or what a program
    /// that init stands in for would say.
    Main(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Main(code) => code,
        })
    }
}
