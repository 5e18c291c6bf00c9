//! Flags of `init`, and their words.

use std::convert::Infallible;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::model::address::{Host, Origin};
use crate::model::forwarding::Rewrite;
use crate::model::percent::Percent;
use crate::model::secret::{Secret, SecretError};
use crate::model::settings::{LogFormat, LogLevel};
use crate::model::signal::Signal;
use crate::users::{LoneUserName, UserName};

/// Flags of `init`; each is also QUARTERDECK_<FLAG> in the environment.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Address of the HTTP API and the web page; port 0 takes a free one
    #[arg(long, env = "QUARTERDECK_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Unix socket for client commands [default: /run/quarterdeck/api.sock, else $XDG_RUNTIME_DIR, else the state dir]
    #[arg(long, env = "QUARTERDECK_SOCKET", value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Token that clients must show; better give it with --token-file [default: one is made and kept in the state dir]
    #[arg(long, env = "QUARTERDECK_TOKEN", value_name = "TEXT", hide_env_values = true)]
    pub token: Option<TokenArg>,
    /// File with the token; read again on SIGHUP
    #[arg(long, env = "QUARTERDECK_TOKEN_FILE", value_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// Ask for no token: whoever reaches the address gets a shell; refused beyond loopback unless it is "i-know"
    #[arg(long, env = "QUARTERDECK_NO_AUTH", value_name = "i-know", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub no_auth: Option<NoAuth>,
    /// Another name by which the API is reached, such as a reverse proxy's [repeatable; in the environment with commas]
    #[arg(long, env = "QUARTERDECK_ALLOW_HOST", value_delimiter = ',', value_name = "HOST[:PORT]")]
    pub allow_host: Vec<Host>,
    /// Another page that may use the API, such as http://localhost:8080 [repeatable; in the environment with commas]
    #[arg(long, env = "QUARTERDECK_ALLOW_ORIGIN", value_delimiter = ',', value_name = "SCHEME://HOST[:PORT]")]
    pub allow_origin: Vec<Origin>,
    /// Most sessions at once
    #[arg(long, env = "QUARTERDECK_MAX_SESSIONS", default_value_t = 4, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub max_sessions: u32,
    /// Most connections to the address of the API, WebSockets included
    #[arg(long, env = "QUARTERDECK_MAX_CONNECTIONS", default_value_t = 512, value_name = "N",
          value_parser = clap::value_parser!(u32).range(4..=16384))]
    pub max_connections: u32,
    /// Most of them from one client address; behind a reverse proxy all come from one
    #[arg(long, env = "QUARTERDECK_MAX_CONNECTIONS_PER_CLIENT", default_value_t = 256, value_name = "N",
          value_parser = clap::value_parser!(u32).range(4..=16384))]
    pub max_connections_per_client: u32,
    /// Most requests a second from one client address, twice as many at once; 0: any number
    #[arg(long, env = "QUARTERDECK_MAX_REQUESTS_PER_SECOND", default_value_t = 1000, value_name = "N")]
    pub max_requests_per_second: u32,
    /// Program of a session that names none [default: claude if on PATH, else $SHELL, else /bin/sh]
    #[arg(long, env = "QUARTERDECK_SESSION_COMMAND", value_name = "COMMAND")]
    pub session_command: Option<CommandLine>,
    /// Runs when a session of the session command is resumed [default: claude with --continue; others as they are]
    #[arg(long, env = "QUARTERDECK_RESUME_COMMAND", value_name = "COMMAND")]
    pub resume_command: Option<CommandLine>,
    /// User of sessions, with its groups, HOME and SHELL, by name or number [default: the user of init]
    #[arg(long, env = "QUARTERDECK_SESSION_USER", value_name = "USER[:GROUP]")]
    pub session_user: Option<UserName>,
    /// User of the API server, by name or number [default: quarterdeck if there is one, else 64321; as an ordinary user, that one]
    #[arg(long, env = "QUARTERDECK_SERVER_USER", value_name = "USER")]
    pub server_user: Option<LoneUserName>,
    /// Where sessions start [default: /workspace if present, else the working directory]
    #[arg(long, env = "QUARTERDECK_WORKSPACE", value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Private files that outlive the container, in a volume [default: /var/lib/quarterdeck as root, else $XDG_STATE_HOME/quarterdeck]
    #[arg(long, env = "QUARTERDECK_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Also write the API server's log as JSON files here, one a day, 7 kept
    #[arg(long, env = "QUARTERDECK_LOG_DIR", value_name = "DIR")]
    pub log_dir: Option<PathBuf>,
    /// Least important log line that is written
    #[arg(long, env = "QUARTERDECK_LOG_LEVEL", default_value = "info", value_enum, value_name = "LEVEL")]
    pub log_level: LevelArg,
    /// Form of log lines on stderr [default: text if stderr is a terminal, else json]
    #[arg(long, env = "QUARTERDECK_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub log_format: Option<FormatArg>,
    /// Output kept per session; rounded up to a power of two
    #[arg(long, env = "QUARTERDECK_SCROLLBACK", default_value = "4MiB", value_parser = scrollback, value_name = "SIZE")]
    pub scrollback: ByteSize,
    /// Output kept on disk per session, in the state dir; outlives the container with it; 0 keeps none
    #[arg(long, env = "QUARTERDECK_HISTORY", default_value = "8MiB", value_parser = history, value_name = "SIZE")]
    pub history: ByteSize,
    /// How long a session may take from TERM to KILL
    #[arg(long, env = "QUARTERDECK_STOP_GRACE", default_value = "5s", value_parser = grace,
          value_name = "TIME")]
    pub stop_grace: Duration,
    /// How long the whole shutdown may take; keep it below the container engine's own limit
    #[arg(long, env = "QUARTERDECK_SHUTDOWN_GRACE", default_value = "8s", value_parser = grace,
          value_name = "TIME")]
    pub shutdown_grace: Duration,
    /// How often to look for processes that outlived their session
    #[arg(long, env = "QUARTERDECK_SWEEP_INTERVAL", default_value = "60s", value_parser = interval,
          value_name = "TIME")]
    pub sweep_interval: Duration,
    /// Memory that may be used, if the container's own limit is higher or cannot be found
    #[arg(long, env = "QUARTERDECK_MEMORY_LIMIT", value_parser = memory, value_name = "SIZE")]
    pub memory_limit: Option<ByteSize>,
    /// Share of the memory limit from which to warn
    #[arg(long, env = "QUARTERDECK_WARN_PERCENT", default_value = "87", value_name = "PERCENT")]
    pub warn_percent: Percent,
    /// Share of the memory limit from which no new session is taken
    #[arg(long, env = "QUARTERDECK_CRITICAL_PERCENT", default_value = "93", value_name = "PERCENT")]
    pub critical_percent: Percent,
    /// How often to log and count everything; memory itself is looked at several times a second
    #[arg(long, env = "QUARTERDECK_MONITOR_INTERVAL", default_value = "30s", value_parser = interval,
          value_name = "TIME")]
    pub monitor_interval: Duration,
    /// A session that prints nothing for so long while it runs counts as stuck; 0s: none does
    #[arg(long, env = "QUARTERDECK_STUCK_AFTER", default_value = "30m", value_parser = grace, value_name = "TIME")]
    pub stuck_after: Duration,
    /// Most memory of one session; needs cgroup v2 that init can write [default: none]
    #[arg(long, env = "QUARTERDECK_SESSION_MEMORY_MAX", value_parser = memory, value_name = "SIZE")]
    pub session_memory_max: Option<ByteSize>,
    /// Most processes and threads of one session; needs cgroup v2 that init can write [default: none]
    #[arg(long, env = "QUARTERDECK_SESSION_PIDS_MAX", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub session_pids_max: Option<u32>,
    /// The main command and what concerns it.
    #[command(flatten)]
    pub main: MainArgs,
}

