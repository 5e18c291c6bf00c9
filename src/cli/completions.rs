//! `quarterdeck completions`: scripts that let a shell complete our command
//! line, the names of the sessions included.
//!
//! They are made by a test from the command line itself, and kept as files, so
//! that what makes them is no part of the binary.

use clap::{Args, ValueEnum};

/// Flags of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that is to read them
    pub shell: Shell,
}

/// The shells that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// source <(quarterdeck completions bash)
    Bash,
    /// quarterdeck completions zsh > "${fpath[1]}/_quarterdeck"
    Zsh,
    /// quarterdeck completions fish | source
    Fish,
}

impl Shell {
    /// The script for this shell.
    #[must_use]
    pub fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("completions/quarterdeck.bash"),
            Self::Zsh => include_str!("completions/_quarterdeck"),
            Self::Fish => include_str!("completions/quarterdeck.fish"),
        }
    }
}
