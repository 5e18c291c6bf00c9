//! Called by the name of tini or dumb-init, beside the real ones: each row of
//! each table holds for both. docs/decisions/0010-main-command.md lists what is
//! different on purpose.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::eventually;
use crate::support::process::{children, is_alive, stat};
use crate::support::stead::{Init, Start, Stead, catchable, recorder, run};

/// The real one, and ours by each of its names.
const TINI: [Init; 3] = [Init::Real("tini"), Init::Named("tini"), Init::Named("docker-init")];
const DUMB_INIT: [Init; 2] = [Init::Real("dumb-init"), Init::Named("dumb-init")];

/// A command line, its exit code, and where anything is said: `out`, `err`.
struct Row {
    env: &'static [(&'static str, &'static str)],
    flags: &'static [&'static str],
    command: &'static [&'static str],
    code: i32,
    said: &'static [&'static str],
}

const fn row(flags: &'static [&'static str], command: &'static [&'static str], code: i32) -> Row {
    Row { env: &[], flags, command, code, said: &[] }
}

impl Row {
    const fn with(self, env: &'static [(&'static str, &'static str)]) -> Self {
        Self { env, ..self }
    }

    const fn says(self, said: &'static [&'static str]) -> Self {
        Self { said, ..self }
    }
}

fn compare(inits: &[Init], rows: &[Row]) {
    for row in rows {
        for init in inits {
            let start = Start { env: row.env, before: "ulimit -c 0", ..Start::of(*init, row.flags) };
            let (code, out, err) = run(start, row.command);
            let texts = [("out", &out), ("err", &err)];
            let said: Vec<&str> =
                texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, _)| name).collect();
            let told = format!("{init:?} {:?} {:?} {:?}\n{out}\n{err}", row.env, row.flags, row.command);
            assert_eq!((code, said.as_slice()), (row.code, row.said), "{told}");
        }
    }
}

/// Leaves an orphan behind that ends while the command runs.
const ORPHAN: &[&str] =
    &["sh", "-c", "(sh -c 'echo $$ > pid' &); until [ -s pid ] && ! [ -e /proc/$(cat pid) ]; do sleep 0.01; done"];

#[test]
fn tini_by_its_flags_variables_and_exit_codes() {
    compare(
        &TINI,
        &[
            row(&["-s"], &["sh", "-c", "exit 7"], 7),
            row(&["-s"], &["sh", "-c", "kill -9 $$"], 137),
            row(&["-s"], &["sh", "-c", "kill -QUIT $$"], 131),
            row(&["-s", "-e", "7"], &["sh", "-c", "exit 7"], 0),
            row(&["-s", "-e", "7", "-e", "9"], &["sh", "-c", "exit 9"], 0),
            row(&["-s", "-e", "7"], &["sh", "-c", "exit 8"], 8),
            row(&["-se143"], &["sh", "-c", "kill $$"], 0),
            row(&["-s", "-e", "007"], &["sh", "-c", "exit 7"], 0),
            row(&["-s"], &["no-such-command"], 127).says(&["err"]),
            row(&["-s"], &["/etc/passwd"], 126).says(&["err"]),
            row(&["-s"], &["/"], 126).says(&["err"]),
            row(&["-s", "-e", "127"], &["no-such-command"], 0).says(&["err"]),
            // It warns that it is not PID 1, unless it is a subreaper or told to be quiet.
            row(&[], &["true"], 0).says(&["err"]),
            row(&[], &["true"], 0).with(&[("TINI_SUBREAPER", "")]),
            row(&[], &["true"], 0).with(&[("TINI_VERBOSITY", "0")]),
            row(&["-s"], &["true"], 0).with(&[("TINI_VERBOSITY", "2")]).says(&["out"]),
            row(&["-s", "-v"], &["true"], 0).says(&["out"]),
            row(&["-svvv"], &["true"], 0).says(&["out"]),
            row(&["-s"], ORPHAN, 0),
            row(&["-s", "-w"], ORPHAN, 0).says(&["err"]),
            row(&["-sp", "SIGKILL"], &["true"], 0),
            row(&["-s", "-p", "KILL"], &["true"], 1).says(&["err"]),
            row(&["-s", "-p", "9"], &["true"], 1).says(&["err"]),
            row(&["-s", "-e", "256"], &["true"], 1).says(&["err"]),
            row(&["-s", "-e", "-1"], &["true"], 1).says(&["err"]),
            row(&["-s", "-e", "x"], &["true"], 1).says(&["err"]),
            row(&["-s", "-x"], &["true"], 1).says(&["err"]),
            row(&["-p"], &[], 1).says(&["err"]),
            row(&["-s"], &[], 1).says(&["err"]),
            row(&["-h"], &["true"], 0).says(&["out"]),
            row(&["-l"], &[], 0).says(&["out"]),
            row(&["--version"], &[], 0).says(&["out"]),
            row(&["-s", "--version"], &[], 1).says(&["err"]),
            row(&["--license"], &[], 1).says(&["err"]),
        ],
    );
}

