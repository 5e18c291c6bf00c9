//! The kernel kills somebody because the container's memory is used up.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::group::Group;
use crate::support::{Form, Quarterdeck, Setup, eventually};

const LIMIT: u64 = 64 << 20;

/// Keeps the last line of what has no end of a line.
const HOG: &str = "tail /dev/zero";

const REASON: &str = "killed by the kernel: out of memory";

/// As PID 1 with a memory limit. The group comes first: it is empty only after
/// the program has ended.
fn limited() -> (Group, Quarterdeck) {
    let group = Group::with_memory(LIMIT);
    let quarterdeck = Quarterdeck::launch(&Setup { pid1: true, before: &group.join(), ..Setup::default() });
    (group, quarterdeck)
}

#[track_caller]
fn ended_for_memory(session: &Value) {
    let told = [&session["exitReason"], &session["signal"], &session["status"]];
    assert_eq!(told, [&json!(REASON), &json!("SIGKILL"), &json!("error")], "{session}");
}

#[test]
fn a_leader_killed_for_memory_says_so_and_one_killed_by_somebody_does_not() {
    let (_group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let other = api.shell("read line");
    let before = quarterdeck.server();
    for _ in 0..2 {
        let hog = api.shell(&format!("exec {HOG}"));
        ended_for_memory(&api.wait_for_exit(&hog));
        api.remove(&hog);
    }
    assert_eq!(quarterdeck.server(), before, "the server lives on");
    assert_eq!(api.session(&other)["status"], json!("active"));
    kill(Pid::from_raw(quarterdeck.leader(&other)), Signal::SIGKILL).expect("a leader");
    assert_eq!(api.wait_for_exit(&other)["exitReason"], json!("killed by SIGKILL"));
}

#[test]
fn a_kill_for_memory_is_told_by_the_next_server_too() {
    let (_group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let hog = api.shell(&format!("until [ -e go ]; do sleep 0.01; done; exec {HOG}"));
    let leader = quarterdeck.leader(&hog);
    let server = Pid::from_raw(quarterdeck.server());
    kill(server, Signal::SIGSTOP).expect("a server");
    std::fs::write(quarterdeck.dir().join("go"), "").expect("a file");
    eventually("init has reaped the hog", || crate::support::process::stat(leader).is_none().then_some(()));
    quarterdeck.kill_server();
    let told = eventually("the next server answers", || {
        let reply = api.try_call("GET", &format!("/api/sessions/{hog}"), None, &[]).ok()?;
        Some(reply.json_of(200)["session"].take())
    });
    ended_for_memory(&told);
}

#[test]
fn a_kill_that_no_server_saw_explains_no_later_end() {
    let (_group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let other = api.shell("read line");
    let shell = api.shell(&format!("until [ -e go ]; do sleep 0.01; done; ({HOG}); : > gone; read line"));
    kill(Pid::from_raw(quarterdeck.server()), Signal::SIGSTOP).expect("a server");
    std::fs::write(quarterdeck.dir().join("go"), "").expect("a file");
    eventually("the hog is gone", || quarterdeck.dir().join("gone").exists().then_some(()));
    quarterdeck.kill_server();
    eventually("the next server has looked", || {
        let reply = api.try_call("GET", &format!("/api/sessions/{shell}"), None, &[]).ok()?;
        reply.json_of(200)["session"]["memoryBytes"].as_u64()
    });
    // Init answers what it is asked in order.
    api.shell("read line");
    kill(Pid::from_raw(quarterdeck.leader(&other)), Signal::SIGKILL).expect("a leader");
    assert_eq!(api.wait_for_exit(&other)["exitReason"], json!("killed by SIGKILL"));
}

#[test]
fn a_shell_outlives_its_hog_where_sessions_have_no_group_of_their_own() {
    let (group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let id = api.shell(&format!("{HOG}; echo ended with $?; read line; exit 3"));
    if group.is_divisible() {
        return ended_for_memory(&api.wait_for_exit(&id));
    }
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the hog is killed", |view| view.text(&id).contains("ended with 137"));
    assert_eq!(api.session(&id)["status"], json!("active"));
    client.input(&id, "\n");
    assert_eq!(api.wait_for_exit(&id)["exitReason"], json!("ended with code 3"));
}

#[test]
fn what_a_client_has_killed_is_not_said_to_be_out_of_memory() {
    let (group, quarterdeck) = limited();
    let api = quarterdeck.api();
    // It leaves a kill that explains no leader's end.
    let id = api.shell(&format!("({HOG}); echo ended; exec sleep 1000"));
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the hog is gone", |view| view.text(&id).contains("ended") || view.exited(&id));
    let _ = api.post(&format!("/api/sessions/{id}/signal"), &json!({ "signal": "KILL", "scope": "session" }));
    let reason = api.wait_for_exit(&id)["exitReason"].clone();
    assert_eq!(reason, json!(if group.is_divisible() { REASON } else { "killed by SIGKILL" }));
}

#[test]
fn limits_that_cannot_be_set_are_told_once_and_stop_nobody() {
    let args = ["--session-memory-max", "64MiB", "--session-pids-max", "20"];
    limits_are_missing(&Quarterdeck::with(&args), "not PID 1");
    let read_only = "for dir in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,ro $dir; done 2>/dev/null";
    let setup = Setup { args: &args, pid1: true, before: read_only, ..Setup::default() };
    limits_are_missing(&Quarterdeck::launch(&setup), "cannot be written: Read-only file system");
}

fn limits_are_missing(quarterdeck: &Quarterdeck, reason: &str) {
    let warned = quarterdeck.log().wait_for("the warning", |entry| {
        entry["level"] == "warn" && entry["message"].as_str().unwrap_or_default().contains("--session-memory-max")
    });
    assert!(warned["reason"].as_str().unwrap_or_default().contains(reason), "{warned}");
    let id = quarterdeck.api().shell("exit 4");
    assert_eq!(quarterdeck.api().wait_for_exit(&id)["exitCode"], json!(4));
    let told = quarterdeck.log().entries().into_iter().filter(|entry| entry["message"] == warned["message"]);
    assert_eq!(told.count(), 1);
}
