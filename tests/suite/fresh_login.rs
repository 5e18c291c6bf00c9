//! What a session's program finds: the place of a fresh login, nothing more.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::support::http::{id_of, pid_of};
use crate::support::payload::shell;
use crate::support::process::{descriptors, environment, limits, stat, status};
use crate::support::{Form, Quarterdeck, Setup, eventually};

/// A program that changes nothing of what it was given.
fn idle() -> Vec<String> {
    ["/bin/sleep", "1000"].map(str::to_owned).to_vec()
}

/// Started as badly as a careless supervisor could.
const BEFORE: &str = "trap '' HUP INT QUIT PIPE USR1 TSTP; umask 077; exec 7</dev/null 8>/dev/null";

#[test]
fn descriptors_are_the_terminal_three_times_and_nothing_else() {
    let quarterdeck = Quarterdeck::launch(&Setup { before: BEFORE, ..Setup::default() });
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let sessions: Vec<_> = (0..4).map(|_| api.create(&json!({ "command": idle() }))).collect();
    let mut terminals = BTreeSet::new();
    for session in &sessions {
        client.attach(&id_of(session));
        let open = descriptors(pid_of(session));
        assert_eq!(open.keys().copied().collect::<Vec<_>>(), [0, 1, 2], "{open:?}");
        let terminal = open[&0].clone();
        assert!(terminal.starts_with("/dev/pts/"), "{open:?}");
        assert!(open.values().all(|path| *path == terminal), "{open:?}");
        assert!(terminals.insert(terminal), "two sessions on one terminal: {open:?}");
    }
}

#[test]
fn signals_umask_and_limits_are_those_of_a_fresh_login() {
    let quarterdeck = Quarterdeck::launch(&Setup { before: BEFORE, ..Setup::default() });
    let pid = pid_of(&quarterdeck.api().create(&json!({ "command": idle() })));
    for field in ["SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"] {
        assert_eq!(status(pid, field), "0000000000000000", "{field}");
    }
    assert_eq!(status(pid, "Umask"), "0022");
    // The limit of file locks has limited nothing for twenty years; init keeps the
    // session's tag in it.
    let others = |pid| limits(pid).into_iter().filter(|line| !line.starts_with("Max file locks")).collect::<Vec<_>>();
    assert_eq!(others(pid), others(i32::try_from(std::process::id()).unwrap()));
    for field in ["Uid", "Gid", "Groups", "Seccomp", "NoNewPrivs"] {
        assert_eq!(status(pid, field), status(quarterdeck.init, field), "{field}");
    }
}

#[test]
fn the_environment_is_inits_own_with_what_a_terminal_needs() {
    let env = [("ANTHROPIC_API_KEY", "sk-test"), ("QUARTERDECK_LOG_LEVEL", "debug"), ("TERM", "dumb")];
    let quarterdeck = Quarterdeck::launch(&Setup { env: &env, ..Setup::default() });
    let home = quarterdeck.dir().display().to_string();
    let session = quarterdeck.api().create(&json!({
        "command": idle(), "env": { "ADDED": "by the request", "LANG": "de_DE.UTF-8" },
    }));
    let seen = environment(pid_of(&session));
    let is =
        |name: &str, value: &str| assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name} in {seen:#?}");
    is("ANTHROPIC_API_KEY", "sk-test");
    is("ADDED", "by the request");
    is("LANG", "de_DE.UTF-8");
    is("HOME", &home);
    is("TERM", "xterm-256color");
    is("QUARTERDECK_SESSION_ID", &id_of(&session));
    assert!(seen.contains_key("PATH"), "{seen:#?}");
    // Init's own settings may hold secrets and would configure an init inside.
    let ours: Vec<_> = seen.keys().filter(|name| name.starts_with("QUARTERDECK_")).collect();
    let harmless =
        ["SESSION_ID", "SESSION_NAME", "NOTIFY_SOCKET", "NOTIFY_TOKEN"].map(|name| format!("QUARTERDECK_{name}"));
    assert!(ours.iter().all(|name| harmless.contains(name)), "{ours:?}");
}

#[test]
fn the_program_leads_its_session_and_controls_its_terminal() {
    let quarterdeck = Quarterdeck::start();
    let session = quarterdeck.api().create(&json!({ "command": idle() }));
    let pid = pid_of(&session);
    let stat = stat(pid).expect("the program runs");
    assert_eq!((stat.session, stat.group, stat.foreground, stat.parent), (pid, pid, pid, quarterdeck.init));
    assert_ne!(stat.tty, 0, "no controlling terminal");
    // Job control works only if all of this is right: an interactive shell says
    // so when it is not.
    let id = quarterdeck.api().run(&["bash", "--norc", "-i"].map(str::to_owned));
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.input(&id, "sleep 1000 & jobs; tty; echo a''b; kill %1; exit\n");
    client.wait_for_exit(&id);
    let text = client.view.text(&id);
    assert!(text.contains("Running") && text.contains("/dev/pts/") && text.contains("ab"), "{text}");
    assert!(!text.contains("no job control"), "{text}");
}

#[test]
fn a_session_starts_in_the_workspace_or_where_it_is_told() {
    let quarterdeck = Quarterdeck::start();
    let inner = quarterdeck.dir().join("inner");
    std::fs::create_dir(&inner).expect("a directory");
    let api = quarterdeck.api();
    let default = api.create(&json!({ "command": idle() }));
    let told = api.create(&json!({ "command": idle(), "cwd": inner }));
    for (session, place) in [(default, quarterdeck.dir()), (told, inner.as_path())] {
        let seen = std::fs::read_link(format!("/proc/{}/cwd", pid_of(&session))).expect("a directory");
        assert_eq!(seen, place.canonicalize().expect("a path"));
        assert_eq!(Path::new(session["workingDirectory"].as_str().unwrap()), place);
    }
}

#[test]
fn without_a_command_the_session_command_runs_interactively() {
    let quarterdeck = Quarterdeck::start();
    let session = quarterdeck.api().create(&json!({}));
    assert_eq!((session["name"].as_str(), session["status"].as_str()), (Some("session-1"), Some("active")));
    assert_eq!(session["command"], json!(["/bin/bash"]));
    assert_eq!((session["cols"].clone(), session["rows"].clone()), (json!(80), json!(24)));
    let id = id_of(&session);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.input(&id, "echo $((6 * 7)) in $TERM; exit 4\n");
    assert_eq!(client.wait_for_exit(&id)["exitCode"], json!(4));
    assert!(client.view.text(&id).contains("42 in xterm-256color"), "{}", client.view.text(&id));
    let ended = quarterdeck.api().wait_for_exit(&id);
    assert_eq!((ended["status"].as_str(), ended["exitCode"].clone()), (Some("error"), json!(4)));
}

#[test]
fn programs_of_one_session_cannot_be_reached_through_another() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    // A session that is made while others are busy inherits nothing of them,
    // and neither does what it starts.
    let flood = api.shell("exec yes");
    let id = api.run(&shell("sleep 1000 & sleep 1000"));
    let leader = pid_of(&api.session(&id));
    let own = descriptors(leader)[&0].clone();
    let family = eventually("both children run", || {
        Some(crate::support::process::children(leader)).filter(|children| children.len() == 2)
    });
    for pid in family {
        let foreign: Vec<_> =
            descriptors(pid).into_values().filter(|path| path.starts_with("/dev/pts") && *path != own).collect();
        assert_eq!(foreign, Vec::<std::path::PathBuf>::new());
    }
    api.remove(&flood);
    assert_eq!(api.session(&id)["status"], json!("active"));
}
