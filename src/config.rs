//! The command line and the environment, made into decisions, once.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::init::{CommandLine, InitArgs, MainArgs, NoAuth, TokenArg};
use crate::model::forwarding::Forwarding;
use crate::model::secret::Secret;
use crate::model::settings::{
    DoorSettings, LimitSettings, LogFormat, LogLevel, LogSettings, ResourceSettings, Settings,
};
use crate::model::signal::Signal;
use crate::ring::layout::Capacity;
use crate::users::{Files, LoneUserName, UserName};

/// Where the Unix socket goes if that place can be written.
const DEFAULT_SOCKET: &str = "/run/quarterdeck/api.sock";

/// Where a token that we make is kept, in the state directory.
const TOKEN_FILE: &str = "token";

/// Everything init decides by.
#[derive(Debug)]
pub struct Config {
    /// Address of the API.
    pub listen: SocketAddr,
    /// Unix socket paths to try in order; the first that works is used.
    pub sockets: Vec<PathBuf>,
    /// Whether the path was asked for by name: then failing it is an error.
    pub socket_is_given: bool,
    /// Where the token comes from that clients must show.
    pub token: TokenSource,
    /// Size of each session's ring.
    pub scrollback: Capacity,
    /// From TERM to KILL of a session.
    pub stop_grace: Duration,
    /// From the first signal to exit.
    pub shutdown_grace: Duration,
    /// Between two sweeps of /proc.
    pub sweep_interval: Duration,
    /// The program that the container is for, if there is one.
    pub main: Option<MainSettings>,
    /// What init asks of the process that started it, and of the kernel.
    pub standing: Standing,
    /// Whether to tell of every orphan reaped.
    pub warn_on_reap: bool,
    /// What a resume runs instead of the session command, if told.
    pub resume_command: Option<Vec<String>>,
    /// What one session may use.
    pub session_limits: SessionLimits,
    /// Who sessions run as, if not as init.
    pub session_user: Option<UserName>,
    /// Who the API server runs as, if told.
    pub server_user: Option<UserName>,
    /// What the server gets to know.
    pub settings: Settings,
}

/// Where the token comes from that clients must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// None is asked for.
    None,
    /// It was given as it is.
    Given(Secret),
    /// Somebody keeps it in this file.
    File(PathBuf),
    /// We make it, and keep it in this file if there is a place for one.
    Made(Option<PathBuf>),
}

/// What one session may use, where its cgroup can be limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionLimits {
    /// Bytes of memory, `memory.max`.
    pub memory: Option<u64>,
    /// Processes and threads, `pids.max`.
    pub pids: Option<u32>,
}

/// Everything init without an API decides by.
#[derive(Debug)]
pub struct AloneConfig {
    /// The program that the container is for.
    pub main: MainSettings,
    /// What init asks of the process that started it, and of the kernel.
    pub standing: Standing,
    /// Whether to tell of every orphan reaped.
    pub warn_on_reap: bool,
    /// From the main command's end to exit.
    pub shutdown_grace: Duration,
    /// Least important line that is still written.
    pub log_level: LogLevel,
    /// Form of log lines.
    pub log_format: LogFormat,
}

/// How init stands among other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What to get when the process that started init ends.
    pub parent_death: Option<Signal>,
    /// Whether it is known that init is not PID 1.
    pub is_subreaper_wanted: bool,
}

/// The program that a container is for.
#[derive(Debug)]
pub struct MainSettings {
    /// Program and arguments; not empty.
    pub command: Vec<OsString>,
    /// What becomes of signals and exit codes.
    pub forwarding: Forwarding,
}

/// What `init` is to be.
#[derive(Debug)]
pub enum InitConfig {
    /// With sessions and the API.
    Whole(Box<Config>),
    /// The init of a main command and nothing else.
    Alone(Box<AloneConfig>),
}

impl InitConfig {
    /// Decides everything that needs no privileges and no sockets.
    ///
    /// # Errors
    /// A flag that means nothing beside the others, a directory that does not
    /// exist or can't be found out.
    pub fn decide(args: InitArgs, now: u64) -> Result<Self, ConfigError> {
        if let Some(flag) = args.main.without_command() {
            return Err(ConfigError(format!(
                "{flag} is about a main command, and there is none; add a COMMAND to run"
            )));
        }
        if !args.main.no_api {
            return Ok(Self::Whole(Box::new(Config::decide(args, now)?)));
        }
        let (log_level, log_format) = (args.log_level.into(), args.log_format.map_or_else(default_format, Into::into));
        let (standing, warn_on_reap, shutdown_grace) =
            (standing(&args.main), args.main.warn_on_reap, args.shutdown_grace);
        Ok(Self::Alone(Box::new(AloneConfig {
            main: main_settings(args.main),
            standing,
            warn_on_reap,
            shutdown_grace,
            log_level,
            log_format,
        })))
    }
}

