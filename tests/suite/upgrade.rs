//! The API server is replaced on purpose: SIGUSR2, also with a new binary.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::quarterdeck::{BINARY, Setup};
use crate::support::{Client, Form, Quarterdeck, eventually};
use quarterdeck::link::message::VERSION;

/// A program that was installed somewhere.
struct Installed {
    dir: TempDir,
}

impl Installed {
    fn new() -> Self {
        let this = Self { dir: tempfile::tempdir().expect("a directory") };
        copy_of_binary(&this.path());
        this
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("quarterdeck")
    }

    /// As PID 1, with a session that echoes to a client.
    fn start(&self) -> (Quarterdeck, Client, String) {
        let path = self.path();
        let quarterdeck = Quarterdeck::launch(&Setup { binary: Some(&path), pid1: true, ..Setup::default() });
        let id = quarterdeck.api().shell("stty raw -echo; printf R; exec cat");
        let mut client = quarterdeck.connect(Form::Json);
        client.attach(&id);
        client.wait_until("ready", |view| view.text(&id) == "R");
        (quarterdeck, client, id)
    }

    /// Puts another file in its place, as package managers do: by renaming.
    fn replace_by(&self, made: &Path) {
        fs::rename(made, self.path()).expect("a rename");
    }

    /// Compiles a C program that is not quarterdeck.
    fn compile(&self, body: &str) -> PathBuf {
        let (source, program) = (self.dir.path().join("other.c"), self.dir.path().join("other"));
        fs::write(&source, format!("#include <unistd.h>\nint main(void) {{ {body} }}\n")).expect("a file");
        assert!(Command::new("cc").arg(&source).arg("-o").arg(&program).status().expect("cc(1)").success());
        program
    }
}

/// Which file a process runs, whatever lies at its path by now.
fn file_of(pid: i32) -> u64 {
    fs::metadata(format!("/proc/{pid}/exe")).expect("a program").ino()
}

fn echoes(client: &mut Client, id: &str, word: &str) {
    client.input(id, word);
    client.wait_until("the session answers", |view| view.text(id).ends_with(word));
}

#[test]
fn a_new_binary_serves_after_usr2_and_sessions_go_on() {
    let installed = Installed::new();
    let (quarterdeck, mut client, id) = installed.start();
    let (old, before) = (file_of(quarterdeck.init), quarterdeck.server());
    let copy = installed.dir.path().join("new");
    copy_of_binary(&copy);
    installed.replace_by(&copy);
    let new = fs::metadata(installed.path()).expect("the new one").ino();
    assert_ne!(old, new);
    quarterdeck.signal(Signal::SIGUSR2);
    client.wait_until_lost();
    client.reconnect(Form::Json);
    echoes(&mut client, &id, "one");
    let server = quarterdeck.server();
    assert_ne!(server, before);
    assert_eq!((file_of(quarterdeck.init), file_of(server)), (old, new));
    // From now on it is this one, also after an accident.
    quarterdeck.kill_server();
    client.reconnect(Form::Json);
    echoes(&mut client, &id, "two");
    assert_eq!(file_of(quarterdeck.server()), new);
    assert_eq!(client.view.text(&id), "Ronetwo");
    assert_eq!(quarterdeck.api().get("/api/health").json_of(200)["serverRestarts"], json!(2));
}

#[test]
fn a_server_is_started_again_although_its_binary_was_deleted() {
    let installed = Installed::new();
    let (quarterdeck, mut client, id) = installed.start();
    fs::remove_file(installed.path()).expect("the program");
    quarterdeck.kill_server();
    client.reconnect(Form::Json);
    echoes(&mut client, &id, "again");
}

/// Makes a copy that can be executed: a test beside this one may just have forked with the copy still open for writing
/// (`ETXTBSY` in `execve(2)`).
fn copy_of_binary(path: &Path) {
    fs::copy(BINARY, path).expect("a copy");
    eventually("nobody holds the copy open", || Command::new(path).arg("--version").output().ok());
}