#[test]
fn dumb_init_by_its_flags_variables_and_exit_codes() {
    compare(
        &DUMB_INIT,
        &[
            row(&[], &["sh", "-c", "exit 7"], 7),
            row(&[], &["sh", "-c", "kill -9 $$"], 137),
            row(&["-c"], &["sh", "-c", "kill $$"], 143),
            row(&[], &["no-such-command"], 2).says(&["err"]),
            row(&[], &["/etc/passwd"], 2).says(&["err"]),
            row(&[], &["/"], 2).says(&["err"]),
            row(&[], &[], 1).says(&["err"]),
            row(&["-x"], &["true"], 1).says(&["err"]),
            row(&["--nope"], &["true"], 1).says(&["err"]),
            row(&["--ver"], &["true"], 1).says(&["err"]),
            row(&["-r"], &[], 1).says(&["err"]),
            row(&["-r", "15"], &["true"], 1).says(&["err"]),
            row(&["-r", "TERM:INT"], &["true"], 1).says(&["err"]),
            row(&["-r", "0:15"], &["true"], 1).says(&["err"]),
            row(&["-r", "15:32"], &["true"], 1).says(&["err"]),
            row(&["-r", "15:3x", "--rewrite=1:0"], &["true"], 0),
            row(&["-v"], &["true"], 0).says(&["err"]),
            row(&["--verb", "--single"], &["true"], 0).says(&["err"]),
            row(&[], &["true"], 0).with(&[("DUMB_INIT_DEBUG", "1")]).says(&["err"]),
            row(&[], &["true"], 0).with(&[("DUMB_INIT_DEBUG", "0")]),
            row(&[], &["true"], 0).with(&[("DUMB_INIT_DEBUG", "yes")]),
            row(&["-h"], &["false"], 0).says(&["err"]),
            row(&["--help"], &[], 0).says(&["err"]),
            row(&["-V"], &["false"], 0).says(&["err"]),
            row(&["--version"], &[], 0).says(&["err"]),
        ],
    );
}

#[test]
fn both_tell_the_version_that_they_are() {
    for (inits, word) in [(&TINI[..], "tini version 0.19.0"), (&DUMB_INIT, "dumb-init v1.2.5")] {
        for init in inits {
            let (_, out, err) = run(Start::of(*init, &["--version"]), &[]);
            assert!((out.clone() + &err).starts_with(word), "{init:?}: {out}{err}");
        }
    }
}

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
            eventually("it leads a session", || (stat(main)?.session == main).then_some(()));
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

#[test]
fn the_command_is_where_it_should_be() {
    for (inits, flags, leads_group, leads_session, is_init_away) in [
        (&TINI[..], &["-s"][..], true, false, false),
        (&DUMB_INIT, &[], true, true, true),
        (&DUMB_INIT, &["-c"], false, false, true),
    ] {
        for init in inits {
            let mut stead = Start::of(*init, flags).run(&["sleep", "3600"]);
            let main = stead.main();
            eventually(&format!("{init:?} {flags:?} runs it as it should"), || {
                let (stat, init_cwd) = (stat(main)?, fs::read_link(format!("/proc/{}/cwd", stead.pid)).ok()?);
                let found = (stat.group == main, stat.session == main, init_cwd.as_os_str() == "/");
                (found == (leads_group, leads_session, is_init_away)).then_some(())
            });
            assert_eq!(fs::read_link(format!("/proc/{main}/cwd")).ok().as_deref(), Some(stead.dir()));
            assert_eq!(children(stead.pid), [main], "{init:?}: the command is the only child");
            stead.signal(libc::SIGTERM);
            assert_eq!(stead.wait(), 143);
        }
    }
}

