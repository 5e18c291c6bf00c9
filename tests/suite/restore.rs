//! Between reading the state file and following it: nothing is lost there,
//! whoever is killed.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::process::stat;
use crate::support::{Quarterdeck, Setup, eventually};

/// Enough that the server is still at it when the test has seen it begin.
const MANY: usize = 600;

/// Writes a state file with many sessions; their names, in order.
fn write_many(quarterdeck: &Quarterdeck) -> Vec<String> {
    let text = fs::read_to_string(quarterdeck.state_file()).expect("a state file");
    let mut file: Value = serde_json::from_str(&text).expect("JSON");
    let one = file["sessions"][0].clone();
    let names: Vec<String> = (0..MANY).map(|n| format!("n-{n}")).collect();
    let sessions = names.iter().enumerate().map(|(n, name)| {
        let mut session = one.clone();
        session["name"] = json!(name);
        session["id"] = json!(format!("00000000-0000-4000-8000-{n:012x}"));
        session
    });
    file["sessions"] = sessions.collect();
    fs::write(quarterdeck.state_file(), file.to_string()).expect("a file");
    names
}

fn names(quarterdeck: &Quarterdeck) -> Vec<String> {
    let list = quarterdeck.api().get("/api/sessions").json_of(200);
    let sessions = list["sessions"].as_array().expect("a list").iter();
    sessions.map(|session| session["name"].as_str().expect("a name").to_owned()).collect()
}

fn restored_so_far(quarterdeck: &Quarterdeck) -> usize {
    let entries = quarterdeck.log().entries();
    let restored = entries.iter().filter(|entry| entry["message"] == "Session restored");
    restored.map(|entry| entry["name"].to_string()).collect::<BTreeSet<_>>().len()
}

#[test]
fn a_server_that_is_killed_while_it_restores_loses_nothing() {
    let mut quarterdeck = Quarterdeck::start();
    quarterdeck.api().create(&json!({ "command": ["cat"] }));
    quarterdeck.stop();
    let expected = write_many(&quarterdeck);
    let file = fs::read(quarterdeck.state_file()).expect("the file");

    quarterdeck.start_again(&Setup { args: &["--log-level", "debug"], ..Setup::default() });
    let init = Pid::from_raw(quarterdeck.init);
    let (mut seen, mut kills) = (0, 0);
    while kills < 5 && seen < MANY {
        let server = Pid::from_raw(quarterdeck.server());
        eventually("some more are restored", || (restored_so_far(&quarterdeck) > seen).then_some(()));
        // With init stopped, the server waits for an answer in the middle.
        kill(init, Signal::SIGSTOP).expect("init");
        eventually("init has stopped", || stat(quarterdeck.init).filter(|stat| stat.state == 'T'));
        kill(server, Signal::SIGKILL).expect("the server");
        eventually("the server is dead", || stat(server.as_raw()).filter(|stat| stat.state == 'Z'));
        assert_eq!(fs::read(quarterdeck.state_file()).expect("the file"), file, "written before it was restored");
        kill(init, Signal::SIGCONT).expect("init");
        eventually("it is reaped", || stat(server.as_raw()).is_none().then_some(()));
        // With what the dead server had asked for last.
        seen = restored_so_far(&quarterdeck);
        kills += 1;
        assert!(kills > 1 || seen < MANY, "the first kill came too late");
    }
    assert_eq!(names(&quarterdeck), expected);
    let saved = quarterdeck.wait_for_state("all of them are kept", |sessions| sessions.len() == MANY);
    assert_eq!(saved.iter().map(|session| session["name"].as_str().unwrap_or("")).collect::<Vec<_>>(), expected);
    let health = quarterdeck.api().get("/api/health").json_of(200);
    assert_eq!((&health["serverRestarts"], &health["sessionCount"]), (&json!(kills), &json!(MANY)));
}

#[test]
fn a_shutdown_while_it_restores_loses_nothing() {
    let mut quarterdeck = Quarterdeck::start();
    quarterdeck.api().create(&json!({ "command": ["cat"] }));
    quarterdeck.stop();
    let expected = write_many(&quarterdeck);
    for _ in 0..3 {
        quarterdeck.start_again(&Setup { args: &["--log-level", "debug"], ..Setup::default() });
        eventually("it restores", || (restored_so_far(&quarterdeck) > 0).then_some(()));
        quarterdeck.stop();
    }
    quarterdeck.start_again(&Setup::default());
    assert_eq!(names(&quarterdeck), expected);
}

#[test]
fn restored_sessions_survive_the_server_as_they_are() {
    let mut quarterdeck = Quarterdeck::start();
    for name in ["a", "b"] {
        quarterdeck.api().create(&json!({ "name": name, "command": ["cat"], "env": { "A": name } }));
    }
    quarterdeck.stop();
    quarterdeck.start_again(&Setup::default());
    let list = || quarterdeck.api().get("/api/sessions").json_of(200)["sessions"].clone();
    let before = list();
    quarterdeck.kill_server();
    assert_eq!(list(), before);
    assert_eq!(before[0]["status"], json!("idle"));
}

/// A volume that two containers share by mistake, or while one replaces the
/// other.
#[test]
fn a_directory_that_another_one_uses_is_left_alone_until_that_has_ended() {
    let mut first = Quarterdeck::start();
    let id = id_of(&first.api().create(&json!({ "name": "of-the-first", "command": ["cat"] })));
    first.wait_for_state("it is there", |sessions| sessions.len() == 1);
    let shared = first.dir().display().to_string();
    let second = Quarterdeck::with(&["--state-dir", &shared]);
    second.log().wait_for("who uses the directory", |entry| {
        entry["level"] == "warn"
            && entry["reason"].as_str().is_some_and(|reason| reason.contains("another quarterdeck"))
    });
    second.api().create(&json!({ "name": "of-the-second", "command": ["cat"] }));
    assert_eq!(names(&second), ["of-the-second"]);
    first.api().create(&json!({ "name": "a-later-one", "command": ["cat"] }));
    first.wait_for_state("both are there", |sessions| sessions.len() == 2);

    first.stop();
    second.log().wait_for_message("The state of the sessions is saved again");
    let mut all = names(&second);
    all.sort();
    assert_eq!(all, ["a-later-one", "of-the-first", "of-the-second"]);
    assert_eq!(second.api().session(&id)["status"], json!("idle"));
    first.wait_for_state("it is the second one's now", |sessions| sessions.len() == 3);
}
