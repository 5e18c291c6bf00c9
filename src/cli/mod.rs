//! The command line, as text: what may be given, and its words.

pub mod client;
pub mod completions;
pub mod detach_keys;
pub mod init;
pub mod token;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use client::ClientCommand;
use completions::CompletionsArgs;
use init::InitArgs;

/// The init for containers that run agents.
#[derive(Debug, Parser)]
#[command(name = "quarterdeck", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to be.
    #[command(subcommand)]
    pub command: Command,
}

/// The roles of the binary.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Be the container's init: run sessions and serve them
    Init(Box<InitArgs>),
    /// A client of the running one.
    #[command(flatten)]
    Client(ClientCommand),
    /// Print a script that lets a shell complete this command line
    Completions(CompletionsArgs),
    /// Internal: the API server that init starts
    #[command(hide = true)]
    Server,
    /// Internal: looks at the workspace for the API server, with a session's rights
    #[command(hide = true)]
    Workspace(WorkspaceArgs),
}

/// Words of `workspace`.
#[derive(Debug, Args)]
pub struct WorkspaceArgs {
    /// What is to be done, and where
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
}

/// What parsing the command line gave.
#[derive(Debug)]
pub enum Parsed {
    /// A command to run.
    Run(Cli),
    /// Help or version, to print on stdout.
    Print(String),
    /// One line that says what is wrong.
    Wrong(String),
}

/// Reads the command line and the environment.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed {
    match Cli::try_parse_from(args) {
        Ok(cli) => Parsed::Run(cli),
        Err(e) if !e.use_stderr() => Parsed::Print(e.to_string()),
        Err(e) => Parsed::Wrong(one_line(&e.to_string())),
    }
}

/// clap explains in several lines and adds the usage; logs and people want the
/// one that matters.
fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).take_while(|l| !l.starts_with("Usage:")).filter(|l| !l.is_empty());
    let first = lines.next().unwrap_or("the command line is not complete");
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let rest: Vec<&str> = lines.filter(|l| !l.starts_with("For more information")).collect();
    let mut line = first.to_owned();
    for part in rest {
        line.push(' ');
        line.push_str(part);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::init::NoAuth;
    use super::*;

    fn wrong(args: &[&str]) -> String {
        match parse(["quarterdeck"].iter().chain(args).map(OsString::from)) {
            Parsed::Wrong(line) => line,
            other => panic!("{args:?} gave {other:?}"),
        }
    }

    #[test]
    fn mistakes_are_told_in_one_line_that_names_them() {
        for (args, named) in [
            (&["init", "--nope"][..], "--nope"),
            (&["init", "--listen", "3000"], "--listen"),
            (&["init", "--max-sessions", "0"], "1..=1024"),
            (&["init", "--max-sessions", "many"], "many"),
            (&["init", "--scrollback", "4 parsecs"], "4MiB"),
            (&["init", "--scrollback", "2GiB"], "1GiB"),
            (&["init", "--history", "much"], "8MiB"),
            (&["init", "--history", "1KiB"], "256KiB"),
            (&["init", "--resume-command", " "], "empty"),
            (&["init", "--stop-grace", "soon"], "soon"),
            (&["init", "--shutdown-grace", "300000000000y"], "24h"),
            (&["init", "--log-level", "loud"], "loud"),
            (&["init", "--session-command", ""], "empty"),
            (&["init", "--session-command", "a 'b"], "quote"),
            (&["init", "--memory-limit", "12"], "1MiB"),
            (&["init", "--warn-percent", "101"], "100"),
            (&["init", "--critical-percent", "0"], "0.1"),
            (&["init", "--session-pids-max", "0"], "1.."),
            (&["sail"], "sail"),
        ] {
            let line = wrong(args);
            assert!(line.contains(named) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn no_command_is_a_mistake_of_one_line() {
        assert!(!wrong(&[]).is_empty());
        assert!(!wrong(&[]).contains('\n'));
    }

    #[test]
    fn help_and_version_are_no_mistakes() {
        for args in [&["--help"][..], &["--version"], &["init", "--help"], &["health", "--help"]] {
            let parsed = parse(["quarterdeck"].iter().chain(args).map(OsString::from));
            assert!(matches!(parsed, Parsed::Print(_)), "{args:?}");
        }
    }

    #[test]
    fn no_auth_stands_alone_or_with_its_one_value() {
        let no_auth = |arg: &str| match parse(["quarterdeck", "init", arg].map(OsString::from)) {
            Parsed::Run(Cli { command: Command::Init(args) }) => args.no_auth,
            other => panic!("{other:?}"),
        };
        assert_eq!(no_auth("--no-auth"), Some(NoAuth::Yes));
        assert_eq!(no_auth("--no-auth=i-know"), Some(NoAuth::IKnow));
        assert!(wrong(&["init", "--no-auth=maybe"]).contains("i-know"));
    }
}