/// Flags of `init` about its main command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Main command")]
pub struct MainArgs {
    /// Send signals to COMMAND's process group, not to it alone
    #[arg(short, long, env = "QUARTERDECK_GROUP", value_parser = BoolishValueParser::new())]
    pub group: bool,
    /// Pass signal TO on instead of FROM, names or numbers; 0 drops it [repeatable; in the environment with commas]
    #[arg(short, long, env = "QUARTERDECK_REWRITE_SIGNAL", value_delimiter = ',', value_name = "FROM:TO")]
    pub rewrite_signal: Vec<Rewrite>,
    /// End with 0 if COMMAND's exit code is CODE [repeatable; in the environment with commas]
    #[arg(short = 'e', long, env = "QUARTERDECK_REMAP_EXIT", value_delimiter = ',', value_name = "CODE")]
    pub remap_exit: Vec<u8>,
    /// Get this signal, and so pass it on, when the process that started init ends
    #[arg(short, long, env = "QUARTERDECK_PARENT_DEATH_SIGNAL", value_name = "SIGNAL")]
    pub parent_death_signal: Option<Signal>,
    /// Become child subreaper without a warning if not PID 1
    #[arg(short, long, env = "QUARTERDECK_SUBREAPER", value_parser = BoolishValueParser::new())]
    pub subreaper: bool,
    /// Log each process reaped that somebody left to init
    #[arg(short, long, env = "QUARTERDECK_WARN_ON_REAP", value_parser = BoolishValueParser::new())]
    pub warn_on_reap: bool,
    /// Only be init for COMMAND: one process, no API, no sessions, nothing that listens
    #[arg(long, env = "QUARTERDECK_NO_API", value_parser = BoolishValueParser::new())]
    pub no_api: bool,
    /// Run this as the container's main command, on init's own stdio; its end is the container's
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

impl MainArgs {
    /// The first flag that means nothing without a COMMAND, if there is none.
    #[must_use]
    pub fn without_command(&self) -> Option<&'static str> {
        let given = [
            (self.group, "--group"),
            (!self.rewrite_signal.is_empty(), "--rewrite-signal"),
            (!self.remap_exit.is_empty(), "--remap-exit"),
            (self.parent_death_signal.is_some(), "--parent-death-signal"),
            (self.warn_on_reap, "--warn-on-reap"),
            (self.no_api, "--no-api"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given && self.command.is_empty()).map(|(_, flag)| flag)
    }
}

/// The value of `--no-auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAuth {
    /// Without authentication.
    Yes,
    /// The same, for an address that is not a loopback one too.
    IKnow,
}

