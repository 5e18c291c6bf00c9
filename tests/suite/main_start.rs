//! What the main command starts with, and what its end becomes.

use std::fs;

use crate::support::process::{children, descriptors, limits, status};
use crate::support::quarterdeck::run as quarterdeck;
use crate::support::stead::{Init, Start, run, with_default_signals};
use crate::support::{Quarterdeck, Setup, eventually};

/// `init --no-api` that knows it is not PID 1.
fn alone<'a>(flags: &'a [&'a str]) -> Start<'a> {
    Start::of(Init::Alone, flags)
}

/// What init makes of the ends of a script for each number `$n`, with one
/// process behind another that starts them.
fn codes(script: &str, numbers: &[i32]) -> Vec<i32> {
    const EACH: &str = "script=$1; shift; ulimit -c 0; \
        for n in \"$@\"; do \"$0\" init --no-api -s -- sh -c \"n=$n; $script\"; echo $?; done";
    let numbers: Vec<String> = numbers.iter().map(i32::to_string).collect();
    let words = ["sh", "-c", EACH, env!("CARGO_BIN_EXE_quarterdeck"), script];
    let command: Vec<&str> = words.into_iter().chain(numbers.iter().map(String::as_str)).collect();
    let (code, out, err) = run(alone(&[]).first(), &command);
    assert_eq!(code, 0, "{err}");
    out.lines().map(|line| line.parse().expect("an exit code")).collect()
}

#[test]
fn its_exit_code_is_inits() {
    let all: Vec<i32> = (0..=255).collect();
    assert_eq!(codes("exit $n", &all), all);
}

#[test]
fn a_signal_that_ends_it_is_128_and_the_number() {
    let ignored_by_default = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
    let stops = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    let deadly: Vec<i32> = (1..=64).filter(|n| !ignored_by_default.contains(n) && !stops.contains(n)).collect();
    let expected: Vec<i32> = deadly.iter().map(|number| 128 + number).collect();
    assert_eq!(codes("kill -$n $$; sleep 10", &deadly), expected);
}

#[test]
fn exit_codes_are_remapped_to_zero_when_asked() {
    let exit = |flags, env, code: &str| run(Start { env, ..alone(flags) }, &["sh", "-c", &format!("exit {code}")]).0;
    assert_eq!(exit(&["-s", "-e", "7", "--remap-exit", "143"], &[], "7"), 0);
    assert_eq!(exit(&["-s", "-e", "7", "--remap-exit", "143"], &[], "143"), 0);
    assert_eq!(exit(&["-s", "-e", "7"], &[], "8"), 8);
    assert_eq!(exit(&["-s"], &[("QUARTERDECK_REMAP_EXIT", "3,4")], "4"), 0);
    assert_eq!(run(alone(&["-s", "-e", "143"]), &["sh", "-c", "kill $$"]).0, 0);
    assert_eq!(run(alone(&["-s", "-e", "127"]), &["no-such-command"]).0, 0);
}

#[test]
fn what_cannot_run_is_127_or_126_and_says_why() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = |name: &str, text: &str, mode| {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
        path.display().to_string()
    };
    let plain = script("plain", "exit 5", 0o644);
    let orphaned = script("orphaned", "#!/no/such/interpreter\n", 0o755);
    let unnamed = script("unnamed", "exit 5", 0o755);
    for (command, code, reason) in [
        ("no-such-command", 127, "PATH"),
        ("/no/such/file", 127, "no such file"),
        ("", 127, "not found"),
        (orphaned.as_str(), 127, "interpreter"),
        (plain.as_str(), 126, "Permission denied"),
        ("/", 126, "Permission denied"),
        ("/etc/passwd/x", 126, "Not a directory"),
    ] {
        let (ended, _, err) = run(alone(&["-s"]), &[command]);
        assert_eq!(ended, code, "{command}: {err}");
        assert!(err.contains(reason) && err.contains(command) && err.lines().count() == 1, "{command}: {err}");
    }
    assert_eq!(run(alone(&["-s"]), &[&unnamed]).0, 5, "a script without an interpreter is sh's");
}