fn standing(args: &MainArgs) -> Standing {
    Standing { parent_death: args.parent_death_signal, is_subreaper_wanted: args.subreaper }
}

fn main_settings(args: MainArgs) -> MainSettings {
    let forwarding = Forwarding { to_group: args.group, rewrites: args.rewrite_signal, to_zero: args.remap_exit };
    MainSettings { command: args.command, forwarding }
}

/// A value that can't be used; one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Decides everything that needs no privileges and no sockets.
    ///
    /// # Errors
    /// A directory that does not exist, or can't be found out.
    fn decide(args: InitArgs, now: u64) -> Result<Self, ConfigError> {
        let scrollback = Capacity::at_least(args.scrollback.as_u64());
        let state_dir = args.state_dir.or_else(default_state_dir).map(absolute);
        let token = args.token.map(|TokenArg(token)| token).transpose();
        let token = token.map_err(|e| ConfigError(format!("--token can't be used: {e}")))?;
        if args.warn_percent >= args.critical_percent {
            return Err(ConfigError(format!(
                "--warn-percent {} must be below --critical-percent {}",
                args.warn_percent, args.critical_percent
            )));
        }

        Ok(Self {
            listen: args.listen,
            sockets: socket_candidates(args.socket.as_deref(), state_dir.as_deref()),
            socket_is_given: args.socket.is_some(),
            token: token_source(token, args.token_file, args.no_auth, args.listen, state_dir.as_deref())?,
            scrollback,
            stop_grace: args.stop_grace,
            shutdown_grace: args.shutdown_grace,
            sweep_interval: args.sweep_interval,
            resume_command: args.resume_command.map(|CommandLine(words)| words),
            session_limits: SessionLimits {
                memory: args.session_memory_max.map(|size| size.as_u64()),
                pids: args.session_pids_max,
            },

            session_user: args.session_user.clone(),
            server_user: args.server_user.map(|LoneUserName(name)| name),
            standing: standing(&args.main),
            warn_on_reap: args.main.warn_on_reap,
            main: if args.main.command.is_empty() { None } else { Some(main_settings(args.main)) },
            settings: Settings {
                max_sessions: args.max_sessions,
                session_command: session_command(args.session_command, args.session_user.as_ref()),
                workspace: workspace(args.workspace.as_deref())?,
                stuck_after_ms: u64::try_from(args.stuck_after.as_millis()).ok().filter(|ms| *ms > 0),
                state_dir,
                started_at: now,
                history: args.history.as_u64(),
                doors: DoorSettings { listen: args.listen, hosts: args.allow_host, origins: args.allow_origin },
                rings_max: scrollback.bytes().saturating_mul(args.max_sessions.into()),
                limits: LimitSettings {
                    connections: args.max_connections,
                    connections_per_client: args.max_connections_per_client.min(args.max_connections),
                    requests_per_second: args.max_requests_per_second,
                },
                log: LogSettings {
                    level: args.log_level.into(),
                    format: args.log_format.map_or_else(default_format, Into::into),
                    dir: args.log_dir,
                },
                resources: ResourceSettings {
                    memory_limit: args.memory_limit.map(|size| size.as_u64()),
                    warn: args.warn_percent,
                    critical: args.critical_percent,
                    interval_ms: u64::try_from(args.monitor_interval.as_millis()).unwrap_or(u64::MAX),
                },
            },
        })
    }
}