impl FromStr for NoAuth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" => Ok(Self::Yes),
            "i-know" => Ok(Self::IKnow),
            _ => Err("give the flag alone, or --no-auth=i-know".into()),
        }
    }
}

/// `--token`. What is wrong with one is said later, and without showing it.
#[derive(Clone, Debug)]
pub struct TokenArg(pub Result<Secret, SecretError>);

impl FromStr for TokenArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse()))
    }
}

/// A command given as one text, split as a shell would, without expansions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine(pub Vec<String>);

impl FromStr for CommandLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match shlex::split(text) {
            Some(words) if !words.is_empty() => Ok(Self(words)),
            Some(_) => Err("the command is empty".into()),
            None => Err("a quote in the command is not closed".into()),
        }
    }
}

/// `--log-level`.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "they mirror LogLevel")]
pub enum LevelArg {
    Error,
    Warn,
    Info,
    Debug,
}

impl From<LevelArg> for LogLevel {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Error => Self::Error,
            LevelArg::Warn => Self::Warn,
            LevelArg::Info => Self::Info,
            LevelArg::Debug => Self::Debug,
        }
    }
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "they mirror LogFormat")]
pub enum FormatArg {
    Json,
    Text,
}

impl From<FormatArg> for LogFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Json => Self::Json,
            FormatArg::Text => Self::Text,
        }
    }
}

/// Shortest interval a flag may give.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Longest time a flag may give.
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);

fn grace(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if time <= TIME_MAX { Ok(time) } else { Err("give a time of at most 24h".into()) }
}

fn interval(text: &str) -> Result<Duration, String> {
    let time = grace(text)?;
    if time >= INTERVAL_MIN { Ok(time) } else { Err("give a time of at least 1s".into()) }
}

fn memory(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|_| "give a size such as 2GiB or 512MiB".to_owned())?;
    if size >= ByteSize::mib(1) { Ok(size) } else { Err("give a size of at least 1MiB".into()) }
}

fn scrollback(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|_| "give a size such as 4MiB or 512KiB".to_owned())?;
    let range = ByteSize::kib(128)..=ByteSize::gib(1);
    if range.contains(&size) { Ok(size) } else { Err("give a size from 128KiB to 1GiB".into()) }
}

fn history(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|_| "give a size such as 8MiB or 512KiB, or 0".to_owned())?;
    let range = ByteSize::kib(256)..=ByteSize::tib(1);
    if size == ByteSize::b(0) || range.contains(&size) {
        Ok(size)
    } else {
        Err("give 0, or a size from 256KiB to 1TiB".into())
    }
}