#[test]
fn with_the_api_on_it_is_the_same() {
    let ended = |words: &[&str]| {
        let args: Vec<&str> = ["--"].iter().chain(words).copied().collect();
        let mut quarterdeck = Quarterdeck::launch(&Setup { args: &args, ..Setup::default() });
        quarterdeck.wait().code()
    };
    assert_eq!(ended(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(ended(&["sh", "-c", "kill -9 $$"]), Some(137));
    assert_eq!(ended(&["no-such-command"]), Some(127));
    assert_eq!(ended(&["/etc/passwd"]), Some(126));
}

/// Runs `words` with and without an init before it, after the same `before`.
fn both(before: &str, words: &[&str]) -> (String, String) {
    let behind = run(Start { before, ..alone(&["-s"]) }, words).1;
    let script = format!("{before}; exec \"$0\" \"$@\"");
    let mut plain = std::process::Command::new("/bin/sh");
    plain.args(["-c", &script]).args(words).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    with_default_signals(&mut plain);
    let plain = plain.stdin(std::process::Stdio::null()).output().expect("a shell");
    (behind, String::from_utf8_lossy(&plain.stdout).into_owned())
}

fn lines<'t>(text: &'t str, fields: &[&str]) -> Vec<&'t str> {
    let found: Vec<_> = text.lines().filter(|line| fields.iter().any(|field| line.starts_with(field))).collect();
    assert_eq!(found.len(), fields.len(), "{text}");
    found
}

#[test]
fn it_starts_with_the_mask_and_dispositions_that_init_was_started_with() {
    let block = |mask: &str, ignored: &str| {
        format!(
            "exec perl -e 'use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new({mask})); \
             $SIG{{$_}} = \"IGNORE\" for ({ignored}); exec @ARGV' \"$0\" \"$@\"; :"
        )
    };
    for before in [
        ":".into(),
        block("", "qw(HUP CHLD PIPE)"),
        block("SIGUSR1, SIGTERM, SIGCHLD, 40", "qw(INT SEGV BUS NUM41)"),
        block("1 .. 31, 34 .. 64", "qw(TTIN TTOU TSTP)"),
    ] {
        let (behind, plain) = both(&before, &["cat", "/proc/self/status"]);
        let fields = ["SigBlk", "SigIgn", "SigCgt", "Umask"];
        assert_eq!(lines(&behind, &fields), lines(&plain, &fields), "{before}");
    }
}

#[test]
fn it_starts_with_inits_limits_umask_directory_and_niceness() {
    let before = "umask 027; ulimit -n 333; ulimit -c 7; cd /usr; nice_=$(nice); exec nice -n 3 \"$0\" \"$@\"; :";
    for words in [&["sh", "-c", "umask; pwd; nice"][..], &["cat", "/proc/self/limits"]] {
        let (behind, plain) = both(before, words);
        assert_eq!(behind, plain);
    }
}

#[test]
fn with_the_api_on_it_still_has_the_limits_and_descriptors_of_its_own() {
    let setup = Setup { args: &["--", "sleep", "3600"], before: "ulimit -S -n 333; umask 027", ..Setup::default() };
    let mut quarterdeck = Quarterdeck::launch(&setup);
    let server = quarterdeck.server();
    let main = eventually("the main command runs", || {
        let is_sleep = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n");
        children(quarterdeck.init).into_iter().filter(|pid| *pid != server).find(is_sleep)
    });
    assert!(limits(main).iter().any(|line| line.starts_with("Max open files 333 ")), "{:?}", limits(main));
    assert_eq!(status(main, "Umask"), "0027");
    // What the tests themselves were started with passes; nothing of init's may.
    let own = descriptors(i32::try_from(std::process::id()).expect("a process id"));
    let strange = descriptors(main).into_iter().find(|(number, target)| *number > 2 && own.get(number) != Some(target));
    assert_eq!(strange, None);
    let stat = crate::support::process::stat(main).expect("it runs");
    assert_eq!((stat.group, stat.session), (main, crate::support::process::stat(quarterdeck.init).unwrap().session));
    assert_eq!(quarterdeck.stop().code(), Some(143));
}

#[test]
fn the_environment_passes_but_for_the_token() {
    let env = [("API_KEY", "k"), ("QUARTERDECK_SOCKET", "/s"), ("QUARTERDECK_TOKEN", "secret"), ("EMPTY", "")];
    let (_, out, _) = run(Start { env: &env, ..alone(&["-s"]) }, &["env"]);
    for line in ["API_KEY=k", "QUARTERDECK_SOCKET=/s", "EMPTY="] {
        assert!(out.lines().any(|l| l == line), "{line} is missing: {out}");
    }
    assert!(!out.contains("secret"), "{out}");
    // A path without PATH is execvp's.
    let (code, ..) = run(Start { before: "unset PATH", ..alone(&["-s"]) }, &["true"]);
    assert_eq!(code, 0);
}

