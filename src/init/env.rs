//! The environment of a session: the container's own, completed to what a
//! login would set, with the caller's variables on top.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::session::Ground;
use crate::model::attention::{NOTIFY_SOCKET, NOTIFY_TOKEN};
use crate::model::session::Record;
use crate::model::spec::PATH_MAX;
use crate::sys::spawn::{Marks, Program};
use crate::users::Person;

/// Marks every process of a session, as far as it keeps its environment.
pub const MARKER: &str = "QUARTERDECK_SESSION_ID";

/// Init's own settings; sessions have no use for them.
const PRIVATE_PREFIX: &[u8] = b"QUARTERDECK_";

/// PATH when the container sets none: Debian's default for a login.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes the kernel's form of a session's program, which is `command` in the
/// place and the environment that the spec says.
///
/// # Errors
/// A text with a NUL byte, which [`SessionSpec::check`] refuses before.
pub fn program(command: &[String], record: &Record, ground: &Ground) -> Result<Program, std::ffi::NulError> {
    let spec = &record.spec;
    let user = ground.separation.sessions.as_ref();
    let login = user.map(|user| &user.person);
    let variables = variables(std::env::vars_os(), record, login, ground.notify_socket.as_deref());
    let path = variables.get(b"PATH".as_slice()).cloned().unwrap_or_default();
    let envp = variables.into_iter().map(|(name, value)| CString::new([name, value].join(&b'=')));
    Ok(Program {
        candidates: candidates(command.first().map_or(b"", |word| word.as_bytes()), &path)?,
        argv: command.iter().map(|word| CString::new(word.as_str())).collect::<Result<_, _>>()?,
        envp: envp.collect::<Result<_, _>>()?,
        cwd: Some(CString::new(spec.cwd.as_str())?),
        limit: ground.limit,
        marks: Marks::default(),
        user: user.and_then(|user| user.identity.clone()),
    })
}

/// Makes the kernel's form of a tool: a program that only the server talks to,
/// so it speaks English and never asks.
///
/// # Errors
/// A text with a NUL byte.
pub(super) fn tool(argv: &[String], cwd: &str, ground: &Ground) -> Result<Program, std::ffi::NulError> {
    let user = ground.separation.sessions.as_ref();
    let mut variables = inherited(std::env::vars_os(), user.map(|user| &user.person));
    // Whatever was set for a git that ran init is not about this repository.
    variables.retain(|name, _| !name.starts_with(b"GIT_") && name != b"LANGUAGE");
    for (name, value) in [("LC_ALL", "C"), ("TERM", "dumb"), ("GIT_TERMINAL_PROMPT", "0"), ("PWD", cwd)] {
        variables.insert(name.into(), value.into());
    }
    let path = variables.get(b"PATH".as_slice()).cloned().unwrap_or_default();
    let envp = variables.into_iter().map(|(name, value)| CString::new([name, value].join(&b'=')));
    Ok(Program {
        candidates: candidates(argv.first().map_or(b"", |word| word.as_bytes()), &path)?,
        argv: argv.iter().map(|word| CString::new(word.as_str())).collect::<Result<_, _>>()?,
        envp: envp.collect::<Result<_, _>>()?,
        cwd: Some(CString::new(cwd)?),
        limit: ground.limit,
        marks: Marks::default(),
        user: user.and_then(|user| user.identity.clone()),
    })
}

/// Directories of a PATH that are looked in.
const PATH_DIRS_MAX: usize = 256;

type Variables = BTreeMap<Vec<u8>, Vec<u8>>;

fn variables(
    own: impl Iterator<Item = (OsString, OsString)>,
    record: &Record,
    login: Option<&Person>,
    notify_socket: Option<&Path>,
) -> Variables {
    let spec = &record.spec;
    let mut all = inherited(own, login);
    for (name, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("PWD", spec.cwd.as_str())] {
        all.insert(name.into(), value.into());
    }
    for (name, value) in &spec.env {
        all.insert(name.clone().into(), value.clone().into());
    }
    all.insert(MARKER.into(), record.id.to_string().into());
    all.insert("QUARTERDECK_SESSION_NAME".into(), record.name.as_str().into());
    if let Some(path) = notify_socket {
        all.insert(NOTIFY_SOCKET.into(), path.as_os_str().as_bytes().to_vec());
        all.insert(NOTIFY_TOKEN.into(), record.ticket.reveal().into());
    }
    all
}

/// The container's own variables, completed; those of a login are the user's.
fn inherited(own: impl Iterator<Item = (OsString, OsString)>, login: Option<&Person>) -> Variables {
    let mut all: Variables = own
        .map(|(name, value)| (name.into_vec(), value.into_vec()))
        .filter(|(name, _)| !name.starts_with(PRIVATE_PREFIX))
        .collect();
    for (name, value) in [("PATH", DEFAULT_PATH), ("HOME", "/root"), ("LANG", "C.UTF-8")] {
        all.entry(name.into()).or_insert_with(|| value.into());
    }
    if let Some(Person { name, home, shell, .. }) = login {
        for (variable, value) in [("HOME", home), ("SHELL", shell), ("USER", name), ("LOGNAME", name)] {
            all.insert(variable.into(), value.clone().into());
        }
    }
    all
}

