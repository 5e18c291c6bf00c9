//! What a session is asked to be: its program, place, environment and size.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The program that goes on with its last conversation in a directory when it
/// is told to with [`CLAUDE_CONTINUE`].
const CLAUDE: &str = "claude";
const CLAUDE_CONTINUE: &str = "--continue";

/// Largest accepted terminal side, in cells.
pub const SIDE_MAX: u16 = 1000;

/// Longest path the kernel takes, in bytes (`PATH_MAX` less its end).
pub const PATH_MAX: usize = 4095;

/// Most that a session's command and environment may weigh. Their text is far
/// below that with any client; each text costs some bytes more to keep.
pub const WEIGHT_MAX: usize = 256 * 1024;
const TEXT_WEIGHT: usize = 64;

/// A terminal's size in character cells, each side in `1..=`[`SIDE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct TerminalSize {
    cols: u16,
    rows: u16,
}

/// A terminal size out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the terminal size is {cols}x{rows}; columns and rows must each be 1 to {SIDE_MAX}")]
pub struct SizeError {
    cols: u32,
    rows: u32,
}

impl TerminalSize {
    /// The size a session starts with when its creator names none.
    pub const DEFAULT: Self = Self { cols: 80, rows: 24 };

    /// Checks and makes a size.
    ///
    /// # Errors
    /// [`SizeError`] when a side is outside `1..=`[`SIDE_MAX`].
    pub fn new(cols: u32, rows: u32) -> Result<Self, SizeError> {
        let side = |n: u32| u16::try_from(n).ok().filter(|n| (1..=SIDE_MAX).contains(n));
        match (side(cols), side(rows)) {
            (Some(cols), Some(rows)) => Ok(Self { cols, rows }),
            _ => Err(SizeError { cols, rows }),
        }
    }

    /// Columns.
    #[must_use]
    pub fn cols(self) -> u16 {
        self.cols
    }

    /// Rows.
    #[must_use]
    pub fn rows(self) -> u16 {
        self.rows
    }
}

impl TryFrom<(u16, u16)> for TerminalSize {
    type Error = SizeError;

    fn try_from((cols, rows): (u16, u16)) -> Result<Self, SizeError> {
        Self::new(cols.into(), rows.into())
    }
}

impl From<TerminalSize> for (u16, u16) {
    fn from(size: TerminalSize) -> Self {
        (size.cols, size.rows)
    }
}

impl fmt::Display for TerminalSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.cols, self.rows)
    }
}

/// The program of a session and the place it runs in.
///
/// Kept whole for the session's life: a resume starts [`Self::resumed`] of this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Program and arguments; `execve(2)` gets these unchanged. Never empty.
    pub command: Vec<String>,
    /// Absolute working directory.
    pub cwd: String,
    /// Variables added to, or replacing those of, the session's base environment.
    pub env: Vec<(String, String)>,
    /// Whether its creator named no command, so that this is the session command
    /// of that day.
    pub is_session_command: bool,
}

/// Why a [`SessionSpec`] can't be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is nothing to run.
    #[error("the command is empty; give the program and its arguments, or leave it out")]
    EmptyCommand,
    /// C strings end at the first NUL, so the kernel could never see what follows.
    #[error("{0} contains a NUL byte, which no program can receive")]
    Nul(&'static str),
    /// `environ(7)` splits name and value at the first `=`.
    #[error("the variable name {0:?} is empty or contains '='")]
    BadVariable(String),
    /// A relative directory has no meaning for a client.
    #[error("the directory {0:?} is not absolute")]
    RelativeDirectory(String),
    /// No call of the kernel could be made with it.
    #[error("the directory has {0} bytes; at most {PATH_MAX} are allowed")]
    LongDirectory(usize),
    /// More than [`WEIGHT_MAX`].
    #[error(
        "the command and its environment are too large: they take {0} bytes to keep, at most {WEIGHT_MAX} are allowed"
    )]
    TooHeavy(usize),
}

