//! Who runs as whom: the API server as a user of its own, sessions as the one
//! that `--session-user` names. Decided once, at the start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::Config;
use crate::sys::rights::{self, Identity};
use crate::users::{Files, NoUser, Person, UserName, nameless};

/// The server's user if /etc/passwd has one of this name.
const SERVER_NAME: &str = "quarterdeck";

/// The server's user and group where nobody has that name: a number that
/// distributions give to no login (systemd takes those from 61184 to 65519 for
/// users that exist as long as a service does).
pub const SERVER_NUMBER: u32 = 64_321;

const ROOT: u32 = 0;

/// Owns terminals, so that `write(1)` can reach them.
const TERMINAL_GROUP: &str = "tty";

/// Who others than init run as.
#[derive(Debug, Default)]
pub struct Separation {
    /// Sessions and tools; init's own user if none.
    pub sessions: Option<SessionUser>,
    /// The API server; init's own user if none.
    pub server: Option<Identity>,
}

/// The user of sessions.
#[derive(Clone, Debug)]
pub struct SessionUser {
    /// What a login would tell.
    pub person: Person,
    /// Who to become; none if init is that user already.
    pub identity: Option<Identity>,
    /// The group that may write to terminals, if the system has it.
    pub terminal_group: Option<u32>,
}

impl Separation {
    /// Decides by the flags, the user database and what init may do, and says in
    /// the log what is not protected.
    ///
    /// # Errors
    /// A user that was asked for and can't be had.
    pub fn decide(config: &Config) -> Result<Self, String> {
        let files = Files::read(Path::new("/"));
        let kernel = Kernel::ask();
        let sessions = config.session_user.as_ref().map(|name| session_user(name, &files, &kernel)).transpose()?;
        let taken = sessions.as_ref().map(|sessions| sessions.person.uid);
        let server = server_user(config.server_user.as_ref(), &files, &kernel, taken)?;
        Ok(Self { sessions, server })
    }
}

/// What the kernel lets init do with users.
struct Kernel {
    own: u32,
    missing: Option<&'static str>,
    users: Numbers,
    groups: Numbers,
    may_set_groups: bool,
}

impl Kernel {
    fn ask() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            own: crate::sys::process::own_user(),
            missing: rights::missing_to_separate(),
            users: Numbers::parse(&text("/proc/self/uid_map")),
            groups: Numbers::parse(&text("/proc/self/gid_map")),
            may_set_groups: text("/proc/self/setgroups").trim() != "deny",
        }
    }

    /// Why nothing can be run as this user, if so.
    fn obstacle(&self, person: &Person) -> Option<String> {
        if let Some(capability) = self.missing {
            return Some(format!("init lacks {capability}"));
        }
        if !self.may_set_groups {
            return Some("this user namespace does not allow setgroups".into());
        }
        if !self.users.have(person.uid) {
            return Some(format!("this user namespace has no user {}", person.uid));
        }
        let group = person.groups.iter().find(|group| !self.groups.have(**group));
        group.map(|group| format!("this user namespace has no group {group}"))
    }
}

/// The numbers that a user namespace has, `user_namespaces(7)`.
struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    fn parse(text: &str) -> Self {
        let range = |line: &str| {
            let mut fields = line.split_whitespace().map(str::parse::<u64>);
            let (inside, _outside, count) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
            Some((inside, count))
        };
        Self(text.lines().filter_map(range).collect())
    }

    fn have(&self, number: u32) -> bool {
        let number = u64::from(number);
        // The last number means "none" to the kernel, and no namespace has it.
        number < u64::from(u32::MAX)
            && self.0.iter().any(|(first, count)| (*first..first.saturating_add(*count)).contains(&number))
    }
}

fn identity(person: &Person) -> Identity {
    Identity::new(person.uid, person.gid, &person.groups)
}

fn session_user(name: &UserName, files: &Files, kernel: &Kernel) -> Result<SessionUser, String> {
    let person = files.find(name).map_err(|e| format!("--session-user {name}: {e}"))?;
    let terminal_group = files.gid(TERMINAL_GROUP).ok().filter(|group| kernel.groups.have(*group));
    match kernel.obstacle(&person) {
        None => Ok(SessionUser { identity: Some(identity(&person)), person, terminal_group }),
        Some(_) if person.uid == kernel.own => Ok(SessionUser { identity: None, person, terminal_group }),
        Some(why) => Err(format!(
            "--session-user {name}: sessions cannot run as another user, because {why}; give the container that, or \
             leave the flag out and start the container as that user"
        )),
    }
}

