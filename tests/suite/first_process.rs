//! As PID 1: adopting, reaping, surviving.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::process::{children, stat};
use crate::support::{Form, Quarterdeck, eventually};

/// No child of init is a zombie.
fn all_reaped(quarterdeck: &Quarterdeck) {
    eventually("init has reaped everybody", || {
        let dead = |pid: &i32| stat(*pid).is_some_and(|stat| stat.state == 'Z');
        (!children(quarterdeck.init).iter().any(dead)).then_some(())
    });
}

/// A program whose grandchildren lose their parent and end afterwards.
const ORPHANS: &str = "for i in $(seq 200); do (sh -c 'sleep 0.01; exit 3' & ) ; done; echo made; read line";

fn orphans_are_reaped(quarterdeck: &Quarterdeck) {
    let id = quarterdeck.api().shell(ORPHANS);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the orphans are made", |view| view.text(&id).contains("made"));
    eventually("only the server and the session are left", || (children(quarterdeck.init).len() == 2).then_some(()));
    all_reaped(quarterdeck);
    assert_eq!(quarterdeck.api().session(&id)["status"], json!("active"));
}

#[test]
fn as_pid_1_it_reaps_orphans() {
    orphans_are_reaped(&Quarterdeck::as_pid1(&[]));
}

#[test]
fn as_an_ordinary_process_it_reaps_orphans_and_says_what_it_is() {
    let quarterdeck = Quarterdeck::start();
    orphans_are_reaped(&quarterdeck);
    let warned = quarterdeck.log().wait_for("the warning", |entry| {
        entry["level"] == "warn" && entry["message"].as_str().unwrap_or_default().contains("subreaper")
    });
    assert!(warned["message"].as_str().unwrap_or_default().contains("PID 1"), "{warned}");
}

#[test]
fn as_pid_1_it_warns_of_nothing() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let id = quarterdeck.api().shell("echo I am below $PPID; exit 0");
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_for_exit(&id);
    assert_eq!(client.view.text(&id).contains("below 1\r\n"), quarterdeck.contained, "{}", client.view.text(&id));
    // But that it lets everybody in, which it was told to.
    let is_other = |entry: &Value| entry["level"] != "info" && entry["address"].is_null();
    let warnings = quarterdeck.log().entries().into_iter().filter(is_other).count();
    assert_eq!(warnings, usize::from(!quarterdeck.contained));
}

#[test]
fn as_pid_1_it_ends_with_zero_after_term_and_after_int() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut quarterdeck = Quarterdeck::as_pid1(&[]);
        quarterdeck.api().shell("exec yes");
        quarterdeck.signal(signal);
        assert_eq!(quarterdeck.wait().code(), Some(0), "after {signal}");
    }
}

#[test]
fn no_other_signal_ends_it() {
    use Signal::{SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGPIPE, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH};
    for quarterdeck in [Quarterdeck::start(), Quarterdeck::as_pid1(&[])] {
        let id = quarterdeck.api().shell("stty raw -echo; printf R; exec cat");
        let before = quarterdeck.server();
        for signal in [SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGPIPE, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH] {
            quarterdeck.signal(signal);
        }
        // SIGUSR2 replaces the server, whose connections end with it.
        eventually("another server runs", || (quarterdeck.server() != before).then_some(()));
        let mut client = quarterdeck.connect(Form::Json);
        client.attach(&id);
        client.wait_until("ready", |view| view.text(&id) == "R");
        client.input(&id, "alive");
        client.wait_until("the session answers", |view| view.text(&id) == "Ralive");
    }
}

#[test]
fn a_program_that_kills_everybody_does_not_end_it() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let api = quarterdeck.api();
    // A file starts it: an answer over HTTP could die with the server.
    let id = api.shell("until [ -e go ]; do sleep 0.01; done; [ $PPID = 1 ] || kill -9 $$; kill -9 -1; kill -9 $$");
    std::fs::write(quarterdeck.dir().join("go"), "").expect("a file");
    if !quarterdeck.contained {
        // It killed only itself: everybody else would be the whole machine.
        quarterdeck.kill_server();
    }
    // The same user runs the server, so it dies as well and is started again.
    eventually("the next server answers", || {
        let reply = api.try_call("GET", "/api/health", None, &[]).ok()?;
        (reply.json_of(200)["serverRestarts"] == json!(1)).then_some(())
    });
    assert_eq!(api.wait_for_exit(&id)["signal"], json!("SIGKILL"));
    let next = api.shell("echo on we go; exit 0");
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&next);
    assert_eq!(client.wait_for_exit(&next)["exitCode"], json!(0));
    assert_eq!(client.view.text(&next), "on we go\r\n");
}

#[test]
fn the_server_is_started_again_at_once_however_it_ends() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    for signal in [Signal::SIGKILL, Signal::SIGABRT, Signal::SIGQUIT] {
        let before = quarterdeck.server();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(before), signal).expect("a server");
        eventually("another server runs", || (quarterdeck.server() != before).then_some(()));
        assert_eq!(quarterdeck.api().get("/health").json_of(200), json!({ "status": "ok" }));
    }
    all_reaped(&quarterdeck);
}