/// Checks a directory as a text.
///
/// # Errors
/// The first [`SpecError`] found.
pub fn check_directory(path: &str) -> Result<(), SpecError> {
    if path.len() > PATH_MAX {
        return Err(SpecError::LongDirectory(path.len()));
    }
    if path.contains('\0') {
        return Err(SpecError::Nul("the directory"));
    }
    if !path.starts_with('/') {
        return Err(SpecError::RelativeDirectory(excerpt(path)));
    }
    Ok(())
}

/// Enough of a text to recognise it by in a message.
fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

impl SessionSpec {
    /// Checks everything `execve(2)` could not even be asked for.
    ///
    /// # Errors
    /// The first [`SpecError`] found.
    pub fn check(&self) -> Result<(), SpecError> {
        let nul = |text: &String| text.contains('\0');
        if self.weight() > WEIGHT_MAX {
            return Err(SpecError::TooHeavy(self.weight()));
        }
        if self.command.first().is_none_or(String::is_empty) {
            return Err(SpecError::EmptyCommand);
        }
        if self.command.iter().any(nul) {
            return Err(SpecError::Nul("the command"));
        }
        check_directory(&self.cwd)?;
        for (name, value) in &self.env {
            if nul(name) || nul(value) {
                return Err(SpecError::Nul("the environment"));
            }
            if name.is_empty() || name.contains('=') {
                return Err(SpecError::BadVariable(excerpt(name)));
            }
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        let variables = self.env.iter().flat_map(|(name, value)| [name, value]);
        self.command.iter().chain(variables).map(|text| text.len() + TEXT_WEIGHT).sum()
    }

    /// What a resume runs: for a session that was started with the session
    /// command `given`, if there is one; else the same command again, which
    /// `claude` is told with a flag to go on where it was.
    #[must_use]
    pub fn resumed(&self, given: Option<&[String]>) -> Vec<String> {
        if !self.is_session_command {
            return self.command.clone();
        }
        if let Some(given) = given {
            return given.to_vec();
        }
        let mut command = self.command.clone();
        let program = command.first().and_then(|program| program.rsplit('/').next());
        if program == Some(CLAUDE) && !command.iter().skip(1).any(|word| word == CLAUDE_CONTINUE) {
            command.push(CLAUDE_CONTINUE.into());
        }
        command
    }
}

/// The step between `fork(2)` and a running program at which a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpawnStage {
    /// Making the pseudoterminal, `pty(7)`.
    Pty,
    /// Making the ring or another descriptor.
    Resources,
    /// `fork(2)`.
    Fork,
    /// `setsid(2)`.
    Session,
    /// `TIOCSCTTY`, `ioctl_tty(2)`.
    ControllingTerminal,
    /// Moving descriptors into place, `dup2(2)`.
    Descriptors,
    /// `setgroups(2)`, `setresgid(2)`, `setresuid(2)`.
    User,
    /// `chdir(2)`.
    WorkingDirectory,
    /// `execve(2)`.
    Exec,
}

impl SpawnStage {
    /// Every stage, in order.
    pub const ALL: [Self; 9] = [
        Self::Pty,
        Self::Resources,
        Self::Fork,
        Self::Session,
        Self::ControllingTerminal,
        Self::Descriptors,
        Self::User,
        Self::WorkingDirectory,
        Self::Exec,
    ];

    /// A short name for programs.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Pty => "pty",
            Self::Resources => "resources",
            Self::Fork => "fork",
            Self::Session => "setsid",
            Self::ControllingTerminal => "controlling-terminal",
            Self::Descriptors => "descriptors",
            Self::User => "user",
            Self::WorkingDirectory => "chdir",
            Self::Exec => "exec",
        }
    }
}

impl fmt::Display for SpawnStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pty => "opening a pseudoterminal",
            Self::Resources => "making the output ring",
            Self::Fork => "creating the process",
            Self::Session => "starting a kernel session",
            Self::ControllingTerminal => "taking the controlling terminal",
            Self::Descriptors => "arranging descriptors",
            Self::User => "becoming the user of --session-user",
            Self::WorkingDirectory => "entering the directory",
            Self::Exec => "executing the program",
        })
    }
}

