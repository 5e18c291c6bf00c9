//! Users and groups by name: `/etc/passwd` and `/etc/group`, `passwd(5)`.
//!
//! Read here and not by the C library, whose name services a static binary does
//! not have.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

/// A user as a flag names one: `USER[:GROUP]`, by name or by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName {
    user: String,
    group: Option<String>,
}

/// A user as a flag names one that has no group to choose: `USER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoneUserName(pub UserName);

impl FromStr for UserName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group.to_owned())),
            None => (text, None),
        };
        let is_bad = |name: &str| name.is_empty() || name.contains([':', '\n', '\0']);
        if is_bad(user) || group.as_deref().is_some_and(is_bad) {
            return Err("give a user, or a user and a group: USER or USER:GROUP, by name or by number");
        }
        Ok(Self { user: user.to_owned(), group })
    }
}

impl FromStr for LoneUserName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<UserName>() {
            Ok(name) if name.group.is_none() => Ok(Self(name)),
            _ => Err("give a user by name or by number"),
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{}:{group}", self.user),
            None => f.write_str(&self.user),
        }
    }
}

/// A user with everything that a login takes from the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The login name; the number of one that has none.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The first group.
    pub gid: u32,
    /// All groups, as `initgroups(3)` makes the list: the first one, and those
    /// that have the user for a member.
    pub groups: Vec<u32>,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

/// Why there is no such user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUser {
    /// Nobody has the name.
    #[error("there is no user {0} in /etc/passwd; add the user to the image, or give a number")]
    User(String),
    /// No group has the name.
    #[error("there is no group {0} in /etc/group; add the group to the image, or give a number")]
    Group(String),
    /// A number without an entry, which therefore has no group.
    #[error("the user {0} has no entry in /etc/passwd that tells its group; name one as well, as in {0}:{0}")]
    NoGroup(u32),
}

/// The two files of one file system.
#[derive(Clone, Debug, Default)]
pub struct Files {
    passwd: String,
    group: String,
}

/// One line of /etc/passwd.
struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
    shell: &'a str,
}

impl<'a> Entry<'a> {
    /// A line that is none is passed over, as the C library does.
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next().filter(|name| !name.is_empty())?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let (_comment, home) = (fields.next()?, fields.next()?);
        Some(Self { name, uid, gid, home, shell: fields.next().unwrap_or_default() })
    }
}

impl Files {
    /// Those under the file system root `root`. One that can't be read has no
    /// entries.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let text = |path| fs::read(root.join(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self { passwd: text("etc/passwd").unwrap_or_default(), group: text("etc/group").unwrap_or_default() }
    }

    /// The user of this name, or of this number.
    ///
    /// # Errors
    /// There is none, or it has no group.
    pub fn find(&self, wanted: &UserName) -> Result<Person, NoUser> {
        let group = wanted.group.as_ref().map(|name| self.gid(name)).transpose()?;
        let number = wanted.user.parse().ok();
        let by_name = self.entries().find(|entry| entry.name == wanted.user);
        let entry = by_name.or_else(|| self.entries().find(|entry| Some(entry.uid) == number));
        match (entry, number) {
            (Some(entry), _) => Ok(self.person(&entry, group.unwrap_or(entry.gid))),
            (None, Some(uid)) => Ok(nameless(uid, group.ok_or(NoUser::NoGroup(uid))?)),
            (None, None) => Err(NoUser::User(wanted.user.clone())),
        }
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.passwd.lines().filter_map(Entry::parse)
    }

    fn person(&self, entry: &Entry<'_>, gid: u32) -> Person {
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let mut groups = vec![gid];
        for (_, number, members) in self.groups() {
            if members.split(',').any(|member| member == entry.name) && !groups.contains(&number) {
                groups.push(number);
            }
        }
        Person {
            name: entry.name.to_owned(),
            uid: entry.uid,
            gid,
            groups,
            home: or(entry.home, "/"),
            shell: or(entry.shell, "/bin/sh"),
        }
    }

    /// The number of a group, by name or by number.
    ///
    /// # Errors
    /// There is no group of this name.
    pub fn gid(&self, name: &str) -> Result<u32, NoUser> {
        let named = self.groups().find(|(group, ..)| *group == name).map(|(_, number, _)| number);
        named.or_else(|| name.parse().ok()).ok_or_else(|| NoUser::Group(name.to_owned()))
    }

    /// Name, number and members, separated by commas.
    fn groups(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.group.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _password) = (fields.next().filter(|name| !name.is_empty())?, fields.next()?);
            Some((name, fields.next()?.parse().ok()?, fields.next().unwrap_or_default()))
        })
    }
}

/// A user of whom only the number is known.
#[must_use]
pub fn nameless(uid: u32, gid: u32) -> Person {
    Person { name: uid.to_string(), uid, gid, groups: vec![gid], home: "/".into(), shell: "/bin/sh".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files {
            passwd:
                "root:x:0:0:root:/root:/bin/bash\n# no entry\nbroken:x:1\nagent:x:1000:1000:,,,:/home/agent:/bin/zsh\n\
                     bare:x:1001:100::/nowhere\n2000:x:3000:3000::/odd:\n"
                    .into(),
            group: "root:x:0:\nusers:x:100:agent\nbroken:x\ndocker:x:999:x,agent,y\nagent:x:1000:agent\nodd:x:7:age\n"
                .into(),
        }
    }

    fn find(text: &str) -> Result<Person, NoUser> {
        files().find(&text.parse().unwrap())
    }

    #[test]
    fn a_user_comes_with_every_group_it_is_a_member_of() {
        let agent = Person {
            name: "agent".into(),
            uid: 1000,
            gid: 1000,
            groups: vec![1000, 100, 999],
            home: "/home/agent".into(),
            shell: "/bin/zsh".into(),
        };
        assert_eq!(find("agent").unwrap(), agent);
        assert_eq!(find("1000").unwrap(), agent, "a number finds the same entry");
        let docker = find("agent:docker").unwrap();
        assert_eq!((docker.gid, docker.groups), (999, vec![999, 100, 1000]));
        assert_eq!(find("1000:5").unwrap().groups, [5, 100, 999, 1000]);
    }

    #[test]
    fn what_an_entry_does_not_say_is_completed() {
        let bare = find("bare").unwrap();
        assert_eq!((bare.gid, bare.shell.as_str(), bare.groups.as_slice()), (100, "/bin/sh", &[100][..]));
        assert_eq!(find("4000:4001").unwrap(), nameless(4000, 4001));
        assert_eq!(find("2000").unwrap().uid, 3000, "a name comes before a number");
    }

    #[test]
    fn who_is_not_there_is_told_so() {
        assert_eq!(find("ghost"), Err(NoUser::User("ghost".into())));
        assert_eq!(find("broken"), Err(NoUser::User("broken".into())));
        assert_eq!(find("agent:ghosts"), Err(NoUser::Group("ghosts".into())));
        assert_eq!(find("4000"), Err(NoUser::NoGroup(4000)));
        assert_eq!(Files::default().find(&"agent".parse().unwrap()), Err(NoUser::User("agent".into())));
    }

    #[test]
    fn a_flag_names_one_user_and_at_most_one_group() {
        for bad in ["", ":", "a:", ":a", "a:b:c", "a\n"] {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        }
        assert!("a:b".parse::<LoneUserName>().is_err());
        assert!("a".parse::<LoneUserName>().is_ok());
    }
}