fn token_source(
    token: Option<Secret>,
    file: Option<PathBuf>,
    no_auth: Option<NoAuth>,
    listen: SocketAddr,
    state_dir: Option<&Path>,
) -> Result<TokenSource, ConfigError> {
    match (token, file, no_auth) {
        (Some(_), Some(_), _) => Err(ConfigError("give --token or --token-file, not both".into())),
        (None, None, Some(NoAuth::Yes)) if !listen.ip().is_loopback() => Err(ConfigError(format!(
            "--no-auth gives a shell to everybody who reaches {listen}, which is no loopback address; leave it out, or \
             say --no-auth=i-know"
        ))),
        (None, None, Some(_)) => Ok(TokenSource::None),
        (_, _, Some(_)) => Err(ConfigError("a token means nothing beside --no-auth; give one of them".into())),
        (Some(token), None, None) => Ok(TokenSource::Given(token)),
        (None, Some(path), None) => Ok(TokenSource::File(path)),
        (None, None, None) => Ok(TokenSource::Made(state_dir.map(|dir| dir.join(TOKEN_FILE)))),
    }
}

fn default_format() -> LogFormat {
    if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json }
}

fn env_dir(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute())
}

fn default_state_dir() -> Option<PathBuf> {
    if crate::sys::process::is_root() {
        return Some("/var/lib/quarterdeck".into());
    }
    let base = env_dir("XDG_STATE_HOME").or_else(|| env_dir("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("quarterdeck"))
}

/// The server must find the same place whatever its working directory is.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// The places for the Unix socket, best first.
#[must_use]
pub fn socket_candidates(given: Option<&Path>, state_dir: Option<&Path>) -> Vec<PathBuf> {
    if let Some(path) = given {
        return vec![path.to_owned()];
    }
    let runtime = env_dir("XDG_RUNTIME_DIR").map(|dir| dir.join("quarterdeck/api.sock"));
    let state = state_dir.map(|dir| dir.join("api.sock"));
    [Some(PathBuf::from(DEFAULT_SOCKET)), runtime, state].into_iter().flatten().collect()
}

/// [`socket_candidates`] for a client, which knows no state directory but the
/// default and the one in the environment.
#[must_use]
pub fn client_sockets(given: Option<&Path>) -> Vec<PathBuf> {
    let state_dir = env_dir("QUARTERDECK_STATE_DIR").or_else(default_state_dir);
    socket_candidates(given, state_dir.as_deref())
}

fn session_command(given: Option<CommandLine>, user: Option<&UserName>) -> Vec<String> {
    if let Some(CommandLine(words)) = given {
        return words;
    }
    if on_path("claude") {
        return vec!["claude".into()];
    }
    // A user that is not there is init's to tell.
    let shell_of_user = user.and_then(|name| Files::read(Path::new("/")).find(name).ok()).map(|user| user.shell);
    let shell = shell_of_user.or_else(|| std::env::var("SHELL").ok()).filter(|s| is_executable(Path::new(s)));
    vec![shell.unwrap_or_else(|| "/bin/sh".into())]
}

fn on_path(program: &str) -> bool {
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| is_executable(&dir.join(program)))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn workspace(given: Option<&Path>) -> Result<String, ConfigError> {
    let path = match given {
        Some(path) => path.to_owned(),
        None if Path::new("/workspace").is_dir() => "/workspace".into(),
        None => std::env::current_dir().map_err(|e| bad_dir("the working directory", &e))?,
    };
    let shown = path.display().to_string();
    let real = path.canonicalize().map_err(|e| bad_dir(&shown, &e))?;
    if !real.is_dir() {
        return Err(bad_dir(&shown, &"it is not a directory"));
    }
    real.into_os_string().into_string().map_err(|_| bad_dir(&shown, &"its name is not UTF-8"))
}

fn bad_dir(path: &str, why: &dyn Display) -> ConfigError {
    ConfigError(format!("cannot use {path} as the workspace: {why}; create it, or name another with --workspace DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_socket_is_the_only_candidate() {
        assert_eq!(socket_candidates(Some(Path::new("/x/y")), Some(Path::new("/s"))), [Path::new("/x/y")]);
        let all = socket_candidates(None, Some(Path::new("/s")));
        assert_eq!(all.first().map(PathBuf::as_path), Some(Path::new(DEFAULT_SOCKET)));
        assert_eq!(all.last().map(PathBuf::as_path), Some(Path::new("/s/api.sock")));
    }

    #[test]
    fn a_workspace_must_be_a_directory() {
        assert!(workspace(Some(Path::new("/"))).is_ok());
        let missing = workspace(Some(Path::new("/no/such/place"))).unwrap_err().to_string();
        assert!(missing.contains("/no/such/place") && missing.contains("--workspace"), "{missing}");
        assert!(workspace(Some(Path::new("/dev/null"))).is_err());
    }
}