/// A start that failed: where, and the kernel's `errno(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{stage} failed: {}", std::io::Error::from_raw_os_error(*.errno))]
pub struct SpawnFailure {
    /// The failing step.
    pub stage: SpawnStage,
    /// The error number.
    pub errno: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> SessionSpec {
        let env = vec![("A".into(), "b=c".into())];
        SessionSpec { command: vec!["sh".into()], cwd: "/".into(), env, is_session_command: false }
    }

    #[test]
    fn a_plain_spec_passes() {
        assert_eq!(spec().check(), Ok(()));
    }

    #[test]
    fn what_execve_could_not_take_is_refused() {
        let bad = |change: fn(&mut SessionSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.check().unwrap_err()
        };
        assert_eq!(bad(|s| s.command.clear()), SpecError::EmptyCommand);
        assert_eq!(bad(|s| s.command[0].clear()), SpecError::EmptyCommand);
        assert_eq!(bad(|s| s.command.push("a\0b".into())), SpecError::Nul("the command"));
        assert_eq!(bad(|s| s.cwd = "/a\0".into()), SpecError::Nul("the directory"));
        assert_eq!(bad(|s| s.cwd = "a".into()), SpecError::RelativeDirectory("a".into()));
        assert_eq!(bad(|s| s.env[0].1 = "\0".into()), SpecError::Nul("the environment"));
        assert_eq!(bad(|s| s.env[0].0 = "A=B".into()), SpecError::BadVariable("A=B".into()));
    }

    #[test]
    fn what_would_be_dear_to_keep_is_refused_and_not_repeated() {
        let bad = |change: fn(&mut SessionSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.check().unwrap_err().to_string()
        };
        let texts = [
            bad(|s| s.command.push("x".repeat(WEIGHT_MAX))),
            bad(|s| s.command.extend(vec![String::new(); WEIGHT_MAX / TEXT_WEIGHT])),
            bad(|s| s.env.extend(vec![("A".into(), String::new()); WEIGHT_MAX / TEXT_WEIGHT / 2])),
            bad(|s| s.cwd = "/x".repeat(PATH_MAX)),
            bad(|s| s.cwd = "x".repeat(PATH_MAX)),
            bad(|s| s.env[0].0 = "=".repeat(100_000)),
        ];
        assert!(texts.iter().all(|text| text.len() < 300), "{texts:?}");
        let mut spec = spec();
        spec.command.extend(vec!["some-file-name.txt".into(); 2000]);
        assert_eq!(spec.check(), Ok(()));
    }

    #[test]
    fn what_a_resume_runs_depends_on_who_chose_the_command() {
        let given = ["go".to_owned(), "on".to_owned()];
        let resumed = |words: &[&str], is_session_command, given: Option<&[String]>| {
            let command = words.iter().map(|word| (*word).to_owned()).collect();
            SessionSpec { command, is_session_command, ..spec() }.resumed(given).join(" ")
        };
        assert_eq!(resumed(&["claude"], false, Some(&given)), "claude", "somebody asked for exactly this");
        assert_eq!(resumed(&["bash", "-l"], true, Some(&given)), "go on");
        assert_eq!(resumed(&["bash", "-l"], true, None), "bash -l");
        assert_eq!(resumed(&["claude", "--model", "x"], true, None), "claude --model x --continue");
        assert_eq!(resumed(&["/usr/bin/claude", "--continue"], true, None), "/usr/bin/claude --continue");
        assert_eq!(resumed(&["claude-next"], true, None), "claude-next");
    }

    #[test]
    fn sizes_have_both_borders() {
        assert!(TerminalSize::new(1, 1).is_ok());
        assert!(TerminalSize::new(1000, 1000).is_ok());
        for (cols, rows) in [(0, 24), (80, 0), (1001, 24), (80, 1001), (70_000, 24)] {
            assert!(TerminalSize::new(cols, rows).is_err(), "{cols}x{rows}");
        }
    }
}
