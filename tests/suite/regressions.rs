//! What once went wrong. Each test tells the fault, and fails where it is back.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::http::{id_of, pid_of};
use crate::support::process;
use crate::support::quarterdeck::{Setup, run};
use crate::support::{Form, Quarterdeck, eventually};

/// What a server gets to end by itself.
const SERVER_SHARE: std::time::Duration = std::time::Duration::from_millis(800);

/// A process whose first thread has ended shows as a zombie in /proc while its
/// other threads run. Taken for dead, it survived its session, and as a leader
/// it kept a DELETE and the shutdown waiting for ever.
#[test]
fn a_process_whose_first_thread_has_ended_is_still_alive() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let script = "import ctypes, signal, threading, time\n\
        signal.signal(signal.SIGHUP, signal.SIG_IGN)\n\
        threading.Thread(target=lambda: (print('running', flush=True), time.sleep(1000))).start()\n\
        ctypes.CDLL(None).pthread_exit(None)";
    let session = api.create(&json!({ "command": ["python3", "-c", script] }));
    let (id, pid) = (id_of(&session), pid_of(&session));
    eventually("its first thread has ended", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.contains("State:\tZ").then_some(())
    });
    api.remove(&id);
}

/// Inherited as ignored, SIGCHLD made the kernel reap every child unseen: no
/// exit was ever told and the shutdown waited for ever.
#[test]
fn sigchld_inherited_as_ignored_changes_nothing() {
    let quarterdeck = Quarterdeck::launch(&Setup { before: "trap '' CHLD", ..Setup::default() });
    let api = quarterdeck.api();
    let id = api.shell("exit 7");
    assert_eq!(api.wait_for_exit(&id)["exitCode"], json!(7));
    quarterdeck.kill_server();
    eventually("a server is back", || (quarterdeck.api().get("/health").status == 200).then_some(()));
}

/// A program that closed its terminal was taken for one whose terminal is at
/// its end: what it wrote after opening it again was lost.
#[test]
fn a_program_may_close_its_terminal_and_open_it_again() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let go = quarterdeck.dir().join("go");
    let script = format!(
        "echo before; exec </dev/null >/dev/null 2>&1; while [ ! -e {} ]; do sleep 0.05; done; echo after >/dev/tty",
        go.display()
    );
    let id = api.shell(&script);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the terminal was used", |view| view.text(&id).contains("before"));
    let pid = pid_of(&api.session(&id));
    eventually("the terminal is closed", || {
        let first = std::fs::read_link(format!("/proc/{pid}/fd/1")).ok()?;
        (first.as_os_str() == "/dev/null").then_some(())
    });
    client.round_trip();
    std::fs::write(go, "").expect("a file");
    client.wait_for_exit(&id);
    assert!(client.view.text(&id).contains("after"), "{}", client.view.text(&id));
}

/// An open connection kept everything of a session that was destroyed, its
/// ring included: some descriptors and 4 MiB for each.
#[test]
fn an_open_connection_lets_destroyed_sessions_go() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Binary);
    let mut round = || {
        let id = api.run(&["cat".to_owned()]);
        client.attach(&id);
        client.input(&id, "typed\n");
        client.wait_until("the echo came", |view| view.text(&id).contains("typed"));
        api.remove(&id);
        client.wait_until("it is gone", |view| {
            view.of_type("session.destroyed").any(|message| message["sessionId"] == json!(id))
        });
    };
    // What the last round left may stay until the next attach.
    round();
    let before = quarterdeck.descriptor_counts().1;
    (0..8).for_each(|_| round());
    eventually("no descriptor is kept", || (quarterdeck.descriptor_counts().1 <= before + 1).then_some(()));
}

