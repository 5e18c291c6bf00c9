//! The end of a container with a main command: everybody gets a chance.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::process::{children, is_alive, status};
use crate::support::stead::{Init, Start};
use crate::support::{Form, Quarterdeck, Setup, eventually, quarterdeck};

/// A main command that leaves a helper behind, which needs a moment to save
/// its file when it is asked to end, and ends with 7.
const HELPED: &str = "(trap 'sleep 0.3; echo saved > saved; exit' TERM; : > ready; \
    while :; do sleep 0.02; done) & until [ -e ready ]; do sleep 0.01; done; exit 7";

/// The same with a helper in a session of its own, that nobody waits for.
const HELPED_FROM_AFAR: &str = "setsid sh -c \"trap 'sleep 0.3; echo saved > saved; exit' TERM; : > ready; \
    while :; do sleep 0.02; done\" & until [ -e ready ]; do sleep 0.01; done; exit 7";

/// One that ends and leaves helpers behind that take no hint.
const STUBBORN: &str = "for n in 1 2; do (trap '' TERM HUP INT; : > ready$n; exec sleep 3600) & done; \
    until [ -e ready1 ] && [ -e ready2 ]; do sleep 0.01; done; exit 7";

#[test]
fn a_helper_that_needs_300_ms_gets_them() {
    for start in [Start::of(Init::Alone, &["-s"]), Start::of(Init::Alone, &[]).first()] {
        for command in [HELPED, HELPED_FROM_AFAR] {
            let mut stead = start.run(&["sh", "-c", command]);
            assert_eq!(stead.wait(), 7);
            assert_eq!(stead.read("saved"), "saved\n");
        }
    }
}

#[test]
fn a_stopped_helper_is_woken_to_hear_of_the_end() {
    let command = format!("{} kill -STOP $!; exit 7", HELPED.strip_suffix("exit 7").expect("its end"));
    let mut stead = Start::of(Init::Alone, &[]).first().run(&["sh", "-c", &command]);
    assert_eq!(stead.wait(), 7);
    assert_eq!(stead.read("saved"), "saved\n");
}