#[test]
fn standard_input_and_output_are_untouched() {
    let bytes: Vec<u8> = (0..1_000_000u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let named = ["tini", "dumb-init"].map(|name| Start::of(Init::Named(name), &[]));
    for start in [alone(&["-s"]), alone(&[]).first()].into_iter().chain(named) {
        let mut stead = Start { input: Some(&bytes), ..start }.run(&["cat"]);
        assert_eq!(stead.wait(), 0);
        crate::support::payload::assert_same(&fs::read(stead.dir().join("out")).expect("the output"), &bytes);
    }
}

#[test]
fn open_and_closed_descriptors_are_as_init_found_them() {
    let list = [
        "sh",
        "-c",
        "exec 9>&1; for n in 0 1 2 3 4 5 6 7 8; do [ -e /proc/$$/fd/$n ] && readlink /proc/$$/fd/$n; done",
    ];
    let ours = [Init::Alone, Init::Named("tini"), Init::Named("dumb-init")];
    // The real tini gives up when standard input is closed.
    let all = [&ours[..], &[Init::Real("tini"), Init::Real("dumb-init")]].concat();
    for (inits, before, expected) in [
        (&all[..], "exec 5</etc/passwd 7>&1", &["/dev/null", "out", "err", "/etc/passwd", "out"][..]),
        (&all, "exec 2>&-", &["/dev/null", "out"]),
        (&ours, "exec 0<&-", &["out", "err"]),
        (&ours, "exec 0<&- 2>&- 3</etc/passwd", &["out", "/etc/passwd"]),
    ] {
        for init in inits {
            let (_, out, _) = run(Start { before, ..Start::of(*init, &[]) }, &list);
            let name = |line: &'_ str| line.rsplit_once('/').map_or(String::new(), |(_, name)| name.to_owned());
            let shown = |line: &str| if line.contains("quarterdeck-") { name(line) } else { line.to_owned() };
            let found: Vec<String> = out.lines().map(shown).collect();
            assert_eq!(found, expected, "{init:?} after {before}");
        }
    }
}

#[test]
fn without_the_api_there_is_one_process_one_thread_and_nothing_that_wakes_it() {
    let mut stead = alone(&[]).first().run(&["sleep", "3600"]);
    eventually("the command runs", || {
        let name = fs::read_to_string(format!("/proc/{}/comm", stead.main())).ok()?;
        (name == "sleep\n").then_some(())
    });
    assert_eq!(children(stead.pid), [stead.main()]);
    assert_eq!(status(stead.pid, "Threads"), "1");
    for (number, target) in descriptors(stead.pid) {
        let target = target.display().to_string();
        let is_known =
            number < 3 || ["anon_inode:[signalfd]", "pipe:", "/"].iter().any(|start| target.starts_with(start));
        assert!(is_known, "descriptor {number} is {target}");
    }
    // It waits in poll(2) for one descriptor and without a time limit.
    let call = eventually("init waits", || {
        let text = fs::read_to_string(format!("/proc/{}/syscall", stead.pid)).ok()?;
        (text != "running\n").then_some(text)
    });
    let words: Vec<&str> = call.split_whitespace().collect();
    let endless = match words[0].parse::<i64>() {
        Ok(libc::SYS_ppoll) => "0x0",
        _ => "0xffffffff",
    };
    assert!(words[2] == "0x1" && words[3].starts_with(endless), "{call}");
    stead.signal(libc::SIGTERM);
    assert_eq!(stead.wait(), 143);
}

#[test]
fn flags_about_a_main_command_need_one() {
    for flags in [
        &["-g"][..],
        &["--group"],
        &["-r", "TERM:INT"],
        &["-e", "7"],
        &["-p", "TERM"],
        &["-w"],
        &["--no-api"],
        &["--no-api", "--"],
    ] {
        let output = quarterdeck([&["init"], flags].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {text}");
        assert!(text.lines().count() == 1 && text.contains("COMMAND"), "{flags:?}: {text}");
    }
    for (flags, named) in [
        (&["-r", "TERM"][..], "FROM:TO"),
        (&["-r", "TERM:NOPE"], "NOPE"),
        (&["-e", "256"], "256"),
        (&["-p", "0"], "--parent-death-signal"),
        (&["--nope"], "--nope"),
    ] {
        let output = quarterdeck([&["init", "--no-api"], flags, &["true"]].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {text}");
        assert!(text.lines().count() == 1 && text.contains(named), "{flags:?}: {text}");
    }
}

#[test]
fn the_commands_own_flags_are_not_inits() {
    assert_eq!(run(alone(&["-s"]), &["sh", "-c", "exit 3"]).0, 3);
    // Without the -- that the other tests put before it.
    let output = quarterdeck(["init", "--no-api", "-s", "echo", "-s", "--no-api", "--", "--help"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "-s --no-api -- --help\n");
}