/// A client that was behind got the bytes of both lives, but one exit only.
#[test]
fn a_client_that_is_behind_hears_of_every_end() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("seq 1 20000; exit 3");
    let mut client = quarterdeck.connect(Form::Acked);
    // A window that is never acknowledged holds the client where it is.
    client.send(&json!({ "type": "session.attach", "sessionId": id, "window": 1024 }));
    client.wait_until("attached", |view| view.is_attached(&id));
    api.wait_for(&id, "complete", |session| session["outputComplete"] == json!(true));
    let resumed = api.post(&format!("/api/sessions/{id}/resume"), &json!({}));
    assert_eq!(resumed.status, 200, "{resumed}");
    api.wait_for(&id, "complete again", |session| session["outputComplete"] == json!(true));
    let head = api.session(&id)["outputOffset"].as_u64().expect("an offset");
    let ends = eventually("both ends are told", || {
        let upto = client.view.terminal(&id).next?;
        // The window ends where the first life does, so that its exit and the
        // next life's output don't come in one go.
        let upto = if upto < head / 2 { upto.min(head / 2 - 1024) } else { upto };
        client.send(&json!({ "type": "terminal.ack", "sessionId": id, "offset": upto }));
        client.round_trip();
        let exits = &client.view.terminal(&id).exits;
        if exits.len() == 1 {
            client.view.terminal(&id).expect_new_life();
        }
        let exits = &client.view.terminal(&id).exits;
        (exits.len() == 2).then(|| exits.iter().map(|e| e["offset"].as_u64()).collect::<Vec<_>>())
    });
    assert_eq!(ends, [Some(head / 2), Some(head)]);
}

/// Any JSON was given back as a heartbeat's timestamp, and errors repeated what
/// they complained of: a client that sent much and read nothing filled the
/// server's memory.
#[test]
fn what_is_answered_stays_small_whatever_was_sent() {
    let quarterdeck = Quarterdeck::start();
    let mut client = quarterdeck.connect(Form::Json);
    let long = "x".repeat(500_000);
    client.send(&json!({ "type": "heartbeat", "timestamp": long }));
    assert!(client.next_error().to_string().len() < 2000);
    client.send(&json!({ "type": long }));
    assert!(client.next_error().to_string().len() < 2000);
    client.send(&json!({ "type": "session.attach", "sessionId": long }));
    assert!(client.next_error().to_string().len() < 2000);
}

/// A grace beyond all bounds made init compute a moment that does not exist,
/// and abort.
#[test]
fn a_second_signal_ends_even_the_longest_grace() {
    let mut quarterdeck = Quarterdeck::with(&["--stop-grace", "24h", "--shutdown-grace", "24h"]);
    let id = quarterdeck.api().shell("trap '' HUP TERM; echo ready; while :; do sleep 0.1; done");
    let api = quarterdeck.api();
    api.wait_for(&id, "ready", |session| session["outputOffset"].as_u64() > Some(0));
    quarterdeck.signal(Signal::SIGTERM);
    quarterdeck.log().wait_for_message("Shutting down");
    quarterdeck.signal(Signal::SIGTERM);
    assert_eq!(quarterdeck.wait().code(), Some(0));
}

/// A script without a first line that names its interpreter could not be
/// started, although every shell runs it.
#[test]
fn a_script_that_names_no_interpreter_is_run_by_the_shell() {
    use std::os::unix::fs::PermissionsExt;
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let path = quarterdeck.dir().join("script");
    std::fs::write(&path, "echo \"plain $1\"; exit 5\n").expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let id = api.run(&[path.display().to_string(), "word".to_owned()]);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    assert_eq!(client.wait_for_exit(&id)["exitCode"], json!(5));
    assert_eq!(client.view.text(&id), "plain word\r\n");
}

/// After a larger piece of output the pause that a flood gets was never
/// forgotten: with nothing to do the server turned in circles.
#[test]
fn with_nothing_to_do_both_processes_sleep() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("seq 1 5000; echo done; exec cat");
    let mut client = quarterdeck.connect(Form::Acked);
    client.attach(&id);
    client.wait_until("all came", |view| view.text(&id).contains("done"));
    client.round_trip();
    for pid in [quarterdeck.server(), quarterdeck.init] {
        eventually("it sleeps at each of many looks", || {
            let sleeps = || process::stat(pid).is_some_and(|stat| stat.state == 'S');
            (0..200).all(|_| sleeps()).then_some(())
        });
    }
}

/// The end came before the server had introduced itself: it was told so too
/// early, served on, and was killed only when its time was up.
#[test]
fn a_server_that_was_not_greeted_yet_is_told_the_end_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().display().to_string();
    let socket = dir.path().join("api.sock").display().to_string();
    let place = ["--socket", &socket, "--state-dir", &path, "--workspace", &path];
    let args = ["init", "--no-auth", "--listen", "127.0.0.1:0"].into_iter().chain(place).chain(["--", "true"]);
    let begin = std::time::Instant::now();
    let output = run(args);
    let (took, log) = (begin.elapsed(), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(took < SERVER_SHARE, "the server was waited for all of its time:\n{log}");
}
