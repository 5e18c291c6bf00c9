//! Flags of the client commands.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::detach_keys::DetachKeys;
use super::token::TokenCommand;
use crate::model::signal::Signal;

/// The commands that talk to a running quarterdeck.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// List the sessions
    Ls(LsArgs),
    /// Start a session
    New(NewArgs),
    /// Be the terminal of a session, until it ends or you detach
    Attach(AttachArgs),
    /// Type into a session
    Send(SendArgs),
    /// Send a signal to the processes of sessions
    Kill(KillArgs),
    /// End sessions and forget them
    Rm(RmArgs),
    /// Run the command of an ended session again
    Resume(ResumeArgs),
    /// Say from inside a session what it needs of people
    Notify(NotifyArgs),
    /// Watch what the sessions use
    Top(TopArgs),
    /// Print the output of a session that is still kept
    Logs(LogsArgs),
    /// Give others a way in that may do less, and take it back
    #[command(subcommand, disable_help_subcommand = true)]
    Token(TokenCommand),
    /// Ask the running quarterdeck whether it is healthy (exit 0 or 1)
    Health(HealthArgs),
}

/// Flags of every client command.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// Unix socket of the running quarterdeck
    #[arg(long, env = "QUARTERDECK_SOCKET", value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// Flags of client commands that have something to tell.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Where to ask.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Print the API's own answer, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// Only the names, one a line
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
}

/// Flags of `new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// Name of the session: up to 50 letters, digits and dashes [default: the lowest free session-N]
    #[arg(short, long, value_parser = NonEmptyStringValueParser::new())]
    pub name: Option<String>,
    /// Work in a git worktree of its own, on this new branch
    #[arg(short, long, value_parser = NonEmptyStringValueParser::new())]
    pub branch: Option<String>,
    /// The branch exists already
    #[arg(long, requires = "branch")]
    pub existing_branch: bool,
    /// Directory to start in, from the workspace on [default: the workspace]
    #[arg(long, value_name = "DIR", value_parser = NonEmptyStringValueParser::new())]
    pub cwd: Option<String>,
    /// A variable for its environment; NAME alone takes the value it has here [repeatable]
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Attach to it at once
    #[arg(short, long, conflicts_with = "json")]
    pub attach: bool,
    /// How to attach.
    #[command(flatten)]
    pub terminal: TerminalArgs,
    /// What to run [default: the --session-command of init]
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Flags of `notify`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct NotifyArgs {
    /// A person is needed, for this
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub needs_input: Option<String>,
    /// What the session does
    #[arg(long, value_enum)]
    pub status: Option<StatusWord>,
}

/// What a session may call itself.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StatusWord {
    /// It works
    Active,
    /// It waits for a person
    Waiting,
}

/// Flags that concern the terminal of who attaches.
#[derive(Debug, Args)]
pub struct TerminalArgs {
    /// Keys that leave the session and let it go on, with commas between: one character each, or ctrl- and one
    #[arg(long, env = "QUARTERDECK_DETACH_KEYS", default_value_t, value_name = "KEYS")]
    pub detach_keys: DetachKeys,
}

/// Flags of `attach`.
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// Where to ask.
    #[command(flatten)]
    pub client: ClientArgs,
    /// How to attach.
    #[command(flatten)]
    pub terminal: TerminalArgs,
    /// Only look: keys other than the detach keys do nothing, and the session keeps its size
    #[arg(long, alias = "no-stdin")]
    pub read_only: bool,
    /// Which output to show first
    #[arg(long, value_enum, default_value_t = From::Recent, value_name = "WHERE")]
    pub from: From,
    /// Name or id of the session
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
}

/// What an attachment shows first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// The last 256 KiB and the state of the terminal before: enough for any screen
    Recent,
    /// Everything that is kept
    Oldest,
    /// Only what comes from now on
    Live,
}

/// Flags of `send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// Press Enter behind the text
    #[arg(short, long)]
    pub enter: bool,
    /// Name or id of the session
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// What to type, words with a space between; - or nothing: what standard input holds
    pub text: Vec<String>,
}

/// Flags of `kill`.
#[derive(Debug, Args)]
pub struct KillArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// Signal to send: a name or a number
    #[arg(short, long, default_value = "TERM", value_name = "SIGNAL")]
    pub signal: Signal,
    /// Only to what runs in the foreground of its terminal, as Ctrl-C does
    #[arg(short, long)]
    pub foreground: bool,
    /// Names or ids of sessions
    #[arg(required = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub names: Vec<String>,
}

/// Flags of `rm`.
#[derive(Debug, Args)]
pub struct RmArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// Delete its git worktree too, unless that would lose work
    #[arg(long)]
    pub delete_worktree: bool,
    /// With --delete-worktree: even if it holds work that is not committed
    #[arg(short, long, requires = "delete_worktree")]
    pub force: bool,
    /// Names or ids of sessions
    #[arg(required = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub names: Vec<String>,
}

/// Flags of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// Attach to it at once
    #[arg(short, long, conflicts_with = "json")]
    pub attach: bool,
    /// How to attach.
    #[command(flatten)]
    pub terminal: TerminalArgs,
    /// Name or id of the session
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
}

/// Flags of `top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
}

/// Flags of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// Go on with what comes, until the session ends
    #[arg(short, long, conflicts_with = "json")]
    pub follow: bool,
    /// Every byte as it is on a terminal too: also what would ring, notify and make it answer
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// Name or id of the session
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
}

/// Flags of `health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (text, std::env::var(text).map_err(|_| format!("{text} has no value here; give {text}=VALUE"))?),
    };
    if name.is_empty() { Err("the name is missing; give NAME=VALUE".into()) } else { Ok((name.to_owned(), value)) }
}
