//! What a session started ends with it, whatever it did to get away.
//!
//! Each case is tried with the three ends that a session can have, beside a
//! session and a process from outside that must not notice.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::json;

use crate::support::process::{children, descriptors, is_alive, stat, status, with_argument};
use crate::support::scene::{assert_none, population, wait_until_none};
use crate::support::{Form, Quarterdeck, Scene, eventually};

/// Whether these members are as the test needs them before the end comes; the
/// first number is init's.
type Ready = fn(i32, &[i32]) -> bool;

/// The three ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Exit,
    Kill,
    Delete,
}

impl End {
    #[track_caller]
    fn bring(self, scene: &Scene<'_>, id: &str, mark: &str) {
        let Scene { api, quarterdeck, .. } = scene;
        match self {
            Self::Exit => {
                let _ = api.input(id, b"\n").json_of(200);
                assert_eq!(api.wait_for_exit(id)["exitCode"], json!(3));
            }
            Self::Kill => {
                kill(Pid::from_raw(quarterdeck.leader(id)), Signal::SIGKILL).expect("a leader");
                assert_eq!(api.wait_for_exit(id)["signal"], json!("SIGKILL"));
            }
            Self::Delete => {
                api.remove(id);
                // Its answer says that all is over.
                assert_none(quarterdeck, mark);
                return;
            }
        }
        wait_until_none(quarterdeck, mark);
        api.remove(id);
    }
}

/// Runs `script` in sessions, waits until what it left is `ready`, and asserts
/// that nothing of it is there after each kind of end.
#[track_caller]
fn ends_with_its_session(script: &str, ready: Ready) {
    let quarterdeck = Quarterdeck::as_pid1(&["--stop-grace", "300ms"]);
    let scene = Scene::around(&quarterdeck);
    let before = population(&quarterdeck);
    for end in [End::Exit, End::Kill, End::Delete] {
        let (id, mark) = scene.start(script);
        eventually(&format!("the members are as wanted before {end:?}"), || {
            ready(quarterdeck.init, &with_argument(&mark)).then_some(())
        });
        end.bring(&scene, &id, &mark);
        // Zombies would still be in the namespace.
        eventually("only who was there before is there", || (population(&quarterdeck) == before).then_some(()));
    }
    scene.check();
}

/// One process, wherever it hangs.
fn one(_: i32, members: &[i32]) -> bool {
    members.len() == 1
}

/// One process, whose parent is init.
fn one_orphan(init: i32, members: &[i32]) -> bool {
    one(init, members) && stat(members[0]).is_some_and(|stat| stat.parent == init)
}

fn one_stopped(init: i32, members: &[i32]) -> bool {
    one(init, members) && stat(members[0]).is_some_and(|stat| stat.state == 'T')
}

/// At least one step of a chain away from the leader.
fn chain(init: i32, members: &[i32]) -> bool {
    members.iter().any(|pid| stat(*pid).is_some_and(|stat| stat.parent == init))
}

#[test]
fn a_double_forked_daemon() {
    let script = "perl -MPOSIX=setsid -e 'fork && exit; setsid; fork && exit; sleep' $MARK";
    ends_with_its_session(script, one_orphan);
}

#[test]
fn a_child_with_a_kernel_session_of_its_own() {
    ends_with_its_session("setsid sleep $MARK &", one);
}

#[test]
fn a_child_that_ignores_hangups() {
    ends_with_its_session("nohup sleep $MARK >/dev/null &", one);
}

#[test]
fn a_child_that_cleared_its_environment() {
    ends_with_its_session("env -i sleep $MARK &", one);
}

#[test]
fn a_child_without_environment_and_terminal() {
    ends_with_its_session("env -i setsid sleep $MARK </dev/null >/dev/null 2>&1 &", one);
}

#[test]
fn a_daemon_without_environment_and_terminal() {
    let script = "env -i perl -MPOSIX=setsid -e 'fork && exit; setsid; fork && exit; sleep' $MARK \
                  </dev/null >/dev/null 2>&1";
    ends_with_its_session(script, one_orphan);
}

#[test]
fn a_child_that_ignores_hup_and_term() {
    ends_with_its_session("(trap '' HUP TERM; exec sleep $MARK) &", one);
}

#[test]
fn a_daemon_that_ignores_hup_and_term() {
    ends_with_its_session("(trap '' HUP TERM; setsid sleep $MARK &)", one_orphan);
}

#[test]
fn a_stopped_child() {
    let script = "sleep $MARK & until [ $(cat /proc/$!/comm) = sleep ]; do :; done; kill -STOP $!";
    ends_with_its_session(script, one_stopped);
}

#[test]
fn a_stopped_child_that_ignores_term_and_has_a_kernel_session_of_its_own() {
    // With the kernel session of the leader, the kernel itself would wake it.
    let script = "(trap '' HUP TERM; exec setsid sleep $MARK) & \
                  until [ $(cat /proc/$!/comm) = sleep ]; do :; done; kill -STOP $!";
    ends_with_its_session(script, one_stopped);
}

#[test]
fn a_chain_that_changes_its_pid_all_the_time() {
    ends_with_its_session("perl -e 'while (1) { fork && exit }' $MARK &", chain);
}

