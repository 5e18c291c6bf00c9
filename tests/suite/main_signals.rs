//! Signals on their way to the main command.

use crate::support::eventually;
use crate::support::process::status;
use crate::support::stead::{Init, Start, Stead, catchable, recorder, run};

/// A recorder behind an init, ready.
fn recording(start: Start<'_>) -> Stead {
    let stead = start.run(&recorder());
    stead.wait_for("signals", "ready\n");
    stead
}

/// The numbers recorded so far.
fn recorded(stead: &Stead) -> Vec<i32> {
    stead.read("signals").lines().filter_map(|line| line.parse().ok()).collect()
}

#[test]
fn every_catchable_signal_reaches_the_main_command_as_itself() {
    for start in [Start::of(Init::Alone, &["-s"]), Start::of(Init::Alone, &[]).first()] {
        let stead = recording(start);
        let mut sent = Vec::new();
        for number in catchable() {
            stead.signal(number);
            sent.push(number);
            eventually(&format!("signal {number} arrives"), || (recorded(&stead) == sent).then_some(()));
            eventually("init sleeps and is not stopped", || (Stead::state(stead.pid) == 'S').then_some(()));
        }
    }
}

#[test]
fn the_two_signals_of_the_c_library_are_forwarded_too() {
    for number in [32, 33] {
        let mut stead = recording(Start::of(Init::Alone, &[]).first());
        stead.signal(number);
        assert_eq!(stead.wait(), 128 + number);
    }
}

#[test]
fn real_time_signals_keep_their_count() {
    const COUNTER: &str = r"
        use POSIX;
        my $n = 0; $SIG{NUM40} = sub { $n++ };
        my $forty = POSIX::SigSet->new(40); sigprocmask(SIG_BLOCK, $forty);
        open my $o, '>', 'ready'; close $o;
        select undef, undef, undef, 0.01 until -e 'go';
        my $pending = POSIX::SigSet->new;
        for (;;) { sigpending($pending); last unless $pending->ismember(40); sigsuspend(POSIX::SigSet->new) }
        exit $n";
    let mut stead = Start::of(Init::Alone, &[]).first().run(&["perl", "-e", COUNTER]);
    eventually("the counter is ready", || stead.dir().join("ready").exists().then_some(()));
    (0..7).for_each(|_| stead.signal(40));
    let main = stead.main();
    eventually("all are forwarded", || {
        let queued = status(main, "SigQ");
        // The first number counts for the whole user; at rest init holds none.
        let is_pending = status(main, "ShdPnd").ends_with("8000000000");
        (is_pending && status(stead.pid, "ShdPnd").chars().all(|c| c == '0')).then_some(queued)
    });
    std::fs::write(stead.dir().join("go"), "").expect("a file");
    assert_eq!(stead.wait(), 7);
}

#[test]
fn rewrites_change_signals_and_zero_drops_them() {
    let stead =
        recording(Start::of(Init::Alone, &["-s", "-r", "TERM:QUIT", "--rewrite-signal", "10:0", "-r", "HUP:40"]));
    // USR1 is dropped, so WINCH behind it is the next to arrive.
    for (sent, arrives) in [(libc::SIGTERM, libc::SIGQUIT), (libc::SIGHUP, 40), (libc::SIGINT, libc::SIGINT)] {
        stead.signal(sent);
        eventually(&format!("{sent} arrives as {arrives}"), || {
            (recorded(&stead).last() == Some(&arrives)).then_some(())
        });
    }
    stead.signal(libc::SIGUSR1);
    stead.signal(libc::SIGWINCH);
    eventually("WINCH arrives", || (recorded(&stead).last() == Some(&libc::SIGWINCH)).then_some(()));
    assert_eq!(recorded(&stead), [libc::SIGQUIT, 40, libc::SIGINT, libc::SIGWINCH]);
}

#[test]
fn rewrites_come_from_the_environment_as_well() {
    let env = [("QUARTERDECK_REWRITE_SIGNAL", "TERM:USR2,INT:0")];
    let stead = recording(Start { env: &env, ..Start::of(Init::Alone, &["-s"]) });
    [libc::SIGINT, libc::SIGTERM].into_iter().for_each(|number| stead.signal(number));
    eventually("TERM arrives as USR2", || (recorded(&stead) == [libc::SIGUSR2]).then_some(()));
}