/// SIGUSR2 finds something that can't serve: the present server goes on, so
/// that not even a connection is lost.
#[track_caller]
fn is_refused(prepare: impl Fn(&Installed), reasons: &[&str]) {
    let installed = Installed::new();
    let (quarterdeck, mut client, id) = installed.start();
    let before = quarterdeck.server();
    prepare(&installed);
    quarterdeck.signal(Signal::SIGUSR2);
    let refused = quarterdeck.log().wait_for("the refusal", |entry| {
        entry["level"] == "error" && entry["message"].as_str().unwrap_or_default().contains("refused")
    });
    for reason in reasons {
        assert!(refused["reason"].as_str().is_some_and(|text| text.contains(reason)), "no {reason:?} in {refused}");
    }
    echoes(&mut client, &id, "on");
    assert_eq!(client.view.text(&id), "Ron");
    eventually("the other one is gone", || {
        let left = crate::support::process::children(quarterdeck.init).len();
        (left == 2).then_some(())
    });
    assert_eq!(quarterdeck.server(), before);
    assert_eq!(quarterdeck.api().get("/api/health").json_of(200)["serverRestarts"], json!(0));
    // And a good one is taken afterwards.
    let copy = installed.dir.path().join("good");
    copy_of_binary(&copy);
    installed.replace_by(&copy);
    quarterdeck.signal(Signal::SIGUSR2);
    client.wait_until_lost();
    client.reconnect(Form::Json);
    echoes(&mut client, &id, "good");
}

#[test]
fn a_binary_of_another_link_version_is_refused() {
    // What every version says first on the link: QD and its number.
    let speaks = |installed: &Installed| {
        installed.replace_by(&installed.compile(r#"write(3, "QD\xfe\x7f", 4); for (;;) pause();"#));
    };
    is_refused(speaks, &["link version 32766", "restart the container"]);
}

/// It says that it speaks the language, so it gets the place, and is of no use.
#[test]
fn after_a_binary_that_never_serves_the_one_before_comes_back() {
    let installed = Installed::new();
    let (quarterdeck, mut client, id) = installed.start();
    let before = file_of(quarterdeck.server());
    let introduction = format!("char word[] = {{'Q', 'D', {}, {}}};", VERSION & 0xff, VERSION >> 8);
    let useless = installed.compile(&format!("{introduction} write(3, word, 4); usleep(50000); return 1;"));
    installed.replace_by(&useless);
    quarterdeck.signal(Signal::SIGUSR2);
    client.wait_until_lost();
    client.reconnect(Form::Json);
    echoes(&mut client, &id, "again");
    assert_eq!(file_of(quarterdeck.server()), before);
    quarterdeck
        .log()
        .wait_for_message("The new API server ended before it served; going back to the program before it");
}

#[test]
fn a_binary_that_ends_at_once_is_refused() {
    is_refused(|installed| installed.replace_by(&installed.compile("return 1;")), &[]);
}

#[test]
fn a_binary_that_says_nothing_is_refused() {
    is_refused(|installed| installed.replace_by(&installed.compile("for (;;) pause();")), &[]);
}

#[test]
fn a_binary_that_talks_nonsense_is_refused() {
    let babbles = r#"write(3, "this is no introduction", 23); for (;;) pause();"#;
    is_refused(|installed| installed.replace_by(&installed.compile(babbles)), &[]);
}

#[test]
fn a_file_that_is_no_program_is_refused() {
    let text = |installed: &Installed| {
        let path = installed.dir.path().join("text");
        fs::write(&path, "half a download").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        installed.replace_by(&path);
    };
    is_refused(text, &[]);
}

#[test]
fn a_pipe_in_the_binarys_place_is_refused_and_not_waited_for() {
    let pipe = |installed: &Installed| {
        let path = installed.dir.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        installed.replace_by(&path);
    };
    is_refused(pipe, &[]);
}

#[test]
fn a_binary_that_is_missing_is_refused() {
    is_refused(|installed| fs::remove_file(installed.path()).expect("the program"), &[]);
}

#[test]
fn many_wishes_for_another_server_at_once_lose_nothing() {
    let installed = Installed::new();
    let (quarterdeck, mut client, id) = installed.start();
    for round in 0..10 {
        (0..5).for_each(|_| quarterdeck.signal(Signal::SIGUSR2));
        client.wait_until_lost();
        client.reconnect(Form::Json);
        echoes(&mut client, &id, &format!("round {round}"));
    }
}