#[test]
fn a_chain_that_leaves_its_kernel_session_with_every_step() {
    let script = "perl -MPOSIX=setsid -e 'while (1) { fork && exit; setsid }' $MARK &";
    ends_with_its_session(script, chain);
}

#[test]
fn a_chain_without_environment_and_terminal() {
    let script =
        "env -i perl -MPOSIX=setsid -e 'while (1) { fork && exit; setsid }' $MARK </dev/null >/dev/null 2>&1 &";
    ends_with_its_session(script, chain);
}

#[test]
fn a_deep_tree() {
    let script = "perl -e 'for (1 .. 60) { if (fork) { wait; exit } } sleep' $MARK &";
    ends_with_its_session(script, |_, members| members.len() == 61);
}

#[test]
fn a_child_of_another_user() {
    // Only root can give its children to somebody else.
    let nobody = if Uid::effective().is_root() { "setpriv --reuid 65534 --regid 65534 --clear-groups" } else { "" };
    ends_with_its_session(&format!("{nobody} setsid sleep $MARK &"), |init, members| {
        one(init, members) && (!Uid::effective().is_root() || status(members[0], "Uid").starts_with("65534"))
    });
}

#[test]
fn a_child_that_closed_all_descriptors() {
    ends_with_its_session("setsid sleep $MARK 0<&- 1>&- 2>&- &", |_, members| {
        members.len() == 1 && descriptors(members[0]).is_empty()
    });
}

#[test]
fn a_child_in_a_pid_namespace_of_its_own() {
    // Without its parent it is the namespace's init, which no TERM ends.
    let script = "setsid unshare --user --pid --fork sleep $MARK & \
                  until read -r child _ <<<$(cat /proc/$!/task/$!/children) && [ $child ]; do :; done; \
                  until [ $(cat /proc/$child/comm) = sleep ]; do :; done; kill -9 $!";
    ends_with_its_session(script, |init, members| {
        one_orphan(init, members) && status(members[0], "NSpid").split_whitespace().next_back() == Some("1")
    });
}

#[test]
fn a_child_in_a_user_namespace_of_its_own() {
    ends_with_its_session("setsid unshare --user sleep $MARK &", |init, members| {
        let space = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/user")).ok();
        one(init, members) && space(members[0]) != space(init)
    });
}

#[test]
fn a_daemon_started_by_a_daemon() {
    let script = "perl -MPOSIX=setsid -e 'sub daemon { fork && return 0; setsid; fork && exit; 1 } \
                  daemon() or exit; if (daemon()) { sleep } sleep' $MARK";
    ends_with_its_session(script, |init, members| {
        let orphans = children(init);
        members.len() == 2 && members.iter().all(|pid| orphans.contains(pid))
    });
}

#[test]
fn background_jobs_of_a_shell() {
    ends_with_its_session("set -m; sleep $MARK & sleep $MARK & sleep $MARK & disown %2", |init, members| {
        let group = |pid: &i32| stat(*pid).map_or(0, |stat| stat.group);
        members.len() == 3 && members.iter().all(|pid| group(pid) == *pid && *pid != init)
    });
}

#[test]
fn an_orphan_from_long_before_the_end() {
    ends_with_its_session("sh -c 'sleep $MARK & echo'", one_orphan);
}

#[test]
fn an_end_is_told_at_once_although_others_get_their_grace() {
    let quarterdeck = Quarterdeck::as_pid1(&["--stop-grace", "1h"]);
    let scene = Scene::around(&quarterdeck);
    let (id, mark) = scene.start("(trap '' HUP TERM; exec sleep $MARK) &");
    let member = eventually("the member is there", || with_argument(&mark).pop());
    let _ = scene.api.input(&id, b"\n").json_of(200);
    assert_eq!(scene.api.wait_for_exit(&id)["status"], json!("error"));
    assert!(is_alive(member), "its grace is an hour");
    kill(Pid::from_raw(member), Signal::SIGKILL).expect("the member");
    scene.api.remove(&id);
    scene.check();
}

/// Agents save what they have on TERM, and few know of HUP.
#[test]
fn a_program_that_cleans_up_on_term_alone_gets_to() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let api = quarterdeck.api();
    let script = "trap 'sleep 0.3; echo saved > saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let id = api.shell(script);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the trap is set", |view| view.text(&id).contains("ready"));
    api.remove(&id);
    assert_eq!(std::fs::read_to_string(quarterdeck.dir().join("saved")).expect("a file"), "saved\n");
}

/// They ignore TERM, so only HUP ends them before the grace is over.
#[test]
fn interactive_shells_end_at_once() {
    let quarterdeck = Quarterdeck::as_pid1(&["--stop-grace", "24h"]);
    let api = quarterdeck.api();
    for shell in [&["bash", "-i"][..], &["dash", "-i"]] {
        let id = api.run(&shell.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        let mut client = quarterdeck.connect(Form::Json);
        client.attach(&id);
        client.input(&id, "echo re''ady\n");
        client.wait_until("the shell is there", |view| view.text(&id).contains("ready"));
        api.remove(&id);
    }
}
