//! What a session may do to init and to the API server: nothing. From the
//! attacker's side.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use serde_json::json;

use crate::support::http::{Api, id_of};
use crate::support::quarterdeck::Quarterdeck;
use crate::support::{Setup, process};

/// A user that nobody has.
const AGENT: u32 = 4000;

/// What Docker leaves to root in a container.
const DOCKER: &str = "+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,\
                      +sys_chroot,+mknod,+audit_write,+setfcap";

/// The attacker's program, where every user can read it.
fn program(quarterdeck: &Quarterdeck) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/intruder.pl");
    let copy = quarterdeck.dir().join("intruder.pl");
    fs::copy(source, &copy).expect("a copy");
    fs::set_permissions(&copy, Permissions::from_mode(0o644)).expect("a mode");
    fs::set_permissions(quarterdeck.dir(), Permissions::from_mode(0o775)).expect("a way in");
    copy
}

/// Attempts of a session, as `user` if that is a number: what, and what came of
/// it.
#[track_caller]
fn attempts(quarterdeck: &Quarterdeck, user: &str, files: &[PathBuf]) -> Vec<(String, String)> {
    attempts_beside(quarterdeck, &quarterdeck.api(), user, files)
}

/// The same where the API asks for a token.
#[track_caller]
fn attempts_beside(quarterdeck: &Quarterdeck, api: &Api, user: &str, files: &[PathBuf]) -> Vec<(String, String)> {
    let number = |pid: i32| if quarterdeck.contained { process::inner_pid(pid) } else { Some(pid) };
    let pids = [quarterdeck.init, quarterdeck.server()].map(|pid| number(pid).expect("a process id").to_string());
    let mut command = vec!["perl".to_owned(), program(quarterdeck).display().to_string(), user.to_owned()];
    command.push(std::env::consts::ARCH.to_owned());
    command.extend(pids);
    command.push("--".to_owned());
    command.extend(files.iter().map(|path| path.display().to_string()));
    let id = id_of(&api.create(&json!({ "command": command, "cwd": "/" })));
    api.wait_for_exit(&id);
    let text = String::from_utf8(api.output(&id)).expect("text");
    assert!(text.ends_with("done\r\n"), "{text}");
    api.remove(&id);
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines.map(|(what, outcome)| (what.to_owned(), outcome.to_owned())).collect()
}

/// Asserts that each was refused for want of rights.
#[track_caller]
fn assert_refused<'a>(attempts: impl Iterator<Item = &'a (String, String)>, least: usize) {
    let all: Vec<_> = attempts.collect();
    assert!(all.len() >= least, "{all:?}");
    // What is not even shown counts as well.
    let refusals = ["EACCES", "EPERM", "ENOENT"];
    let let_through: Vec<_> = all.iter().filter(|(_, outcome)| !refusals.contains(&outcome.as_str())).collect();
    assert!(let_through.is_empty(), "{let_through:?}");
}

/// Everything of processes; for each there are so many attempts.
const OF_A_PROCESS: usize = 32;

fn is_signal((what, _): &(String, String)) -> bool {
    what.starts_with("signal")
}

#[test]
fn a_session_of_another_user_gets_at_nothing() {
    if !Uid::effective().is_root() {
        return a_session_of_the_same_user_gets_at_no_memory_and_no_descriptor();
    }
    let user = format!("{AGENT}:{AGENT}");
    for pid1 in [true, false] {
        let args = ["--session-user", &user];
        let quarterdeck = Quarterdeck::launch(&Setup { secured: true, args: &args, pid1, ..Setup::default() });
        let api = quarterdeck.api().bearing(&quarterdeck.printed_token());
        // So that there is something to be read.
        let id = api.shell("echo secret");
        api.wait_for_exit(&id);
        assert_eq!(api.post("/api/tokens", &json!({ "readOnly": true })).status, 201);
        quarterdeck.wait_for_state("it is kept", |sessions| sessions.len() == 1);
        let names = ["sessions.json", "history", "api.sock", "token", "tokens.json"];
        let mut files: Vec<PathBuf> = names.iter().map(|name| quarterdeck.dir().join(name)).collect();
        assert!(files.iter().all(|file| file.exists()), "{files:?}");
        files.push(quarterdeck.address().into());
        let refused = attempts_beside(&quarterdeck, &api, "-", &files);
        assert_refused(refused.iter(), 2 * OF_A_PROCESS + files.len());
    }
}

#[test]
fn a_session_of_root_gets_at_no_memory_and_no_descriptor_with_the_rights_docker_gives() {
    if !Uid::effective().is_root() {
        return a_session_of_the_same_user_gets_at_no_memory_and_no_descriptor();
    }
    let before = format!("exec setpriv --bounding-set=-all,{DOCKER} --inh-caps=-all \"$0\" \"$@\"");
    let quarterdeck = Quarterdeck::launch(&Setup { before: &before, pid1: true, ..Setup::default() });
    let server = process::status(quarterdeck.server(), "Uid");
    let server = server.split_whitespace().next().expect("a user");
    assert_ne!(server, "0", "the server is somebody else");
    // Also as the very user of the server, which root can become.
    for user in ["-", server] {
        let all = attempts(&quarterdeck, user, &[]);
        // Root may list the numbers of descriptors, which open nothing.
        let is_list = |what: &str| what.starts_with("list") && what.contains("/fd");
        let counts = |attempt: &&(String, String)| !is_signal(attempt) && !is_list(&attempt.0);
        assert_refused(all.iter().filter(counts), 2 * (OF_A_PROCESS - 3));
    }
}

#[test]
fn a_session_of_the_same_user_gets_at_no_memory_and_no_descriptor() {
    let before = format!(
        "chown {AGENT} \"$HOME\" && cp \"$0\" \"$HOME/quarterdeck\" && \
         exec setpriv --reuid {AGENT} --regid {AGENT} --clear-groups \"$HOME/quarterdeck\" \"$@\""
    );
    let before = if Uid::effective().is_root() { before.as_str() } else { "" };
    let quarterdeck = Quarterdeck::launch(&Setup { before, ..Setup::default() });
    quarterdeck.log().wait_for_message(
        "The API server runs as init's own user, without capabilities: sessions of that user can end it and read its \
         files, also the state directory",
    );
    let all = attempts(&quarterdeck, "-", &[]);
    assert_refused(all.iter().filter(|attempt| !is_signal(attempt)), 2 * (OF_A_PROCESS - 1));
    // What init can't open any more its sessions get all the same.
    let score = |pid: i32| fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("a score");
    let score = |pid: i32| score(pid).trim().parse::<i32>().expect("a number");
    let id = quarterdeck.api().shell("exec sleep 1000");
    let (init, own) = (score(quarterdeck.init), score(i32::try_from(std::process::id()).expect("a process id")));
    assert_eq!((init, score(quarterdeck.leader(&id))), (own, (own + 500).min(1000)));
}
