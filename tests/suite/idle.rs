//! With nothing to do init sleeps, as its system calls show.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::process::{children, with_argument};
use crate::support::quarterdeck::BINARY;
use crate::support::scene::mark;
use crate::support::trace::Trace;
use crate::support::{Form, Quarterdeck, eventually};

const SWEEPS: usize = 3;
const FOLLOW: [&str; 1] = ["--follow-forks"];

/// Whether this call may sleep long. One with only fractions of a second to
/// wait is a pause between two slices of a sweep.
fn is_sleep(call: &str) -> bool {
    call.contains(" ppoll(") && !call.contains("{tv_sec=0, ")
}

#[test]
fn init_wakes_up_for_the_sweep_and_for_nothing_else() {
    let quarterdeck = Quarterdeck::as_pid1(&["--sweep-interval", "2s"]);
    let id = quarterdeck.api().shell("echo ready; exec cat");
    let mut client = quarterdeck.connect(Form::Acked);
    client.attach(&id);
    client.wait_until("it is quiet", |view| view.text(&id).contains("ready"));
    client.round_trip();
    let trace = Trace::attach(quarterdeck.init, quarterdeck.dir(), &FOLLOW);
    // The first sleep had begun before.
    let calls = eventually("some sweeps were made", || {
        let calls = trace.calls();
        (calls.iter().filter(|call| is_sleep(call)).count() > SWEEPS).then_some(calls)
    });
    let sleeps: Vec<usize> = (0..calls.len()).filter(|n| is_sleep(&calls[*n])).collect();
    for pair in sleeps.windows(2) {
        let awake = &calls[pair[0]..pair[1]];
        let is_sweep = awake.iter().any(|call| call.contains(" getdents64("));
        assert!(awake[0].contains("= 0 (Timeout)") && is_sweep, "woken up by something else:\n{}", awake.concat());
        assert!(awake.len() < 1000, "a sweep of four processes:\n{}", awake.concat());
    }
    drop(trace);
}

#[test]
fn without_api_init_never_wakes_up() {
    // It is watched for as long as another one needs for some sweeps.
    let clock = Quarterdeck::as_pid1(&["--sweep-interval", "1s"]);
    let mark = mark();
    let mut command = Command::new(BINARY);
    command.args(["init", "--no-api", "--", "sleep", &mark]);
    let mut child = command.spawn().expect("the binary starts");
    let init = i32::try_from(child.id()).expect("a process id");
    let sleeper = eventually("the main command runs", || {
        with_argument(&mark).into_iter().find(|pid| process_name(*pid) == "sleep")
    });
    assert_eq!(children(init), [sleeper], "init runs more than the main command");
    let trace = Trace::attach(init, clock.dir(), &FOLLOW);
    let other = Trace::attach(clock.init, clock.dir(), &FOLLOW);
    eventually("some sweeps were made elsewhere", || {
        let sweeps = other.calls().iter().filter(|call| call.contains(" getdents64(")).count();
        (sweeps >= 2 * SWEEPS).then_some(())
    });
    assert_eq!(trace.calls(), [""; 0], "init does something");
    drop((trace, other));
    kill(Pid::from_raw(init), Signal::SIGTERM).expect("init");
    let status = child.wait().expect("its end");
    assert_eq!((status.code(), status.signal()), (Some(128 + 15), None));
}

fn process_name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}