/// A shell with a background child, both of which note USR1.
const PAIR: &str = "trap 'echo main >> signals' USR1; \
    (trap 'echo child >> signals; exit' USR1; echo ready >> signals; while :; do sleep 0.01; done) & \
    while :; do sleep 0.01; done";

#[test]
fn with_group_signals_go_to_the_whole_process_group() {
    for flags in [&["-s", "-g"][..], &["-s", "--group"]] {
        let stead = Start::of(Init::Alone, flags).run(&["sh", "-c", PAIR]);
        stead.wait_for("signals", "ready");
        stead.signal(libc::SIGUSR1);
        stead.wait_for("signals", "main");
        stead.wait_for("signals", "child");
    }
}

#[test]
fn without_group_only_the_main_command_gets_them() {
    let stead = Start::of(Init::Alone, &["-s"]).run(&["sh", "-c", PAIR]);
    stead.wait_for("signals", "ready");
    stead.signal(libc::SIGUSR1);
    stead.wait_for("signals", "main");
    stead.signal(libc::SIGUSR1);
    eventually("main twice", || (stead.read("signals").matches("main").count() == 2).then_some(()));
    assert!(!stead.read("signals").contains("child"), "{}", stead.read("signals"));
}

#[test]
fn a_signal_that_comes_before_the_command_runs_is_not_lost() {
    // It is pending when init starts. The command is born with TERM blocked, as
    // init was, and ends by it as soon as it unblocks TERM.
    let before = "exec perl -e 'use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM)); \
        system qq(kill -TERM $$;); exec @ARGV' \"$0\" \"$@\"; :";
    let command = "use POSIX; sigprocmask(SIG_UNBLOCK, POSIX::SigSet->new(SIGTERM)); sleep 3600";
    // Not the real dumb-init, which loses it: it signals the group of a child
    // that has not made one yet.
    for init in [Init::Alone, Init::Named("dumb-init"), Init::Named("tini"), Init::Real("tini")] {
        let (code, ..) = run(Start { before, ..Start::of(init, &[]) }, &["perl", "-e", command]);
        assert_eq!(code, 143, "{init:?}");
    }
}

#[test]
fn its_own_broken_pipe_is_nobody_elses_business() {
    // Init warns on a pipe without a reader, which makes the kernel send init
    // SIGPIPE; the main command must not hear of it.
    let before = "exec 2> >(:); sleep 0.1; :";
    let start = Start {
        before: &format!("exec bash -c '{before}; exec \"$0\" \"$@\"' \"$0\" \"$@\""),
        ..Start::of(Init::Alone, &["-w"])
    };
    let stead = start.run(&recorder());
    stead.wait_for("signals", "ready\n");
    stead.signal(libc::SIGWINCH);
    eventually("WINCH arrives", || recorded(&stead).contains(&libc::SIGWINCH).then_some(()));
    assert_eq!(recorded(&stead), [libc::SIGWINCH]);
}

#[test]
fn the_parent_death_signal_is_passed_on() {
    let tinis = [Init::Named("tini"), Init::Real("tini")].map(|init| (init, &["-s", "-p", "SIGUSR1"][..]));
    let ours = [&["-s", "-p", "USR1"][..], &["-s", "--parent-death-signal", "SIGUSR1"]];
    for (init, flags) in ours.map(|flags| (Init::Alone, flags)).into_iter().chain(tinis) {
        // The shell stays, because something follows.
        let start = Start { before: "\"$0\" \"$@\" & echo $! > pid; wait; exit; :", ..Start::of(init, flags) };
        let mut stead = start.run(&recorder());
        stead.wait_for("signals", "ready\n");
        let init: i32 = stead.read("pid").trim().parse().expect("a process id");
        stead.signal(libc::SIGKILL);
        stead.wait();
        stead.wait_for("signals", "10\n");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(init), nix::sys::signal::Signal::SIGUSR2)
            .expect("init lives");
        stead.wait_for("signals", "12\n");
        for pid in crate::support::process::children(init).into_iter().chain([init]) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}
