//! The main command at a terminal, as with `docker run -it`.

use std::fs;
use std::process::{Child, Command};

use crate::support::process::{children, stat};
use crate::support::stead::with_default_signals;
use crate::support::terminal::Terminal;
use crate::support::{eventually, pid1};

const BINARY: &str = env!("CARGO_BIN_EXE_quarterdeck");

/// A command behind `init` on a terminal, and the directory it works in.
struct Desk {
    terminal: Terminal,
    child: Child,
    /// Process id of init, as this test sees it.
    init: i32,
    dir: tempfile::TempDir,
}

/// With and without the API, which has a port and files of its own.
const FLAGS: [&[&str]; 2] = [
    &["init", "--no-api"],
    &[
        "init",
        "--no-auth",
        "--listen",
        "127.0.0.1:0",
        "--state-dir",
        ".",
        "--socket",
        "api.sock",
        "--log-level",
        "error",
    ],
];

impl Desk {
    /// As PID 1; `controlling` as a container engine with a terminal has it.
    fn first(flags: &[&str], controlling: bool, command: &[&str]) -> Self {
        let mut init = Command::new(BINARY);
        init.args(flags).arg("--").args(command);
        Self::start(init, true, controlling)
    }

    fn start(mut command: Command, first: bool, controlling: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a temporary directory");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", dir.path()).env("TERM", "xterm").env("PS1", "ready> ");
        command.current_dir(dir.path());
        with_default_signals(&mut command);
        if first {
            pid1::contain(&mut command);
        }
        let mut terminal = Terminal::open();
        let child = terminal.start(&mut command, controlling);
        let relay = i32::try_from(child.id()).expect("a process id");
        let init = if first { eventually("PID 1 runs", || children(relay).pop()) } else { relay };
        Self { terminal, child, init, dir }
    }

    /// The command itself: init's child that is not the API server.
    fn main(&self) -> i32 {
        eventually("the main command runs", || {
            let line = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let is_ours = |pid: &i32| {
                line(pid).split(|byte| *byte == 0).nth(1).is_some_and(|word| word == b"server" || word == b"init")
            };
            children(self.init).into_iter().find(|pid| !is_ours(pid) && !line(pid).is_empty())
        })
    }

    #[track_caller]
    fn ends_with(&mut self, code: i32) {
        let status = eventually("init ends", || self.child.try_wait().expect("waitpid"));
        assert_eq!(status.code(), Some(code), "{}", self.terminal.shown());
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.init), nix::sys::signal::Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// A shell that a person talks to.
const SHELL: [&str; 4] = ["bash", "--norc", "--noprofile", "-i"];

/// Starts a program in a shell, stops it, goes back to it and ends it, all by
/// the keys, and leaves the shell with `exit 3`.
fn use_job_control(desk: &mut Desk) {
    let shell = desk.main();
    let terminal = &mut desk.terminal;
    // Not before it is executed: until then it ignores Ctrl-Z as the shell does.
    let is_sleep = |terminal: &Terminal| {
        let leader = terminal.foreground().filter(|leader| *leader != shell)?;
        (fs::read_to_string(format!("/proc/{leader}/comm")).ok()? == "sleep\n").then_some(())
    };
    terminal.wait_for("ready> ");
    assert_eq!(terminal.foreground(), Some(shell));
    assert!(!terminal.shown().contains("job control"), "{}", terminal.shown());
    terminal.type_text("sleep 1000\n");
    eventually("sleep is in the foreground", || is_sleep(terminal));
    terminal.type_text("\x1a");
    terminal.wait_for("Stopped");
    terminal.wait_for("ready> ");
    terminal.type_text("jobs\n");
    terminal.wait_for("[1]+  Stopped                 sleep 1000");
    terminal.wait_for("ready> ");
    terminal.type_text("fg\n");
    eventually("sleep is in the foreground again", || is_sleep(terminal));
    terminal.type_text("\x03");
    terminal.wait_for("ready> ");
    terminal.type_text("echo code $?; tty >/dev/tty && exit 3\n");
    terminal.wait_for("code 130");
    terminal.wait_for("/dev/");
    desk.ends_with(3);
}

#[test]
fn a_shell_has_job_control() {
    for flags in FLAGS {
        // Case one is docker's; in case two nobody gave init the terminal.
        for controlling in [true, false] {
            use_job_control(&mut Desk::first(flags, controlling, &SHELL));
        }
    }
}

#[test]
fn a_terminal_of_a_session_outside_the_namespace_has_job_control_too() {
    let mut outside = Command::new("unshare");
    outside.args(["--map-root-user", "--pid", "--fork", "--mount-proc", BINARY]).args(FLAGS[0]).arg("--").args(SHELL);
    let mut desk = Desk::start(outside, false, true);
    desk.init = eventually("PID 1 runs", || children(desk.init).pop());
    use_job_control(&mut desk);
}