/// The paths `execvp(3)` would try for `command`.
pub(super) fn candidates(command: &[u8], path: &[u8]) -> Result<Vec<CString>, std::ffi::NulError> {
    if command.is_empty() || command.contains(&b'/') {
        return Ok(vec![CString::new(command)?]);
    }
    let mut seen = HashSet::new();
    path.split(|b| *b == b':')
        .map(|dir| if dir.is_empty() { b"." } else { dir })
        // A second time the same is not found again, and what is too long for the
        // kernel never.
        .filter(|dir| dir.len() + 1 + command.len() <= PATH_MAX && seen.insert(*dir))
        .take(PATH_DIRS_MAX)
        .map(|dir| CString::new([dir, command].join(&b'/')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attention::{Attention, Ticket};
    use crate::model::id::{SessionId, SessionName};
    use crate::model::session::{Stage, State};
    use crate::model::spec::{SessionSpec, TerminalSize};

    fn made(own: &[(&str, &str)], env: &[(&str, &str)]) -> Variables {
        made_for(None, own, env)
    }

    fn made_for(login: Option<&Person>, own: &[(&str, &str)], env: &[(&str, &str)]) -> Variables {
        let own: Vec<(OsString, OsString)> = own.iter().map(|(n, v)| (n.into(), v.into())).collect();
        let env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let spec = SessionSpec { command: vec!["x".into()], cwd: "/w".into(), env, is_session_command: false };
        let record = Record {
            id: SessionId::random(),
            name: SessionName::numbered(1),
            spec,
            worktree: None,
            created_at: 0,
            ticket: Ticket::random(),
            state: State {
                size: TerminalSize::DEFAULT,
                life: 0,
                started_at: None,
                stage: Stage::Ended,
                last_exit: None,
                attention: Attention::default(),
            },
        };
        variables(own.into_iter(), &record, login, Some(Path::new("/run/notify.sock")))
    }

    #[test]
    fn a_user_finds_its_own_login_in_the_environment() {
        let person = Person { home: "/home/a".into(), shell: "/bin/zsh".into(), ..crate::users::nameless(7, 7) };
        let own = [("HOME", "/root"), ("SHELL", "/bin/sh"), ("USER", "root"), ("KEPT", "1")];
        let all = made_for(Some(&person), &own, &[("SHELL", "/bin/asked")]);
        let expected = [("HOME", "/home/a"), ("USER", "7"), ("LOGNAME", "7"), ("KEPT", "1"), ("SHELL", "/bin/asked")];
        for (name, expected) in expected {
            assert_eq!(value(&all, name).as_deref(), Some(expected), "{name}");
        }
    }

    fn value(all: &Variables, name: &str) -> Option<String> {
        all.get(name.as_bytes()).map(|v| String::from_utf8(v.clone()).unwrap())
    }

    #[test]
    fn the_containers_variables_pass_and_inits_own_do_not() {
        let all = made(&[("API_KEY", "k"), ("TERM", "dumb"), ("QUARTERDECK_TOKEN", "secret")], &[]);
        assert_eq!(value(&all, "API_KEY").as_deref(), Some("k"));
        assert_eq!(value(&all, "TERM").as_deref(), Some("xterm-256color"));
        assert_eq!(value(&all, "QUARTERDECK_TOKEN"), None);
        assert_eq!(value(&all, NOTIFY_SOCKET).as_deref(), Some("/run/notify.sock"));
        assert!(value(&all, NOTIFY_TOKEN).is_some());
        assert_eq!(value(&all, "PATH").as_deref(), Some(DEFAULT_PATH));
        assert_eq!(value(&all, "PWD").as_deref(), Some("/w"));
    }

    #[test]
    fn the_caller_wins_but_not_over_the_marker() {
        let all = made(&[("A", "1")], &[("A", "2"), ("TERM", "vt100"), (MARKER, "forged")]);
        assert_eq!(value(&all, "A").as_deref(), Some("2"));
        assert_eq!(value(&all, "TERM").as_deref(), Some("vt100"));
        assert_ne!(value(&all, MARKER).as_deref(), Some("forged"));
    }

    #[test]
    fn a_command_is_looked_up_as_execvp_does() {
        let tried = |command: &str, path: &str| -> Vec<String> {
            let all = candidates(command.as_bytes(), path.as_bytes()).unwrap();
            all.into_iter().map(|c| c.into_string().unwrap()).collect()
        };
        assert_eq!(tried("sh", "/a:/b"), ["/a/sh", "/b/sh"]);
        assert_eq!(tried("sh", "/a::/a"), ["/a/sh", "./sh"]);
        assert_eq!(tried("./sh", "/a"), ["./sh"]);
    }

    #[test]
    fn a_path_without_end_costs_little() {
        let tried = |command: &[u8], path: &str| candidates(command, path.as_bytes()).unwrap();
        assert_eq!(tried(b"sh", &":".repeat(60_000)).len(), 1);
        let dirs: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
        assert_eq!(tried(b"sh", &dirs.join(":")).len(), PATH_DIRS_MAX);
        assert!(tried(&[b'x'; 30_000], &dirs.join(":")).is_empty());
    }
}
