//! Signals under the names of tini and dumb-init, beside the real ones.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::eventually;
use crate::support::process::{arguments, stat};
use crate::support::stead::{DUMB_INIT, Init, Start, Stead, TINI, catchable, recorder};

/// A shell and a child of it in its group, both of which note USR1.
const PAIR: [&str; 3] = [
    "sh",
    "-c",
    "(trap 'echo child >> told' USR1; : > child; while :; do sleep 0.01; done) & trap 'echo main >> told' USR1; \
     until [ -e child ]; do sleep 0.01; done; : > ready; while :; do sleep 0.01; done",
];

#[test]
fn the_group_gets_signals_where_it_should() {
    let set_group: &[(&str, &str)] = &[("TINI_KILL_PROCESS_GROUP", "")];
    let no_session: &[(&str, &str)] = &[("DUMB_INIT_SETSID", "0")];
    for (inits, env, flags, reaches_child) in [
        (&TINI[..], &[][..], &["-s"][..], false),
        (&TINI, &[], &["-s", "-g"], true),
        (&TINI, set_group, &["-s"], true),
        (&DUMB_INIT, &[], &[], true),
        (&DUMB_INIT, &[], &["-c"], false),
        (&DUMB_INIT, &[], &["--single-child"], false),
        (&DUMB_INIT, no_session, &[], false),
        (&DUMB_INIT, &[("DUMB_INIT_SETSID", "no")], &[], true),
    ] {
        for init in inits {
            let stead = Start { env, ..Start::of(*init, flags) }.first().run(&PAIR);
            eventually("both are ready", || stead.dir().join("ready").exists().then_some(()));
            stead.signal(libc::SIGUSR1);
            stead.wait_for("told", "main");
            if reaches_child {
                stead.wait_for("told", "child");
            } else {
                // A second one has gone its way: the first is long past the child.
                stead.signal(libc::SIGUSR1);
                eventually("main again", || (stead.read("told").matches("main").count() == 2).then_some(()));
                assert!(!stead.read("told").contains("child"), "{init:?} {flags:?}: {}", stead.read("told"));
            }
        }
    }
}

/// Which of `sent` the command gets, as what, one after the other. The last
/// signal of all closes each: whatever was sent before it arrives before it.
fn reached(stead: &Stead, sent: impl Iterator<Item = i32>) -> Vec<(i32, Vec<i32>)> {
    const LAST: i32 = 64;
    stead.wait_for("signals", "ready\n");
    let mut rows = Vec::new();
    let mut seen = 0;
    for number in sent.filter(|number| *number != LAST) {
        stead.signal(number);
        stead.signal(LAST);
        let arrived = eventually(&format!("what follows {number} arrives"), || {
            // Whatever stopped the init, as dumb-init stops itself, is undone.
            if Stead::state(stead.pid) == 'T' {
                stead.signal(libc::SIGCONT);
            }
            let text = stead.read("signals");
            let numbers: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            (numbers[seen..].last() == Some(&LAST)).then(|| numbers[seen..].to_vec())
        });
        seen += arrived.len();
        rows.push((number, arrived.into_iter().filter(|n| *n != LAST).collect()));
    }
    rows
}

#[test]
fn as_pid_1_the_same_signals_pass() {
    let stops = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    for (inits, flags) in [
        (&TINI[..], &[][..]),
        (&TINI, &["-g"]),
        (&DUMB_INIT, &["-c"]),
        (&DUMB_INIT, &[]),
        (&DUMB_INIT, &["-r", "15:3", "-r", "1:0", "--rewrite", "10:12", "-r10:14"]),
    ] {
        // In a session of its own dumb-init's command is stopped by these.
        let sent = || catchable().filter(|n| flags == ["-c"] || inits.len() == TINI.len() || !stops.contains(n));
        let of = |init: &Init| reached(&Start::of(*init, flags).first().run(&recorder()), sent());
        let real = of(&inits[0]);
        assert!(real.iter().any(|(number, got)| *number == libc::SIGTERM && !got.is_empty()), "{real:?}");
        for init in &inits[1..] {
            assert_eq!(of(init), real, "{init:?} {flags:?}");
        }
    }
}

#[test]
fn a_rewrite_changes_or_drops_a_signal() {
    for init in DUMB_INIT {
        let flags = ["-r", "15:3", "--rewrite", "1:0"];
        let stead = Start::of(init, &flags).first().run(&recorder());
        let got = reached(&stead, [libc::SIGTERM, libc::SIGHUP, libc::SIGINT].into_iter());
        assert_eq!(got, [(15, vec![3]), (1, vec![]), (2, vec![2])], "{init:?}");
    }
}

#[test]
fn a_fault_sent_from_outside_ends_tini_and_passes_dumb_init() {
    let faults = [libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT, libc::SIGTRAP, libc::SIGSYS];
    for (inits, flags, ends) in [(&TINI[..], &["-s"][..], true), (&DUMB_INIT, &[], false)] {
        for init in inits {
            for number in faults {
                let start = Start { before: "ulimit -c 0", ..Start::of(*init, flags) };
                let mut stead = start.run(&recorder());
                stead.wait_for("signals", "ready\n");
                let main = stead.main();
                stead.signal(number);
                if ends {
                    assert_eq!(stead.wait(), 128 + number, "{init:?}");
                } else {
                    stead.wait_for("signals", &format!("\n{number}\n"));
                }
                kill(Pid::from_raw(main), Signal::SIGKILL).expect("the command still runs");
            }
        }
    }
}

#[test]
fn a_stop_from_the_terminal_stops_dumb_init_and_its_session() {
    for init in DUMB_INIT {
        for number in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            let mut stead = Start::of(init, &[]).run(&["sleep", "3600"]);
            let main = stead.main();
            // The real one's child takes signals and forgets them until it is the command.
            eventually("it leads a session and is the command", || {
                (stat(main)?.session == main && arguments(main)[0] == "sleep").then_some(())
            });
            stead.signal(number);
            eventually("both are stopped", || {
                (Stead::state(main) == 'T' && Stead::state(stead.pid) == 'T').then_some(())
            });
            stead.signal(libc::SIGCONT);
            eventually("both go on", || (Stead::state(main) == 'S' && Stead::state(stead.pid) == 'S').then_some(()));
            stead.signal(libc::SIGTERM);
            assert_eq!(stead.wait(), 143, "{init:?}");
        }
    }
}