#[test]
fn vim_can_be_suspended_and_brought_back() {
    let mut desk = Desk::first(FLAGS[0], true, &SHELL);
    let terminal = &mut desk.terminal;
    terminal.wait_for("ready> ");
    terminal.type_text("vim -u NONE -N text\n");
    terminal.wait_for("[New]");
    terminal.type_text("ione line\x1b");
    terminal.wait_for("one line");
    terminal.type_text("\x1a");
    terminal.wait_for("Stopped");
    terminal.wait_for("ready> ");
    terminal.type_text("fg\n");
    terminal.wait_for("one line");
    terminal.type_text(":wq\n");
    terminal.wait_for("ready> ");
    terminal.type_text("exit\n");
    desk.ends_with(0);
    assert_eq!(fs::read_to_string(desk.dir.path().join("text")).expect("the text"), "one line\n");
}

#[test]
fn a_full_screen_main_command_is_stopped_by_a_key_and_comes_back_with_cont() {
    for flags in FLAGS {
        let mut desk = Desk::first(flags, true, &["sh", "-c", "seq 1000 > text; exec less text"]);
        desk.terminal.wait_for("text");
        let main = desk.main();
        desk.terminal.type_text("G");
        desk.terminal.wait_for("999\r\n1000");
        desk.terminal.type_text("\x1a");
        eventually("it is stopped", || (stat(main)?.state == 'T').then_some(()));
        signal(desk.init, libc::SIGCONT);
        desk.terminal.wait_for("999\r\n1000");
        desk.terminal.type_text("q");
        desk.ends_with(0);
    }
}

#[test]
fn the_main_command_has_the_terminal_in_the_foreground() {
    for flags in FLAGS {
        for controlling in [true, false] {
            let mut desk = Desk::first(flags, controlling, &["cat"]);
            let main = desk.main();
            eventually("it is in the foreground", || {
                let stat = stat(main)?;
                (stat.tty != 0 && stat.group == main && stat.foreground == main).then_some(())
            });
            desk.terminal.type_text("some text\n");
            desk.terminal.wait_for("some text\r\nsome text\r\n");
            desk.terminal.type_text("\x03");
            desk.ends_with(130);
        }
    }
}

#[test]
fn a_new_size_reaches_the_main_command() {
    // Not bash, which forgets a signal that comes while its trap still runs.
    let script = "$SIG{WINCH} = sub { system 'stty size' }; $| = 1; print qq(up\n); sleep 1 while 1";
    let mut desk = Desk::first(FLAGS[0], true, &["perl", "-e", script]);
    desk.terminal.wait_for("up");
    desk.terminal.resize(101, 33);
    desk.terminal.wait_for("33 101");
    desk.terminal.resize(44, 11);
    desk.terminal.wait_for("11 44");
}

#[test]
fn a_terminal_that_goes_hangs_the_main_command_up() {
    let script = "trap 'echo gone > gone; exit' HUP; echo up; while :; do sleep 0.02; done";
    let mut desk = Desk::first(FLAGS[0], true, &["sh", "-c", script]);
    desk.terminal.wait_for("up");
    desk.terminal.hang_up();
    eventually("the command was told", || desk.dir.path().join("gone").exists().then_some(()));
}

#[test]
fn stop_signals_are_forwarded_and_do_not_stop_init() {
    for number in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
        for flags in FLAGS {
            let desk = Desk::first(flags, true, &["sleep", "3600"]);
            let main = desk.main();
            eventually("it runs", || (stat(main)?.foreground == main).then_some(()));
            signal(desk.init, number);
            eventually("it is stopped", || (stat(main)?.state == 'T').then_some(()));
            assert_ne!(stat(desk.init).expect("init runs").state, 'T');
            signal(desk.init, libc::SIGCONT);
            eventually("it goes on", || (stat(main)?.state != 'T').then_some(()));
        }
    }
}

#[test]
fn a_script_can_use_the_terminal_after_init() {
    let script = "\"$0\" init --no-api -s -- true; echo then; read line; echo \"got $line\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, BINARY]);
    let mut desk = Desk::start(shell, false, true);
    desk.terminal.wait_for("then");
    desk.terminal.type_text("a line\n");
    desk.terminal.wait_for("got a line");
    desk.ends_with(0);
}

#[test]
fn under_the_other_names_job_control_works_as_well() {
    for name in ["tini", "docker-init", "dumb-init"] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let link = dir.path().join(name);
        std::os::unix::fs::symlink(BINARY, &link).expect("a symbolic link");
        let mut init = Command::new(&link);
        init.arg("--").args(SHELL);
        use_job_control(&mut Desk::start(init, true, true));
    }
}

#[allow(unsafe_code)]
fn signal(pid: i32, number: i32) {
    // SAFETY: kill(2) with integers.
    assert_eq!(unsafe { libc::kill(pid, number) }, 0, "{pid} is there to be signalled");
}