#[test]
fn those_who_block_the_end_are_named_and_killed_after_the_grace() {
    for start in [Start::of(Init::Alone, &["-s"]), Start::of(Init::Alone, &[]).first()] {
        let start = Start { env: &[("QUARTERDECK_SHUTDOWN_GRACE", "500ms")], ..start };
        let began = Instant::now();
        let mut stead = start.run(&["sh", "-c", STUBBORN]);
        assert_eq!(stead.wait(), 7);
        assert!(began.elapsed() >= Duration::from_millis(300), "no grace: {:?}", began.elapsed());
        let err = stead.read("err");
        assert_eq!(err.matches("sleep 3600").count(), 2, "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert_eq!(children(stead.pid), Vec::<i32>::new());
    }
}

#[test]
fn a_second_signal_ends_the_grace() {
    let start = Start { env: &[("QUARTERDECK_SHUTDOWN_GRACE", "1h")], ..Start::of(Init::Alone, &[]) };
    let helpers = STUBBORN.strip_suffix("exit 7").expect("its end");
    let command = format!("{helpers} trap 'exit 7' TERM; : > up; while :; do sleep 0.01; done");
    let mut stead = start.first().run(&["sh", "-c", &command]);
    eventually("both helpers are there", || stead.dir().join("up").exists().then_some(()));
    let main = stead.main();
    stead.signal(libc::SIGTERM);
    eventually("the main command has ended", || (!children(stead.pid).contains(&main)).then_some(()));
    stead.signal(libc::SIGTERM);
    assert_eq!(stead.wait(), 7);
}

#[test]
fn a_dump_that_was_asked_for_earlier_takes_nothing_off_the_grace() {
    // Its own trap first: QUIT comes as soon as the helper is up.
    let command = "trap 'echo dump > dumped' QUIT; \
        (trap 'echo asked > asked; until [ -e go ]; do sleep 0.01; done; echo saved > saved; exit' TERM; \
        : > up; while :; do sleep 0.02; done) & \
        until [ -e up ] && [ -e dumped ]; do sleep 0.01; done; exit 7";
    let mut stead = Start::of(Init::Alone, &[]).first().run(&["sh", "-c", command]);
    eventually("both are up", || stead.dir().join("up").exists().then_some(()));
    stead.signal(libc::SIGQUIT);
    stead.wait_for("asked", "asked");
    // The first wish for the end, which the main command's end has granted.
    stead.signal(libc::SIGTERM);
    eventually("TERM was taken", || (status(stead.pid, "ShdPnd") == "0000000000000000").then_some(()));
    fs::write(stead.dir().join("go"), "").expect("a file");
    assert_eq!((stead.wait(), stead.read("saved")), (7, "saved\n".to_owned()));
}

#[test]
fn thousands_of_orphans_are_reaped() {
    const ORPHANS: &str = "for (1 .. 5000) { my $p = fork // die; if (!$p) { fork or exit 0; exit 0 } waitpid $p, 0 } \
        open my $o, '>', 'done'; close $o; sleep 3600";
    for init in [Init::Alone, Init::Named("tini"), Init::Named("dumb-init")] {
        let mut stead = Start::of(init, &[]).first().run(&["perl", "-e", ORPHANS]);
        eventually("all orphans are made", || stead.dir().join("done").exists().then_some(()));
        eventually("only the main command is left", || (children(stead.pid).len() == 1).then_some(()));
        stead.signal(libc::SIGTERM);
        assert_eq!(stead.wait(), 143);
    }
}

#[test]
fn each_orphan_is_warned_of_when_asked() {
    let mut stead = Start::of(Init::Alone, &["-s", "-w"]).run(&[
        "sh",
        "-c",
        "(sh -c 'echo $$ > pid' &); until [ -s pid ]; do sleep 0.01; done; sleep 0.1",
    ]);
    assert_eq!(stead.wait(), 0);
    let (pid, err) = (stead.read("pid"), stead.read("err"));
    assert!(err.contains(&format!("\"pid\":{}", pid.trim())), "{pid}: {err}");
    assert_eq!(err.matches("left to init").count(), 1, "{err}");
}

/// With the API on, in the directory of that quarterdeck.
fn whole(flags: &[&str], script: &str) -> Quarterdeck {
    let args: Vec<&str> = flags.iter().copied().chain(["--", "sh", "-c", script]).collect();
    Quarterdeck::launch(&Setup { args: &args, pid1: true, before: "cd \"$HOME\"", ..Setup::default() })
}

#[test]
fn with_the_api_term_is_forwarded_and_ends_the_sessions_too() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut quarterdeck =
            whole(&[], "trap 'echo told > told; exit 9' TERM INT; : > up; while :; do sleep 0.02; done");
        eventually("the main command is up", || quarterdeck.dir().join("up").exists().then_some(()));
        let api = quarterdeck.api();
        let id = api.shell("trap 'echo ended > ended; exit 0' TERM HUP; echo ready; while :; do sleep 0.02; done");
        let mut client = quarterdeck.connect(Form::Json);
        client.attach(&id);
        client.wait_until("the session is ready", |view| view.text(&id).contains("ready"));
        quarterdeck.signal(signal);
        assert_eq!(quarterdeck.wait().code(), Some(9));
        let written = |name: &str| fs::read_to_string(quarterdeck.dir().join(name)).unwrap_or_default();
        assert_eq!((written("told").trim(), written("ended").trim()), ("told", "ended"));
    }
}

#[test]
fn with_the_api_the_containers_end_is_the_main_commands() {
    let mut quarterdeck = whole(&[], "until [ -e go ]; do sleep 0.02; done; exit 11");
    let id = quarterdeck
        .api()
        .shell("trap 'sleep 0.2; echo ended > ended; exit 0' TERM HUP; echo ready; while :; do sleep 0.02; done");
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the session is ready", |view| view.text(&id).contains("ready"));
    fs::write(quarterdeck.dir().join("go"), "").expect("a file");
    client.wait_until("told of the shutdown", |view| view.of_type("server.shutdown").count() == 1);
    assert_eq!(quarterdeck.wait().code(), Some(11));
    assert!(quarterdeck.dir().join("ended").exists());
}

#[test]
fn with_the_api_a_short_main_command_does_not_wait_for_a_server_that_starts() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().display().to_string();
    let socket = dir.path().join("api.sock").display().to_string();
    let took = |_| {
        let began = Instant::now();
        let args = ["init", "--no-auth", "--listen", "127.0.0.1:0", "--socket", &socket, "--state-dir", &path];
        let args = args.into_iter().chain(["--", "sh", "-c", "exit 7"]);
        assert_eq!(quarterdeck::run(args).status.code(), Some(7));
        began.elapsed()
    };
    // One that is waited for in vain has 800 ms each time.
    assert!((0..10).map(took).any(|time| time < Duration::from_millis(750)));
}

