//! Called by the name of tini or dumb-init, beside the real ones: each row of
//! each table holds for both. docs/decisions/0010-main-command.md lists what is
//! different on purpose.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::eventually;
use crate::support::process::{arguments, children, is_alive, stat};
use crate::support::stead::{DUMB_INIT, Init, Start, TINI, run};

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
fn a_closed_standard_input_ends_only_the_real_tini() {
    for (init, code) in TINI.into_iter().chain(DUMB_INIT).zip([1, 0, 0, 0, 0]) {
        let (ended, ..) = run(Start { before: "exec 0<&-", ..Start::of(init, &[]) }, &["true"]);
        assert_eq!(ended, code, "{init:?}");
    }
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
                // The real dumb-init's child takes signals and forgets them until it is the command.
                let is_command = arguments(main)[0] == "sleep";
                (is_command && found == (leads_group, leads_session, is_init_away)).then_some(())
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