fn server_user(
    name: Option<&UserName>,
    files: &Files,
    kernel: &Kernel,
    taken: Option<u32>,
) -> Result<Option<Identity>, String> {
    let person = match name {
        Some(name) => explicit(name, files, taken)?,
        None => usual(files, taken),
    };
    let why = kernel.obstacle(&person).or_else(|| unexecutable(&person));
    match (name, why) {
        (_, None) => {
            tell(&person, kernel.own, taken);
            Ok(Some(identity(&person)))
        }
        (Some(_), Some(_)) if person.uid == kernel.own => Ok(None),
        (Some(name), Some(why)) => Err(format!(
            "--server-user {name}: the API server cannot run as another user, because {why}; give the container that, \
             or leave the flag out"
        )),
        (None, Some(why)) => {
            tracing::info!(
                reason = why,
                "The API server runs as init's own user, without capabilities: sessions of that user can end it and \
                 read its files, also the state directory"
            );
            Ok(None)
        }
    }
}

fn explicit(name: &UserName, files: &Files, taken: Option<u32>) -> Result<Person, String> {
    let person = match files.find(name) {
        // The server needs no group of anybody else's.
        Err(NoUser::NoGroup(uid)) => nameless(uid, uid),
        found => found.map_err(|e| format!("--server-user {name}: {e}"))?,
    };
    if Some(person.uid) == taken && person.uid != ROOT {
        return Err(format!("--server-user {name}: sessions run as that user, who could then change the API server"));
    }
    Ok(alone(&person))
}

fn usual(files: &Files, taken: Option<u32>) -> Person {
    let named = SERVER_NAME.parse().ok().and_then(|name| files.find(&name).ok());
    let named = named.filter(|person| Some(person.uid) != taken && person.uid != ROOT);
    alone(&named.unwrap_or_else(|| nameless(SERVER_NUMBER, SERVER_NUMBER)))
}

/// Without supplementary groups.
fn alone(person: &Person) -> Person {
    Person { groups: Vec::new(), ..person.clone() }
}

/// Init executes its own program as the server: the file is open already, and
/// only its mode counts.
fn unexecutable(person: &Person) -> Option<String> {
    let mode = fs::metadata("/proc/self/exe").map_or(0o755, |about| about.permissions().mode());
    (person.uid != ROOT && mode & 0o001 == 0).then(|| format!("its program file has mode {:o}", mode & 0o7777))
}

fn tell(person: &Person, own: u32, taken: Option<u32>) {
    if person.uid == own {
        return tracing::info!("The API server runs as init's own user, without capabilities, as --server-user says");
    }
    tracing::info!(
        serverUser = person.name,
        serverUid = person.uid,
        sessionUid = taken.unwrap_or(own),
        "The API server runs as a user of its own"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(missing: Option<&'static str>, users: &str) -> Kernel {
        let numbers = || Numbers::parse(users);
        Kernel { own: 0, missing, users: numbers(), groups: numbers(), may_set_groups: true }
    }

    const ALL: &str = "         0          0 4294967295\n";

    #[test]
    fn a_namespace_has_the_numbers_it_was_given() {
        let numbers = Numbers::parse("0 1000 1\n1 100000 65536\n");
        assert!(numbers.have(0) && numbers.have(1) && numbers.have(65_536));
        assert!(!numbers.have(65_537) && !numbers.have(u32::MAX));
        assert!(!Numbers::parse(ALL).have(u32::MAX), "which would change nothing");
        assert!(!Numbers::parse("").have(0));
    }

    #[test]
    fn what_was_asked_for_and_cannot_be_had_is_an_error() {
        let (files, name) = (Files::default(), "7:7".parse().unwrap());
        assert!(session_user(&name, &files, &kernel(None, ALL)).unwrap().identity.is_some());
        for (missing, users, why) in
            [(Some("CAP_KILL"), ALL, "CAP_KILL"), (None, "0 0 7\n", "no user 7"), (None, "", "no user 7")]
        {
            let error = session_user(&name, &files, &kernel(missing, users)).unwrap_err();
            assert!(error.contains(why) && error.contains("--session-user 7:7"), "{error}");
            let server = "7".parse().unwrap();
            let error = server_user(Some(&server), &files, &kernel(missing, users), None).unwrap_err();
            assert!(error.contains(why) && error.contains("--server-user 7"), "{error}");
            assert_eq!(server_user(None, &files, &kernel(Some("CAP_SETUID"), users), None), Ok(None));
        }
        let denied = Kernel { may_set_groups: false, ..kernel(None, ALL) };
        assert!(session_user(&name, &files, &denied).unwrap_err().contains("setgroups"));
    }

    #[test]
    fn the_server_is_nobody_elses_user() {
        let (files, kernel) = (Files::default(), kernel(None, ALL));
        let usual = server_user(None, &files, &kernel, None).unwrap().unwrap();
        assert_eq!((usual.uid(), usual.gid()), (SERVER_NUMBER, SERVER_NUMBER));
        let name = "7".parse().unwrap();
        assert!(server_user(Some(&name), &files, &kernel, Some(7)).unwrap_err().contains("sessions run as"));
        assert_eq!(server_user(Some(&name), &files, &kernel, Some(8)).unwrap().unwrap().uid(), 7);
    }
}
