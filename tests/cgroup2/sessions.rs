//! What a session may use, and how it ends.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::container::{LIMIT, event, file, group, members, of_session, start, wait_until_gone};
use crate::support::group::Group;
use crate::support::process::{environment, stat, status};
use crate::support::{Quarterdeck, eventually};

const LIMITED: [&str; 4] = ["--session-memory-max", "48MiB", "--session-pids-max", "20"];

const OUT_OF_MEMORY: &str = "killed by the kernel: out of memory";

#[track_caller]
fn is_limited(group: &Group, quarterdeck: &Quarterdeck, id: &str) {
    let dir = of_session(group, id);
    for (name, value) in
        [("memory.max", "50331648"), ("memory.swap.max", "0"), ("memory.oom.group", "1"), ("pids.max", "20")]
    {
        assert_eq!(file(&dir, name), value, "{name}");
    }
    assert!(members(&dir).contains(&quarterdeck.leader(id)));
}

#[test]
fn each_life_of_a_session_has_the_limits_and_meets_that_of_processes_alone() {
    let group = group();
    let quarterdeck = start(&group, &LIMITED);
    let api = quarterdeck.api();
    let script = "read line; for i in {1..40}; do sleep 1000 & done; exit 7";
    let id = api.run(&["/bin/bash", "-c", script].map(str::to_owned));
    is_limited(&group, &quarterdeck, &id);
    let _ = api.input(&id, b"\n").json_of(200);
    let dir = of_session(&group, &id);
    eventually("the limit is met", || (event(&dir, "pids.events", "max") > 0).then_some(()));
    assert_eq!(members(&dir).len(), 20);
    api.wait_for(&id, "counted by its group", |session| session["processCount"] == json!(20));
    let other = api.shell("sleep 0; exit 5");
    assert_eq!(api.wait_for_exit(&other)["exitCode"], json!(5));
    let _ = api.post(&format!("/api/sessions/{id}/signal"), &json!({ "signal": "KILL" })).json_of(200);
    assert_eq!(api.wait_for_exit(&id)["exitReason"], json!("killed by SIGKILL"));
    wait_until_gone(&dir);
    let _ = api.post(&format!("/api/sessions/{id}/resume"), &json!({})).json_of(200);
    is_limited(&group, &quarterdeck, &id);
}

#[test]
fn a_session_above_its_memory_ends_as_a_whole_and_alone() {
    let group = group();
    let quarterdeck = start(&group, &LIMITED);
    let api = quarterdeck.api();
    let other = api.shell("read line");
    let server = quarterdeck.server();
    let id = api.shell("sleep 1000 & tail /dev/zero; echo never; read line");
    let ended = api.wait_for_exit(&id);
    assert_eq!((&ended["exitReason"], &ended["status"]), (&json!(OUT_OF_MEMORY), &json!("error")), "{ended}");
    wait_until_gone(&of_session(&group, &id));
    assert!(event(group.dir(), "memory.events", "oom_kill") >= 2, "the hog and its shell");
    assert_eq!(event(group.dir(), "memory.events.local", "max"), 0, "the container's own limit was never met");
    assert!(file(group.dir(), "memory.peak").parse::<u64>().is_ok_and(|peak| peak < LIMIT));
    assert_eq!((quarterdeck.server(), api.session(&other)["status"].clone()), (server, json!("active")));
    assert_eq!(event(&of_session(&group, &other), "memory.events", "oom_kill"), 0);
    kill(Pid::from_raw(quarterdeck.leader(&other)), Signal::SIGKILL).expect("a leader");
    assert_eq!(api.wait_for_exit(&other)["exitReason"], json!("killed by SIGKILL"));
}

#[test]
fn the_containers_limit_ends_one_session_too() {
    let group = group();
    let quarterdeck = start(&group, &[]);
    let api = quarterdeck.api();
    let other = api.shell("read line");
    let server = quarterdeck.server();
    let id = api.shell("tail /dev/zero; echo never; read line");
    assert_eq!(api.wait_for_exit(&id)["exitReason"], json!(OUT_OF_MEMORY));
    assert_eq!((quarterdeck.server(), api.session(&other)["status"].clone()), (server, json!("active")));
    assert!(event(group.dir(), "memory.events.local", "oom") > 0);
}

#[test]
fn the_end_of_a_session_reaches_whoever_shed_all_other_marks() {
    let group = group();
    let quarterdeck = start(&group, &["--stop-grace", "300ms"]);
    let api = quarterdeck.api();
    // In a group below the session's, too, where only a look finds it: all others end at once.
    let shed = "own=/sys/fs/cgroup/quarterdeck-$QUARTERDECK_SESSION_ID/a/b; mkdir -p $own; \
                (trap '' TERM HUP; echo $BASHPID > $own/cgroup.procs; ulimit -x 0; \
                exec setsid -f env -i sleep 1000 </dev/null >/dev/null 2>&1); exec sleep 1001";
    let id = api.run(&["/bin/bash", "-c", shed].map(str::to_owned));
    let dir = of_session(&group, &id);
    let shed = eventually("somebody shed all marks", || {
        let is_free =
            |pid: &i32| stat(*pid).is_some_and(|stat| stat.session == *pid && stat.parent == quarterdeck.init);
        members(&dir.join("a/b")).into_iter().find(|pid| is_free(pid) && environment(*pid).is_empty())
    });
    api.remove(&id);
    wait_until_gone(&dir);
    assert!(stat(shed).is_none(), "{shed}");
}

/// Lets a system call fail in init, until dropped.
struct Fault(Child);

impl Fault {
    fn in_init(quarterdeck: &Quarterdeck, fault: &str) -> Self {
        let pid = quarterdeck.init.to_string();
        let args = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=clone3", "-e", fault, "-p", &pid];
        let child = Command::new("strace").args(args).stdin(Stdio::null()).spawn().expect("strace");
        eventually("strace is there", || (status(quarterdeck.init, "TracerPid") != "0").then_some(()));
        Self(child)
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).expect("a process id");
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[test]
fn where_nobody_can_be_born_in_a_group_the_session_moves_there() {
    let group = group();
    let quarterdeck = start(&group, &LIMITED);
    // What Docker's seccomp profile answers in a container without privileges.
    let fault = Fault::in_init(&quarterdeck, "inject=clone3:error=ENOSYS");
    let id = quarterdeck.api().shell("sleep 1000; read line");
    is_limited(&group, &quarterdeck, &id);
    eventually("its child is there too", || (members(&of_session(&group, &id)).len() == 2).then_some(()));
    drop(fault);
    quarterdeck.api().remove(&id);
    wait_until_gone(&of_session(&group, &id));
}
