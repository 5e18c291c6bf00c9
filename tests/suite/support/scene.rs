//! A quarterdeck as PID 1 in company: a session that minds its own business
//! and a process that came in from outside, as with `docker exec`. Whatever is
//! done to other sessions, those two must not notice.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Uid;
use serde_json::json;

use super::http::{Api, id_of};
use super::process::{self, namespace, with_argument};
use super::{Bystander, Quarterdeck, eventually};

/// A word for the command lines of processes, by which they are known whatever
/// they did to their environment. It is a number of seconds too, for sleep(1).
pub fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("7{:07}{:05}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// One look could miss a process that forks and ends all the time. Many looks
/// between which init reaped nobody can not.
const LOOKS: usize = 20;

/// The program under test with its company.
pub struct Scene<'q> {
    pub quarterdeck: &'q Quarterdeck,
    pub api: Api,
    bystander: Bystander<'q>,
    guest: Guest,
}

impl<'q> Scene<'q> {
    pub fn around(quarterdeck: &'q Quarterdeck) -> Self {
        let guest = Guest::enter(quarterdeck, &[], &["sleep", &mark()]);
        Self { quarterdeck, api: quarterdeck.api(), bystander: Bystander::of(quarterdeck), guest }
    }

    /// Starts a session: bash runs `script`, in which `$MARK` is a new mark,
    /// and ends with 3 after the next line that is typed. Its id and the mark.
    #[track_caller]
    pub fn start(&self, script: &str) -> (String, String) {
        let mark = mark();
        let command = ["/bin/bash", "-c", &format!("{script}\nread line; exit 3")];
        let session = self.api.create(&json!({ "command": command, "env": { "MARK": mark } }));
        (id_of(&session), mark)
    }

    /// Asserts that the company is well.
    #[track_caller]
    pub fn check(self) {
        self.guest.check();
        self.bystander.check();
    }
}

/// A process in init's namespaces whose parent is outside of them.
pub struct Guest {
    child: Child,
    /// Its number as the test sees it.
    pub pid: i32,
}

impl Guest {
    /// What runs the words that follow in init's namespaces, with a parent
    /// outside of them. None if init has no namespaces of its own.
    pub fn command(quarterdeck: &Quarterdeck) -> Option<Command> {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &quarterdeck.init.to_string(), "--pid", "--mount"]);
        if !Uid::effective().is_root() {
            enter.args(["--user", "--preserve-credentials"]);
        }
        quarterdeck.contained.then_some(enter)
    }

    /// Runs `command`, whose last word is a mark, with these variables only.
    /// Where nothing can be entered it is at least no descendant of init.
    #[track_caller]
    pub fn enter(quarterdeck: &Quarterdeck, env: &[(&str, &str)], command: &[&str]) -> Self {
        let mut whole = Self::command(quarterdeck).unwrap_or_else(|| Command::new("env"));
        whole.args(quarterdeck.contained.then_some("env")).arg("-i").arg("PATH=/usr/bin:/bin");
        whole.args(env.iter().map(|(name, value)| format!("{name}={value}"))).args(command);
        let child = whole.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("nsenter(1)");
        let mark = command.last().expect("a mark");
        let pid = eventually("the guest is in", || {
            let is_it = |pid: &i32| process::arguments(*pid).first().is_some_and(|name| name == command[0]);
            with_argument(mark).into_iter().find(is_it)
        });
        Self { child, pid }
    }

    /// Asserts that it lives.
    #[track_caller]
    pub fn check(mut self) {
        assert!(process::is_alive(self.pid), "a process that came in from outside was ended");
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid), nix::sys::signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Asserts that nothing with this mark is there.
#[track_caller]
pub fn assert_none(quarterdeck: &Quarterdeck, mark: &str) {
    eventually("nobody forks and ends any more", || {
        let before = process::reaped(quarterdeck.init);
        for _ in 0..LOOKS {
            let left: Vec<_> = with_argument(mark).into_iter().map(|pid| (pid, process::arguments(pid))).collect();
            assert!(left.is_empty(), "left of the session: {left:?}");
        }
        (process::reaped(quarterdeck.init) == before).then_some(())
    });
}

/// Waits until nothing with this mark is there.
#[track_caller]
pub fn wait_until_none(quarterdeck: &Quarterdeck, mark: &str) {
    eventually("nothing of the session is left", || {
        let before = process::reaped(quarterdeck.init);
        let is_gone = (0..LOOKS).all(|_| with_argument(mark).is_empty());
        (is_gone && process::reaped(quarterdeck.init) == before).then_some(())
    });
}

/// Everybody in init's namespace, zombies included, while nobody comes or goes.
pub fn population(quarterdeck: &Quarterdeck) -> BTreeSet<i32> {
    if quarterdeck.contained {
        namespace(quarterdeck.init)
    } else {
        process::children(quarterdeck.init).into_iter().collect()
    }
}