#[test]
fn with_the_api_helpers_get_their_time_as_well() {
    let mut quarterdeck = whole(&[], HELPED_FROM_AFAR);
    assert_eq!(quarterdeck.wait().code(), Some(7));
    assert!(quarterdeck.dir().join("saved").exists());
}

#[test]
fn with_the_api_a_stubborn_main_command_is_killed_when_the_grace_is_over() {
    let script = "trap '' TERM INT; : > up; while :; do sleep 0.02; done";
    let mut quarterdeck = whole(&["--shutdown-grace", "1s"], script);
    eventually("the main command is up", || quarterdeck.dir().join("up").exists().then_some(()));
    assert_eq!(quarterdeck.stop().code(), Some(137));
    quarterdeck.log().wait_for_message("The main command did not end in time: killing it");

    let mut quarterdeck = whole(&["--shutdown-grace", "1h"], script);
    eventually("the main command is up", || quarterdeck.dir().join("up").exists().then_some(()));
    quarterdeck.signal(Signal::SIGTERM);
    quarterdeck.log().wait_for_message("Shutting down");
    quarterdeck.signal(Signal::SIGTERM);
    assert_eq!(quarterdeck.wait().code(), Some(137), "a second signal ends the grace");
}

#[test]
fn with_the_api_other_signals_are_forwarded_and_do_their_own_work() {
    let script = "trap 'echo hup >> told' HUP; trap 'echo usr1 >> told' USR1; trap 'echo usr2 >> told' USR2; \
        trap 'echo quit >> told' QUIT; trap 'echo tstp >> told' TSTP; : > up; while :; do sleep 0.02; done";
    let mut quarterdeck = whole(&[], script);
    eventually("the main command is up", || quarterdeck.dir().join("up").exists().then_some(()));
    assert_eq!(quarterdeck.api().get("/health").status, 200);
    let before = quarterdeck.server();
    let signals = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGUSR2];
    for (signal, name) in signals.into_iter().zip(["hup", "usr1", "quit", "tstp", "usr2"]) {
        quarterdeck.signal(signal);
        let told = || fs::read_to_string(quarterdeck.dir().join("told")).unwrap_or_default();
        eventually(&format!("{name} arrived"), || told().contains(name).then_some(()));
    }
    eventually("USR2 replaced the server", || (quarterdeck.server() != before).then_some(()));
    assert_eq!(quarterdeck.stop().code(), Some(143));
}

/// Notes TERM and QUIT, and ends with 5 on QUIT.
const TOLD: &str = "trap 'echo term >> told' TERM; trap 'echo quit >> told; exit 5' QUIT; : > up; \
    while :; do sleep 0.02; done";

#[test]
fn with_the_api_flags_change_what_the_main_command_gets() {
    for (flags, code, told) in [
        (&["-r", "TERM:QUIT"][..], 5, "quit\n"),
        (&["-r", "TERM:QUIT", "-e", "5"], 0, "quit\n"),
        // It is not told, and the container ends all the same.
        (&["-r", "TERM:0", "--shutdown-grace", "1s"], 137, ""),
    ] {
        let mut quarterdeck = whole(flags, TOLD);
        eventually("the main command is up", || quarterdeck.dir().join("up").exists().then_some(()));
        assert_eq!(quarterdeck.stop().code(), Some(code), "{flags:?}");
        assert_eq!(fs::read_to_string(quarterdeck.dir().join("told")).unwrap_or_default(), told, "{flags:?}");
    }
}

#[test]
fn the_end_of_the_server_is_not_the_main_commands() {
    let mut quarterdeck = whole(&[], TOLD);
    eventually("the main command is up", || quarterdeck.dir().join("up").exists().then_some(()));
    let (server, before) = (quarterdeck.server(), children(quarterdeck.init));
    let main = before.into_iter().find(|pid| *pid != server).expect("a main command");
    kill(Pid::from_raw(server), Signal::SIGKILL).expect("the server runs");
    eventually("another server runs", || (quarterdeck.server() != server).then_some(()));
    assert!(is_alive(main));
    quarterdeck.signal(Signal::SIGQUIT);
    assert_eq!(quarterdeck.wait().code(), Some(5));
    assert_eq!(fs::read_to_string(quarterdeck.dir().join("told")).unwrap_or_default(), "quit\n");
}