/// Leaves a helper in its group that notes TERM, and ends with 7.
const HELPED: [&str; 3] = [
    "sh",
    "-c",
    "(trap 'echo told > told; exit' TERM; : > ready; while :; do sleep 0.02; echo >> rounds; done) & echo $! > helper; \
     until [ -e ready ]; do sleep 0.01; done; exit 7",
];

#[test]
fn who_is_left_is_told_by_dumb_init_only() {
    for (inits, flags, is_told) in [
        (&TINI[..], &["-s"][..], false),
        (&TINI, &["-s", "-g"], false),
        (&DUMB_INIT, &[], true),
        (&DUMB_INIT, &["-c"], false),
    ] {
        for init in inits {
            let mut stead = Start::of(*init, flags).run(&HELPED);
            assert_eq!(stead.wait(), 7);
            let rounds = || stead.read("rounds").len();
            let (helper, before) = (stead.read("helper").trim().parse().expect("a process id"), rounds());
            // A signal that had come would be taken in one of two more rounds.
            eventually(&format!("the helper of {init:?} {flags:?} is told, or is not"), || {
                let is_over = if is_told { !is_alive(helper) } else { rounds() >= before + 2 };
                is_over.then_some(())
            });
            assert_eq!(stead.dir().join("told").exists(), is_told, "{init:?} {flags:?}");
            if !is_told {
                kill(Pid::from_raw(helper), Signal::SIGKILL).expect("the helper runs");
            }
        }
    }
}

/// The same with one that needs 300 ms to save a file, in a session of its own.
const SAVER: [&str; 3] = [
    "sh",
    "-c",
    "setsid sh -c \"trap 'sleep 0.3; echo saved > saved; exit' TERM; : > ready; while :; do sleep 0.02; done\" & \
     until [ -e ready ]; do sleep 0.01; done; exit 7",
];

#[test]
fn the_drain_is_ours_and_has_to_be_asked_for() {
    let (drain, other): (&[_], &[_]) = (&[("QUARTERDECK_DRAIN", "1")], &[("QUARTERDECK_DRAIN", "0")]);
    for init in [&TINI[..], &DUMB_INIT].concat() {
        let is_ours = matches!(init, Init::Named(_));
        for (env, drains) in [(&[][..], false), (other, false), (drain, is_ours)] {
            let mut stead = Start { env, ..Start::of(init, &[]) }.first().run(&SAVER);
            assert_eq!(stead.wait(), 7);
            assert_eq!(stead.dir().join("saved").exists(), drains, "{init:?} {env:?}");
        }
    }
}

/// What a drain may take if nothing else is said.
const GRACE_DEFAULT: Duration = Duration::from_secs(8);

#[test]
fn a_drain_takes_no_longer_than_its_grace() {
    let stubborn = "(trap '' TERM; : > ready; exec sleep 3600) & until [ -e ready ]; do sleep 0.01; done; exit 7";
    for name in ["tini", "docker-init", "dumb-init"] {
        let env = [("QUARTERDECK_DRAIN", "1"), ("QUARTERDECK_SHUTDOWN_GRACE", "200ms")];
        let began = Instant::now();
        let mut stead = Start { env: &env, ..Start::of(Init::Named(name), &[]) }.first().run(&["sh", "-c", stubborn]);
        assert_eq!(stead.wait(), 7);
        assert!(began.elapsed() < GRACE_DEFAULT, "{name}: {:?}", began.elapsed());
        assert!(stead.read("err").contains("sleep 3600"), "{name} names who blocked: {}", stead.read("err"));

        let wrong = [("QUARTERDECK_DRAIN", "1"), ("QUARTERDECK_SHUTDOWN_GRACE", "soon")];
        let (code, _, err) = run(Start { env: &wrong, ..Start::of(Init::Named(name), &[]) }, &["true"]);
        assert!(code == 1 && err.contains("QUARTERDECK_SHUTDOWN_GRACE=soon"), "{name}: {code}: {err}");
    }
}
